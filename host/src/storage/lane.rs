//! `Lane`: looks at a folder on threads of their own, since a folder may be on a file system that does not answer.

use super::fault;
use driver_api::error::{Code, Error, Result};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How many errands may take all of their lane's time.
const FEW: usize = 4;

/// Errands of one kind to one folder. Once one of them is overdue, others fail at once: a folder that hangs costs its callers
/// one deadline, not one each, and no more threads. While a few are under way others wait for less: a folder that hangs must
/// not take all threads that serve clients.
#[derive(Debug)]
pub(super) struct Lane {
    // In words, for errors.
    target: String,
    deadline: Duration,
    patience: Duration,
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
    /// A lane to what `target` says in words; beyond a few, errands wait for `patience` at most.
    pub(super) fn new(target: &str, deadline: Duration, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            target: target.to_owned(),
            deadline,
            patience,
            running: Mutex::default(),
        })
    }

    /// Begins `work` on a thread of its own.
    ///
    /// # Errors
    /// 68 when an earlier errand is overdue or a few have been under way for too long, 38 when there is no thread.
    pub(super) fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Errand<T>> {
        let now = Instant::now();
        let (leave, time) = {
            let mut running = self.running.lock();
            // Numbers rise, so the first is the oldest.
            let age = running.since.values().next().map(|since| now.duration_since(*since));
            let time = if running.since.len() < FEW {
                self.deadline
            } else {
                self.patience
            };
            if age.is_some_and(|age| age >= time) {
                drop(running);
                let message = format!("{} does not answer: an earlier look at it still waits", self.target);
                return Err(fault(Code::OPERATION_TIMEOUT, message));
            }
            let number = running.next;
            running.next += 1;
            running.since.insert(number, now);
            let leave = Leave {
                lane: Arc::clone(self),
                number,
            };
            (leave, time)
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
            let message = format!("there is no thread to look at {}", self.target);
            fault(Code::SYSTEM_ERROR, message).because(cause)
        })?;
        let message = format!(
            "{} has not answered for {} seconds: look at the file system that it is on (what was begun goes on)",
            self.target,
            time.as_secs()
        );
        Ok(Errand {
            answer,
            until: now + time,
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

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn work_is_answered_and_a_panic_is_told() {
        let lane = Lane::new("the folder '/f'", LONG, LONG);
        assert_eq!(lane.run(|| Ok(7)).unwrap(), 7);
        let error = lane.run(|| -> Result<()> { panic!("as tests do") }).unwrap_err();
        assert_eq!(error.code(), Code::INTERNAL);
        assert!(lane.running.lock().since.is_empty());
    }

    #[test]
    fn a_folder_that_hangs_costs_one_deadline_and_one_thread() {
        let lane = Lane::new("the folder '/f'", Duration::ZERO, LONG);
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

    #[test]
    fn beyond_a_few_errands_others_have_less_time() {
        let lane = Lane::new("the folder '/f'", LONG, Duration::ZERO);
        let begin = || {
            let (free, hung) = channel::<()>();
            let errand = lane.begin(move || {
                let _freed = hung.recv();
                Ok(())
            });
            (free, errand)
        };
        let few: Vec<_> = (0..FEW).map(|_| begin()).collect();
        let error = begin().1.err().unwrap();
        assert!(
            error.code() == Code::OPERATION_TIMEOUT && error.to_string().contains("still waits"),
            "{error}"
        );
        for (free, errand) in few {
            drop(free);
            errand.unwrap().wait().unwrap();
        }
        lane.run(|| Ok(())).unwrap();
        // A burst on a folder that is healthy passes.
        let lane = Lane::new("the folder '/f'", LONG, LONG);
        let burst: Vec<_> = (0..4 * FEW).map(|_| lane.begin(|| Ok(()))).collect();
        for errand in burst {
            errand.unwrap().wait().unwrap();
        }
    }
}
