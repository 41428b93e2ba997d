//! `spawn/1`: guest processes under supervisors that outlive the host.

use super::guest::{SpecRecord, StartedRecord};
use super::interface::Table;
use super::lock::{Call, HostObj};
use super::value::Fault;
use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RString, RVec};

/// The table behind `spawn/1`; each function is the method of [`crate::host::Host`] of the same name. A guest is named
/// by its number.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at `Host`")]
pub struct SpawnV1 {
    pub spawn: extern "C" fn(HostObj, Call, SpecRecord) -> RResult<StartedRecord, Fault>,
    pub survivors: extern "C" fn(HostObj, Call) -> RResult<RVec<StartedRecord>, Fault>,
    pub watch: extern "C" fn(HostObj, Call, u64) -> RResult<(), Fault>,
    pub kill: extern "C" fn(HostObj, Call, u64) -> RResult<(), Fault>,
    pub forget: extern "C" fn(HostObj, Call, u64) -> RResult<(), Fault>,
    pub console_tail: extern "C" fn(HostObj, u64, u32) -> RResult<RString, Fault>,
    pub cpu_time: extern "C" fn(HostObj, u64) -> RResult<u64, Fault>,
}

impl Table for SpawnV1 {
    const ID: &'static str = "spawn/1";
}
