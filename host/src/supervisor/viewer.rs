//! `Viewer`: one connection to a console's viewer socket, and the line with which it introduces itself.
//!
//! The first line says what is wanted: `ro` or `rw`, then any of `force` (take the place of the present writer),
//! `safe` (there is never more than one writer, so this changes nothing) and `new` (leave out what the console
//! said before). The answer is a line `ok` or `busy: …`; after `ok` raw bytes flow.

use super::outbox::Outbox;
use super::ring::Ring;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// The longest introduction.
const LINE: usize = 64;

/// What a viewer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wish {
    pub(super) write: bool,
    pub(super) force: bool,
    pub(super) history: bool,
}

impl Wish {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let mut wish = Self {
            write: match words.next()? {
                "ro" => false,
                "rw" => true,
                _ => return None,
            },
            force: false,
            history: true,
        };
        for word in words {
            match word {
                "force" => wish.force = true,
                "safe" => {}
                "new" => wish.history = false,
                _ => return None,
            }
        }
        Some(wish)
    }
}

/// How far a viewer has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Has not finished its first line.
    Asking(Vec<u8>),
    /// Has asked and waits for the console's decision.
    Asked(Wish),
    Reader,
    Writer,
    /// Gets what waits for it and is closed then.
    Leaving,
    /// To be dropped.
    Gone,
}

/// A connection to a console.
#[derive(Debug)]
pub(super) struct Viewer {
    stream: UnixStream,
    pub(super) role: Role,
    pub(super) outbox: Outbox,
}

impl Viewer {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            role: Role::Asking(Vec::new()),
            outbox: Outbox::default(),
        })
    }

    pub(super) const fn stream(&self) -> &UnixStream {
        &self.stream
    }

    pub(super) fn watches(&self) -> bool {
        matches!(self.role, Role::Reader | Role::Writer)
    }

    /// Lets it in (or not) once it has asked.
    pub(super) fn decide(&mut self, wish: Wish, writer: bool, ring: &Ring) {
        if wish.write && writer {
            self.refuse("busy: another viewer writes to this console; 'force' takes its place");
            return;
        }
        self.outbox.push(b"ok\n");
        if wish.history {
            self.outbox.push(&ring.last(usize::MAX));
        }
        self.role = if wish.write { Role::Writer } else { Role::Reader };
        self.flush();
    }

    pub(super) fn refuse(&mut self, why: &str) {
        self.outbox.push(format!("{why}\n").as_bytes());
        self.leave();
    }

    pub(super) fn leave(&mut self) {
        self.role = Role::Leaving;
        self.flush();
    }

    pub(super) fn flush(&mut self) {
        let mut stream = &self.stream;
        let broken = self.outbox.flush(|chunk| stream.write(chunk)).is_err();
        if broken || self.role == Role::Leaving && self.outbox.is_empty() {
            self.role = Role::Gone;
        }
    }

    /// Reads what the viewer sent; what a writer typed is returned.
    pub(super) fn read(&mut self) -> Vec<u8> {
        // One byte more could already be input for the guest, so the introduction is read byte by byte.
        if matches!(self.role, Role::Asking(_)) {
            self.read_line();
            return Vec::new();
        }
        let mut chunk = [0_u8; 4096];
        match (&self.stream).read(&mut chunk) {
            Ok(0) => self.role = Role::Gone,
            Ok(count) if self.role == Role::Writer => return chunk[..count].to_vec(),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.role = Role::Gone,
        }
        Vec::new()
    }

    fn read_line(&mut self) {
        let mut byte = [0_u8; 1];
        while let Role::Asking(line) = &mut self.role {
            match (&self.stream).read(&mut byte) {
                Ok(1) if byte[0] == b'\n' => {
                    let wish = std::str::from_utf8(line).ok().and_then(Wish::parse);
                    match wish {
                        Some(wish) => self.role = Role::Asked(wish),
                        None => {
                            self.refuse("refused: the first line must be 'ro' or 'rw', then 'force', 'safe' or 'new'")
                        }
                    }
                }
                Ok(1) if line.len() < LINE => line.push(byte[0]),
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => return,
                Ok(_) | Err(_) => self.role = Role::Gone,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn introductions_are_read_as_documented() {
        let wish = |write, force, history| Some(Wish { write, force, history });
        assert_eq!(Wish::parse("ro"), wish(false, false, true));
        assert_eq!(Wish::parse("rw force"), wish(true, true, true));
        assert_eq!(Wish::parse("rw safe new"), wish(true, false, false));
        for line in ["", "r", "rw now", "force rw"] {
            assert_eq!(Wish::parse(line), None, "{line}");
        }
    }

    #[test]
    fn input_right_behind_the_introduction_is_kept() {
        let (mut client, server) = UnixStream::pair().unwrap();
        let mut viewer = Viewer::new(server).unwrap();
        client.write_all(b"rw\nuname\n").unwrap();
        assert_eq!(viewer.read(), b"");
        let Role::Asked(wish) = viewer.role else {
            panic!("{:?}", viewer.role)
        };
        let mut ring = Ring::new(100);
        ring.push(b"login: ");
        viewer.decide(wish, false, &ring);
        assert_eq!(viewer.read(), b"uname\n");
        let mut answer = [0_u8; 10];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ok\nlogin: ");
    }

    #[test]
    fn a_second_writer_hears_busy_and_is_closed() {
        let (mut client, server) = UnixStream::pair().unwrap();
        let mut viewer = Viewer::new(server).unwrap();
        let wish = Wish::parse("rw").unwrap();
        viewer.decide(wish, true, &Ring::new(1));
        assert_eq!(viewer.role, Role::Gone);
        drop(viewer);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("busy: "), "{answer}");
    }
}
