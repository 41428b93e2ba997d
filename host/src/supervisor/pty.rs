//! `Pty`: a console shown as a terminal of the host, which may or may not have anyone at it.

use super::outbox::Outbox;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use std::io;
use std::os::fd::OwnedFd;

/// The master side of a pty in raw mode.
#[derive(Debug)]
pub(super) struct Pty {
    master: OwnedFd,
    /// Nobody at the terminal means POLLHUP for ever; an edge-triggered set tells only of changes.
    edges: OwnedFd,
    pub(super) readable: bool,
    pub(super) outbox: Outbox,
}

impl Pty {
    /// A new pty and the path of its terminal side.
    pub(super) fn open() -> io::Result<(Self, String)> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let path = rustix::pty::ptsname(&master, Vec::new())?
            .into_string()
            .map_err(io::Error::other)?;
        // Opened once and closed: only then does the kernel report that nobody is there.
        let terminal = rustix::fs::open(
            path.as_str(),
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )?;
        let mut mode = rustix::termios::tcgetattr(&terminal)?;
        mode.make_raw();
        rustix::termios::tcsetattr(&terminal, OptionalActions::Now, &mode)?;
        drop(terminal);
        let edges = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&edges, &master, epoll::EventData::new_u64(0), flags)?;
        let pty = Self {
            master,
            edges,
            readable: false,
            outbox: Outbox::default(),
        };
        Ok((pty, path))
    }

    pub(super) const fn edges(&self) -> &OwnedFd {
        &self.edges
    }

    pub(super) const fn master(&self) -> &OwnedFd {
        &self.master
    }

    /// Takes the news from the edge-triggered set.
    pub(super) fn take_edge(&mut self) {
        let now = Timespec::default();
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }];
        if matches!(epoll::wait(&self.edges, &mut events[..], Some(&now)), Ok(count) if count > 0) {
            self.readable = true;
        }
    }

    /// What somebody typed; empty when there is nothing (more).
    pub(super) fn read(&mut self) -> Vec<u8> {
        let mut chunk = [0_u8; 4096];
        match rustix::io::read(&self.master, &mut chunk) {
            Ok(count) if count > 0 => chunk[..count].to_vec(),
            Err(Errno::INTR) => Vec::new(),
            // EIO: nobody is at the terminal.
            _ => {
                self.readable = false;
                Vec::new()
            }
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.outbox.push(chunk);
        self.flush();
    }

    /// Writes what waits, or forgets it when nobody is there: the kernel would keep it for whoever comes much later.
    pub(super) fn flush(&mut self) {
        let mut state = [PollFd::new(&self.master, PollFlags::empty())];
        let vacant =
            poll(&mut state, Some(&Timespec::default())).is_ok() && state[0].revents().contains(PollFlags::HUP);
        let master = &self.master;
        if vacant
            || self
                .outbox
                .flush(|chunk| Ok(rustix::io::write(master, chunk)?))
                .is_err()
        {
            self.outbox.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn output_for_nobody_is_forgotten_and_a_visitor_is_served_both_ways() {
        let (mut pty, path) = Pty::open().unwrap();
        for _ in 0..100 {
            pty.push(&[b'x'; 4096]);
        }
        assert!(pty.outbox.is_empty());
        let open = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut visitor = open();
        pty.take_edge();
        pty.readable = false;
        pty.push(b"hello\n");
        let mut seen = [0_u8; 6];
        visitor.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"hello\n");
        visitor.write_all(b"ls\r").unwrap();
        let mut news = [PollFd::new(&pty.edges, PollFlags::IN)];
        poll(&mut news, None).unwrap();
        pty.take_edge();
        assert!(pty.readable);
        assert_eq!(pty.read(), b"ls\r");
        drop(visitor);
        // The edge of leaving is told once, and then the pty is silent: no busy loop.
        let mut news = [PollFd::new(&pty.edges, PollFlags::IN)];
        poll(&mut news, None).unwrap();
        pty.take_edge();
        assert_eq!(pty.read(), b"");
        assert!(!pty.readable);
        let mut news = [PollFd::new(&pty.edges, PollFlags::IN)];
        assert_eq!(poll(&mut news, Some(&Timespec::default())).unwrap(), 0);
        pty.push(b"late");
        assert!(pty.outbox.is_empty());
    }
}
