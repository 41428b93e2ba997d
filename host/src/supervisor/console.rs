//! `Console`: drains one console of a guest into its logs and to its viewers, and carries their input back.

use super::backend::{self, Backend};
use super::extras::BackendOrder;
use super::order::{ConsoleOrder, Failure, Step, console_socket};
use super::peer;
use super::pty::Pty;
use super::ring::Ring;
use super::rotation::RotatedLog;
use super::viewer::{Role, Viewer};
use rustix::event::{PollFlags, Timespec};
use std::collections::VecDeque;
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

/// What a viewer that joins late still gets to see.
const HISTORY: usize = 64 * 1024;
/// Input that may wait for a guest that does not read; after that its writers wait.
const INPUT: usize = 16 * 1024;
/// Viewers of one console; more are turned away.
const VIEWERS: usize = 64;

/// What of a console became ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Guest,
    Listener,
    Viewer(usize),
    PtyEdge,
    PtyRoom,
    Backend(backend::Part),
}

/// One console of the guest, or a spare one: what the guest says on that is read and forgotten, so that it never waits.
#[derive(Debug)]
pub(super) struct Console {
    index: usize,
    /// Under which it is taken out; `None` for a spare one.
    alias: Option<String>,
    guest: Option<UnixStream>,
    input: VecDeque<u8>,
    logs: Vec<RotatedLog>,
    ring: Ring,
    listener: Option<UnixListener>,
    viewers: Vec<Viewer>,
    pty: Option<Pty>,
    backend: Option<Backend>,
}

/// How logs of consoles are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Logging {
    /// Bytes after which one is rotated.
    pub(super) bytes: u64,
    /// Files kept of each.
    pub(super) files: u32,
}

impl Console {
    /// A spare console with number `index`, and the guest's end of it.
    pub(super) fn spare(index: usize) -> Result<(Self, OwnedFd), Failure> {
        let (host, guest) = UnixStream::pair().step(|| format!("make console {index}"))?;
        host.set_nonblocking(true).step(|| format!("set up console {index}"))?;
        let console = Self {
            index,
            alias: None,
            guest: Some(host),
            input: VecDeque::new(),
            logs: Vec::new(),
            ring: Ring::new(0),
            listener: None,
            viewers: Vec::new(),
            pty: None,
            backend: None,
        };
        Ok((console, guest.into()))
    }

    /// Whether it can be put to use: it is spare, and the guest has its end.
    pub(super) const fn is_spare(&self) -> bool {
        self.alias.is_none() && self.guest.is_some()
    }

    /// Whether it was ordered under this name.
    pub(super) fn is(&self, alias: &str) -> bool {
        self.alias.as_deref() == Some(alias)
    }

    /// Puts a spare console to use, with its socket in the current folder; returns the pty's path, or nothing.
    ///
    /// # Errors
    /// With the step that failed; then it is spare still.
    pub(super) fn employ(
        &mut self,
        order: &ConsoleOrder,
        backend: &BackendOrder,
        logging: Logging,
    ) -> Result<String, Failure> {
        let index = self.index;
        // What was said while it was spare is for nobody. As often as it takes, unless the guest floods.
        let _quiet = (0..64).any(|_| !self.drain());
        let mut logs = Vec::new();
        for path in &order.logs {
            let log = RotatedLog::open(path, logging.bytes, logging.files);
            logs.push(log.step(|| format!("open the console log '{}'", path.display()))?);
        }
        let backend = Backend::open(backend, index)?;
        let (pty, path) = match order.pty {
            true => Pty::open()
                .map(|(pty, path)| (Some(pty), path))
                .step(|| format!("make a pty for console {index}"))?,
            false => (None, String::new()),
        };
        let name = console_socket(index);
        let listener = UnixListener::bind(&name).step(|| format!("listen at '{name}'"))?;
        let ready = std::fs::set_permissions(&name, Permissions::from_mode(0o600))
            .and_then(|()| listener.set_nonblocking(true));
        if let Err(e) = ready {
            let _ = std::fs::remove_file(&name);
            return Err(e).step(|| format!("set up '{name}'"));
        }
        self.alias = Some(order.alias.clone());
        self.logs = logs;
        self.ring = Ring::new(HISTORY);
        self.listener = Some(listener);
        self.pty = pty;
        self.backend = backend;
        Ok(path)
    }

