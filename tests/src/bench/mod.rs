//! The bench: a host for one driver, with the host's real locks and rooms, that sees everything and can fail on demand.

mod builder;
mod calls;
mod desk;
mod facts;
mod fault;
mod guests;
mod holder;
mod logbook;
mod record;
mod room;
mod services;
mod writer;

pub use builder::Builder;
pub use facts::Facts;
pub use fault::{Counted, FaultPlan};
pub use logbook::Line;
pub use record::{Breach, DriverCall, Hold, HostCall, Lock, Recording};

use crate::check::{Failure, Outcome};
use crate::runner::child;
use desk::Desk;
use driver_api::abi::lock::{Call, EXCLUSIVE, LockKey};
use driver_api::error::{Error, Result};
use driver_api::kit::loaded::Loaded;
use driver_api::lock::level::{Level, Update};
use driver_api::types::domain::DomainEvent;
use driver_api::types::filter::PortRequest;
use driver_api::types::uuid::Uuid;
use lockstep::lock::status::Party;
use lockstep::lock::{CallSpec, Caller, Locks};
use lockstep::paths::Paths;
use lockstep::plugin::GuestRoom;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a driver may take over what it is told of a guest.
const NEWS: Duration = Duration::from_secs(5);

/// A driver in service on the bench. Dropping it changes nothing: drivers are for the life of a process.
#[derive(Clone, Debug)]
pub struct Bench {
    desk: &'static Desk,
    loaded: &'static Loaded,
    facts: Facts,
    config: driver_api::driver::Config,
    paths: Paths,
    threads: Arc<BTreeMap<i32, String>>,
}

impl Bench {
    /// Who the driver is and what it offers.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether it offers this interface.
    #[must_use]
    pub fn offers(&self, interface: &str) -> bool {
        self.facts.interfaces.iter().any(|offered| offered == interface)
    }

    /// The driver's folders and options.
    #[must_use]
    pub const fn config(&self) -> &driver_api::driver::Config {
        &self.config
    }

    /// The folders of the host that is played.
    #[must_use]
    pub const fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The threads of the process just before the driver was made, by number, with their names.
    #[must_use]
    pub fn threads_before(&self) -> &BTreeMap<i32, String> {
        &self.threads
    }

