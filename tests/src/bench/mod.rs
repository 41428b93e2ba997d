//! The bench: a host for one driver, with the host's real locks and rooms, that sees everything and can fail on demand.

mod desk;
mod fault;
mod guests;
mod logbook;
mod record;
mod services;
mod writer;

pub use fault::{Counted, FaultPlan};
pub use logbook::Line;
pub use record::{Breach, DriverCall, Hold, HostCall, Lock, Recording};

use crate::check::{Ctx, Failure, Outcome};
use crate::fixture::Room;
use crate::runner::child;
use desk::{Desk, NUMBER, offers};
use driver_api::abi::lock::{Call, EXCLUSIVE, LockKey};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::Loaded;
use driver_api::kit::offer::host_ref;
use driver_api::lock::level::{Filter, Level, Update};
use driver_api::types::domain::{DomainBrief, DomainEvent};
use driver_api::types::filter::{FilterBrief, PortRequest};
use driver_api::types::guest::{GuestEvent, GuestId};
use driver_api::types::uuid::Uuid;
use lockstep::lock::{CallSpec, Caller, Limits, Locks, rank::Mode};
use lockstep::paths::Paths;
use lockstep::plugin::{Candidate, GuestRoom};
use lockstep::supervisor::{Guests, Options, Sink};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

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
            faults: fault::Faults::default(),
            record: record::Recorder::new(),
            log: logbook::Logbook::default(),
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
            let _within = logbook::Within::enter("open");
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

/// Who the driver says it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The version of the interface that it was built for.
    pub api: String,
    /// The services without which it can not work.
    pub needs: Vec<String>,
    /// The interfaces that it offers.
    pub interfaces: Vec<String>,
}

impl Facts {
    /// Of a plug-in that was mapped.
    #[must_use]
    pub fn of(candidate: &Candidate) -> Self {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Self {
            name: candidate.name().to_owned(),
            version: candidate.version().to_owned(),
            api: candidate.api(),
            needs: texts(candidate.needs()),
            interfaces: texts(candidate.interfaces()),
        }
    }
}

fn block(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        // Two of them may be one folder.
        Err(error) if error.kind() != std::io::ErrorKind::NotADirectory => Err(error),
        _ => std::fs::write(folder, "in the way"),
    }
}

fn room(kind: Room, paths: &Paths, desk: &'static Desk) -> Result<Arc<dyn GuestRoom>> {
    match kind {
        Room::Memory => {
            let sink = mailbox(desk)?;
            Ok(Arc::new(guests::Accounts::new(paths.run.join("guests"), sink)))
        }
        Room::Real => {
            let sink: Arc<Sink> = Arc::new(|_: &str, guest, event| desk.guest_event(guest, event));
            Ok(Arc::new(Guests::open(
                &paths.run,
                &paths.log,
                Options::default(),
                sink,
            )?))
        }
    }
}

