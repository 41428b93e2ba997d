//! `Recording`: what passed between the bench and the driver, in the order in which it began.

use driver_api::lock::level::{Domain, Filter, Level, Update, Virt};
use driver_api::types::domain::DomainEvent;
use driver_api::types::notice::DomainNotice;
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

/// A lock of the host's order, as a driver names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lock {
    /// `Level::RANK`.
    pub rank: u32,
    /// The guest for Domain, nil else.
    pub uuid: Uuid,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rank {
            100 => f.write_str("Filter"),
            200 => f.write_str("Update"),
            300 => f.write_str("Virt"),
            400 => write!(f, "Domain '{}'", self.uuid),
            rank => write!(f, "a lock of rank {rank}"),
        }
    }
}

/// Those that checks name.
impl Lock {
    /// Filter.
    pub const FILTER: Self = Self::level(Filter::RANK);
    /// Update.
    pub const UPDATE: Self = Self::level(Update::RANK);
    /// The driver's Virt.
    pub const VIRT: Self = Self::level(Virt::RANK);

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
            rank: Domain::RANK,
            uuid,
        }
    }
}

/// One time that a lock was held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// What.
    pub lock: Lock,
    /// Exclusively, or shared.
    pub exclusive: bool,
    /// The thread, in the kernel's numbers.
    pub thread: i32,
    /// The method of the call or session that took it.
    pub method: String,
    /// Since when, from the bench's start.
    pub taken: Duration,
    /// Until when; `None` while it is held.
    pub released: Option<Duration>,
}

impl Hold {
    /// How long it was held, if it was given back.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        Some(self.released?.saturating_sub(self.taken))
    }
}

/// One call of the driver into the host. Log calls are not among them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostCall {
    /// The method or session in which it was made; empty where the interface does not tell.
    pub method: String,
    /// `lock/1`.
    pub service: &'static str,
    /// `acquire`.
    pub function: &'static str,
    /// Its arguments in short.
    pub detail: String,
    /// What its thread held when it began.
    pub held: Vec<Lock>,
    /// The thread, in the kernel's numbers.
    pub thread: i32,
    /// When it began, from the bench's start.
    pub started: Duration,
    /// When it ended; `None` while it runs.
    pub ended: Option<Duration>,
    /// What the host said no with.
    pub error: Option<String>,
    /// Whether that error was made by the bench's fault plan.
    pub injected: bool,
}

impl fmt::Display for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}({})", self.service, self.function, self.detail)
    }
}

/// One call of the bench into the driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DriverCall {
    /// The method.
    pub method: String,
    /// Whether it was given a token.
    pub token: bool,
    /// When it began, from the bench's start.
    pub started: Duration,
    /// When it ended; `None` while it runs.
    pub ended: Option<Duration>,
    /// What it said no with.
    pub error: Option<String>,
    /// Locks that it still held when it returned.
    pub kept: usize,
}

/// A rule of the locks that the driver broke: the host refused it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// The method or session in which it happened.
    pub method: String,
    /// The service call.
    pub call: String,
    /// The host's words.
    pub text: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}: {}: {}", self.method, self.call, self.text)
    }
}

/// Everything that was seen so far.
#[derive(Clone, Default, Debug)]
pub struct Recording {
    /// Calls into the driver.
    pub calls: Vec<DriverCall>,
    /// Calls of the driver.
    pub host_calls: Vec<HostCall>,
    /// Locks, each time that they were held.
    pub holds: Vec<Hold>,
    /// Events of domains.
    pub events: Vec<DomainEvent>,
    /// Notices of domains.
    pub notices: Vec<DomainNotice>,
    /// Broken rules of the locks.
    pub breaches: Vec<Breach>,
    /// Panics that the driver's shield caught.
    pub panics: Vec<String>,
}

impl Recording {
    /// The calls of the driver into one service.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a HostCall> {
        self.host_calls.iter().filter(move |call| call.service == service)
    }
}

