//! One conversation with a message bus: connect, say who we are, call, and get an answer, all before a deadline.

use super::message::{self, Call, Message, PREFIX, Word};
use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags, SocketType,
    recvmsg, socket_with,
};
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The most descriptors that are taken with one read; an answer of ours has one.
const DESCRIPTORS: usize = 4;
/// The longest line while both sides say who they are.
const LINE: usize = 512;

const HELLO: Call<'_> = Call {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
    arguments: &[],
};

/// A connection to a bus.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    deadline: Instant,
    serial: u32,
    /// What was read and not yet used.
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the bus {what}"))
}

/// The sockets that a bus address names, in order; ways other than unix sockets are left out.
fn sockets(address: &str) -> Vec<SocketAddrUnix> {
    let one = |way: &str| {
        let options = way.strip_prefix("unix:")?.split(',');
        options
            .filter_map(|option| option.split_once('='))
            .find_map(|(key, value)| {
                let value = unescaped(value)?;
                match key {
                    "path" => SocketAddrUnix::new(value).ok(),
                    "abstract" => SocketAddrUnix::new_abstract_name(&value).ok(),
                    _ => None,
                }
            })
    };
    address.split(';').filter_map(one).collect()
}

/// A value of a bus address, in which odd bytes are written as `%2f`.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

impl Bus {
    /// Connects to the first socket of an address that takes us, and introduces this process.
    ///
    /// # Errors
    /// Nobody listens, the bus does not want us, or not in time.
    pub(super) fn connect(address: &str, deadline: Instant) -> io::Result<Self> {
        let mut failure = io::Error::new(io::ErrorKind::Unsupported, format!("'{address}' names no unix socket"));
        for socket in sockets(address) {
            match connect(&socket, deadline) {
                Ok(stream) => {
                    let mut bus = Self {
                        stream,
                        deadline,
                        serial: 0,
                        bytes: Vec::new(),
                        descriptors: Vec::new(),
                    };
                    bus.introduce()?;
                    return Ok(bus);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn introduce(&mut self) -> io::Result<()> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let uid: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
        self.say(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes())?;
        self.expect("OK")?;
        self.say(b"NEGOTIATE_UNIX_FD\r\n")?;
        self.expect("AGREE_UNIX_FD")?;
        self.say(b"BEGIN\r\n")?;
        self.call(&HELLO).map(drop)
    }

    fn expect(&mut self, word: &str) -> io::Result<()> {
        let end = loop {
            if let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\r\n") {
                break end;
            }
            if self.bytes.len() > LINE {
                return Err(odd("says more than it should before anybody was introduced"));
            }
            self.hear()?;
        };
        let line: Vec<u8> = self.bytes.drain(..end + 2).take(end).collect();
        let line = String::from_utf8_lossy(&line);
        match line.split(' ').next() {
            Some(first) if first == word => Ok(()),
            _ => Err(odd(&format!("answers '{}' instead of '{word}'", line.escape_debug()))),
        }
    }

    /// Calls, waits for the answer, and gives the descriptors that came with it.
    ///
    /// # Errors
    /// The other side refuses, in its words, or does not answer in time.
    pub(super) fn call(&mut self, call: &Call<'_>) -> io::Result<Vec<OwnedFd>> {
        self.serial += 1;
        self.say(&call.bytes(self.serial))?;
        loop {
            let message = self.next()?;
            // One read may bring the descriptors of a message that stands behind others in the same bytes.
            let brought = message.descriptors.min(self.descriptors.len());
            let descriptors: Vec<OwnedFd> = self.descriptors.drain(..brought).collect();
            match message.word {
                Word::Answer(serial) if serial == self.serial => return Ok(descriptors),
                Word::Refusal(serial, words) if serial == self.serial => return Err(io::Error::other(words)),
                // Signals come to everybody.
                _ => {}
            }
        }
    }

    fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some(prefix) = self.bytes.get(..PREFIX) {
                let len = message::len(prefix).ok_or_else(|| odd("sends what is no message"))?;
                if self.bytes.len() >= len {
                    let bytes: Vec<u8> = self.bytes.drain(..len).collect();
                    return message::parse(&bytes).ok_or_else(|| odd("sends a message that makes no sense"));
                }
            }
            self.hear()?;
        }
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        set_deadline(&self.stream, Timeout::Send, self.deadline)?;
        self.stream.write_all(bytes)
    }

