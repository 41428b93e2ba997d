//! A guest's life as its supervisor lives it: one thread, one poll, until the guest is gone and its end is on disk.

use super::companion;
use super::console::{Console, Part};
use super::control::{Client, Notes, Reply, Request};
use super::extras::LinkOrder;
use super::hotplug::PlugOrder;
use super::order::{ENDED, Ended};
use super::record::{self, Durable};
use super::start::{self, Guest};
use super::{hotplug, link};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of console 0 that an exit record keeps.
const TAIL: usize = 4096;
/// Notifications that an exit record keeps.
const NOTES: usize = 16;
/// Notifications taken in one round, so that a guest that floods does not starve its consoles.
const ROUND: usize = 16;
/// The longest notification; what is longer is cut.
const NOTIFICATION: usize = 8192;

/// What became ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Exit,
    Terminate,
    Notify,
    Listener,
    Client(usize),
    Console(usize, Part),
    Link(link::Part),
    Shown,
    Companion(companion::Part),
}

/// A running guest with all that is attached to it.
#[derive(Debug)]
pub(super) struct Life {
    guest: Guest,
    listener: UnixListener,
    terminate: OwnedFd,
    clients: Vec<Client>,
    /// Clients that there have been.
    accepted: u64,
    notes: Notes,
    requested: bool,
}

impl Life {
    /// `terminate` becomes readable when somebody asks this process to end.
    pub(super) fn new(guest: Guest, listener: UnixListener, terminate: OwnedFd) -> Self {
        Self {
            guest,
            listener,
            terminate,
            clients: Vec::new(),
            accepted: 0,
            notes: Notes::default(),
            requested: false,
        }
    }

    /// Serves until the guest is gone, then writes down how it ended.
    pub(super) fn run(mut self) {
        while self.round() {}
        self.finish();
    }

    /// Waits once and serves all that is ready; `false` when the guest is gone.
    fn round(&mut self) -> bool {
        for (place, flags) in self.wait() {
            match place {
                Place::Exit => return false,
                Place::Terminate => self.kill(),
                Place::Notify => self.take_notes(),
                Place::Listener => {
                    if let Ok((stream, _)) = self.listener.accept() {
                        self.accepted += 1;
                        self.clients.extend(Client::new(stream, self.accepted));
                    }
                }
                Place::Client(number) => self.serve(number),
                Place::Console(number, part) => self.guest.consoles[number].handle(part, flags),
                Place::Link(part) => self.guest.links.handle(part, flags),
                Place::Companion(part) => self.guest.companions.handle(part),
                Place::Shown => self.guest.shown.finish(),
            }
        }
        let now = Instant::now();
        self.guest.consoles.iter_mut().for_each(|console| console.tick(now));
        self.guest.shown.tick(now);
        for (number, outcome) in self.guest.shown.answers() {
            let client = self.clients.iter_mut().find(|client| client.number == number);
            if let Some(client) = client {
                client.answer(&Reply::Outcome(outcome));
            }
        }
        self.guest
            .companions
            .revive(&self.guest.groups, self.guest.running.guest.pid);
        self.clients.retain(|client| !client.gone);
        self.guest.consoles.iter_mut().for_each(Console::sweep);
        true
    }