    /// Calls a method that takes no token. Which one is said for the recording, for texts and for who looks at a hang.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn read<T>(&self, method: &str, work: impl FnOnce(&'static Loaded) -> Result<T>) -> Result<T> {
        child::progress(method);
        let index = self.desk.record.call_begins(method, false);
        let answer = {
            let _within = logbook::Within::enter(method);
            work(self.loaded)
        };
        let error = answer.as_ref().err().map(ToString::to_string);
        self.desk.record.call_ends(index, error, 0);
        answer
    }

    /// Calls a method that takes a token, on this thread, with nothing held.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn call<T>(&self, method: &str, work: impl FnOnce(&Loaded, Call) -> Result<T>) -> Result<T> {
        child::progress(method);
        self.desk.call(0, method, self.loaded, work)
    }

    /// Calls a method whose token is of level Update, with Update held by the bench (exclusively if so asked).
    ///
    /// # Errors
    /// What the driver answers.
    pub fn call_under_update<T>(
        &self,
        method: &str,
        exclusive: bool,
        work: impl FnOnce(&Loaded, Call) -> Result<T>,
    ) -> Result<T> {
        child::progress(method);
        let locks = &self.desk.locks;
        let outer = locks
            .begin_call(CallSpec::new(HOST, "the suite"))
            .map_err(Error::from)?;
        let who = Caller {
            plugin: HOST,
            call: outer.id,
        };
        let key = LockKey {
            rank: Update::RANK,
            uuid: Uuid::default(),
        };
        let flags = if exclusive { EXCLUSIVE } else { 0 };
        let answer = locks.acquire(who, key, flags, 0).map_err(Error::from).and_then(|held| {
            let answer = self.desk.call(Update::RANK, method, self.loaded, work);
            locks.release(who, held.handle, false).map_err(Error::from)?;
            answer
        });
        locks.end_call(who).map_err(Error::from)?;
        answer
    }

    /// What was seen so far: calls in both directions, holds, events, broken rules.
    #[must_use]
    pub fn recording(&self) -> Recording {
        self.desk.record.snapshot()
    }

    /// Forgets what was seen so far.
    pub fn forget_recording(&self) {
        self.desk.record.clear();
    }

    /// Puts another fault plan in force and begins to count anew.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.desk.faults.set(plan);
    }

    /// How many calls the plan in force has counted.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.desk.faults.count()
    }

    /// The lines that the driver has logged.
    #[must_use]
    pub fn log(&self) -> Vec<Line> {
        self.desk.log.lines()
    }

    /// Lines that were dropped since there were too many.
    #[must_use]
    pub fn log_dropped(&self) -> u64 {
        self.desk.log.dropped()
    }

    /// Forgets the lines so far.
    pub fn forget_log(&self) {
        self.desk.log.clear();
    }

    /// Spans of the driver that are not closed.
    #[must_use]
    pub fn open_spans(&self) -> usize {
        self.desk.log.open_spans()
    }

    /// Sets which lines are wanted and tells the driver.
    ///
    /// # Errors
    /// What the driver answers.
    pub fn set_log_level(&self, level: tracing::Level) -> Result<()> {
        self.desk.log.set_level(level);
        self.read("rebuild_log_filters", |driver| driver.rebuild_log_filters())
    }

    /// The lock manager.
    #[must_use]
    pub fn locks(&self) -> &Arc<Locks> {
        &self.desk.locks
    }

    /// The room of the guest processes.
    ///
    /// # Errors
    /// None was made.
    pub fn guests(&self) -> Outcome<&Arc<dyn GuestRoom>> {
        let room = self.desk.guests.get();
        room.ok_or_else(|| Failure::new("the bench has no room of guests"))
    }

    /// What other virt drivers of the host shall say that they want filtered.
    pub fn set_wanted_ports(&self, ports: Vec<PortRequest>) {
        *self.desk.wanted_ports.lock() = ports;
    }

    /// What the driver has had filtered and not given back.
    #[must_use]
    pub fn attached_ports(&self) -> Vec<PortRequest> {
        self.desk.attached_ports.lock().clone()
    }

    /// The events that the driver raised for one domain.
    #[must_use]
    pub fn events(&self, uuid: Uuid) -> Vec<DomainEvent> {
        let mut events = self.recording().events;
        events.retain(|event| event.uuid == uuid);
        events
    }

    /// Whether nothing is held, waited for or running, the driver's own threads aside; if not, what.
    ///
    /// # Errors
    /// Something is.
    pub fn expect_nothing_held(&self) -> Outcome {
        // A guest's end is told to the driver whenever it comes: such a call is on its way and has forgotten nothing.
        let mut held = None;
        let _over = self.wait(NEWS, |bench| {
            held = bench.held();
            held.as_ref().is_none_or(|(_, party)| party.call != desk::TOLD)
        });
        if let Some((lock, party)) = held {
            return Err(Failure::new(format!("{lock} is still held, by {party}")));
        }
        if let Some(job) = self.locks().status().jobs.first() {
            let (what, uuid) = (&job.what, &job.uuid);
            return Err(Failure::new(format!("job '{what}' on domain '{uuid}' never ended")));
        }
        Ok(())
    }

    /// A lock that somebody holds who is not the bench, and who it is.
    fn held(&self) -> Option<(String, Party)> {
        self.locks().status().locks.into_iter().find_map(|lock| {
            let party = lock.holders.into_iter().find(|party| party.call != writer::NAME)?;
            let uuid = lock.uuid.as_deref().unwrap_or_default();
            Some((format!("{} {uuid}", lock.level), party))
        })
    }

    /// Waits until `ready` answers true, at most so long; says whether it did.
    #[must_use]
    pub fn wait(&self, within: Duration, mut ready: impl FnMut(&Self) -> bool) -> bool {
        let since = Instant::now();
        loop {
            if ready(self) {
                return true;
            }
            if since.elapsed() > within {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A folder's files and their content, for "nothing has changed".
    #[must_use]
    pub fn files(folder: &Path) -> HashMap<PathBuf, Vec<u8>> {
        let mut found = HashMap::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    Ok(kind) if kind.is_file() => {
                        found.insert(entry.path(), std::fs::read(entry.path()).unwrap_or_default());
                    }
                    _ => {}
                }
            }
        }
        found
    }
}

/// The number of the suite itself, as holder of locks that a host would hold.
const HOST: u32 = 2;
