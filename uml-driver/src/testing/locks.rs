//! The host's locks for tests: real exclusion, no order, and jobs.

use abi_stable::std_types::{RErr, ROk, ROption, RResult, RSlice, RStr, RVec};
use driver_api::abi::interface::Interface;
use driver_api::abi::lock::{Adopted, Call, Held, HostObj, LockKey, LockV1};
use driver_api::abi::root::{HostRef, Obj};
use driver_api::abi::value::Fault;
use driver_api::driver::{Config, Driver, DriverInfo};
use driver_api::error::Result;
use driver_api::host::Host;
use driver_api::kit::export::{find, offer};
use driver_api::kit::serve::core::table;
use driver_api::kit::serve::instance::create;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;
use parking_lot::{Condvar, Mutex};
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::time::Duration;

const VIRT: u32 = 300;
const DOMAIN: u32 = 400;

#[derive(Default)]
struct State {
    /// Exclusive holds; shared ones are not excluded from each other and need no entry.
    held: HashMap<(u32, Uuid), u64>,
    jobs: HashMap<u64, (Uuid, String, bool)>,
    next: u64,
}

/// All locks of one lab; leaked, since tables are for ever.
#[derive(Default)]
pub(crate) struct Locks {
    state: Mutex<State>,
    changed: Condvar,
    gate: OnceLock<Obj>,
}

type Work<'a> = dyn FnMut(&mut Cx<'_, Unlocked>) + 'a;

thread_local! {
    static WORK: Cell<Option<*mut Work<'static>>> = const { Cell::new(None) };
}

/// A driver that does what its caller put into [`WORK`]: tokens are made for drivers only.
struct Gate;

impl Driver for Gate {
    const INFO: DriverInfo = DriverInfo {
        name: "gate",
        title: "gate",
        version: "1",
        needs: &[],
    };
    fn open(_: Host, _: Config) -> Result<Self> {
        Ok(Self)
    }
    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        // SAFETY: put there by `session` on this thread, which waits for this call.
        let work = unsafe { &mut *WORK.take().unwrap() };
        work(cx);
        Ok(())
    }
    fn autostart(&self, _: &mut Cx<'_, Unlocked>) -> Result<()> {
        Ok(())
    }
    fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }
}

extern "C" fn query(_: HostObj, id: RStr<'_>) -> ROption<Interface> {
    find(id, &[offer(&TABLE)])
}

impl Locks {
    pub(crate) fn new() -> &'static Self {
        Box::leak(Box::default())
    }

    /// Runs `work` as the host would: with a token that came through a driver's table.
    pub(crate) fn session<T>(&'static self, work: impl FnOnce(&mut Cx<'_, Unlocked>) -> T) -> T {
        let (mut work, mut done) = (Some(work), None);
        let mut run = |cx: &mut Cx<'_, Unlocked>| {
            let work = work.take().unwrap();
            // The shield of the table would turn a failed assertion into an error.
            done = Some(catch_unwind(AssertUnwindSafe(|| work(cx))));
        };
        let run: &mut Work<'_> = &mut run;
        // SAFETY: only the lifetime changes; `bring_up` takes the pointer out and uses it before this call returns.
        let run: *mut Work<'static> = unsafe { std::mem::transmute(run) };
        let outer = WORK.replace(Some(run));
        let gate = *self.gate.get_or_init(|| {
            let host = HostRef {
                obj: HostObj(std::ptr::from_ref(self).cast()),
                query,
            };
            let gate = create::<Gate>(host, RSlice::EMPTY).into_result().unwrap();
            // A driver's panics go to its host; those of a test are to be seen.
            drop(std::panic::take_hook());
            gate
        });
        let call = Call {
            id: 1,
            level: 0,
            exclusive: 0,
            deadline_ms: 0,
        };
        (table::<Gate>().bring_up)(gate, call).into_result().unwrap();
        WORK.set(outer);
        match done.unwrap() {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Nothing is held and no job runs.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.held.is_empty() && state.jobs.is_empty()
    }

    fn take(&self, rank: u32, uuid: Uuid, exclusive: bool) -> Held {
        let mut state = self.state.lock();
        state.next += 1;
        let handle = state.next;
        if exclusive {
            while state.held.contains_key(&(rank, uuid)) {
                self.changed.wait(&mut state);
            }
            state.held.insert((rank, uuid), handle);
        }
        Held { handle, flags: 0 }
    }
}