    fn wait(&self) -> Vec<(Place, PollFlags)> {
        let guest = &self.guest;
        let mut places: Vec<(Place, BorrowedFd<'_>, PollFlags)> = vec![
            (Place::Notify, guest.notify.as_fd(), PollFlags::IN),
            (Place::Terminate, self.terminate.as_fd(), PollFlags::IN),
            (Place::Listener, self.listener.as_fd(), PollFlags::IN),
        ];
        for (number, client) in self.clients.iter().enumerate() {
            let out = if client.is_behind() {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            places.push((Place::Client(number), client.stream().as_fd(), PollFlags::IN | out));
        }
        for (number, console) in guest.consoles.iter().enumerate() {
            let parts = console.interests();
            places.extend(
                parts
                    .into_iter()
                    .map(|(part, fd, flags)| (Place::Console(number, part), fd, flags)),
            );
        }
        let parts = guest.links.interests();
        places.extend(
            parts
                .into_iter()
                .map(|(part, fd, flags)| (Place::Link(part), fd, flags)),
        );
        places.extend(guest.shown.interest().map(|fd| (Place::Shown, fd, PollFlags::IN)));
        let parts = guest.companions.interests();
        places.extend(
            parts
                .into_iter()
                .map(|(part, fd, flags)| (Place::Companion(part), fd, flags)),
        );
        // Last, so that what came before the exit is served first.
        places.push((Place::Exit, guest.pidfd.as_fd(), PollFlags::IN));
        let mut fds: Vec<PollFd<'_>> = places
            .iter()
            .map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
            .collect();
        let patience = self.patience();
        if poll(&mut fds, patience.as_ref()).is_err() {
            return Vec::new();
        }
        let ready = fds.iter().map(PollFd::revents);
        places
            .iter()
            .map(|(place, ..)| *place)
            .zip(ready)
            .filter(|(_, flags)| !flags.is_empty())
            .collect()
    }

    /// How long there is nothing to do unless something happens; `None` for ever.
    fn patience(&self) -> Option<Timespec> {
        let others = [self.guest.shown.deadline(), self.guest.companions.deadline()];
        let consoles = self.guest.consoles.iter().map(Console::deadline);
        let first = consoles.chain(others).flatten().min()?;
        // A moment longer, so that it has passed when this process is woken.
        let left = first.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        Timespec::try_from(left).ok()
    }

    fn kill(&mut self) {
        self.requested = true;
        self.guest.companions.retire();
        // The signal stays pending otherwise, and this would be called again and again.
        let _ = rustix::io::read(&self.terminate, &mut [0_u8; 128]);
        if self.guest.groups.kill().is_err() {
            let _ = rustix::process::pidfd_send_signal(&self.guest.pidfd, rustix::process::Signal::KILL);
        }
    }

    fn take_notes(&mut self) {
        let mut buffer = [0_u8; NOTIFICATION];
        for _ in 0..ROUND {
            match rustix::net::recv(&self.guest.notify, &mut buffer, RecvFlags::empty()) {
                Ok((count, _)) => self.notes.push(buffer[..count].to_vec()),
                Err(_) => break,
            }
        }
        for client in &mut self.clients {
            client.tell(&self.notes);
        }
    }

    fn serve(&mut self, number: usize) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let (mut requests, asking) = (client.read(), client.number);
        client.tell(&self.notes);
        for request in requests.drain(..) {
            let reply = match request {
                Ok(Request::Kill) => {
                    self.kill();
                    Reply::Done
                }
                Ok(Request::Status) => Reply::Status(self.guest.running.clone()),
                Ok(Request::Tail { bytes }) => Reply::Tail(
                    self.guest
                        .consoles
                        .first()
                        .map(|console| console.tail(bytes))
                        .unwrap_or_default(),
                ),
                Ok(Request::Watch) => {
                    if let Some(client) = self.clients.get_mut(number) {
                        client.watch(&self.notes);
                    }
                    continue;
                }
                // No answer: it is not waited for.
                Ok(Request::Confirm { seq }) => {
                    self.notes.confirmed = self.notes.confirmed.max(seq);
                    continue;
                }
                Ok(Request::DropViewers) => {
                    self.guest.consoles.iter_mut().for_each(Console::drop_viewers);
                    Reply::Done
                }
                Ok(Request::Plug(order)) => {
                    let tap = matches!(&order, PlugOrder::Link(LinkOrder::Tap { .. }));
                    let descriptor = self
                        .clients
                        .get_mut(number)
                        .filter(|_| tap)
                        .and_then(Client::descriptor);
                    match hotplug::plug(&mut self.guest, asking, order, descriptor) {
                        Some(outcome) => Reply::Outcome(outcome),
                        None => continue,
                    }
                }
                Ok(Request::Unplug(order)) => match hotplug::unplug(&mut self.guest, asking, order) {
                    Some(outcome) => Reply::Outcome(outcome),
                    None => continue,
                },
                Ok(Request::Companion(wish)) => {
                    let leader = self.guest.running.guest.pid;
                    match self.guest.companions.grant(wish, &self.guest.groups, leader) {
                        Ok(state) => Reply::Companion(state),
                        Err(failure) => Reply::NoCompanion(failure),
                    }
                }
                Ok(Request::Traffic) => Reply::Traffic(self.guest.links.traffic()),
                Err(why) => Reply::Unknown(why),
            };
            if let Some(client) = self.clients.get_mut(number) {
                client.answer(&reply);
            }
        }
    }

    fn finish(mut self) {
        // Read before the groups, and with it the kernel's count, are removed.
        let out_of_memory = self.guest.groups.out_of_memory();
        self.guest.companions.end();
        let (code, signal) = start::end(&self.guest.pidfd, &self.guest.groups);
        // Every process that could speak is dead now, so what is in the sockets is all that will ever be.
        self.take_notes();
        for console in &mut self.guest.consoles {
            console.finish();
        }
        let ended = Ended {
            code,
            signal,
            out_of_memory,
            supervisor_lost: false,
            requested: self.requested,
            notifications: self.notes.newest(NOTES),
            confirmed: self.notes.confirmed,
            console_tail: self
                .guest
                .consoles
                .first()
                .map(|console| console.tail(TAIL))
                .unwrap_or_default(),
            failure: None,
        };
        if let Err(e) = record::write(Path::new("."), ENDED, &ended, Durable::Yes) {
            eprintln!("cannot write '{ENDED}': {e}");
        }
    }
}
