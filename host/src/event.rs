//! `Events`: what happens to domains, on its way from drivers to whoever listens, held back while its thread holds a lock.

use crate::lock::shim::{Real, Shim};
use crate::lock::{Locks, Manager};
use driver_api::types::domain::DomainEvent;
use driver_api::types::notice::DomainNotice;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

/// What a driver tells of a domain: both kinds go one way, so that they keep their order.
#[derive(Clone, PartialEq, Debug)]
pub enum Happening {
    /// Something of its life (`event/1`).
    Event(DomainEvent),
    /// Something beside its life (`notice/1`).
    Notice(DomainNotice),
}

impl From<DomainEvent> for Happening {
    fn from(event: DomainEvent) -> Self {
        Self::Event(event)
    }
}

impl From<DomainNotice> for Happening {
    fn from(notice: DomainNotice) -> Self {
        Self::Notice(notice)
    }
}

/// Told of everything that happens, with the name of the driver that raised it, in the order in which one thread did.
pub type Listener = dyn Fn(&str, &Happening) + Send + Sync;

/// What happened, with the name of its driver.
type Raised = (Arc<str>, Happening);

/// The way of events and notices: queued under guards, delivered when the thread's last guard is gone.
pub struct Events {
    locks: Arc<Locks>,
    // By the lock manager's number of the thread. Leaves: held for a push or a take, never while a listener runs.
    waiting: Mutex<HashMap<u64, Vec<Raised>>>,
    listeners: RwLock<Vec<(u64, Arc<Listener>)>>,
    next: Mutex<u64>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("listeners", &self.listeners.read().len())
            .finish_non_exhaustive()
    }
}

/// Ends the listening when dropped.
#[derive(Debug)]
pub struct Subscription {
    events: Weak<Events>,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(events) = self.events.upgrade() {
            events.listeners.write().retain(|(number, _)| *number != self.number);
        }
    }
}

impl Events {
    /// The way of events over these locks; only the first for one lock manager is told of released threads.
    #[must_use]
    pub fn new(locks: &Arc<Locks>) -> Arc<Self> {
        let events = Arc::new(Self {
            locks: Arc::clone(locks),
            waiting: Mutex::default(),
            listeners: RwLock::default(),
            next: Mutex::new(0),
        });
        let flush = Arc::downgrade(&events);
        locks.on_released_all(Box::new(move |thread| {
            if let Some(events) = flush.upgrade() {
                events.flush(thread);
            }
        }));
        events
    }

    /// Listens until the answer is dropped. A listener must not block: it runs on the driver's thread.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, listener: Arc<Listener>) -> Subscription {
        let number = {
            let mut next = self.next.lock();
            *next += 1;
            *next
        };
        self.listeners.write().push((number, listener));
        Subscription {
            events: Arc::downgrade(self),
            number,
        }
    }

    /// Delivers an event or notice, at once if this thread holds no lock, else when it has given its last one back.
    pub fn raise(&self, driver: Arc<str>, happening: impl Into<Happening>) {
        let thread = Real::thread();
        let raised = (driver, happening.into());
        self.waiting.lock().entry(thread).or_default().push(raised);
        if Manager::holds_above(&self.locks, 0).is_ok() {
            self.flush(thread);
        }
    }

    fn flush(&self, thread: u64) {
        let raised = self.waiting.lock().remove(&thread).unwrap_or_default();
        if raised.is_empty() {
            return;
        }
        let listeners: Vec<Arc<Listener>> = self.listeners.read().iter().map(|(_, l)| Arc::clone(l)).collect();
        for (driver, happening) in &raised {
            match happening {
                Happening::Event(event) => {
                    tracing::debug!(plugin = %driver, dom = %event.name, uuid = %event.uuid, kind = ?event.kind, "domain event");
                }
                Happening::Notice(told) => {
                    tracing::debug!(plugin = %driver, dom = %told.name, uuid = %told.uuid, notice = ?told.notice, "domain notice");
                }
            }
            listeners.iter().for_each(|listener| listener(driver, happening));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{CallSpec, Caller, Limits};
    use driver_api::abi::lock::{EXCLUSIVE, LockKey};
    use driver_api::lock::level::{Domain, Level};
    use driver_api::types::domain::DomainEventKind;
    use driver_api::types::notice::Notice;
    use driver_api::types::uuid::Uuid;

    fn event(name: &str) -> DomainEvent {
        DomainEvent {
            uuid: Uuid::default(),
            name: name.to_owned(),
            id: None,
            kind: DomainEventKind::Reboot,
        }
    }

    fn notice(name: &str) -> DomainNotice {
        DomainNotice {
            uuid: Uuid::default(),
            name: name.to_owned(),
            id: None,
            notice: Notice::BalloonChanged { actual_kib: 1 },
        }
    }

    #[test]
    fn events_and_notices_wait_for_the_threads_last_lock_and_keep_their_order() {
        let locks = Manager::<Real>::new(Limits::default());
        let events = Events::new(&locks);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let subscription = events.subscribe(Arc::new(move |driver, happening| {
            let name = match happening {
                Happening::Event(event) => &event.name,
                Happening::Notice(notice) => &notice.name,
            };
            sink.lock().push(format!("{driver}/{name}"));
        }));
        let call = locks.begin_call(CallSpec::new(1, "test")).unwrap();
        let who = Caller {
            plugin: 1,
            call: call.id,
        };
        events.raise("uml".into(), notice("free"));
        assert_eq!(*seen.lock(), ["uml/free"]);
        let key = LockKey {
            rank: Domain::RANK,
            uuid: Uuid::default(),
        };
        let held = locks.acquire(who, key, EXCLUSIVE, 0).unwrap();
        events.raise("uml".into(), event("first"));
        events.raise("uml".into(), notice("second"));
        events.raise("uml".into(), event("third"));
        assert_eq!(seen.lock().len(), 1, "something left while its thread held a lock");
        locks.release(who, held.handle, false).unwrap();
        assert_eq!(*seen.lock(), ["uml/free", "uml/first", "uml/second", "uml/third"]);
        locks.end_call(who).unwrap();
        drop(subscription);
        events.raise("uml".into(), event("unheard"));
        assert_eq!(seen.lock().len(), 4);
    }
}