/// A sink whose events reach the driver on a thread of their own, as the real room's do: a driver that kills a guest must
/// not find itself in `guest_event` before `kill` has returned.
fn mailbox(desk: &'static Desk) -> Result<Arc<Sink>> {
    let (sender, inbox): (Sender<(GuestId, GuestEvent)>, _) = channel();
    let deliver = move || {
        for (guest, event) in inbox {
            desk.guest_event(guest, event);
        }
    };
    std::thread::Builder::new()
        .name("guest-events".into())
        .spawn(deliver)
        .map_err(|error| Error::new(Code::SYSTEM_ERROR, Origin::NONE, "no thread for events").because(error))?;
    let sender = parking_lot::Mutex::new(sender);
    Ok(Arc::new(move |_: &str, guest, event| {
        // The receiver lives as long as the process.
        let _sent = sender.lock().send((guest, event));
    }))
}

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

    /// Calls `work` while somebody else holds a lock of the order (a driver's reads must not mind). `rank` is `Level::RANK`;
    /// the driver's own Virt and Domain locks are held as if by the driver.
    ///
    /// # Errors
    /// The lock can not be had.
    pub fn while_held<T>(&self, lock: Lock, mode: Mode, work: impl FnOnce() -> T) -> Outcome<T> {
        let (ready, is_ready) = channel();
        let (done, is_done) = channel::<()>();
        let locks = Arc::clone(&self.desk.locks);
        let holder = std::thread::spawn(move || -> std::result::Result<(), lockstep::lock::LockError> {
            let call = locks.session_open(NUMBER, "the suite holds this")?;
            let who = Caller {
                plugin: NUMBER,
                call: call.id,
            };
            let key = LockKey {
                rank: lock.rank,
                uuid: lock.uuid,
            };
            let flags = if mode == Mode::Exclusive { EXCLUSIVE } else { 0 };
            let held = locks.acquire(who, key, flags, 0)?;
            let _told = ready.send(());
            // Ends when the other side is gone, too.
            let _over = is_done.recv();
            locks.release(who, held.handle, false)?;
            locks.end_call(who).map(|_| ())
        });
        let failed = |what: &dyn std::fmt::Display| Failure::new(format!("the bench can not hold {lock}: {what}"));
        if is_ready.recv().is_err() {
            return Err(match holder.join() {
                Ok(Err(error)) => failed(&error),
                _ => failed(&"its thread died"),
            });
        }
        let answer = work();
        drop(done);
        match holder.join() {
            Ok(Ok(())) => Ok(answer),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(failed(&"its thread died")),
        }
    }

    /// Marks a lock of the driver as one whose last holder died.
    ///
    /// # Errors
    /// The lock can not be had.
    pub fn poison(&self, lock: Lock) -> Outcome {
        let locks = Arc::clone(&self.desk.locks);
        let died = std::thread::spawn(move || -> std::result::Result<(), lockstep::lock::LockError> {
            let call = locks.session_open(NUMBER, "the suite dies with this")?;
            let who = Caller {
                plugin: NUMBER,
                call: call.id,
            };
            let key = LockKey {
                rank: lock.rank,
                uuid: lock.uuid,
            };
            let held = locks.acquire(who, key, EXCLUSIVE, 0)?;
            locks.release(who, held.handle, true)?;
            locks.end_call(who).map(|_| ())
        });
        match died.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::new(format!("the bench can not hold {lock}: {error}"))),
            Err(_) => Err(Failure::new(format!("the bench's thread that held {lock} died"))),
        }
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
        let status = self.locks().status();
        for lock in &status.locks {
            let ours = |party: &&lockstep::lock::status::Party| party.call != writer::NAME;
            if let Some(party) = lock.holders.iter().find(ours) {
                let uuid = lock.uuid.as_deref().unwrap_or_default();
                let level = &lock.level;
                return Err(Failure::new(format!("{level} {uuid} is still held, by {party}")));
            }
        }
        if let Some(job) = status.jobs.first() {
            let (what, uuid) = (&job.what, &job.uuid);
            return Err(Failure::new(format!("job '{what}' on domain '{uuid}' never ended")));
        }
        Ok(())
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

fn none(interface: &str) -> impl FnOnce() -> Error {
    let message = format!("the driver offers no '{interface}'");
    move || Error::new(Code::NO_SUPPORT, Origin::NONE, message)
}

/// Short forms of the calls that most checks make.
#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "each is the driver's method with the same name; errors are the driver's"
)]
impl Bench {
    pub fn bring_up(&self) -> Result<()> {
        self.call("bring_up", |driver, call| driver.bring_up(call))
    }

    pub fn close(&self, within: Duration) -> Result<()> {
        self.read("close", |driver| driver.close(within))
    }

    pub fn define(&self, xml: &str) -> Result<DomainBrief> {
        self.virt("define", |virt, call| virt.define(call, xml, 0))
    }

    pub fn create(&self, xml: &str) -> Result<DomainBrief> {
        self.virt("create", |virt, call| virt.create(call, xml, 0))
    }

