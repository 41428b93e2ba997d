//! `Delivery`: brings events to the driver, in order for each guest, while a guest whose driver is slow holds up no other.

use driver_api::types::guest::{GuestEvent, GuestId};
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Who hears of events: the driver's name, the guest, what happened. Called on a thread of the supervisor room without
/// a lock held; may take as long as it likes.
pub type Sink = dyn Fn(&str, GuestId, GuestEvent) + Send + Sync;

/// Threads that call the sink; so many guests can have slow drivers before others wait.
const WORKERS: usize = 8;

/// Notifications of one guest that wait for a slow driver. A guest can send them at will; what does not fit is left out
/// here and comes, as far as the supervisor keeps it, with the exit.
const WAITING: usize = 256;

/// One call of the sink, and what to do after it.
pub(super) struct Job {
    pub(super) driver: String,
    pub(super) event: GuestEvent,
    pub(super) done: Option<Box<dyn FnOnce() + Send>>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("driver", &self.driver)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Queues {
    waiting: HashMap<GuestId, VecDeque<Job>>,
    /// Guests whose next event can be delivered now.
    ready: VecDeque<GuestId>,
    /// Guests whose event is being delivered.
    busy: HashSet<GuestId>,
    workers: usize,
    idle: usize,
    stop: bool,
}

/// A small pool with a queue for each guest.
#[derive(Clone)]
pub(super) struct Delivery {
    inner: Arc<(Mutex<Queues>, Condvar)>,
    sink: Arc<Sink>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

impl Delivery {
    pub(super) fn new(sink: Arc<Sink>) -> Self {
        Self {
            inner: Arc::default(),
            sink,
        }
    }

    pub(super) fn push(&self, guest: GuestId, job: Job) {
        let mut queues = self.inner.0.lock();
        let waiting = queues.waiting.entry(guest).or_default();
        if waiting.len() >= WAITING && matches!(job.event, GuestEvent::Notified(_)) {
            tracing::debug!(guest = guest.0, "a notification is left out: too many wait");
            return;
        }
        waiting.push_back(job);
        if !queues.busy.contains(&guest) && !queues.ready.contains(&guest) {
            queues.ready.push_back(guest);
        }
        if queues.idle < queues.ready.len() && queues.workers < WORKERS {
            let this = self.clone();
            let spawned = std::thread::Builder::new()
                .name("guest-events".into())
                .spawn(move || this.work());
            match spawned {
                Ok(_) => queues.workers += 1,
                Err(e) => tracing::error!(error = %e, "no thread for guest events; they wait for another one"),
            }
        }
        drop(queues);
        self.inner.1.notify_one();
    }

    /// Ends the threads, each after the event that it is at.
    pub(super) fn stop(&self) {
        self.inner.0.lock().stop = true;
        self.inner.1.notify_all();
    }

    fn work(&self) {
        let (lock, news) = &*self.inner;
        let mut queues = lock.lock();
        while !queues.stop {
            let Some(guest) = queues.ready.pop_front() else {
                queues.idle += 1;
                news.wait(&mut queues);
                queues.idle -= 1;
                continue;
            };
            let Some(job) = queues.waiting.get_mut(&guest).and_then(VecDeque::pop_front) else {
                continue;
            };
            queues.busy.insert(guest);
            drop(queues);
            let shout = || (self.sink)(&job.driver, guest, job.event);
            if catch_unwind(AssertUnwindSafe(shout)).is_err() {
                tracing::error!(
                    guest = guest.0,
                    plugin = job.driver,
                    "a guest event was not handled: its receiver panicked"
                );
            }
            if let Some(done) = job.done {
                done();
            }
            queues = lock.lock();
            queues.busy.remove(&guest);
            if queues.waiting.get(&guest).is_some_and(|waiting| !waiting.is_empty()) {
                queues.ready.push_back(guest);
            } else {
                queues.waiting.remove(&guest);
            }
        }
        queues.workers -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::types::guest::Exit;
    use std::sync::mpsc;

    #[test]
    fn a_flood_is_bounded_and_the_exit_comes_nevertheless() {
        let (open, gate) = mpsc::channel::<()>();
        let (tell, heard) = mpsc::channel();
        let (gate, tell) = (Mutex::new(gate), Mutex::new(tell));
        let delivery = Delivery::new(Arc::new(move |_: &str, _, event| {
            // Closed by the test when the flood is over.
            let _ = gate.lock().recv();
            tell.lock().send(event).unwrap();
        }));
        let push = |event| {
            let job = Job {
                driver: "d".to_owned(),
                event,
                done: None,
            };
            delivery.push(GuestId(1), job);
        };
        for _ in 0..10 * WAITING {
            push(GuestEvent::Notified(vec![0; 512]));
        }
        push(GuestEvent::Exited(Exit::default()));
        drop(open);
        let last = GuestEvent::Exited(Exit::default());
        let noise = heard.iter().take_while(|event| *event != last).count();
        // One may be with the sink already.
        assert!((WAITING..=WAITING + 1).contains(&noise), "{noise}");
        delivery.stop();
    }

    #[test]
    fn a_slow_guest_keeps_its_order_and_holds_up_no_other() {
        let (open, gate) = mpsc::channel::<()>();
        let (tell, heard) = mpsc::channel();
        let gate = Mutex::new(gate);
        let delivery = Delivery::new(Arc::new(move |_: &str, guest: GuestId, event| {
            if guest == GuestId(1) {
                gate.lock().recv().unwrap();
            }
            tell.send((guest.0, event)).unwrap();
        }));
        let push = |guest, byte| {
            delivery.push(
                GuestId(guest),
                Job {
                    driver: "d".to_owned(),
                    event: GuestEvent::Notified(vec![byte]),
                    done: None,
                },
            );
        };
        push(1, 1);
        push(1, 2);
        push(2, 9);
        assert_eq!(heard.recv().unwrap(), (2, GuestEvent::Notified(vec![9])));
        open.send(()).unwrap();
        open.send(()).unwrap();
        assert_eq!(heard.recv().unwrap(), (1, GuestEvent::Notified(vec![1])));
        assert_eq!(heard.recv().unwrap(), (1, GuestEvent::Notified(vec![2])));
        delivery.stop();
    }
}