    fn hear(&mut self) -> io::Result<()> {
        set_deadline(&self.stream, Timeout::Recv, self.deadline)?;
        let mut chunk = [0_u8; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = retry_on_intr(|| {
            recvmsg(
                &self.stream,
                &mut [IoSliceMut::new(&mut chunk)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        })?;
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = part {
                self.descriptors.extend(descriptors);
            }
        }
        if message.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.bytes.extend_from_slice(&chunk[..message.bytes]);
        Ok(())
    }
}

fn connect(address: &SocketAddrUnix, deadline: Instant) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Connecting waits while the listener has as many as it takes, for as long as sending may.
    set_deadline(&socket, Timeout::Send, deadline)?;
    rustix::net::connect(&socket, address)?;
    Ok(socket.into())
}

fn set_deadline(socket: impl std::os::fd::AsFd, direction: Timeout, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left < Duration::from_millis(1) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(set_socket_timeout(socket, direction, Some(left))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn listener() -> (TempDir, UnixListener, String) {
        let dir = tempfile::tempdir().unwrap();
        let path: PathBuf = dir.path().join("bus");
        let listener = UnixListener::bind(&path).unwrap();
        let address = format!("unix:path={},guid=00ff", path.display());
        (dir, listener, address)
    }

    /// Reads until all of `wanted` has come.
    fn hear(stream: &mut UnixStream, wanted: &[u8]) {
        let mut heard = vec![0; wanted.len()];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(wanted));
    }

    fn welcome(stream: &mut UnixStream) {
        let uid: String = rustix::process::geteuid().as_raw().to_string();
        let uid: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
        hear(stream, format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes());
        stream.write_all(b"OK 00ff\r\n").unwrap();
        hear(stream, b"NEGOTIATE_UNIX_FD\r\n");
        stream.write_all(b"AGREE_UNIX_FD\r\n").unwrap();
        hear(stream, b"BEGIN\r\n");
        hear(stream, &HELLO.bytes(1));
    }

    fn answer(serial: u8, descriptors: u8) -> Vec<u8> {
        let mut bytes = vec![b'l', 2, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 16, 0, 0, 0];
        bytes.extend([5, 1, b'u', 0, serial, 0, 0, 0]);
        bytes.extend([9, 1, b'u', 0, descriptors, 0, 0, 0]);
        bytes
    }

    #[test]
    fn addresses_name_sockets_in_order() {
        let named = sockets("tcp:host=x;unix:guid=1,path=/run/a%20b;unix:abstract=c;unix:tmpdir=/tmp");
        assert_eq!(named.len(), 2);
        assert_eq!(named[0].path().unwrap().to_bytes(), b"/run/a b");
        assert_eq!(named[1].abstract_name().unwrap(), b"c");
        assert!(sockets("unix:path=/a%2").is_empty());
    }

    #[test]
    fn a_call_is_answered_with_descriptors_and_signals_are_passed_over() {
        let (_dir, listener, address) = listener();
        let far = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            welcome(&mut stream);
            stream.write_all(&answer(1, 0)).unwrap();
            // A signal first, as a bus sends one that tells us our name.
            hear(&mut stream, &HELLO.bytes(2));
            let mut signal = answer(2, 0);
            signal[1] = 4;
            stream.write_all(&signal).unwrap();
            let file = tempfile::tempfile().unwrap();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
            let fds = [file.as_fd()];
            assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&fds)));
            let bytes = answer(2, 1);
            let part = [io::IoSlice::new(&bytes)];
            rustix::net::sendmsg(&stream, &part, &mut control, rustix::net::SendFlags::empty()).unwrap();
        });
        let mut bus = Bus::connect(&address, soon()).unwrap();
        assert_eq!(bus.call(&HELLO).unwrap().len(), 1);
        far.join().unwrap();
    }

    #[test]
    fn a_bus_that_does_not_want_us_is_quoted() {
        let (_dir, listener, address) = listener();
        let far = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(b"REJECTED EXTERNAL\r\n").unwrap();
            let mut rest = Vec::new();
            let _count = stream.read_to_end(&mut rest).unwrap();
        });
        let error = Bus::connect(&address, soon()).unwrap_err();
        assert!(
            error.to_string().contains("'REJECTED EXTERNAL' instead of 'OK'"),
            "{error}"
        );
        far.join().unwrap();
    }

    #[test]
    fn a_bus_that_says_nothing_is_left_at_the_deadline() {
        let (_dir, _listener, address) = listener();
        // Nobody accepts, yet the kernel connects: the first answer is what is waited for.
        let error = Bus::connect(&address, Instant::now() + Duration::from_millis(50)).unwrap_err();
        let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        assert!(kinds.contains(&error.kind()), "{error}");
    }

    #[test]
    fn a_bus_that_talks_nonsense_is_quoted() {
        for (words, expected) in [
            (&b"OK\r\nERROR\r\n"[..], "'ERROR' instead"),
            (&[b'x'; 5000], "introduced"),
        ] {
            let (_dir, listener, address) = listener();
            let far = std::thread::spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                // It may have left before all of it is said.
                let _broken = stream.write_all(words);
                let _count = stream.read_to_end(&mut Vec::new());
            });
            let error = Bus::connect(&address, soon()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            far.join().unwrap();
        }
    }

    #[test]
    fn a_bus_that_hangs_up_is_no_wait() {
        let (_dir, listener, address) = listener();
        let far = std::thread::spawn(move || drop(listener.accept().unwrap()));
        let error = Bus::connect(&address, soon()).unwrap_err();
        let kinds = [
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe,
        ];
        assert!(kinds.contains(&error.kind()), "{error}");
        far.join().unwrap();
    }

    #[test]
    fn an_address_without_a_listener_is_an_error() {
        let error = Bus::connect("unix:path=/nowhere/bus", soon()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = Bus::connect("tcp:host=localhost", soon()).unwrap_err();
        assert!(error.to_string().contains("names no unix socket"), "{error}");
    }
}
