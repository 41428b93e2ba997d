//! The pulse: every running guest is asked for a sign of life now and then, on one thread that waits for none of them.
//!
//! ```text
//! asked --------- answered -------> its figures are noted, asked again after a while
//!   |                                        ^
//!   +-- no answer for `hang_after` --> shown as silent, logged once
//! ```
//!
//! A question lies in the guest kernel's queue until the kernel reads it, so one is enough however long it takes: a
//! kernel that wakes up answers it. Nobody's guest is ended for its silence.

mod bell;
pub(crate) mod sample;
pub(crate) mod vitals;
mod watcher;

use crate::core::{Core, fault};
use crate::sys;
use crate::workers::Workers;
use bell::Bell;
use driver_api::error::{Code, Result};
use driver_api::types::guest::GuestId;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vitals::{Book, Talk};
use watcher::Watcher;

/// The thread that asks, and what it has heard.
#[derive(Debug)]
pub(crate) struct Pulse {
    pub(crate) book: Arc<Book>,
    bell: Arc<Bell>,
    workers: Workers,
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

impl Pulse {
    /// A pulse that nobody takes yet.
    ///
    /// # Errors
    /// 38 when the kernel gives no descriptor.
    pub(crate) fn new() -> Result<Self> {
        let bell = Bell::new()
            .map_err(|e| fault(Code::SYSTEM_ERROR, "cannot make the descriptor that wakes a thread").because(e))?;
        Ok(Self {
            book: Arc::default(),
            bell: Arc::new(bell),
            workers: Workers::default(),
        })
    }

    /// There is something new to look at: a guest runs, or its figures are wanted.
    pub(crate) fn wake(&self) {
        self.bell.ring();
    }

    /// No question is put to a guest as long as the answer lives.
    pub(crate) fn talk(&self, guest: GuestId) -> Talk {
        Book::talk(&self.book, guest)
    }

    /// Somebody looks at a guest's figures: they are kept fresh for a while.
    pub(crate) fn want(&self, guest: GuestId) {
        if self.book.want(guest, Instant::now()) {
            self.wake();
        }
    }

    /// Ends the thread of a driver that closes; whether it ended in time.
    pub(crate) fn end(&self, within: Duration) -> bool {
        self.wake();
        self.workers.join(within)
    }
}

impl Core {
    /// Begins to take the pulse of every guest that runs.
    ///
    /// # Errors
    /// 38 when the kernel gives no thread.
    pub(crate) fn take_pulse(self: &Arc<Self>) -> Result<()> {
        let (core, bell) = (Arc::downgrade(self), Arc::clone(&self.pulse.bell));
        let work = move || {
            if let Err(error) = sys::have_own_folder() {
                tracing::debug!(%error, "each question to a guest takes a thread of its own");
            }
            let mut watcher = Watcher::default();
            // Not held over the wait: the thread ends with the driver.
            while let Some(core) = core.upgrade().filter(|core| !core.is_closing()) {
                let next = watcher.step(&core, Instant::now());
                drop(core);
                watcher.wait(&bell, next);
            }
        };
        self.pulse
            .workers
            .spawn("uml-pulse", work)
            .map_err(|e| fault(Code::SYSTEM_ERROR, "there is no thread to watch guests").because(e))
    }
}

#[cfg(test)]
mod tests;
