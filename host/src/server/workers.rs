//! `Workers`: the threads that run calls, with reserves that changes can never use up.

use crate::rpc::procs::Class;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;

/// One call to be run; must not panic.
type Job = Box<dyn FnOnce() + Send>;

/// Which jobs a thread takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Any,
    Reads,
    Rescues,
}

impl Group {
    const fn takes(self, lane: Lane) -> bool {
        matches!(
            (self, lane),
            (Self::Any, _) | (Self::Reads, Lane::Read) | (Self::Rescues, Lane::Rescue)
        )
    }
}

/// Where a job waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Read,
    Rescue,
    Change,
}

impl Lane {
    /// In the order in which a free thread looks at them.
    const ALL: [Self; 3] = [Self::Read, Self::Rescue, Self::Change];

    const fn of(class: Class) -> Self {
        match class {
            Class::Read => Self::Read,
            Class::Rescue => Self::Rescue,
            Class::Change | Class::Event => Self::Change,
        }
    }
}

/// Where a job is handed to a thread that waits; `Some(None)` tells it to end.
#[derive(Default)]
struct Slot {
    job: Mutex<Option<Option<Job>>>,
    filled: Condvar,
}

impl Slot {
    fn fill(&self, job: Option<Job>) {
        *self.job.lock() = Some(job);
        self.filled.notify_one();
    }

    fn wait(&self) -> Option<Job> {
        let mut job = self.job.lock();
        loop {
            if let Some(job) = job.take() {
                return job;
            }
            self.filled.wait(&mut job);
        }
    }
}

#[derive(Default)]
struct State {
    waiting: [VecDeque<Job>; 3],
    idle: Vec<(Group, Arc<Slot>)>,
    stopped: bool,
}

/// The threads that run calls.
#[derive(Clone)]
pub(super) struct Workers {
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("idle", &self.state.lock().idle.len())
            .finish_non_exhaustive()
    }
}

impl Workers {
    /// Starts the threads.
    pub(super) fn start(any: u32, reads: u32, rescues: u32) -> io::Result<Self> {
        let workers = Self { state: Arc::default() };
        for (group, count) in [(Group::Any, any), (Group::Reads, reads), (Group::Rescues, rescues)] {
            for _ in 0..count {
                let shared = workers.clone();
                let started = thread::Builder::new()
                    .name("worker".to_owned())
                    .spawn(move || shared.work(group));
                if let Err(error) = started {
                    workers.stop();
                    return Err(error);
                }
            }
        }
        Ok(workers)
    }

    /// Hands the job to a thread that is free for it, an ordinary one first, or queues it. Dropped when stopped.
    pub(super) fn submit(&self, class: Class, job: Job) {
        let lane = Lane::of(class);
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let free = |group: Group| state.idle.iter().rposition(|(idle, _)| *idle == group);
        let reserve = match lane {
            Lane::Read => free(Group::Reads),
            Lane::Rescue => free(Group::Rescues),
            Lane::Change => None,
        };
        if let Some(index) = free(Group::Any).or(reserve) {
            let (_, slot) = state.idle.swap_remove(index);
            drop(state);
            slot.fill(Some(job));
        } else {
            state.waiting[lane as usize].push_back(job);
        }
    }

    /// Ends every thread once its job is done, and drops what waits. Does not wait for them.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        let idle = std::mem::take(&mut state.idle);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        for (_, slot) in idle {
            slot.fill(None);
        }
    }

    fn work(&self, group: Group) {
        let slot = Arc::new(Slot::default());
        while let Some(job) = self.next(group, &slot) {
            job();
        }
    }

    fn next(&self, group: Group, slot: &Arc<Slot>) -> Option<Job> {
        let mut state = self.state.lock();
        let queued = Lane::ALL
            .into_iter()
            .filter(|lane| group.takes(*lane))
            .find_map(|lane| state.waiting[lane as usize].pop_front());
        if queued.is_some() {
            return queued;
        }
        if state.stopped {
            return None;
        }
        state.idle.push((group, Arc::clone(slot)));
        drop(state);
        slot.wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A pool whose ordinary threads are all stuck until the returned sender is dropped.
    fn stuck(any: u32) -> (Workers, mpsc::Sender<()>) {
        let workers = Workers::start(any, 1, 1).unwrap();
        let (release, blocked) = mpsc::channel::<()>();
        let blocked = Arc::new(Mutex::new(blocked));
        let (entered, enter) = mpsc::channel();
        for _ in 0..any {
            let (blocked, entered) = (Arc::clone(&blocked), entered.clone());
            workers.submit(
                Class::Change,
                Box::new(move || {
                    entered.send(()).unwrap();
                    blocked.lock().recv().unwrap_err();
                }),
            );
            enter.recv().unwrap();
        }
        (workers, release)
    }

    #[test]
    fn reads_and_rescues_run_while_changes_are_stuck_and_changes_wait() {
        let (workers, release) = stuck(2);
        let (done, finished) = mpsc::channel();
        for (class, name) in [
            (Class::Change, "change"),
            (Class::Read, "read"),
            (Class::Rescue, "rescue"),
        ] {
            let done = done.clone();
            workers.submit(class, Box::new(move || done.send(name).unwrap()));
        }
        let mut early = [finished.recv().unwrap(), finished.recv().unwrap()];
        early.sort_unstable();
        assert_eq!(early, ["read", "rescue"]);
        drop(release);
        assert_eq!(finished.recv().unwrap(), "change");
        workers.stop();
    }

    #[test]
    fn stuck_rescues_do_not_use_up_the_reads_reserve() {
        let (workers, release) = stuck(1);
        let (entered, enter) = mpsc::channel();
        let (hold, held) = mpsc::channel::<()>();
        workers.submit(
            Class::Rescue,
            Box::new(move || {
                entered.send(()).unwrap();
                held.recv().unwrap_err();
            }),
        );
        enter.recv().unwrap();
        workers.submit(Class::Rescue, Box::new(|| ()));
        let (done, finished) = mpsc::channel();
        workers.submit(Class::Read, Box::new(move || done.send(()).unwrap()));
        finished.recv().unwrap();
        drop((hold, release));
        workers.stop();
    }

    #[test]
    fn a_stopped_pool_drops_what_waits() {
        let (workers, release) = stuck(1);
        let (done, finished) = mpsc::channel::<()>();
        let late = done.clone();
        workers.submit(Class::Change, Box::new(move || drop(done)));
        workers.stop();
        workers.submit(Class::Read, Box::new(move || drop(late)));
        assert!(finished.recv().is_err());
        drop(release);
    }
}
