//! `Desk`: the bench as one driver sees it: every service over the host's real rooms, watched and made to fail on demand.

use super::fault::{Faults, Meeting};
use super::logbook::Logbook;
use super::record::{Breach, Lock, Recorder};
use super::writer;
use driver_api::abi::lock::{Call, EXCLUSIVE, Held};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::Loaded;
use driver_api::kit::offer::HostServices;
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{GuestEvent, GuestId};
use lockstep::lock::{CallSpec, Caller, Entry, LockError, Locks};
use lockstep::plugin::{GuestRoom, SERVICES};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// The number under which the lock manager knows the driver.
pub(super) const NUMBER: u32 = 1;

/// The call in which a driver is told of its guests.
pub(super) const TOLD: &str = "guest_event";

/// One driver's side of the bench; never freed, since the driver keeps its address.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(super) name: String,
    pub(super) locks: Arc<Locks>,
    pub(super) hidden: BTreeSet<String>,
    pub(super) faults: Faults,
    pub(super) record: Recorder,
    pub(super) log: Logbook,
    pub(super) guests: OnceLock<Arc<dyn GuestRoom>>,
    pub(super) loaded: OnceLock<Loaded>,
    /// What other virt drivers would say that they want filtered.
    pub(super) wanted_ports: Mutex<Vec<PortRequest>>,
    /// What the driver has had filtered.
    pub(super) attached_ports: Mutex<Vec<PortRequest>>,
}

impl Desk {
    pub(super) fn caller(&self, call: Call) -> Caller {
        Caller {
            plugin: NUMBER,
            call: call.id,
        }
    }

    /// Serves one call of the driver: written down, met by the fault plan, then served by `work`.
    pub(super) fn serve<T>(
        &self,
        call: Option<Call>,
        service: &'static str,
        function: &'static str,
        detail: String,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let index = self
            .record
            .host_call_begins(call.map(|call| call.id), service, function, detail);
        let meeting: Meeting = self.faults.meet(service, function);
        let injected = meeting.refused.is_some();
        let result = match meeting.refused {
            Some(error) => Err(error),
            None => {
                let result = work();
                self.faults.part(&meeting);
                result
            }
        };
        let error = result.as_ref().err().map(ToString::to_string);
        self.record.host_call_ends(index, error, injected);
        result
    }

    /// The lock manager's answer as the driver gets it; a breach of the rules is written down.
    pub(super) fn judged<T>(
        &self,
        call: Option<Call>,
        what: &str,
        answer: std::result::Result<T, LockError>,
    ) -> Result<T> {
        answer.map_err(|error| {
            if error.is_breach() {
                let method = call.map(|call| self.record.method(call.id)).unwrap_or_default();
                self.record.breach(Breach {
                    method,
                    call: what.to_owned(),
                    text: error.to_string(),
                });
            }
            Error::from(error)
        })
    }

    /// For services that may block: refused while the thread holds a lock, as the host does.
    pub(super) fn unlocked(&self, call: Call, what: &str) -> Result<()> {
        self.judged(Some(call), what, self.locks.holds_above(0))
    }

    pub(super) fn room(&self) -> Result<&Arc<dyn GuestRoom>> {
        self.guests
            .get()
            .ok_or_else(|| Error::new(Code::NO_SUPPORT, Origin::NONE, "this host starts no guest processes"))
    }

    /// A lock was granted to the driver.
    pub(super) fn granted(&self, call: Call, lock: Lock, flags: u32, held: Held) {
        let exclusive = flags & EXCLUSIVE != 0;
        self.record.taken(held.handle, lock, exclusive, call.id);
        if !exclusive && self.faults.wants_writer() {
            writer::queue(&self.locks, lock);
        }
    }

    /// Brings an event of a guest to the driver, in a call of its own.
    pub(super) fn guest_event(&self, guest: GuestId, event: GuestEvent) {
        let Some(loaded) = self.loaded.get() else {
            return;
        };
        // What it answers is between the driver and its log: a host only logs it as well.
        let _logged = self.call(0, TOLD, loaded, |driver, call| {
            let nobody = || Error::new(Code::NO_SUPPORT, Origin::NONE, "a driver without domains has no guests");
            driver.virt().ok_or_else(nobody)?.guest_event(call, guest, event)
        });
    }

    /// Calls a method with a token of this rank.
    pub(super) fn call<T>(
        &self,
        rank: u32,
        method: &str,
        loaded: &Loaded,
        work: impl FnOnce(&Loaded, Call) -> Result<T>,
    ) -> Result<T> {
        let spec = CallSpec::new(NUMBER, method.to_owned()).entry(Entry::Level(rank));
        let call = self.locks.begin_call(spec).map_err(Error::from)?;
        self.record.frame_opens(call.id, method);
        let index = self.record.call_begins(method, true);
        let answer = {
            let _within = super::logbook::Within::enter(method);
            work(loaded, call)
        };
        let kept = self.locks.end_call(self.caller(call)).map_err(Error::from);
        self.record.frame_closes(call.id);
        if kept.as_ref().is_ok_and(|kept| *kept > 0) {
            self.record.swept();
        }
        let error = answer.as_ref().err().map(ToString::to_string);
        self.record.call_ends(index, error, kept.unwrap_or(0));
        answer
    }
}

impl HostServices for Desk {
    fn offers(&self, id: &str) -> bool {
        offers(&self.hidden, id)
    }
}

/// Whether a host that hides these services has one.
pub(super) fn offers(hidden: &BTreeSet<String>, id: &str) -> bool {
    SERVICES.contains(&id) && !hidden.contains(id)
}
