//! The mailbox: which thread hears of a guest: the one that boots it, or whoever the host's event comes on.

use driver_api::types::guest::{GuestEvent, GuestId};
use driver_api::types::uuid::Uuid;
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// How many events of a guest wait for whoever boots it; a real one sends one or two until it is up, and what more it
/// sends (its userland can, as many as it likes) is left out. Its exit never is.
const WAITING: usize = 64;

/// Somebody waits for a guest to boot.
#[derive(Default, Debug)]
pub struct Boot {
    state: Mutex<BootState>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct BootState {
    events: VecDeque<GuestEvent>,
    exited: bool,
    cancelled: bool,
}

/// Why a wait for a booting guest ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wake {
    /// The guest's next event.
    Event(GuestEvent),
    /// Somebody wants the guest gone.
    Cancelled,
    /// The deadline passed.
    TimedOut,
}

impl Boot {
    /// Waits for the guest's next event.
    pub fn wait(&self, deadline: Instant) -> Wake {
        let mut state = self.state.lock();
        loop {
            if state.cancelled {
                return Wake::Cancelled;
            }
            if let Some(event) = state.events.pop_front() {
                return Wake::Event(event);
            }
            if self.changed.wait_until(&mut state, deadline).timed_out() && state.events.is_empty() {
                return if state.cancelled {
                    Wake::Cancelled
                } else {
                    Wake::TimedOut
                };
            }
        }
    }

    /// Ends the wait: the guest is not wanted any more.
    pub fn cancel(&self) {
        self.state.lock().cancelled = true;
        self.changed.notify_all();
    }

    /// Whether somebody ended the wait.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state.lock().cancelled
    }

    /// Whether the guest's exit has come, looked at or not.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        self.state.lock().exited
    }

    fn push(&self, event: GuestEvent) {
        let mut state = self.state.lock();
        let last = matches!(event, GuestEvent::Exited(_));
        state.exited |= last;
        if state.events.len() < WAITING || last {
            state.events.push_back(event);
        }
        drop(state);
        self.changed.notify_all();
    }
}

#[derive(Debug)]
enum Route {
    /// Events came before anybody claimed the guest: `spawn` has not returned yet.
    Unclaimed(Vec<GuestEvent>),
    /// It boots.
    Booting(Arc<Boot>),
    /// It belongs to a domain.
    Running(Uuid),
    /// Its end is dealt with already; what still comes is of no interest.
    Over,
}

/// Where each guest's events go. An exit is always a guest's last event and removes its route.
#[derive(Default, Debug)]
pub struct Mailbox {
    routes: Mutex<HashMap<GuestId, Route>>,
}

impl Mailbox {
    /// Takes an event from the host; gives it back with its domain when the calling thread is to deal with it.
    pub fn deliver(&self, guest: GuestId, event: GuestEvent) -> Option<(Uuid, GuestEvent)> {
        let mut routes = self.routes.lock();
        let last = matches!(event, GuestEvent::Exited(_));
        match routes.entry(guest).or_insert_with(|| Route::Unclaimed(Vec::new())) {
            Route::Unclaimed(events) => {
                if events.len() < WAITING || last {
                    events.push(event);
                }
                None
            }
            Route::Booting(boot) => {
                boot.push(event);
                None
            }
            Route::Running(uuid) => {
                let uuid = *uuid;
                if last {
                    routes.remove(&guest);
                }
                Some((uuid, event))
            }
            Route::Over => {
                if last {
                    routes.remove(&guest);
                }
                None
            }
        }
    }

    /// A booting guest's events go to `boot` from now on, those that came already first.
    pub fn claim(&self, guest: GuestId, boot: &Arc<Boot>) {
        let old = self.routes.lock().insert(guest, Route::Booting(Arc::clone(boot)));
        if let Some(Route::Unclaimed(events)) = old {
            for event in events {
                boot.push(event);
            }
        }
    }

    /// The guest has booted: its events go to the domain from now on. As long as some are waiting at `boot`, they are
    /// given back instead, to be dealt with first, and nothing changes.
    pub fn settle(&self, guest: GuestId, uuid: Uuid, boot: Option<&Boot>) -> Vec<GuestEvent> {
        let mut routes = self.routes.lock();
        let waiting: Vec<GuestEvent> = boot
            .map(|b| b.state.lock().events.drain(..).collect())
            .unwrap_or_default();
        let ended = waiting.iter().any(|event| matches!(event, GuestEvent::Exited(_)));
        if ended {
            routes.remove(&guest);
        } else if waiting.is_empty() && !matches!(routes.get(&guest), Some(Route::Over)) {
            routes.insert(guest, Route::Running(uuid));
        }
        waiting
    }

    /// The guest's end is dealt with. `exited` says that its exit was among the events already seen.
    pub fn close(&self, guest: GuestId, exited: bool) {
        let mut routes = self.routes.lock();
        if exited {
            routes.remove(&guest);
        } else if let Some(route) = routes.get_mut(&guest) {
            *route = Route::Over;
        }
    }

