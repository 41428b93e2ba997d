//! `lock/1`: how a driver asks the host for its locks. The host owns every lock; a driver only ever holds a number.

use super::interface::Table;
use super::value::Fault;
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RSlice};

/// The host's object behind a service table.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct HostObj(pub *const ());

// SAFETY: the host promises that every service may be called from any thread; the pointer is never dereferenced here.
unsafe impl Send for HostObj {}
// SAFETY: as above.
unsafe impl Sync for HostObj {}

/// One call of the host into a driver, or one session that a driver opened on a thread of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, StableAbi)]
pub struct Call {
    /// Unguessable; every hold is owned by (thread, plug-in, call).
    pub id: u64,
    /// The rank of the lowest level that the caller already holds for this call (`Level::RANK`, 0 for none).
    pub level: u32,
    /// Whether the level above is held exclusively: 0 or 1.
    pub exclusive: u32,
    /// Milliseconds left when the call was made; 0 means no deadline.
    pub deadline_ms: u64,
}

/// One lock: a level and a key within it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, StableAbi)]
pub struct LockKey {
    /// `Level::RANK`.
    pub rank: u32,
    /// Nil for Filter and Update; ignored for Virt (a driver reaches only its own); the guest for Domain.
    pub uuid: Uuid,
}

/// What the host hands out: an unguessable number that means one hold.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, StableAbi)]
pub struct Held {
    /// Never 0, never reused.
    pub handle: u64,
    /// [`POISONED`] or 0.
    pub flags: u32,
}

/// The last exclusive holder left without giving the lock back: what it protects must be checked before use.
pub const POISONED: u32 = 1;
/// `acquire` flag: exclusive.
pub const EXCLUSIVE: u32 = 1;
/// `acquire` flag: do not wait, answer "busy" at once.
pub const TRY: u32 = 2;

/// The table behind `lock/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct LockV1 {
    /// Waits for one lock, at most `timeout_ms` (0: the level's default).
    pub acquire: extern "C" fn(HostObj, Call, LockKey, u32, u64) -> RResult<Held, Fault>,
    /// Takes the driver's Virt lock shared, then the Domain lock, then gives Virt back: a look-up that holds Virt for
    /// no longer than that.
    pub lookup: extern "C" fn(HostObj, Call, Uuid, u32, u64) -> RResult<Held, Fault>,
    /// Takes several Domain locks in UUID order and answers in the order that was asked; all or none.
    pub acquire_domains:
        extern "C" fn(HostObj, Call, RSlice<'_, Uuid>, u32, u64) -> RResult<abi_stable::std_types::RVec<Held>, Fault>,
    /// Gives a hold back; the last argument is 1 when the thread is unwinding, which poisons an exclusive hold.
    pub release: extern "C" fn(HostObj, Call, u64, u32) -> RResult<(), Fault>,
    /// Turns an exclusive hold into a shared one without a gap.
    pub downgrade: extern "C" fn(HostObj, Call, u64) -> RResult<(), Fault>,
    /// Makes a single-use loan of a shared hold for another thread of the same driver.
    pub lend: extern "C" fn(HostObj, Call, u64) -> RResult<u64, Fault>,
    /// Opens a session on this thread that already holds what the loan says.
    pub adopt: extern "C" fn(HostObj, u64) -> RResult<Adopted, Fault>,
    /// Opens a session on a thread of the driver's own; the text names it in `lockstep locks`.
    pub session_open: extern "C" fn(HostObj, abi_stable::std_types::RStr<'_>) -> RResult<Call, Fault>,
    /// Ends a session; what it still holds is swept.
    pub session_close: extern "C" fn(HostObj, Call) -> RResult<(), Fault>,
    /// Clears the poison mark of a lock that is held exclusively.
    pub clear_poison: extern "C" fn(HostObj, Call, u64) -> RResult<(), Fault>,
    /// Begins a job on the domain whose exclusive hold this is; at most one at a time, refused with code 55 naming it.
    pub job_begin: extern "C" fn(HostObj, Call, u64, abi_stable::std_types::RStr<'_>) -> RResult<u64, Fault>,
    /// Asks the running job of a domain to stop; it sees that in `job_cancelled`.
    pub job_cancel: extern "C" fn(HostObj, Call, Uuid) -> RResult<(), Fault>,
    /// 1 once somebody asked the job to stop.
    pub job_cancelled: extern "C" fn(HostObj, u64) -> u32,
    /// Ends a job.
    pub job_end: extern "C" fn(HostObj, u64) -> RResult<(), Fault>,
}

impl Table for LockV1 {
    const ID: &'static str = "lock/1";
}

/// A session opened from a loan.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct Adopted {
    /// The new session.
    pub call: Call,
    /// Its hold.
    pub held: Held,
}
