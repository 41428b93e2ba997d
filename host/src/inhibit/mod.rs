//! `Inhibitor`: a shutdown of the machine waits for a moment while guests run, by a lock of systemd-logind.
//!
//! The lock is a descriptor: whoever holds it is listed by `systemd-inhibit --list`, and when it is closed, however that
//! comes, the lock is gone. Bus and logind may be slow or absent, so a thread of its own speaks to them, with a deadline;
//! nothing else ever waits for it. The few messages are made here: a crate for D-Bus would be heavier than all of this.

mod bus;
mod message;

use crate::event::{Events, Happening, Subscription};
use bus::Bus;
use driver_api::types::domain::DomainEventKind;
use message::Call;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long bus and logind together may take for a lock.
const WITHIN: Duration = Duration::from_secs(5);

/// Where the system's bus is, unless the environment says otherwise.
const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

const INHIBIT: Call<'_> = Call {
    destination: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
    member: "Inhibit",
    arguments: &["shutdown", "Lockstep", "guests are running", "delay"],
};

/// Holds the lock from the first guest that runs to the last.
#[derive(Debug)]
pub struct Inhibitor {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
    _events: Subscription,
}

/// What the thread is told.
#[derive(Debug, Default)]
struct Desk {
    note: Mutex<Note>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Note {
    /// The number of running guests may be another.
    look: bool,
    stop: bool,
}

impl Desk {
    fn look(&self) {
        self.note.lock().look = true;
        self.changed.notify_one();
    }

    /// Waits for the next note; whether to go on.
    fn wait(&self) -> bool {
        let mut note = self.note.lock();
        self.changed.wait_while(&mut note, |note| !note.look && !note.stop);
        note.look = false;
        !note.stop
    }
}

/// Asks logind for the lock.
///
/// # Errors
/// No bus, no logind, a refusal, or no answer in time.
pub fn logind() -> io::Result<OwnedFd> {
    let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|_| SYSTEM_BUS.to_owned());
    let mut descriptors = Bus::connect(&address, Instant::now() + WITHIN)?.call(&INHIBIT)?;
    let lock = descriptors.pop();
    lock.ok_or_else(|| io::Error::other("logind answers without a lock"))
}

impl Inhibitor {
    /// Looks at once whether guests run, and again whenever a domain's life goes on; `take` gets a lock.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        events: &Arc<Events>,
        guests: impl Fn() -> bool + Send + 'static,
        take: impl Fn() -> io::Result<OwnedFd> + Send + 'static,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let told = Arc::clone(&desk);
        // A listener must not block: it only leaves a note.
        let listener = events.subscribe(Arc::new(move |_, happening| {
            if let Happening::Event(event) = happening
                && matches!(event.kind, DomainEventKind::Lifecycle(..))
            {
                told.look();
            }
        }));
        desk.look();
        let own = Arc::clone(&desk);
        let work = move || {
            let mut lock: Option<OwnedFd> = None;
            while own.wait() {
                match (guests(), &lock) {
                    (true, None) => match take() {
                        Ok(taken) => {
                            tracing::debug!("a shutdown of the machine waits while guests run");
                            lock = Some(taken);
                        }
                        Err(error) => tracing::debug!(%error, "a shutdown of the machine does not wait for guests"),
                    },
                    (false, Some(_)) => {
                        tracing::debug!("no guest runs: nothing keeps the machine from a shutdown");
                        lock = None;
                    }
                    _ => {}
                }
            }
        };
        let thread = std::thread::Builder::new().name("inhibit".into()).spawn(work)?;
        Ok(Self {
            desk,
            thread: Some(thread),
            _events: listener,
        })
    }
}

impl Drop for Inhibitor {
    /// Gives the lock back.
    fn drop(&mut self) {
        self.desk.note.lock().stop = true;
        self.desk.changed.notify_one();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that keeps the machine from a shutdown panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::shim::Real;
    use crate::lock::{Limits, Manager};
    use driver_api::types::domain::{DomainEvent, Lifecycle};
    use driver_api::types::uuid::Uuid;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    struct Lab {
        events: Arc<Events>,
        guests: Arc<AtomicUsize>,
        /// The far ends of the locks that were taken; nothing for a refusal.
        locks: mpsc::Receiver<Option<UnixStream>>,
        inhibitor: Inhibitor,
    }

    fn lab(guests: usize, refuses: usize) -> Lab {
        let events = Events::new(&Manager::<Real>::new(Limits::default()));
        let guests = Arc::new(AtomicUsize::new(guests));
        let (counted, refusals) = (Arc::clone(&guests), AtomicUsize::new(refuses));
        let (sink, locks) = mpsc::channel();
        let take = move || {
            let less = |left: usize| left.checked_sub(1);
            if refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
                sink.send(None).map_err(io::Error::other)?;
                return Err(io::ErrorKind::NotFound.into());
            }
            let (near, far) = UnixStream::pair()?;
            sink.send(Some(far)).map_err(io::Error::other)?;
            Ok(near.into())
        };
        let inhibitor = Inhibitor::start(&events, move || counted.load(Ordering::SeqCst) > 0, take).unwrap();
        Lab {
            events,
            guests,
            locks,
            inhibitor,
        }
    }

    impl Lab {
        fn now(&self, guests: usize) {
            self.guests.store(guests, Ordering::SeqCst);
            self.events.raise(
                "uml".into(),
                DomainEvent {
                    uuid: Uuid::default(),
                    name: "vm".into(),
                    id: None,
                    kind: DomainEventKind::Lifecycle(Lifecycle::Started, 0),
                },
            );
        }

        fn asked(&self) -> Option<UnixStream> {
            self.locks.recv_timeout(Duration::from_secs(20)).unwrap()
        }

        fn taken(&self) -> UnixStream {
            self.asked().unwrap()
        }
    }

    /// Waits until the other end is closed.
    fn released(mut lock: UnixStream) {
        assert_eq!(lock.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn the_lock_is_held_from_the_first_guest_to_the_last() {
        let lab = lab(0, 0);
        lab.now(1);
        let first = lab.taken();
        lab.now(2);
        lab.now(1);
        lab.now(0);
        released(first);
        lab.now(1);
        let second = lab.taken();
        assert!(lab.locks.try_recv().is_err());
        drop(lab.inhibitor);
        released(second);
    }

    #[test]
    fn guests_that_run_already_count() {
        released({
            let lab = lab(3, 0);
            lab.taken()
        });
    }

    #[test]
    fn a_refused_lock_is_asked_for_again_with_the_next_guest() {
        let lab = lab(1, 1);
        assert!(lab.asked().is_none());
        lab.now(2);
        let lock = lab.taken();
        lab.now(0);
        released(lock);
    }
}
