//! `Starts`: the starts that are under way, for who must wait until one is over.

use driver_api::types::uuid::Uuid;
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// The starts. Nobody waits here with a lock of the host.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    // A leaf.
    running: Mutex<Vec<Uuid>>,
    over: Condvar,
}

/// A start that is under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    starts: &'a Starts,
    uuid: Uuid,
}

impl Drop for Start<'_> {
    fn drop(&mut self) {
        self.starts.running.lock().retain(|uuid| *uuid != self.uuid);
        self.starts.over.notify_all();
    }
}

impl Starts {
    /// A start begins. The domain's job keeps a second one from beginning.
    pub(crate) fn begin(&self, uuid: Uuid) -> Start<'_> {
        self.running.lock().push(uuid);
        Start { starts: self, uuid }
    }

    pub(crate) fn is_starting(&self, uuid: Uuid) -> bool {
        self.running.lock().contains(&uuid)
    }

    /// Waits until a domain is not being started; says whether that came about.
    pub(crate) fn wait_for(&self, uuid: Uuid, within: Duration) -> bool {
        self.wait(within, |running| running.contains(&uuid))
    }

    /// Waits until no domain is being started; says whether that came about.
    pub(crate) fn wait_for_all(&self, within: Duration) -> bool {
        self.wait(within, |running| !running.is_empty())
    }

    fn wait(&self, within: Duration, busy: impl Fn(&[Uuid]) -> bool) -> bool {
        let deadline = Instant::now() + within;
        let mut running = self.running.lock();
        while busy(&running) {
            if self.over.wait_until(&mut running, deadline).timed_out() {
                return !busy(&running);
            }
        }
        true
    }
}
