//! What is wrong on a driver's own ground: a text that is not copied, threads without a name, a session that keeps a lock.

use super::which::on;
use driver_api::host::Host;
use driver_api::types::uuid::Uuid;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// Documents that are too long to be copied, as this mutant finds.
const LONG: usize = 20 * 1024;

/// A document that was lent, and what it was.
#[derive(Debug)]
pub(super) struct Lent {
    address: usize,
    copy: String,
}

impl Lent {
    /// Remembers where a long document lies.
    pub(super) fn of(xml: &str) -> Option<Self> {
        let wanted = on("keeps_what_it_was_lent") && xml.len() > LONG;
        wanted.then(|| Self {
            address: xml.as_ptr().expose_provenance(),
            copy: xml.to_owned(),
        })
    }

    /// What lies there now, if it is something else.
    pub(super) fn changed(&self) -> Option<String> {
        let lies = std::ptr::with_exposed_provenance::<u8>(self.address);
        // SAFETY: none; whose memory this is does not matter to this mutant.
        let now = (0..64)
            .map(|at| unsafe { lies.add(at).read_volatile() })
            .collect::<Vec<u8>>();
        (now != self.copy.as_bytes()[..64]).then(|| String::from_utf8_lossy(&now).into_owned())
    }
}

/// A thread that ends as it should, and has no name.
#[derive(Debug, Default)]
pub(super) struct Nameless(Option<(Sender<()>, JoinHandle<()>)>);

impl Nameless {
    pub(super) fn begin() -> Self {
        let (end, ends) = channel::<()>();
        let thread = || std::thread::spawn(move || while ends.recv().is_ok() {});
        Self(on("names_no_thread").then(|| (end, thread())))
    }

    pub(super) fn end(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            drop(thread.join());
        }
    }
}

/// A thread of its own looks at a domain and forgets that it holds it.
pub(super) fn look_after(host: &Host, uuid: Uuid) {
    if !on("session_keeps_a_lock") {
        return;
    }
    std::thread::scope(|scope| {
        let looks = || {
            host.session("look after", |cx| {
                std::mem::forget(cx.lookup(uuid)?);
                Ok(())
            })
        };
        let thread = std::thread::Builder::new().name("looks-after".to_owned());
        drop(thread.spawn_scoped(scope, looks).map(|thread| thread.join()));
    });
}