/// The recorder.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seen: Recording,
    /// Calls and sessions that are open: their number to their method.
    frames: HashMap<u64, String>,
    /// Handles to places in `seen.holds`.
    held: HashMap<u64, usize>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            state: Mutex::default(),
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn snapshot(&self) -> Recording {
        self.state.lock().seen.clone()
    }

    /// Forgets what ended; what is held or runs is kept in mind.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock();
        let open: Vec<(u64, Hold)> = state
            .held
            .iter()
            .filter_map(|(handle, index)| Some((*handle, state.seen.holds.get(*index)?.clone())))
            .collect();
        state.seen = Recording::default();
        state.held.clear();
        for (handle, hold) in open {
            let index = state.seen.holds.len();
            state.seen.holds.push(hold);
            state.held.insert(handle, index);
        }
    }

    pub(crate) fn call_begins(&self, method: &str, token: bool) -> usize {
        let started = self.now();
        let mut state = self.state.lock();
        state.seen.calls.push(DriverCall {
            method: method.to_owned(),
            token,
            started,
            ended: None,
            error: None,
            kept: 0,
        });
        state.seen.calls.len() - 1
    }

    pub(crate) fn call_ends(&self, index: usize, error: Option<String>, kept: usize) {
        let ended = Some(self.now());
        if let Some(call) = self.state.lock().seen.calls.get_mut(index) {
            (call.ended, call.error, call.kept) = (ended, error, kept);
        }
    }

    pub(crate) fn frame_opens(&self, call: u64, method: &str) {
        self.state.lock().frames.insert(call, method.to_owned());
    }

    pub(crate) fn frame_closes(&self, call: u64) {
        self.state.lock().frames.remove(&call);
    }

    pub(crate) fn method(&self, call: u64) -> String {
        self.state.lock().frames.get(&call).cloned().unwrap_or_default()
    }

    pub(crate) fn host_call_begins(
        &self,
        call: Option<u64>,
        service: &'static str,
        function: &'static str,
        detail: String,
    ) -> usize {
        let (started, thread) = (self.now(), thread());
        let mut state = self.state.lock();
        let held = state
            .held
            .values()
            .filter_map(|index| state.seen.holds.get(*index))
            .filter(|hold| hold.thread == thread)
            .map(|hold| hold.lock)
            .collect();
        let method = call
            .and_then(|call| state.frames.get(&call).cloned())
            .unwrap_or_default();
        state.seen.host_calls.push(HostCall {
            method,
            service,
            function,
            detail,
            held,
            thread,
            started,
            ended: None,
            error: None,
            injected: false,
        });
        state.seen.host_calls.len() - 1
    }

    pub(crate) fn host_call_ends(&self, index: usize, error: Option<String>, injected: bool) {
        let ended = Some(self.now());
        if let Some(call) = self.state.lock().seen.host_calls.get_mut(index) {
            (call.ended, call.error, call.injected) = (ended, error, injected);
        }
    }

    pub(crate) fn taken(&self, handle: u64, lock: Lock, exclusive: bool, call: u64) {
        let (taken, thread) = (self.now(), thread());
        let mut state = self.state.lock();
        let hold = Hold {
            lock,
            exclusive,
            thread,
            method: state.frames.get(&call).cloned().unwrap_or_default(),
            taken,
            released: None,
        };
        let index = state.seen.holds.len();
        state.seen.holds.push(hold);
        state.held.insert(handle, index);
    }

    pub(crate) fn released(&self, handle: u64) {
        let released = Some(self.now());
        let mut state = self.state.lock();
        let index = state.held.remove(&handle);
        if let Some(hold) = index.and_then(|index| state.seen.holds.get_mut(index)) {
            hold.released = released;
        }
    }

    /// The calling thread holds nothing any more, whatever it said.
    pub(crate) fn swept(&self) {
        let (released, thread) = (Some(self.now()), thread());
        let mut state = self.state.lock();
        let State { seen, held, .. } = &mut *state;
        held.retain(|_, index| {
            let Some(hold) = seen.holds.get_mut(*index) else {
                return false;
            };
            if hold.thread == thread {
                hold.released = released;
            }
            hold.thread != thread
        });
    }

    pub(crate) fn downgraded(&self, handle: u64) {
        let mut state = self.state.lock();
        let index = state.held.get(&handle).copied();
        if let Some(hold) = index.and_then(|index| state.seen.holds.get_mut(index)) {
            hold.exclusive = false;
        }
    }

    pub(crate) fn event(&self, event: DomainEvent) {
        self.state.lock().seen.events.push(event);
    }

    pub(crate) fn notice(&self, notice: DomainNotice) {
        self.state.lock().seen.notices.push(notice);
    }

    pub(crate) fn breach(&self, breach: Breach) {
        self.state.lock().seen.breaches.push(breach);
    }

    pub(crate) fn panicked(&self, sentence: &str) {
        self.state.lock().seen.panics.push(sentence.to_owned());
    }
}

fn thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}
