//! Threads of the driver's own, counted so that the driver can wait for them when it closes.

use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Default, Debug)]
struct Count {
    running: Mutex<usize>,
    changed: Condvar,
}

/// The driver's threads.
#[derive(Clone, Default, Debug)]
pub(crate) struct Workers(Arc<Count>);

struct Ticket(Arc<Count>);

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.0.running.lock() -= 1;
        self.0.changed.notify_all();
    }
}

impl Workers {
    /// Runs `work` on a thread of this name.
    ///
    /// # Errors
    /// The kernel gave no thread.
    pub(crate) fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        *self.0.running.lock() += 1;
        // Also given back when the thread panics or never comes to be.
        let ticket = Ticket(Arc::clone(&self.0));
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ticket = ticket;
            work();
        })?;
        Ok(())
    }

    /// Waits until no thread is left; whether that came true in time.
    #[must_use]
    pub(crate) fn join(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut running = self.0.running.lock();
        while *running > 0 {
            if self.0.changed.wait_until(&mut running, deadline).timed_out() {
                return *running == 0;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_waits_for_all_also_for_one_that_panics() {
        let workers = Workers::default();
        let (start, wait) = std::sync::mpsc::channel::<()>();
        workers.spawn("waits", move || assert!(wait.recv().is_err())).unwrap();
        workers.spawn("panics", || panic!("on purpose")).unwrap();
        assert!(!workers.join(Duration::from_millis(1)));
        drop(start);
        assert!(workers.join(Duration::from_secs(20)));
    }
}