    /// Makes it spare again: everybody at it is sent away.
    pub(super) fn release(&mut self) {
        self.drop_viewers();
        self.alias = None;
        self.input = VecDeque::new();
        self.logs = Vec::new();
        self.ring = Ring::new(0);
        self.pty = None;
        self.backend = None;
        if self.listener.take().is_some() {
            let _ = std::fs::remove_file(console_socket(self.index));
        }
    }

    /// When it has something to do though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.backend.as_ref().and_then(Backend::deadline)
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        if let Some(backend) = &mut self.backend {
            backend.tick(now);
        }
    }

    /// What this console waits for.
    pub(super) fn interests(&self) -> Vec<(Part, BorrowedFd<'_>, PollFlags)> {
        let listener = self.listener.as_ref();
        let mut list: Vec<_> = listener
            .map(|listener| (Part::Listener, listener.as_fd(), PollFlags::IN))
            .into_iter()
            .collect();
        if let Some(guest) = &self.guest {
            let out = if self.input.is_empty() {
                PollFlags::empty()
            } else {
                PollFlags::OUT
            };
            list.push((Part::Guest, guest.as_fd(), PollFlags::IN | out));
        }
        for (number, viewer) in self.viewers.iter().enumerate() {
            let mut flags = PollFlags::empty();
            // A writer whose guest does not read has to wait.
            if viewer.role != Role::Writer || self.has_room() {
                flags |= PollFlags::IN;
            }
            if !viewer.outbox.is_empty() {
                flags |= PollFlags::OUT;
            }
            list.push((Part::Viewer(number), viewer.stream().as_fd(), flags));
        }
        if let Some(pty) = &self.pty {
            list.push((Part::PtyEdge, pty.edges().as_fd(), PollFlags::IN));
            if !pty.outbox.is_empty() {
                list.push((Part::PtyRoom, pty.master().as_fd(), PollFlags::OUT));
            }
        }
        if let Some(backend) = &self.backend {
            let parts = backend.interests(self.has_room());
            list.extend(
                parts
                    .into_iter()
                    .map(|(part, fd, flags)| (Part::Backend(part), fd, flags)),
            );
        }
        list
    }

    fn has_room(&self) -> bool {
        self.input.len() < INPUT
    }

    /// Does what became possible.
    pub(super) fn handle(&mut self, part: Part, flags: PollFlags) {
        match part {
            Part::Guest => {
                if flags.contains(PollFlags::OUT) {
                    self.feed();
                }
                if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                    let _more = self.drain();
                }
            }
            Part::Listener => self.accept(),
            Part::Viewer(number) => self.serve(number, flags),
            Part::PtyEdge => {
                if let Some(pty) = &mut self.pty {
                    pty.take_edge();
                }
            }
            Part::PtyRoom => {
                if let Some(pty) = &mut self.pty {
                    pty.flush();
                }
            }
            Part::Backend(part) => {
                let typed = self.backend.as_mut().map(|backend| backend.handle(part));
                self.type_in(&typed.unwrap_or_default());
            }
        }
        self.read_pty();
    }

    /// Drops viewers that are gone; not in the middle of a round, whose places refer to them by number.
    pub(super) fn sweep(&mut self) {
        self.viewers.retain(|viewer| viewer.role != Role::Gone);
    }

    fn accept(&mut self) {
        let Some(Ok((stream, _))) = self.listener.as_ref().map(UnixListener::accept) else {
            return;
        };
        if !peer::is_own(&stream) {
            return;
        }
        let Ok(mut viewer) = Viewer::new(stream) else { return };
        if self.viewers.len() >= VIEWERS {
            viewer.refuse("busy: this console has as many viewers as it can serve");
        }
        self.viewers.push(viewer);
    }

    fn serve(&mut self, number: usize, flags: PollFlags) {
        let Some(viewer) = self.viewers.get_mut(number) else {
            return;
        };
        if flags.contains(PollFlags::OUT) {
            viewer.flush();
        }
        if !flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            return;
        }
        let typed = viewer.read();
        if let Role::Asked(wish) = viewer.role {
            if wish.write && wish.force {
                for other in self.viewers.iter_mut().filter(|other| other.role == Role::Writer) {
                    other.outbox.push(b"\r\n[another viewer has taken this console]\r\n");
                    other.leave();
                }
            }
            let taken = self.viewers.iter().any(|other| other.role == Role::Writer);
            if let Some(viewer) = self.viewers.get_mut(number) {
                viewer.decide(wish, taken, &self.ring);
            }
        }
        self.type_in(&typed);
    }

    fn read_pty(&mut self) {
        while self.has_room()
            && let Some(pty) = self.pty.as_mut().filter(|pty| pty.readable)
        {
            let typed = pty.read();
            self.type_in(&typed);
        }
    }

    fn type_in(&mut self, bytes: &[u8]) {
        self.input.extend(bytes);
        self.feed();
    }

    /// Gives the guest what waits for it, as far as it takes it.
    fn feed(&mut self) {
        let Some(mut guest) = self.guest.as_ref() else {
            self.input.clear();
            return;
        };
        while !self.input.is_empty() {
            match guest.write(self.input.as_slices().0) {
                Ok(count) => drop(self.input.drain(..count)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                // Nobody reads it any more.
                Err(_) => self.input.clear(),
            }
        }
    }

    /// Reads what the guest says, a bounded piece at a time so that other consoles get their turn; `false` when there
    /// is nothing (more).
    fn drain(&mut self) -> bool {
        let mut chunk = [0_u8; 16 * 1024];
        for _ in 0..4 {
            let Some(mut guest) = self.guest.as_ref() else {
                return false;
            };
            match guest.read(&mut chunk) {
                Ok(0) => self.guest = None,
                Ok(count) => self.spread(&chunk[..count]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.guest = None,
            }
        }
        true
    }

    fn spread(&mut self, chunk: &[u8]) {
        for log in &mut self.logs {
            // A full disk costs log lines, never the guest.
            let _ = log.append(chunk);
        }
        self.ring.push(chunk);
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.watches()) {
            viewer.outbox.push(chunk);
            viewer.flush();
        }
        if let Some(pty) = &mut self.pty {
            pty.push(chunk);
        }
        if let Some(backend) = &mut self.backend {
            backend.push(chunk);
        }
    }

    /// The last whole lines, at most `bytes` of them.
    pub(super) fn tail(&self, bytes: usize) -> String {
        self.ring.last_lines(bytes)
    }

    /// Sends every viewer away.
    pub(super) fn drop_viewers(&mut self) {
        for viewer in &mut self.viewers {
            viewer.leave();
        }
    }

    /// After the guest's death: takes its last words out of the pipe and gives viewers a moment to get them.
    pub(super) fn finish(&mut self) {
        while self.drain() {}
        // A descriptor that somehow survived must not hold up the end.
        self.guest = None;
        self.drop_viewers();
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        for _ in 0..4 {
            self.sweep();
            let mut slow: Vec<_> = self
                .viewers
                .iter()
                .map(|v| rustix::event::PollFd::new(v.stream(), PollFlags::OUT))
                .collect();
            if slow.is_empty() || rustix::event::poll(&mut slow, Some(&patience)).is_err() {
                return;
            }
            drop(slow);
            self.viewers.iter_mut().for_each(Viewer::flush);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_whole_however_much_was_said_before() {
        let dir = tempfile::tempdir().unwrap();
        let (host, mut guest) = UnixStream::pair().unwrap();
        host.set_nonblocking(true).unwrap();
        let log = dir.path().join("log");
        let mut console = Console {
            logs: vec![RotatedLog::open(&log, 1 << 30, 1).unwrap()],
            guest: Some(host),
            ..Console::spare(0).unwrap().0
        };
        guest.set_nonblocking(true).unwrap();
        let mut said = 0;
        for _ in 0..4 {
            // As much as the socket takes, more than one look reads.
            while let Ok(count) = guest.write(&[b'x'; 16 * 1024]) {
                said += count;
            }
            let _more = console.drain();
        }
        drop(guest);
        console.finish();
        assert_eq!(std::fs::metadata(&log).unwrap().len(), said as u64);
    }
}
