//! `Record`: everything known of one domain at one moment, immutable and shared by all readers.

use super::machine::Phase;
use super::status::{Intent, Status};
use super::table::Entry;
use crate::def::{DomainDef, Live};
use crate::mconsole::client::Monitor;
use crate::plan::Nic;
use driver_api::types::domain::{DomainBrief, Reason};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{ConsoleSpec, GuestId, Started};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A guest's process tree, from the moment it answers until it is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The process tree.
    pub guest: GuestId,
    /// The way to its kernel.
    pub monitor: Monitor,
    /// Its consoles, in the order in which they were ordered.
    pub consoles: Vec<ConsoleSpec>,
    /// What the live document shows beyond the definition.
    pub live: Live,
    /// Since when this host knows it.
    pub since: Instant,
}

impl Run {
    /// The run of a process tree that the host has started or found again; `socket` is its kernel's, relative to the
    /// run folder.
    #[must_use]
    pub fn new(id: i32, started: &Started, socket: PathBuf, consoles: Vec<ConsoleSpec>, devices: Vec<String>) -> Self {
        Self {
            guest: GuestId(started.guest),
            monitor: Monitor {
                run_dir: started.run_dir.clone(),
                socket,
                pid: started.pid,
            },
            live: Live::new(id, &consoles, &started.ptys, devices),
            consoles,
            since: Instant::now(),
        }
    }
}

/// One of a guest's interfaces in the host's network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// The host's device.
    pub device: String,
    /// The filter on it.
    pub request: Option<PortRequest>,
}

impl Port {
    /// The port of an interface of a domain.
    #[must_use]
    pub fn new(device: &str, nic: &Nic, owner: &Entry) -> Self {
        let request = nic.filter.as_ref().map(|filter| PortRequest {
            port: device.to_owned(),
            mac: nic.mac.to_string(),
            filter: filter.filter.clone(),
            parameters: filter.parameters.clone(),
            owner: owner.uuid,
            owner_name: owner.name.clone(),
        });
        Self {
            device: device.to_owned(),
            request,
        }
    }
}

/// One domain at one moment.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it is in its life.
    pub phase: Phase,
    /// Why it is there.
    pub reason: Reason,
    /// What it runs with; what it would run with, when it does not.
    pub current: Arc<DomainDef>,
    /// The definition on disk: what it will run with at its next start. `None` for a transient domain.
    pub next: Option<Arc<DomainDef>>,
    /// The host starts it when the host itself starts.
    pub autostart: bool,
    /// `next` was replaced while it was running.
    pub updated: bool,
    /// Its process tree, in Running and Paused.
    pub run: Option<Run>,
    /// Its interfaces, in the order of the definition: from the moment when their filters are in force until its end, a
    /// restart included.
    pub ports: Arc<[Port]>,
    /// Its id, from the beginning of a start to the end; shown only while it is active.
    pub id: i32,
    /// What a client last asked of this run.
    pub intent: Intent,
    /// The panic message of this run.
    pub panic: Option<String>,
    /// It did not answer when it was told to stop, and may stop yet: `resume` is then no mistake.
    pub may_stop: bool,
    /// How often in a row it crashed soon after its boot and was started again.
    pub crashes: u32,
}

impl Record {
    /// A domain at rest.
    #[must_use]
    pub fn idle(current: Arc<DomainDef>, next: Option<Arc<DomainDef>>) -> Self {
        Self {
            phase: Phase::Off,
            reason: Reason::UNKNOWN,
            current,
            next,
            autostart: false,
            updated: false,
            run: None,
            ports: Arc::default(),
            id: 0,
            intent: Intent::None,
            panic: None,
            may_stop: false,
            crashes: 0,
        }
    }

    /// Its id as clients see it.
    #[must_use]
    pub fn shown_id(&self) -> Option<i32> {
        self.phase.is_active().then_some(self.id)
    }

    /// Whether this very process tree is what it runs on.
    #[must_use]
    pub fn runs_on(&self, guest: GuestId) -> bool {
        self.run.as_ref().is_some_and(|run| run.guest == guest)
    }

    /// What lists and look-ups show.
    #[must_use]
    pub fn brief(&self) -> DomainBrief {
        DomainBrief {
            uuid: self.current.uuid,
            name: self.current.name.clone(),
            id: self.shown_id(),
            state: self.phase.state(),
            reason: self.reason,
            persistent: self.next.is_some(),
            autostart: self.autostart,
            updated: self.updated,
            max_memory_kib: self.current.memory.max_kib,
            memory_kib: self.current.memory.current_kib,
            vcpus: self.current.vcpu.current,
            os_type: "uml".to_owned(),
        }
    }

    /// The document: the live one, or with `inactive` that of the next start.
    #[must_use]
    pub fn xml(&self, inactive: bool) -> String {
        match (&self.next, &self.run) {
            (Some(next), _) if inactive => next.to_xml(None),
            (_, Some(run)) if !inactive => self.current.to_xml(Some(&run.live)),
            _ => self.current.to_xml(None),
        }
    }

    /// The host's device of each interface.
    #[must_use]
    pub fn devices(&self) -> Vec<String> {
        self.ports.iter().map(|port| port.device.clone()).collect()
    }

    /// What a new host would have to know; `None` when there is no process tree.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let run = self.run.as_ref()?;
        Some(Status {
            guest: run.guest.0,
            id: self.id,
            phase: self.phase,
            reason: self.reason,
            intent: self.intent,
            socket: run.monitor.socket.clone(),
            consoles: run.consoles.iter().map(|console| console.alias.clone()).collect(),
            devices: self.devices(),
            xml: self.current.to_xml(None),
        })
    }
}