    /// The guest was not to be ended after all: its events go to the domain again. `false` when its exit has come
    /// meanwhile and was not dealt with.
    pub fn reopen(&self, guest: GuestId, uuid: Uuid) -> bool {
        let mut routes = self.routes.lock();
        let known = routes.get_mut(&guest);
        let open = known.is_some();
        if let Some(route) = known {
            *route = Route::Running(uuid);
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::types::guest::Exit;
    use std::time::Duration;

    const GUEST: GuestId = GuestId(7);

    fn said(text: &str) -> GuestEvent {
        GuestEvent::Notified(text.as_bytes().to_vec())
    }

    fn exited() -> GuestEvent {
        GuestEvent::Exited(Exit::default())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn events_that_come_before_the_claim_are_heard_first() {
        let (mailbox, boot) = (Mailbox::default(), Arc::new(Boot::default()));
        assert_eq!(mailbox.deliver(GUEST, said("early")), None);
        mailbox.claim(GUEST, &boot);
        assert_eq!(mailbox.deliver(GUEST, said("late")), None);
        assert_eq!(boot.wait(soon()), Wake::Event(said("early")));
        assert_eq!(boot.wait(soon()), Wake::Event(said("late")));
    }

    #[test]
    fn settling_hands_over_without_losing_or_reordering() {
        let (mailbox, boot, uuid) = (Mailbox::default(), Arc::new(Boot::default()), Uuid::default());
        mailbox.claim(GUEST, &boot);
        mailbox.deliver(GUEST, said("a"));
        assert_eq!(mailbox.settle(GUEST, uuid, Some(&boot)), [said("a")]);
        mailbox.deliver(GUEST, said("b"));
        assert_eq!(mailbox.settle(GUEST, uuid, Some(&boot)), [said("b")]);
        assert!(mailbox.settle(GUEST, uuid, Some(&boot)).is_empty());
        assert_eq!(mailbox.deliver(GUEST, exited()), Some((uuid, exited())));
        assert!(mailbox.routes.lock().is_empty());
    }

    #[test]
    fn nothing_is_left_of_a_guest_whichever_comes_first_its_end_or_its_exit() {
        let (mailbox, boot) = (Mailbox::default(), Arc::new(Boot::default()));
        mailbox.claim(GUEST, &boot);
        mailbox.close(GUEST, false);
        assert_eq!(mailbox.deliver(GUEST, said("x")), None);
        assert_eq!(mailbox.deliver(GUEST, exited()), None);
        assert!(mailbox.routes.lock().is_empty());
        mailbox.claim(GUEST, &boot);
        mailbox.deliver(GUEST, exited());
        assert_eq!(mailbox.settle(GUEST, Uuid::default(), Some(&boot)), [exited()]);
        assert!(mailbox.routes.lock().is_empty());
        mailbox.claim(GUEST, &boot);
        mailbox.close(GUEST, true);
        assert!(mailbox.routes.lock().is_empty());
    }

    #[test]
    fn reopening_finds_out_whether_the_exit_was_missed() {
        let (mailbox, uuid) = (Mailbox::default(), Uuid::default());
        mailbox.settle(GUEST, uuid, None);
        mailbox.close(GUEST, false);
        assert!(mailbox.reopen(GUEST, uuid));
        assert_eq!(mailbox.deliver(GUEST, said("x")), Some((uuid, said("x"))));
        mailbox.close(GUEST, false);
        mailbox.deliver(GUEST, exited());
        assert!(!mailbox.reopen(GUEST, uuid));
    }

    #[test]
    fn cancelling_wakes_the_waiter_and_stays() {
        let boot = Arc::new(Boot::default());
        let waiter = Arc::clone(&boot);
        let thread = std::thread::spawn(move || waiter.wait(soon()));
        boot.cancel();
        assert_eq!(thread.join().unwrap(), Wake::Cancelled);
        assert_eq!(boot.wait(soon()), Wake::Cancelled);
        assert_eq!(Boot::default().wait(Instant::now()), Wake::TimedOut);
    }

    #[test]
    fn waiting_events_are_bounded_but_an_exit_is_always_kept() {
        for claimed in [false, true] {
            let (mailbox, boot) = (Mailbox::default(), Arc::new(Boot::default()));
            if claimed {
                mailbox.claim(GUEST, &boot);
            }
            for _ in 0..1000 {
                mailbox.deliver(GUEST, said("noise"));
            }
            mailbox.deliver(GUEST, exited());
            mailbox.claim(GUEST, &boot);
            let mut heard = 1;
            while boot.wait(soon()) != Wake::Event(exited()) {
                heard += 1;
            }
            assert_eq!(heard, WAITING + 1);
        }
    }
}
