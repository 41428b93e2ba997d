//! Where the bench's guests live: the host's own room, or one that only keeps accounts; and folders that are none.

use super::desk::Desk;
use super::guests::Accounts;
use crate::fixture::Room;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::{GuestEvent, GuestId};
use lockstep::paths::Paths;
use lockstep::plugin::GuestRoom;
use lockstep::supervisor::{Guests, Options, Sink};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

pub(super) fn block(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        // Two of them may be one folder.
        Err(error) if error.kind() != std::io::ErrorKind::NotADirectory => Err(error),
        _ => std::fs::write(folder, "in the way"),
    }
}

pub(super) fn room(kind: Room, paths: &Paths, desk: &'static Desk) -> Result<Arc<dyn GuestRoom>> {
    match kind {
        Room::Memory => {
            let sink = mailbox(desk)?;
            Ok(Arc::new(Accounts::new(paths.run.join("guests"), sink)))
        }
        Room::Real => {
            let sink: Arc<Sink> = Arc::new(|_: &str, guest, event| desk.guest_event(guest, event));
            Ok(Arc::new(Guests::open(
                &paths.run,
                &paths.log,
                Options::default(),
                sink,
            )?))
        }
    }
}

/// A sink whose events reach the driver on a thread of their own, as the real room's do: a driver that kills a guest must
/// not find itself in `guest_event` before `kill` has returned.
fn mailbox(desk: &'static Desk) -> Result<Arc<Sink>> {
    let (sender, inbox): (Sender<(GuestId, GuestEvent)>, _) = channel();
    let deliver = move || {
        for (guest, event) in inbox {
            desk.guest_event(guest, event);
        }
    };
    std::thread::Builder::new()
        .name("guest-events".into())
        .spawn(deliver)
        .map_err(|error| Error::new(Code::SYSTEM_ERROR, Origin::NONE, "no thread for events").because(error))?;
    let sender = parking_lot::Mutex::new(sender);
    Ok(Arc::new(move |_: &str, guest, event| {
        // The receiver lives as long as the process.
        let _sent = sender.lock().send((guest, event));
    }))
}
