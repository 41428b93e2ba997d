//! `Table`: every domain as an immutable snapshot. Who reads takes what is published; who changes holds the domain's lock.

use crate::def::{DomainDef, Live};
use crate::fault::fault;
use crate::store::Note;
use driver_api::error::{Code, Error, Result};
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{Domain as DomainLevel, W};
use driver_api::types::domain::{DomainBrief, Reason, State};
use driver_api::types::guest::{Exit, GuestId};
use driver_api::types::uuid::Uuid;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where a domain is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// No process.
    Off,
    /// A process is being made, or does not answer yet; clients see it as shut off.
    Starting,
    Running,
    Paused,
    /// The process is gone and what it had is being cleared away.
    Ending,
}

/// One domain at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    /// What runs, or would be started.
    pub(crate) def: Arc<DomainDef>,
    /// The persistent definition; a domain without one goes with its guest.
    pub(crate) stored: Option<Arc<DomainDef>>,
    pub(crate) autostart: bool,
    pub(crate) phase: Phase,
    pub(crate) reason: Reason,
    /// That of the last start.
    pub(crate) id: i32,
    pub(crate) run: Option<Run>,
    /// The taps of what runs, in the order of its interfaces.
    pub(crate) devices: Vec<String>,
    pub(crate) autodestroy: bool,
    /// A client wants the start that is under way to fail.
    pub(crate) condemned: bool,
    /// How its guest has ended, for the thread that brings it to life or ends it.
    pub(crate) exit: Option<Exit>,
}

/// A guest process.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) guest: GuestId,
    pub(crate) ptys: Vec<String>,
}

impl Domain {
    /// A domain that does not run.
    pub(crate) fn off(def: Arc<DomainDef>, stored: Option<Arc<DomainDef>>) -> Self {
        Self {
            def,
            stored,
            autostart: false,
            phase: Phase::Off,
            reason: Reason::UNKNOWN,
            id: 0,
            run: None,
            devices: Vec::new(),
            autodestroy: false,
            condemned: false,
            exit: None,
        }
    }

    /// Whether clients see it running.
    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Paused | Phase::Ending)
    }

    /// Whether its guest is there and nobody brings it to life or clears it away.
    pub(crate) const fn is_steady(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Paused)
    }

    /// Refuses unless it is in one of these phases.
    pub(crate) fn must_be(&self, phases: &[Phase]) -> Result<()> {
        if phases.contains(&self.phase) {
            return Ok(());
        }
        let why = match self.phase {
            Phase::Off => "is not running",
            Phase::Starting => "is being started",
            Phase::Running if phases.contains(&Phase::Paused) => "is not paused",
            Phase::Running => "is running already",
            Phase::Paused if phases.contains(&Phase::Running) => "is paused and can not react: resume it first",
            Phase::Paused => "is running already, though paused",
            Phase::Ending => "is just ending",
        };
        Err(fault(Code::OPERATION_INVALID, format!("domain '{}' {why}", self.def.name)))
    }

    pub(crate) fn runs_on(&self, guest: GuestId) -> bool {
        self.run.as_ref().is_some_and(|run| run.guest == guest)
    }

    pub(crate) fn shown_id(&self) -> Option<i32> {
        self.is_active().then_some(self.id)
    }

    pub(crate) fn brief(&self) -> DomainBrief {
        DomainBrief {
            uuid: self.def.uuid,
            name: self.def.name.clone(),
            id: self.shown_id(),
            state: match self.phase {
                Phase::Off | Phase::Starting => State::Shutoff,
                Phase::Running => State::Running,
                Phase::Paused => State::Paused,
                Phase::Ending => State::Shutdown,
            },
            reason: self.reason,
            persistent: self.stored.is_some(),
            autostart: self.autostart,
            updated: self.is_active() && self.stored.as_ref().is_some_and(|stored| **stored != *self.def),
            max_memory_kib: self.def.memory_kib,
            memory_kib: self.def.memory_kib,
            vcpus: self.def.vcpus,
            os_type: "hvm".to_owned(),
        }
    }

    pub(crate) fn xml(&self, inactive: bool) -> String {
        match (&self.stored, &self.run) {
            (Some(stored), _) if inactive => stored.to_xml(None),
            (_, Some(run)) if !inactive && self.is_active() => {
                self.def.to_xml(Some(Live { id: self.id, devices: &self.devices, ptys: &run.ptys }))
            }
            _ => self.def.to_xml(None),
        }
    }

    /// What the next host must know of it.
    pub(crate) fn note(&self) -> Note {
        Note {
            guest: self.run.as_ref().map(|run| run.guest.0),
            id: self.id,
            devices: self.devices.clone(),
            autodestroy: self.autodestroy,
            xml: self.def.to_xml(None),
        }
    }
}

