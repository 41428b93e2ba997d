//! The host's end of `lock/1`.

use super::{HostServices, enter, offer, services, words};
use crate::abi::lock::{Adopted, Call, Held, HostObj, LockKey, LockV1};
use crate::abi::value::Fault;
use crate::error::Result;
use crate::kit::panic;
use crate::types::uuid::Uuid;
use abi_stable::std_types::{RResult, RSlice, RStr, RVec};

/// What the host does for `lock/1`; each method is the function of [`LockV1`] with the same name.
#[allow(missing_docs, clippy::missing_errors_doc, reason = "documented at `LockV1`")]
pub trait LockService: Send + Sync + 'static {
    fn acquire(&self, call: Call, key: LockKey, flags: u32, timeout_ms: u64) -> Result<Held>;
    fn lookup(&self, call: Call, uuid: Uuid, flags: u32, timeout_ms: u64) -> Result<Held>;
    fn acquire_domains(&self, call: Call, uuids: &[Uuid], flags: u32, timeout_ms: u64) -> Result<Vec<Held>>;
    fn release(&self, call: Call, handle: u64, unwinding: bool) -> Result<()>;
    fn downgrade(&self, call: Call, handle: u64) -> Result<()>;
    fn lend(&self, call: Call, handle: u64) -> Result<u64>;
    fn adopt(&self, loan: u64) -> Result<Adopted>;
    fn session_open(&self, name: &str) -> Result<Call>;
    fn session_close(&self, call: Call) -> Result<()>;
    fn clear_poison(&self, call: Call, handle: u64) -> Result<()>;
    fn job_begin(&self, call: Call, handle: u64, what: &str) -> Result<u64>;
    fn job_cancel(&self, call: Call, uuid: Uuid) -> Result<()>;
    fn job_cancelled(&self, job: u64) -> bool;
    fn job_end(&self, job: u64) -> Result<()>;
}

pub(super) fn table<S: HostServices>() -> &'static LockV1 {
    const {
        &LockV1 {
            acquire: acquire::<S>,
            lookup: lookup::<S>,
            acquire_domains: acquire_domains::<S>,
            release: release::<S>,
            downgrade: downgrade::<S>,
            lend: lend::<S>,
            adopt: adopt::<S>,
            session_open: session_open::<S>,
            session_close: session_close::<S>,
            clear_poison: clear_poison::<S>,
            job_begin: job_begin::<S>,
            job_cancel: job_cancel::<S>,
            job_cancelled: job_cancelled::<S>,
            job_end: job_end::<S>,
        }
    }
}

offer! {
    fn acquire(host; call: Call, key: LockKey, flags: u32, timeout_ms: u64) -> Held {
        host.acquire(call, key, flags, timeout_ms)
    }
    fn lookup(host; call: Call, uuid: Uuid, flags: u32, timeout_ms: u64) -> Held {
        host.lookup(call, uuid, flags, timeout_ms)
    }
    fn acquire_domains(host; call: Call, uuids: RSlice<'_, Uuid>, flags: u32, timeout_ms: u64) -> RVec<Held> {
        host.acquire_domains(call, uuids.as_slice(), flags, timeout_ms).map(Into::into)
    }
    fn release(host; call: Call, handle: u64, unwinding: u32) -> () { host.release(call, handle, unwinding != 0) }
    fn downgrade(host; call: Call, handle: u64) -> () { host.downgrade(call, handle) }
    fn lend(host; call: Call, handle: u64) -> u64 { host.lend(call, handle) }
    fn adopt(host; loan: u64) -> Adopted { host.adopt(loan) }
    fn session_open(host; name: RStr<'_>) -> Call { host.session_open(words(&name)?) }
    fn session_close(host; call: Call) -> () { host.session_close(call) }
    fn clear_poison(host; call: Call, handle: u64) -> () { host.clear_poison(call, handle) }
    fn job_begin(host; call: Call, handle: u64, what: RStr<'_>) -> u64 { host.job_begin(call, handle, words(&what)?) }
    fn job_cancel(host; call: Call, uuid: Uuid) -> () { host.job_cancel(call, uuid) }
    fn job_end(host; job: u64) -> () { host.job_end(job) }
}

extern "C" fn job_cancelled<S: HostServices>(obj: HostObj, job: u64) -> u32 {
    panic::muffle(|| u32::from(services::<S>(obj).job_cancelled(job)))
}
