//! The host's end of `spawn/1`.

use super::{HostServices, enter, offer};
use crate::abi::guest::{SpecRecord, StartedRecord};
use crate::abi::lock::{Call, HostObj};
use crate::abi::spawn::SpawnV1;
use crate::abi::value::Fault;
use crate::error::Result;
use crate::types::guest::{GuestId, GuestSpec, Started};
use abi_stable::std_types::{RResult, RString, RVec};

/// What the host does for `spawn/1`; each method is that of [`crate::host::Host`] with the same name. A driver reaches
/// only its own guests.
#[allow(missing_docs, clippy::missing_errors_doc, reason = "documented at `Host`")]
pub trait SpawnService: Send + Sync + 'static {
    fn spawn(&self, call: Call, spec: &GuestSpec) -> Result<Started>;
    fn survivors(&self, call: Call) -> Result<Vec<Started>>;
    fn watch(&self, call: Call, guest: GuestId) -> Result<()>;
    fn kill(&self, call: Call, guest: GuestId) -> Result<()>;
    fn forget(&self, call: Call, guest: GuestId) -> Result<()>;
    fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String>;
    fn cpu_time(&self, guest: GuestId) -> Result<u64>;
}

pub(super) fn table<S: HostServices>() -> &'static SpawnV1 {
    const {
        &SpawnV1 {
            spawn: spawn::<S>,
            survivors: survivors::<S>,
            watch: watch::<S>,
            kill: kill::<S>,
            forget: forget::<S>,
            console_tail: console_tail::<S>,
            cpu_time: cpu_time::<S>,
        }
    }
}

offer! {
    fn spawn(host; call: Call, spec: SpecRecord) -> StartedRecord {
        host.spawn(call, &spec.try_into()?).map(Into::into)
    }
    fn survivors(host; call: Call) -> RVec<StartedRecord> {
        Ok(host.survivors(call)?.into_iter().map(Into::into).collect())
    }
    fn watch(host; call: Call, guest: u64) -> () { host.watch(call, GuestId(guest)) }
    fn kill(host; call: Call, guest: u64) -> () { host.kill(call, GuestId(guest)) }
    fn forget(host; call: Call, guest: u64) -> () { host.forget(call, GuestId(guest)) }
    fn console_tail(host; guest: u64, bytes: u32) -> RString {
        host.console_tail(GuestId(guest), bytes).map(Into::into)
    }
    fn cpu_time(host; guest: u64) -> u64 { host.cpu_time(GuestId(guest)) }
}