/// All domains. Its mutexes are leaves: held to copy or exchange a pointer, never while the host is called.
#[derive(Debug, Default)]
pub(crate) struct Table {
    domains: Mutex<BTreeMap<Uuid, Arc<Domain>>>,
    /// Domains with a thread of [`Busy`]; for a moment there may be two, of an end and of the next start.
    busy: Mutex<Vec<Uuid>>,
    idle: Condvar,
    published: Condvar,
}

/// A thread is at work on a domain's guest.
#[derive(Debug)]
pub(crate) struct Busy<'a> {
    table: &'a Table,
    uuid: Uuid,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut busy = self.table.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = busy.iter().position(|uuid| *uuid == self.uuid) {
            busy.swap_remove(place);
        }
        drop(busy);
        self.table.idle.notify_all();
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Domain>>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Domain>> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn find(&self, wanted: impl Fn(&Domain) -> bool) -> Option<Arc<Domain>> {
        self.lock().values().find(|domain| wanted(domain)).cloned()
    }

    pub(crate) fn get(&self, uuid: Uuid) -> Result<Arc<Domain>> {
        self.lock().get(&uuid).cloned().ok_or_else(|| no_domain(uuid))
    }

    /// Replaces a domain, or removes it; the guard proves that nobody else changes it. Whoever adds or removes one holds
    /// the driver's table (`Virt`) too.
    pub(crate) fn publish(&self, _held: &mut Guard<'_, DomainLevel, W>, uuid: Uuid, domain: Option<Domain>) {
        let mut domains = self.lock();
        match domain {
            Some(domain) => domains.insert(uuid, Arc::new(domain)),
            None => domains.remove(&uuid),
        };
        drop(domains);
        self.published.notify_all();
    }

    /// Waits for the end of a guest that is gone to be noted by whoever hears of it.
    pub(crate) fn wait_until_off(&self, uuid: Uuid, patience: Duration) {
        let there =
            |domains: &mut BTreeMap<Uuid, Arc<Domain>>| domains.get(&uuid).is_some_and(|d| d.phase != Phase::Off);
        drop(self.published.wait_timeout_while(self.lock(), patience, there));
    }

    /// Says that this thread brings a domain's guest to life or clears it away, until the answer is dropped.
    pub(crate) fn occupy(&self, uuid: Uuid) -> Busy<'_> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).push(uuid);
        Busy { table: self, uuid }
    }

    /// Waits until nobody does so any more, events included; `false` when it takes longer than this.
    pub(crate) fn wait_until_idle(&self, uuid: Uuid, patience: Duration) -> bool {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.idle.wait_timeout_while(busy, patience, |busy| busy.contains(&uuid));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Refuses a definition whose name or UUID is that of another domain.
    pub(crate) fn check_names(&self, def: &DomainDef) -> Result<()> {
        let (name, uuid) = (&def.name, def.uuid);
        let taken = self.find(|other| (other.def.name == *name) != (other.def.uuid == uuid));
        match taken {
            None => Ok(()),
            Some(other) if other.def.uuid == uuid => Err(fault(
                Code::OPERATION_FAILED,
                format!("the UUID '{uuid}' is that of domain '{}', which keeps its name", other.def.name),
            )),
            Some(other) => Err(fault(
                Code::OPERATION_FAILED,
                format!("the name '{name}' is that of the domain with UUID '{}'", other.def.uuid),
            )),
        }
    }
}

fn no_domain(uuid: Uuid) -> Error {
    let message = format!("no domain with UUID '{uuid}'; 'list --all' shows those that there are");
    fault(Code::NO_DOMAIN, message)
}
