//! `Record`: everything known of one domain at one moment, immutable and shared by all readers.

use super::machine::Phase;
use super::remnant::Remnant;
use super::status::{Intent, Served, Status};
use super::table::Entry;
use crate::def::{DomainDef, Live};
use crate::mconsole::client::Monitor;
use crate::plan::{LOG_ALIAS, Nic};
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
    /// Its consoles, those that were plugged in last.
    pub lines: Vec<Line>,
    /// What the live document shows beyond the definition.
    pub live: Live,
    /// Since when this host knows it.
    pub since: Instant,
    /// What the kernel did not let the host isolate, in words; not known of a guest that was taken over.
    pub not_isolated: Vec<String>,
}

/// A console that the supervisor serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Its alias.
    pub alias: String,
    /// Its place at the supervisor.
    pub index: u32,
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
            lines: (0..)
                .zip(consoles)
                .map(|(index, console)| Line {
                    alias: console.alias,
                    index,
                })
                .collect(),
            since: Instant::now(),
            not_isolated: started.not_isolated.clone(),
        }
    }

    /// Notes a console that was plugged in; an empty path is no pty.
    pub fn note_line(&mut self, line: Served) {
        let Served { index, alias, pty } = line;
        if !pty.is_empty() {
            self.live.ptys.insert(alias.clone(), pty);
        }
        self.lines.push(Line { alias, index });
    }

    /// Notes that a console is gone.
    pub fn forget_line(&mut self, alias: &str) {
        self.live.ptys.remove(alias);
        self.lines.retain(|line| line.alias != alias);
    }

    /// The place of the console that a client asks for: by alias, or the first console, else serial line.
    #[must_use]
    pub fn line(&self, alias: Option<&str>) -> Option<u32> {
        let meant = |line: &&Line| line.alias != LOG_ALIAS && alias.is_none_or(|alias| alias == line.alias);
        self.lines.iter().find(meant).map(|line| line.index)
    }
}

/// One of a guest's interfaces in the host's network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// The host's device; empty for an interface that has none.
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
    /// An interface that is being plugged in, from before its filter is in force until it is among the others or gone.
    pub arriving: Option<Port>,
    /// How much memory its guest has, in KiB, when that is less than it booted with.
    pub balloon: Option<u64>,
    /// What a change of devices that is under way may leave.
    pub remnants: Arc<[Remnant]>,
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
    /// How its last run ended, or why its last start failed, in words, if nobody wanted that. Gone with its next start.
    pub last_end: Option<Arc<str>>,
    /// This run ends with the connection of the client that started it.
    pub autodestroy: bool,
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
            arriving: None,
            balloon: None,
            remnants: Arc::default(),
            id: 0,
            intent: Intent::None,
            panic: None,
            may_stop: false,
            crashes: 0,
            last_end: None,
            autodestroy: false,
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
            memory_kib: self.memory_kib(),
            vcpus: self.current.vcpu.current,
            os_type: "uml".to_owned(),
        }
    }

    /// How much memory it has, or would begin with.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        self.balloon.unwrap_or(self.current.memory.current_kib)
    }

    /// The document: the live one, or with `inactive` that of the next start.
    #[must_use]
    pub fn xml(&self, inactive: bool) -> String {
        match (&self.next, &self.run) {
            (Some(next), _) if inactive => next.to_xml(None),
            (_, Some(run)) if !inactive => {
                let live = Live {
                    memory_kib: self.balloon,
                    ..run.live.clone()
                };
                self.current.to_xml(Some(&live))
            }
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
        let in_order = (0..).zip(&run.lines).take_while(|(index, line)| line.index == *index);
        let in_order = in_order.count();
        Some(Status {
            guest: run.guest.0,
            id: self.id,
            phase: self.phase,
            reason: self.reason,
            intent: self.intent,
            autodestroy: self.autodestroy,
            socket: run.monitor.socket.clone(),
            consoles: run.lines.iter().take(in_order).map(|line| line.alias.clone()).collect(),
            lines: run
                .lines
                .iter()
                .map(|line| Served {
                    index: line.index,
                    alias: line.alias.clone(),
                    pty: run.live.ptys.get(&line.alias).cloned().unwrap_or_default(),
                })
                .collect(),
            devices: self.devices(),
            interfaces: self.current.interfaces.iter().map(|of| of.number).collect(),
            ports: self.current.consoles.iter().map(|of| of.port).collect(),
            balloon: self.balloon,
            remnants: self.remnants.to_vec(),
            xml: self.current.to_xml(None),
        })
    }
}
