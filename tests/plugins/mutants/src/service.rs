//! A host that the reference sees distorted: some of its services stand behind others here.

use super::which::on;
use abi_stable::std_types::{RErr, ROk, ROption, RResult, RString, RVec};
use driver_api::abi::domain::EventRecord;
use driver_api::abi::event::EventV1;
use driver_api::abi::filter::PortRecord;
use driver_api::abi::interface::{Interface, Table};
use driver_api::abi::lock::{Call, Held, HostObj, LockKey, LockV1};
use driver_api::abi::log::LogV1;
use driver_api::abi::notice::{NoticeRecord, NoticeV1};
use driver_api::abi::ports::PortsV1;
use driver_api::abi::root::HostRef;
use driver_api::abi::spawn::SpawnV1;
use driver_api::abi::value::Fault;
use driver_api::kit::export::Id;
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::sync::OnceLock;

static HOST: OnceLock<HostRef> = OnceLock::new();
static HELD_BACK: Mutex<Option<EventRecord>> = Mutex::new(None);

/// The host with what is between it and the reference.
pub(super) fn between(host: HostRef) -> HostRef {
    HOST.get_or_init(|| host);
    HostRef { obj: host.obj, query }
}

fn real<T: Table>() -> Option<&'static T> {
    let host = HOST.get()?;
    let found: ROption<Interface> = (host.query)(host.obj, T::ID.into());
    found.into_option()?.check().ok()
}

/// The host's own lock service.
pub(super) fn lock() -> Option<(&'static LockV1, HostObj)> {
    Some((real()?, HOST.get()?.obj))
}

/// Asks the host for guest processes that live, which may block.
pub(super) fn survivors(call: Call) {
    if let (Some(table), Some(host)) = (real::<SpawnV1>(), HOST.get()) {
        drop((table.survivors)(host.obj, call).into_result());
    }
}

/// Whether the host offers the service with this id.
pub(super) fn offers(host: &HostRef, id: &str) -> bool {
    (host.query)(host.obj, id.into()).is_some()
}

/// The same of the host that this driver is in.
pub(super) fn has(id: &str) -> bool {
    HOST.get().is_some_and(|host| offers(host, id))
}

extern "C" fn query(obj: HostObj, id: Id<'_>) -> ROption<Interface> {
    let Some(host) = HOST.get() else {
        return ROption::RNone;
    };
    match id.as_str() {
        EventV1::ID if real::<EventV1>().is_some() => ROption::RSome(Interface::of(&EVENTS)),
        NoticeV1::ID if real::<NoticeV1>().is_some() => ROption::RSome(Interface::of(&NOTICES)),
        PortsV1::ID => ports(),
        LockV1::ID => locks(),
        LogV1::ID if on("ignores_the_level") => log(),
        _ => (host.query)(obj, id),
    }
}

static EVENTS: EventV1 = EventV1 { emit };
static NOTICES: NoticeV1 = NoticeV1 { notify };
static PORTS: OnceLock<PortsV1> = OnceLock::new();
static LOCKS: OnceLock<LockV1> = OnceLock::new();

fn locks() -> ROption<Interface> {
    let Some(real) = real::<LockV1>() else {
        return ROption::RNone;
    };
    let table = LOCKS.get_or_init(|| LockV1 {
        acquire,
        lookup,
        ..*real
    });
    ROption::RSome(Interface::of(table))
}

static LOG: OnceLock<LogV1> = OnceLock::new();

fn log() -> ROption<Interface> {
    let Some(real) = real::<LogV1>() else {
        return ROption::RNone;
    };
    ROption::RSome(Interface::of(LOG.get_or_init(|| LogV1 { enabled, ..*real })))
}

/// Everything is wanted, whatever the host says.
extern "C" fn enabled(_: HostObj, _: u64) -> u32 {
    1
}

extern "C" fn emit(obj: HostObj, event: EventRecord) -> RResult<(), Fault> {
    const STARTED: u32 = 2;
    const STOPPED: u32 = 5;
    let Some(table) = real::<EventV1>() else {
        return ROk(());
    };
    let of = |kind: u32| event.kind == driver_api::abi::domain::LIFECYCLE && event.event == kind;
    if on("event_missing") && of(STOPPED) {
        return ROk(());
    }
    if on("event_doubled") && of(STARTED) {
        drop((table.emit)(obj, event.clone()).into_result());
    }
    if on("events_out_of_order") {
        // One behind, as if somebody else sent them when there is time.
        let before = HELD_BACK.lock().replace(event);
        return before.map_or(ROk(()), |before| (table.emit)(obj, before));
    }
    if on("events_without_a_name") {
        return (table.emit)(
            obj,
            EventRecord {
                name: RString::new(),
                ..event
            },
        );
    }
    (table.emit)(obj, event)
}

extern "C" fn notify(obj: HostObj, notice: NoticeRecord) -> RResult<(), Fault> {
    match real::<NoticeV1>() {
        Some(_) if on("notice_missing") => ROk(()),
        Some(table) => (table.notify)(obj, notice),
        None => ROk(()),
    }
}

fn ports() -> ROption<Interface> {
    let Some(real) = real::<PortsV1>() else {
        return ROption::RNone;
    };
    ROption::RSome(Interface::of(PORTS.get_or_init(|| PortsV1 { filtered, ..*real })))
}

extern "C" fn filtered(obj: HostObj, call: Call, filters: RVec<RString>) -> RResult<RVec<PortRecord>, Fault> {
    match real::<PortsV1>() {
        Some(_) if on("does_not_ask_who_uses_a_filter") => ROk(RVec::new()),
        Some(table) => (table.filtered)(obj, call, filters),
        None => ROk(RVec::new()),
    }
}

/// What becomes of the host's answer to a request for a lock.
fn answered(held: RResult<Held, Fault>) -> RResult<Held, Fault> {
    match held {
        // Goes on as if it had the lock.
        RErr(_) if on("ignores_a_lock_that_is_refused") => ROk(Held { handle: 1, flags: 0 }),
        other => other,
    }
}

extern "C" fn acquire(obj: HostObj, call: Call, key: LockKey, flags: u32, timeout_ms: u64) -> RResult<Held, Fault> {
    match real::<LockV1>() {
        Some(table) => answered((table.acquire)(obj, call, key, flags, timeout_ms)),
        None => RErr(missing()),
    }
}

extern "C" fn lookup(obj: HostObj, call: Call, uuid: Uuid, flags: u32, timeout_ms: u64) -> RResult<Held, Fault> {
    match real::<LockV1>() {
        Some(table) => answered((table.lookup)(obj, call, uuid, flags, timeout_ms)),
        None => RErr(missing()),
    }
}

fn missing() -> Fault {
    Fault {
        code: 3,
        origin: 0,
        flags: 0,
        message: "there is no lock service".into(),
    }
}
