//! `Domain`: one domain as a value that never changes, and what may follow what.

use super::def::Def;
use crate::fault::{no_domain, refused};
use driver_api::error::Result;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::domain::{DomainBrief, Reason, State};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::Instant;

/// One domain at one moment.
///
/// ```text
///  define -> off -- start --> running <-- suspend, resume --> paused
///             ^                  |                               |
///             +--- shutdown, destroy (a transient one is gone) --+
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    /// What it is: as it runs, or as it will.
    pub(crate) def: Arc<Def>,
    /// What is on the disk, which its next start takes; none is transient.
    pub(crate) next: Option<Arc<Def>>,
    /// Its run, if it runs.
    pub(crate) run: Option<Run>,
    /// Why it is off.
    pub(crate) off: Reason,
    pub(crate) autostart: bool,
    pub(crate) autostart_once: bool,
}

/// A guest that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) id: i32,
    pub(crate) state: State,
    pub(crate) reason: Reason,
    /// Whether it ends with the client that started it, which no next host has.
    pub(crate) autodestroy: bool,
    pub(crate) since: Instant,
}

impl Domain {
    /// A domain that is defined and off.
    pub(crate) const fn idle(def: Arc<Def>, next: Option<Arc<Def>>) -> Self {
        Self {
            def,
            next,
            run: None,
            off: Reason::UNKNOWN,
            autostart: false,
            autostart_once: false,
        }
    }

    pub(crate) fn uuid(&self) -> Uuid {
        self.def.uuid
    }

    pub(crate) fn name(&self) -> &str {
        &self.def.name
    }

    pub(crate) fn id(&self) -> Option<i32> {
        self.run.map(|run| run.id)
    }

    /// What lists and look-ups show.
    pub(crate) fn brief(&self) -> DomainBrief {
        DomainBrief {
            uuid: self.def.uuid,
            name: self.def.name.clone(),
            id: self.id(),
            state: self.run.map_or(State::Shutoff, |run| run.state),
            reason: self.run.map_or(self.off, |run| run.reason),
            persistent: self.next.is_some(),
            autostart: self.autostart,
            updated: self.run.is_some() && self.next.as_ref().is_some_and(|next| next.element != self.def.element),
            max_memory_kib: self.def.max_memory_kib,
            memory_kib: self.def.memory_kib,
            vcpus: self.def.vcpus,
            os_type: self.def.os_type.clone(),
        }
    }

    /// Its run.
    ///
    /// # Errors
    /// 55 when it does not run.
    pub(crate) fn running(&self) -> Result<Run> {
        self.run.ok_or_else(|| refused(self.name(), "is not running"))
    }

    /// Its run, if the guest can react.
    ///
    /// # Errors
    /// 55 when it does not run or is paused.
    pub(crate) fn awake(&self) -> Result<Run> {
        let run = self.running()?;
        if run.state == State::Paused {
            return Err(refused(self.name(), "is paused and can not react: resume it first"));
        }
        Ok(run)
    }

    /// Its definition on the disk.
    ///
    /// # Errors
    /// 55 when it is transient.
    pub(crate) fn persistent(&self) -> Result<&Arc<Def>> {
        let why = "is transient and has no definition: define it first";
        self.next.as_ref().ok_or_else(|| refused(self.name(), why))
    }

    /// The domain with another state of its run.
    ///
    /// # Errors
    /// 55 when it does not run.
    pub(crate) fn in_state(&self, state: State, reason: Reason) -> Result<Self> {
        let run = Run {
            state,
            reason,
            ..self.running()?
        };
        Ok(Self {
            run: Some(run),
            ..self.clone()
        })
    }

    /// What is left of it when its run ends: nothing of a transient one.
    pub(crate) fn stopped(&self, off: Reason) -> Option<Self> {
        let next = self.next.as_ref()?;
        Some(Self {
            def: Arc::clone(next),
            run: None,
            off,
            ..self.clone()
        })
    }
}

/// Where a change is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Scope {
    /// In what runs.
    pub(crate) live: bool,
    /// In the definition.
    pub(crate) config: bool,
}

impl Scope {
    /// What the flags say of this domain; 0 means what runs if it runs, else the definition. Other bits do not count.
    ///
    /// # Errors
    /// 55 for a live change of what does not run, and for a definition that is not there.
    pub(crate) fn of(domain: &Domain, flags: u32) -> Result<Self> {
        let both = AFFECT_LIVE | AFFECT_CONFIG;
        let given = match flags & both {
            0 if domain.run.is_some() => AFFECT_LIVE,
            0 => AFFECT_CONFIG,
            given => given,
        };
        let scope = Self {
            live: given & AFFECT_LIVE != 0,
            config: given & AFFECT_CONFIG != 0,
        };
        if scope.live {
            domain.running()?;
        }
        if scope.config {
            domain.persistent()?;
        }
        Ok(scope)
    }
}

/// The domain, or 42.
pub(crate) fn there(uuid: Uuid, domain: Option<Arc<Domain>>) -> Result<Arc<Domain>> {
    domain.ok_or_else(|| no_domain(uuid))
}