fn locks(object: HostObj) -> &'static Locks {
    // SAFETY: made in `Locks::session` from a reference that lives for ever.
    unsafe { &*object.0.cast::<Locks>() }
}

fn fault(code: u32, message: &str) -> Fault {
    Fault {
        code,
        origin: 0,
        flags: 0,
        message: message.into(),
    }
}

extern "C" fn acquire(object: HostObj, _: Call, key: LockKey, flags: u32, _: u64) -> RResult<Held, Fault> {
    let uuid = if key.rank == DOMAIN { key.uuid } else { Uuid::default() };
    ROk(locks(object).take(key.rank, uuid, flags & 1 != 0))
}

extern "C" fn lookup(object: HostObj, _: Call, uuid: Uuid, flags: u32, _: u64) -> RResult<Held, Fault> {
    // Shared Virt waits for an exclusive one.
    let virt = locks(object).take(VIRT, Uuid::default(), true);
    let held = locks(object).take(DOMAIN, uuid, flags & 1 != 0);
    give_back(object, virt.handle);
    ROk(held)
}

extern "C" fn several(_: HostObj, _: Call, _: RSlice<'_, Uuid>, _: u32, _: u64) -> RResult<RVec<Held>, Fault> {
    RErr(fault(3, "not in tests"))
}

fn give_back(object: HostObj, handle: u64) {
    let locks = locks(object);
    locks.state.lock().held.retain(|_, held| *held != handle);
    locks.changed.notify_all();
}

extern "C" fn release(object: HostObj, _: Call, handle: u64, _: u32) -> RResult<(), Fault> {
    give_back(object, handle);
    ROk(())
}

extern "C" fn number(_: HostObj, _: Call, _: u64) -> RResult<(), Fault> {
    ROk(())
}

extern "C" fn lend(_: HostObj, _: Call, _: u64) -> RResult<u64, Fault> {
    RErr(fault(3, "not in tests"))
}

extern "C" fn adopt(_: HostObj, _: u64) -> RResult<Adopted, Fault> {
    RErr(fault(3, "not in tests"))
}

extern "C" fn session_open(_: HostObj, _: RStr<'_>) -> RResult<Call, Fault> {
    RErr(fault(3, "not in tests"))
}

extern "C" fn session_close(_: HostObj, _: Call) -> RResult<(), Fault> {
    ROk(())
}

extern "C" fn job_begin(object: HostObj, _: Call, handle: u64, what: RStr<'_>) -> RResult<u64, Fault> {
    let mut state = locks(object).state.lock();
    let Some(uuid) = state
        .held
        .iter()
        .find(|(_, held)| **held == handle)
        .map(|(key, _)| key.1)
    else {
        return RErr(fault(55, "the domain is not held"));
    };
    if let Some((_, running, _)) = state.jobs.values().find(|(of, ..)| *of == uuid) {
        return RErr(fault(55, &format!("the domain is busy with '{running}'")));
    }
    state.next += 1;
    let id = state.next;
    state.jobs.insert(id, (uuid, what.to_string(), false));
    ROk(id)
}

extern "C" fn job_cancel(object: HostObj, _: Call, uuid: Uuid) -> RResult<(), Fault> {
    let mut state = locks(object).state.lock();
    match state.jobs.values_mut().find(|(of, ..)| *of == uuid) {
        Some((.., cancelled)) => {
            *cancelled = true;
            ROk(())
        }
        None => RErr(fault(55, "no job runs")),
    }
}

extern "C" fn job_cancelled(object: HostObj, job: u64) -> u32 {
    let state = locks(object).state.lock();
    state.jobs.get(&job).is_none_or(|(.., cancelled)| *cancelled).into()
}

extern "C" fn job_end(object: HostObj, job: u64) -> RResult<(), Fault> {
    locks(object).state.lock().jobs.remove(&job);
    ROk(())
}

static TABLE: LockV1 = LockV1 {
    acquire,
    lookup,
    acquire_domains: several,
    release,
    downgrade: number,
    lend,
    adopt,
    session_open,
    session_close,
    clear_poison: number,
    job_begin,
    job_cancel,
    job_cancelled,
    job_end,
};
