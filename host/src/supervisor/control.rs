//! The supervisor's side of the control socket: requests, answers and notifications, one JSON text per line.

use super::companion::{State, Wish};
use super::hotplug::{Outcome, PlugOrder, UnplugOrder};
use super::link::Traffic;
use super::order::{Failure, Note, Running};
use super::{parcel, peer};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Notifications kept for a host that is away or slow.
const KEPT: usize = 64;
/// The longest request line: some paths, of 4 KiB each at most.
const LINE: usize = 64 * 1024;
/// Descriptors that may come with requests that were not read whole yet.
const DESCRIPTORS: usize = 4;

/// What a host asks of a supervisor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// Kill the guest; answered at once, done when the connection ends.
    Kill,
    /// Tell what runs.
    Status,
    /// The last lines of console 0.
    Tail { bytes: usize },
    /// Send notifications from now on, those that nobody confirmed first.
    Watch,
    /// Every notification up to this one has been handled.
    Confirm { seq: u64 },
    /// Send the viewers of every console away.
    DropViewers,
    /// Put something into the guest; a tap's descriptor comes with the first byte.
    Plug(PlugOrder),
    /// Take something out.
    Unplug(UnplugOrder),
    /// About a program beside the guest.
    Companion(Wish),
    /// Tell what went through the links.
    Traffic,
}

/// What a supervisor says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    Done,
    Status(Running),
    Tail(String),
    Note(Note),
    Outcome(Outcome),
    /// How far a program beside the guest is.
    Companion(State),
    /// It could not be started.
    NoCompanion(Failure),
    Traffic(Vec<Traffic>),
    /// A request of another version.
    Unknown(String),
}

/// One JSON text and the end of its line.
pub(super) fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Takes the first whole line out of `buffer`.
pub(super) fn take_line(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.iter().position(|byte| *byte == b'\n')?;
    let mut line: Vec<u8> = buffer.drain(..=end).collect();
    line.pop();
    Some(line)
}

/// The notifications of a guest, numbered from 1.
#[derive(Debug, Default)]
pub(super) struct Notes {
    kept: VecDeque<Note>,
    last: u64,
    pub(super) confirmed: u64,
}

impl Notes {
    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        self.last += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Note { seq: self.last, bytes });
    }

    /// The newest `count`, oldest first.
    pub(super) fn newest(&self, count: usize) -> Vec<Note> {
        self.kept
            .iter()
            .skip(self.kept.len().saturating_sub(count))
            .cloned()
            .collect()
    }

    fn after(&self, seq: u64) -> impl Iterator<Item = &Note> {
        self.kept.iter().filter(move |note| note.seq > seq)
    }
}

/// A host's connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    /// Names it while others come and go.
    pub(super) number: u64,
    input: Vec<u8>,
    /// What came with requests, in their order.
    descriptors: Vec<OwnedFd>,
    output: VecDeque<u8>,
    /// The last notification sent, once it watches.
    sent: Option<u64>,
    pub(super) gone: bool,
}

impl Client {
    /// `None` when the peer is none of ours.
    pub(super) fn new(stream: UnixStream, number: u64) -> Option<Self> {
        (peer::is_own(&stream) && stream.set_nonblocking(true).is_ok()).then(|| Self {
            stream,
            number,
            input: Vec::new(),
            descriptors: Vec::new(),
            output: VecDeque::new(),
            sent: None,
            gone: false,
        })
    }

    pub(super) const fn stream(&self) -> &UnixStream {
        &self.stream
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.output.is_empty()
    }

    /// The requests that came in whole.
    pub(super) fn read(&mut self) -> Vec<Result<Request, String>> {
        let mut chunk = [0_u8; 4096];
        match parcel::take(&self.stream, &mut chunk) {
            Ok((0, _)) => self.gone = true,
            Ok((count, descriptors)) => {
                self.input.extend_from_slice(&chunk[..count]);
                self.descriptors.extend(descriptors);
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.gone = true,
        }
        let mut requests = Vec::new();
        while let Some(line) = take_line(&mut self.input) {
            requests.push(serde_json::from_slice(&line).map_err(|e| e.to_string()));
        }
        if self.input.len() > LINE || self.descriptors.len() > DESCRIPTORS {
            self.gone = true;
        }
        requests
    }

    /// The next of the descriptors that came with requests.
    pub(super) fn descriptor(&mut self) -> Option<OwnedFd> {
        (!self.descriptors.is_empty()).then(|| self.descriptors.remove(0))
    }

    pub(super) fn answer(&mut self, reply: &Reply) {
        self.output.extend(line(reply));
        self.flush();
    }

    pub(super) fn watch(&mut self, notes: &Notes) {
        self.sent = Some(notes.confirmed);
        self.output.extend(line(&Reply::Done));
        self.tell(notes);
    }

    /// Sends what a watcher has not had yet. One that does not read is given no more than fits: it finds the rest here
    /// when it reads again, as far as it is kept.
    pub(super) fn tell(&mut self, notes: &Notes) {
        self.flush();
        while let Some(sent) = self.sent
            && self.output.len() < 64 * 1024
            && let Some(note) = notes.after(sent).next()
        {
            self.sent = Some(note.seq);
            self.output.extend(line(&Reply::Note(note.clone())));
            self.flush();
        }
    }

    fn flush(&mut self) {
        while !self.output.is_empty() {
            match (&self.stream).write(self.output.as_slices().0) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.gone = true;
                    self.output.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;

    #[test]
    fn a_new_host_gets_what_the_last_one_did_not_confirm_once_each() {
        let mut notes = Notes::default();
        for byte in 1..=5 {
            notes.push(vec![byte]);
        }
        notes.confirmed = 2;
        let (host, supervisor) = UnixStream::pair().unwrap();
        let mut client = Client::new(supervisor, 1).unwrap();
        client.watch(&notes);
        notes.push(vec![6]);
        client.tell(&notes);
        client.tell(&notes);
        drop(client);
        let replies: Vec<Reply> = io::BufReader::new(host)
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        let mut expected = vec![Reply::Done];
        expected.extend((3..=6).map(|n| {
            Reply::Note(Note {
                seq: u64::from(n),
                bytes: vec![n],
            })
        }));
        assert_eq!(replies, expected);
    }

    #[test]
    fn a_host_that_does_not_read_costs_bounded_memory() {
        let mut notes = Notes::default();
        let (_host, supervisor) = UnixStream::pair().unwrap();
        let mut client = Client::new(supervisor, 1).unwrap();
        client.watch(&notes);
        for _ in 0..1000 {
            notes.push(vec![255; 512]);
            client.tell(&notes);
        }
        assert!(client.output.len() < 128 * 1024);
        assert_eq!(notes.newest(16).first().map(|note| note.seq), Some(985));
    }

    #[test]
    fn requests_arrive_in_any_pieces_and_strange_ones_are_told() {
        let (mut host, supervisor) = UnixStream::pair().unwrap();
        let mut client = Client::new(supervisor, 1).unwrap();
        host.write_all(b"\"kill\"\n{\"tail\":{\"by").unwrap();
        assert_eq!(client.read(), vec![Ok(Request::Kill)]);
        host.write_all(b"tes\":7}}\n\"dance\"\n").unwrap();
        let requests = client.read();
        assert_eq!(requests[0], Ok(Request::Tail { bytes: 7 }));
        assert!(requests[1].is_err());
        host.write_all(&[b'x'; LINE + 10_000]).unwrap();
        while !client.gone {
            client.read();
        }
    }
}
