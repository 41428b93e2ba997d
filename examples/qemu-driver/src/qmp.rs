//! `Monitor`: one conversation with a guest's QEMU in its machine protocol, a JSON document a line.

use crate::fault::{fault, system};
use driver_api::error::{Code, Result};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest line that is listened to: QEMU is as hostile as its guest.
const LINE: usize = 1 << 20;

/// A conversation; it ends when this is dropped, and QEMU takes the next one.
#[derive(Debug)]
pub(crate) struct Monitor {
    stream: UnixStream,
    /// What came and has not been looked at.
    heard: Vec<u8>,
    /// When all of it must be over.
    deadline: Instant,
}

impl Monitor {
    /// Begins a conversation that may take this long.
    ///
    /// # Errors
    /// 38 when nobody listens at `socket`, 68 when the time is over, 1 for a QEMU that is gone or makes no sense.
    pub(crate) fn open(socket: &Path, patience: Duration) -> Result<Self> {
        let stream = dial(socket).map_err(|e| system(format!("cannot reach the monitor '{}'", socket.display()), e))?;
        Self::greet(stream, patience)
    }

    fn greet(stream: UnixStream, patience: Duration) -> Result<Self> {
        let mut monitor = Self { stream, heard: Vec::new(), deadline: Instant::now() + patience };
        let greeting = monitor.hear()?;
        if greeting.get("QMP").is_none() {
            return Err(fault(Code::INTERNAL, "a monitor greets with something that is no QMP"));
        }
        monitor.ask("qmp_capabilities")?;
        Ok(monitor)
    }

    /// Has one command without arguments done, and gives what it returns.
    ///
    /// # Errors
    /// 9 when QEMU refuses, with its words; else as [`Monitor::open`].
    pub(crate) fn ask(&mut self, command: &str) -> Result<Value> {
        let question = json!({"execute": command, "id": command}).to_string() + "\n";
        let sent = self.stream.set_write_timeout(Some(self.left()?));
        sent.and_then(|()| self.stream.write_all(question.as_bytes())).map_err(broken)?;
        loop {
            let mut said = self.hear()?;
            if said.get("id").and_then(Value::as_str) != Some(command) {
                // An event, or the answer to somebody who has not waited for it.
                tracing::debug!(%said, "heard on a monitor");
                continue;
            }
            if let Some(error) = said.get("error") {
                let why = error.get("desc").and_then(Value::as_str).unwrap_or("no reason");
                return Err(fault(Code::OPERATION_FAILED, format!("QEMU refuses '{command}': {why:.200}")));
            }
            return Ok(said.get_mut("return").map(Value::take).unwrap_or_default());
        }
    }

    /// The next thing that QEMU says.
    fn hear(&mut self) -> Result<Value> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map_err(|e| fault(Code::INTERNAL, "a monitor says what is no JSON").because(e));
            }
            if self.heard.len() > LINE {
                return Err(fault(Code::INTERNAL, format!("a monitor says more than {LINE} bytes without an end")));
            }
            let mut buffer = [0; 4096];
            let left = self.left()?;
            let read = self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.read(&mut buffer));
            match read {
                Ok(0) => return Err(fault(Code::INTERNAL, "QEMU has closed its monitor")),
                Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(broken(e)),
            }
        }
    }

    fn left(&self) -> Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late()) } else { Ok(left) }
    }
}

fn broken(error: io::Error) -> driver_api::error::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => late(),
        _ => fault(Code::INTERNAL, "the conversation with a monitor broke off").because(error),
    }
}

fn late() -> driver_api::error::Error {
    fault(Code::OPERATION_TIMEOUT, "QEMU does not answer on its monitor")
}

/// Connects without waiting: the line of those that wait is short, and a QEMU that hangs would let us stand in it for ever.
fn dial(socket: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&fd, &SocketAddrUnix::new(socket)?)?;
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::thread::JoinHandle;

    const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": []}}"#;
    const READY: &str = r#"{"return": {}, "id": "qmp_capabilities"}"#;

    /// A peer that says the first line at once and each other one after a line of ours; gives what it was asked.
    fn peer(lines: &'static [&'static str]) -> (UnixStream, JoinHandle<Vec<String>>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let playing = std::thread::spawn(move || {
            let mut questions = BufReader::new(theirs.try_clone().unwrap()).lines();
            let mut asked = Vec::new();
            for (number, line) in lines.iter().enumerate() {
                if number > 0 {
                    let Some(Ok(question)) = questions.next() else { break };
                    asked.push(question);
                }
                let _gone = theirs.write_all(line.as_bytes()).and_then(|()| theirs.write_all(b"\n"));
            }
            asked
        });
        (ours, playing)
    }

    fn soon() -> Duration {
        Duration::from_secs(20)
    }

    #[test]
    fn a_conversation_is_greeting_handshake_and_answers_past_events() {
        let event = r#"{"event": "STOP", "timestamp": {}}"#;
        let answer = r#"{"return": {"running": false, "status": "paused"}, "id": "query-status"}"#;
        let both: &'static str = Box::leak(format!("{event}\n{answer}").into_boxed_str());
        let lines = Box::leak(Box::new([GREETING, READY, both]));
        let (stream, playing) = peer(lines);
        let mut monitor = Monitor::greet(stream, soon()).unwrap();
        assert_eq!(monitor.ask("query-status").unwrap()["status"], "paused");
        let asked = playing.join().unwrap();
        assert_eq!(asked[0], r#"{"execute":"qmp_capabilities","id":"qmp_capabilities"}"#);
        assert_eq!(asked[1], r#"{"execute":"query-status","id":"query-status"}"#);
    }

    #[test]
    fn a_refusal_is_told_in_qemus_words() {
        let refusal = r#"{"error": {"class": "GenericError", "desc": "not now"}, "id": "cont"}"#;
        let (stream, _playing) = peer(Box::leak(Box::new([GREETING, READY, refusal])));
        let error = Monitor::greet(stream, soon()).unwrap().ask("cont").unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (Code::OPERATION_FAILED, "QEMU refuses 'cont': not now")
        );
    }

    #[test]
    fn a_peer_that_goes_hangs_or_babbles_is_an_error_and_no_hang() {
        let wrong = |lines, patience| {
            let (stream, playing) = peer(lines);
            let error = Monitor::greet(stream, patience).unwrap_err();
            playing.join().unwrap();
            (error.code(), error.to_string())
        };
        assert!(wrong(&[], soon()).1.contains("has closed its monitor"));
        assert!(wrong(&["hello"], soon()).1.contains("no JSON"));
        assert!(wrong(&["{}"], soon()).1.contains("no QMP"));
        let (stream, _silent) = UnixStream::pair().unwrap();
        let late = Monitor::greet(stream, Duration::from_millis(20)).unwrap_err();
        assert_eq!(late.code(), Code::OPERATION_TIMEOUT);
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let (stream, mut theirs) = UnixStream::pair().unwrap();
        let babbling = std::thread::spawn(move || while theirs.write_all(&[b'x'; 4096]).is_ok() {});
        let error = Monitor::greet(stream, soon()).unwrap_err();
        assert!(error.to_string().contains("without an end"), "{error}");
        babbling.join().unwrap();
    }
}
