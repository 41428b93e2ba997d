//! `Builder`: a bench that is being set up, and the way from a plug-in's file to a driver in service.

use super::Bench;
use super::desk::{Desk, NUMBER, offers};
use super::facts::Facts;
use super::fault::{FaultPlan, Faults};
use super::logbook::{Logbook, Within};
use super::record::Recorder;
use super::room::{block, room};
use crate::check::{Ctx, Failure, Outcome};
use crate::fixture::Room;
use crate::runner::child;
use driver_api::kit::offer::host_ref;
use lockstep::lock::{Limits, Locks};
use lockstep::paths::Paths;
use lockstep::plugin::Candidate;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A bench that is being set up.
#[derive(Clone, Debug)]
pub struct Builder {
    plugin: PathBuf,
    root: PathBuf,
    hidden: BTreeSet<String>,
    options: Vec<(String, String)>,
    room: Room,
    faults: FaultPlan,
    patience: Duration,
    bring_up: bool,
    blocked: bool,
}

impl Builder {
    pub(crate) fn new(ctx: &Ctx) -> Self {
        let options = &ctx.fixtures().options;
        let fill = |value: &String| value.replace("@ROOT@", &ctx.root().to_string_lossy());
        Self {
            plugin: ctx.plugin().to_path_buf(),
            root: ctx.root().join("host"),
            hidden: BTreeSet::new(),
            options: options
                .iter()
                .map(|(name, value)| (name.clone(), fill(value)))
                .collect(),
            room: ctx.fixtures().guests,
            faults: FaultPlan::default(),
            patience: Duration::from_secs(10),
            bring_up: true,
            blocked: false,
        }
    }

    /// A host that has not this service.
    #[must_use]
    pub fn hide(mut self, service: &str) -> Self {
        self.hidden.insert(service.to_owned());
        self
    }

    /// What goes wrong from the first moment on.
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = plan;
        self
    }

    /// One more line of the driver's configuration; it goes over the fixtures' own.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.retain(|(other, _)| other != name);
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another root for the host's folders than `host` below the check's.
    #[must_use]
    pub fn root(mut self, root: PathBuf) -> Self {
        self.root = root;
        self
    }

    /// How long the driver may wait for a lock at most; 10 seconds unless said.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Puts files where the driver's folders should be: a host whose disk is not as it should be.
    #[must_use]
    pub const fn in_the_way(mut self) -> Self {
        self.blocked = true;
        self
    }

    /// Leaves the driver made, not brought up.
    #[must_use]
    pub const fn not_up(mut self) -> Self {
        self.bring_up = false;
        self
    }

    /// Maps and checks the plug-in as the host does, and goes no further.
    ///
    /// # Errors
    /// It is refused, in the host's words.
    pub fn candidate(&self) -> Outcome<Candidate> {
        child::progress("a static constructor, or whatever runs while it is loaded");
        let hidden = self.hidden.clone();
        let opened = Candidate::open(&self.plugin, |id| offers(&hidden, id));
        opened.map_err(|refusal| Failure::new(format!("the host refuses the plug-in: {refusal}")))
    }

    /// Makes the driver and brings it up.
    ///
    /// # Errors
    /// It is refused or does not come up, in the host's words.
    pub fn open(self) -> Outcome<Bench> {
        let candidate = self.candidate()?;
        let broken = |what: &str, error: &dyn std::fmt::Display| Failure::new(format!("the bench: {what}: {error}"));
        let paths = Paths::find(Some(&self.root)).map_err(|error| broken("its folders", &error))?;
        paths.make().map_err(|error| broken("its folders", &error))?;
        let own = paths
            .make_driver(candidate.name())
            .map_err(|error| broken("the driver's folders", &error))?;
        if self.blocked {
            for folder in [&own.conf, &own.state, &own.run, &own.log] {
                block(folder).map_err(|error| broken("files in place of folders", &error))?;
            }
        }
        let locks = Locks::new(Limits {
            filter: self.patience,
            update: self.patience,
            virt: self.patience,
            domain: self.patience,
            // Each broken rule is told by itself; a quarantine would hide those after it.
            strikes: usize::MAX,
            ..Limits::default()
        });
        locks.add_plugin(NUMBER, candidate.name());
        let desk: &'static Desk = Box::leak(Box::new(Desk {
            name: candidate.name().to_owned(),
            locks,
            hidden: self.hidden,
            faults: Faults::default(),
            record: Recorder::new(),
            log: Logbook::default(),
            guests: OnceLock::new(),
            loaded: OnceLock::new(),
            wanted_ports: parking_lot::Mutex::default(),
            attached_ports: parking_lot::Mutex::default(),
        }));
        desk.faults.set(self.faults);
        let config = driver_api::driver::Config {
            conf_dir: own.conf,
            state_dir: own.state,
            run_dir: own.run,
            log_dir: own.log,
            privileged: paths.privileged,
            options: self.options,
        };
        let room = room(self.room, &paths, desk).map_err(|error| broken("its room of guests", &error))?;
        // Set once, just here.
        let _first = desk.guests.set(room);
        let facts = Facts::of(&candidate);
        let on_panic = Box::new(|sentence: &str| desk.record.panicked(sentence));
        let threads = Arc::new(crate::checks::process::threads());
        child::progress("open");
        let index = desk.record.call_begins("open", false);
        let made = {
            let _within = Within::enter("open");
            candidate.create(host_ref(desk), &config, on_panic)
        };
        desk.record
            .call_ends(index, made.as_ref().err().map(ToString::to_string), 0);
        let loaded = made.map_err(|refusal| Failure::new(format!("the host refuses the plug-in: {refusal}")))?;
        let bench = Bench {
            desk,
            loaded: desk.loaded.get_or_init(|| loaded),
            facts,
            config,
            paths,
            threads,
        };
        if self.bring_up {
            bench.bring_up().map_err(|error| {
                let code = error.code().0;
                Failure::new(format!("bring_up: expected success, found error {code}: {error}"))
            })?;
        }
        Ok(bench)
    }
}