    pub fn undefine(&self, uuid: Uuid) -> Result<()> {
        self.virt("undefine", |virt, call| virt.undefine(call, uuid, 0))
    }

    pub fn start(&self, uuid: Uuid) -> Result<DomainBrief> {
        self.virt("start", |virt, call| virt.start(call, uuid, 0))
    }

    pub fn shutdown(&self, uuid: Uuid) -> Result<()> {
        self.virt("shutdown", |virt, call| virt.shutdown(call, uuid, 0))
    }

    pub fn destroy(&self, uuid: Uuid) -> Result<()> {
        self.virt("destroy", |virt, call| virt.destroy(call, uuid, 0))
    }

    pub fn suspend(&self, uuid: Uuid) -> Result<()> {
        self.virt("suspend", |virt, call| virt.suspend(call, uuid))
    }

    pub fn resume(&self, uuid: Uuid) -> Result<()> {
        self.virt("resume", |virt, call| virt.resume(call, uuid))
    }

    pub fn set_autostart(&self, uuid: Uuid, on: bool) -> Result<()> {
        self.virt("set_autostart", |virt, call| virt.set_autostart(call, uuid, on))
    }

    pub fn list(&self) -> Result<Vec<DomainBrief>> {
        self.look("list", |virt| virt.list())
    }

    pub fn by_uuid(&self, uuid: Uuid) -> Result<Option<DomainBrief>> {
        self.look("by_uuid", |virt| virt.by_uuid(uuid))
    }

    pub fn by_name(&self, name: &str) -> Result<Option<DomainBrief>> {
        self.look("by_name", |virt| virt.by_name(name))
    }

    pub fn by_id(&self, id: i32) -> Result<Option<DomainBrief>> {
        self.look("by_id", |virt| virt.by_id(id))
    }

    pub fn dump_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        self.look("dump_xml", |virt| virt.dump_xml(uuid, flags))
    }

    pub fn define_filter(&self, xml: &str) -> Result<FilterBrief> {
        self.call("define_filter", |driver, call| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.define_filter(call, xml, 0)
        })
    }

    pub fn undefine_filter(&self, uuid: Uuid) -> Result<()> {
        self.call("undefine_filter", |driver, call| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.undefine_filter(call, uuid)
        })
    }

    pub fn filters(&self) -> Result<Vec<FilterBrief>> {
        self.read("filters", |driver| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.filters()
        })
    }

    pub fn filter_xml(&self, uuid: Uuid) -> Result<String> {
        self.read("filter_xml", |driver| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.filter_xml(uuid, 0)
        })
    }

    /// Any method of `virt.lifecycle/1` with a token.
    pub fn virt<T>(
        &self,
        method: &str,
        work: impl FnOnce(driver_api::kit::loaded::Virt<'_>, Call) -> Result<T>,
    ) -> Result<T> {
        self.call(method, |driver, call| {
            work(driver.virt().ok_or_else(none("virt.lifecycle/1"))?, call)
        })
    }

    /// Any method of `virt.lifecycle/1` without a token.
    pub fn look<T>(
        &self,
        method: &str,
        work: impl FnOnce(driver_api::kit::loaded::Virt<'static>) -> Result<T>,
    ) -> Result<T> {
        self.read(method, |driver| {
            work(driver.virt().ok_or_else(none("virt.lifecycle/1"))?)
        })
    }
}

/// The levels of the locks that checks name.
impl Lock {
    /// Filter.
    pub const FILTER: Self = Self::level(Filter::RANK);
    /// Update.
    pub const UPDATE: Self = Self::level(Update::RANK);
    /// The driver's Virt.
    pub const VIRT: Self = Self::level(driver_api::lock::level::Virt::RANK);

    const fn level(rank: u32) -> Self {
        Self {
            rank,
            uuid: Uuid::from_bytes([0; 16]),
        }
    }

    /// One guest of the driver.
    #[must_use]
    pub const fn domain(uuid: Uuid) -> Self {
        Self {
            rank: driver_api::lock::level::Domain::RANK,
            uuid,
        }
    }
}
