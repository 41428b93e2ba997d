//! The one thread that waits for all supervisors: their notifications and their ends.

use super::control::{Reply, take_line};
use super::order::Note;
use super::table::{Departed, Entry, Shared, State};
use driver_api::types::guest::GuestId;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// A connection on which a supervisor sends notifications.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) stream: Arc<UnixStream>,
    buffer: Vec<u8>,
    /// The supervisor has closed it.
    over: bool,
}

impl Watch {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream: Arc::new(stream),
            buffer: Vec::new(),
            over: false,
        }
    }

    /// What has arrived.
    fn read(&mut self) -> Vec<Note> {
        let mut chunk = [0_u8; 16 * 1024];
        while !self.over {
            match (&*self.stream).read(&mut chunk) {
                Ok(0) => self.over = true,
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.over = true,
            }
        }
        let mut notes = Vec::new();
        while let Some(line) = take_line(&mut self.buffer) {
            match serde_json::from_slice(&line) {
                Ok(Reply::Note(note)) => notes.push(note),
                Ok(_) => {}
                Err(e) => tracing::warn!(error = %e, "a supervisor speaks in tongues"),
            }
        }
        notes
    }
}

/// Runs until [`Shared::stop`] is set.
pub(super) fn run(shared: &Arc<Shared>) {
    loop {
        let places = places(shared);
        let ready = wait(shared, &places);
        // The waker is cleared before the table is looked at again, so that no change is missed.
        let _ = rustix::io::read(&shared.waker, &mut [0_u8; 8]);
        let mut table = shared.table.lock();
        if table.stop {
            return;
        }
        let mut departed = Vec::new();
        for (place, _) in places.iter().zip(&ready).filter(|(_, ready)| **ready) {
            let Some(entry) = table.entries.get_mut(&place.guest) else {
                continue;
            };
            hear(shared, place.guest, entry);
            if place.ends {
                departed.extend(Departed::of(place.guest, entry));
            }
        }
        drop(table);
        for guest in departed {
            shared.settle(guest);
        }
    }
}

#[derive(Debug)]
struct Place {
    guest: GuestId,
    ends: bool,
    fd: Source,
}

#[derive(Debug)]
enum Source {
    Supervisor(Arc<OwnedFd>),
    Notes(Arc<UnixStream>),
}

impl AsFd for Place {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match &self.fd {
            Source::Supervisor(fd) => fd.as_fd(),
            Source::Notes(stream) => stream.as_fd(),
        }
    }
}

fn places(shared: &Shared) -> Vec<Place> {
    let table = shared.table.lock();
    let mut places = Vec::new();
    for (guest, entry) in &table.entries {
        let State::Alive { supervisor, watch, .. } = &entry.state else {
            continue;
        };
        if let Some(watch) = watch.as_ref().filter(|watch| !watch.over) {
            places.push(Place {
                guest: *guest,
                ends: false,
                fd: Source::Notes(Arc::clone(&watch.stream)),
            });
        }
        places.push(Place {
            guest: *guest,
            ends: true,
            fd: Source::Supervisor(Arc::clone(supervisor)),
        });
    }
    places
}

fn wait(shared: &Shared, places: &[Place]) -> Vec<bool> {
    let mut fds: Vec<PollFd<'_>> = places.iter().map(|place| PollFd::new(place, PollFlags::IN)).collect();
    fds.push(PollFd::new(&shared.waker, PollFlags::IN));
    if let Err(e) = poll(&mut fds, None)
        && e != rustix::io::Errno::INTR
    {
        tracing::error!(error = %e, "cannot wait for guest supervisors");
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    fds.iter()
        .take(places.len())
        .map(|fd| !fd.revents().is_empty())
        .collect()
}

fn hear(shared: &Shared, guest: GuestId, entry: &mut Entry) {
    let State::Alive { watch: Some(watch), .. } = &mut entry.state else {
        return;
    };
    let (notes, stream) = (watch.read(), Arc::clone(&watch.stream));
    for note in notes {
        shared.tell(guest, entry, note, Some(&stream));
    }
}
