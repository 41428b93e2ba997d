//! `Lane`: looks at a folder on threads of their own, since a folder may be on a file system that does not answer.

use super::fault;
use driver_api::error::{Code, Error, Result};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Errands of one kind to one folder. Once one of them is overdue, others fail at once: a folder that hangs costs its callers
/// one deadline, not one each, and no more threads.
#[derive(Debug)]
pub(super) struct Lane {
    folder: String,
    deadline: Duration,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    since: BTreeMap<u64, Instant>,
}

/// Work that has begun.
#[must_use = "an errand is waited for"]
pub(super) struct Errand<T> {
    answer: Receiver<Result<T>>,
    until: Instant,
    overdue: Error,
}

/// Takes an errand off its lane, also when its work panics.
struct Leave {
    lane: Arc<Lane>,
    number: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.lane.running.lock().since.remove(&self.number);
    }
}

impl Lane {
    pub(super) fn new(folder: &str, deadline: Duration) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.to_owned(),
            deadline,
            running: Mutex::default(),
        })
    }

    /// Begins `work` on a thread of its own.
    ///
    /// # Errors
    /// 68 when an earlier errand is overdue, 38 when there is no thread.
    pub(super) fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Errand<T>> {
        let now = Instant::now();
        let leave = {
            let mut running = self.running.lock();
            if running
                .since
                .values()
                .any(|since| now.duration_since(*since) >= self.deadline)
            {
                drop(running);
                let message = format!(
                    "the folder '{}' does not answer: an earlier look at it still waits",
                    self.folder
                );
                return Err(fault(Code::OPERATION_TIMEOUT, message));
            }
            let number = running.next;
            running.next += 1;
            running.since.insert(number, now);
            Leave {
                lane: Arc::clone(self),
                number,
            }
        };
        let (give, answer) = sync_channel(1);
        let thread = std::thread::Builder::new().name("storage".into()).spawn(move || {
            let result = work();
            // Off the lane before the caller goes on, who may come again at once.
            drop(leave);
            // A caller that has given up wants no answer.
            let _gone = give.send(result);
        });
        thread.map_err(|cause| {
            let message = format!("there is no thread to look at the folder '{}'", self.folder);
            fault(Code::SYSTEM_ERROR, message).because(cause)
        })?;
        let message = format!(
            "the folder '{}' has not answered for {} seconds: look at the file system that it is on (what was begun goes on)",
            self.folder,
            self.deadline.as_secs()
        );
        Ok(Errand {
            answer,
            until: now + self.deadline,
            overdue: fault(Code::OPERATION_TIMEOUT, message),
        })
    }

    /// Does `work` and waits for it, as long as the deadline at most.
    ///
    /// # Errors
    /// As [`Self::begin`] and [`Errand::wait`].
    pub(super) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.begin(work)?.wait()
    }
}

impl<T> Errand<T> {
    /// What the work answers.
    ///
    /// # Errors
    /// Its own, 68 when it is overdue, 1 when it panicked.
    pub(super) fn wait(self) -> Result<T> {
        match self
            .answer
            .recv_timeout(self.until.saturating_duration_since(Instant::now()))
        {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(self.overdue),
            Err(RecvTimeoutError::Disconnected) => Err(fault(Code::INTERNAL, "a look at a folder broke off")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn work_is_answered_and_a_panic_is_told() {
        let lane = Lane::new("/f", Duration::from_secs(600));
        assert_eq!(lane.run(|| Ok(7)).unwrap(), 7);
        let error = lane.run(|| -> Result<()> { panic!("as tests do") }).unwrap_err();
        assert_eq!(error.code(), Code::INTERNAL);
        assert!(lane.running.lock().since.is_empty());
    }

    #[test]
    fn a_folder_that_hangs_costs_one_deadline_and_one_thread() {
        let lane = Lane::new("/f", Duration::ZERO);
        let (free, hung) = channel::<()>();
        let (end, ended) = channel::<()>();
        let first = lane.begin(move || {
            let _freed = hung.recv();
            Ok(end)
        });
        let error = first.unwrap().wait().unwrap_err();
        assert!(
            error.code() == Code::OPERATION_TIMEOUT && error.to_string().contains("'/f' has not answered"),
            "{error}"
        );
        // Would block for good if it were begun.
        let error = lane.run(|| Ok(())).unwrap_err();
        assert!(
            error.code() == Code::OPERATION_TIMEOUT && error.to_string().contains("still waits"),
            "{error}"
        );
        assert_eq!(lane.running.lock().since.len(), 1);
        drop(free);
        // The answer that nobody waits for holds the last sender, and is dropped once the errand is off its lane.
        assert!(ended.recv().is_err());
        assert!(lane.running.lock().since.is_empty());
    }
}
