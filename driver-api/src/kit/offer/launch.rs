//! The host's end of `spawn/2`.

use super::descriptors::lent;
use super::{HostServices, enter, offer};
use crate::abi::guest::StartedRecord;
use crate::abi::launch::{LaunchRecord, SpawnV2};
use crate::abi::lock::{Call, HostObj};
use crate::abi::param::ParamRecord;
use crate::abi::plug::{PlugRecord, PluggedRecord, UnplugRecord};
use crate::abi::record::{all, each_of};
use crate::abi::value::Fault;
use crate::error::Result;
use crate::types::guest::{GuestId, Started};
use crate::types::launch::{Launch, Plug, Plugged, Unplug};
use crate::types::param::Param;
use abi_stable::std_types::{ROption, RResult, RVec};
use std::os::fd::BorrowedFd;

/// What the host does for `spawn/2`; each method is that of [`crate::host::Host`] with the same name. A driver reaches
/// only its own guests.
#[allow(missing_docs, clippy::missing_errors_doc, reason = "documented at `Host`")]
pub trait LaunchService: Send + Sync + 'static {
    fn launch(&self, call: Call, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started>;
    fn plug(&self, call: Call, guest: GuestId, plug: &Plug, descriptor: Option<BorrowedFd<'_>>) -> Result<Plugged>;
    fn unplug(&self, call: Call, guest: GuestId, unplug: &Unplug) -> Result<()>;
    fn limit(&self, call: Call, guest: GuestId, limits: &[Param]) -> Result<()>;
    fn limits(&self, guest: GuestId) -> Result<Vec<Param>>;
    fn usage(&self, guest: GuestId) -> Result<Vec<Param>>;
}

pub(super) fn table<S: HostServices>() -> &'static SpawnV2 {
    const {
        &SpawnV2 {
            launch: launch::<S>,
            plug: plug::<S>,
            unplug: unplug::<S>,
            limit: limit::<S>,
            limits: limits::<S>,
            usage: usage::<S>,
        }
    }
}

offer! {
    fn launch(host; call: Call, launch: LaunchRecord, descriptors: RVec<i32>) -> StartedRecord {
        let descriptors: Vec<BorrowedFd<'_>> = descriptors.into_iter().map(lent).collect::<Result<_>>()?;
        host.launch(call, &launch.try_into()?, &descriptors).map(Into::into)
    }
    fn plug(host; call: Call, guest: u64, plug: PlugRecord, descriptor: ROption<i32>) -> PluggedRecord {
        let descriptor = descriptor.into_option().map(lent).transpose()?;
        host.plug(call, GuestId(guest), &plug.try_into()?, descriptor).map(Into::into)
    }
    fn unplug(host; call: Call, guest: u64, unplug: UnplugRecord) -> () {
        host.unplug(call, GuestId(guest), &unplug.try_into()?)
    }
    fn limit(host; call: Call, guest: u64, limits: RVec<ParamRecord>) -> () {
        host.limit(call, GuestId(guest), &each_of(limits)?)
    }
    fn limits(host; guest: u64) -> RVec<ParamRecord> { host.limits(GuestId(guest)).map(all) }
    fn usage(host; guest: u64) -> RVec<ParamRecord> { host.usage(GuestId(guest)).map(all) }
}
