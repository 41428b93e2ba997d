//! `ports/1`: how a virt driver has its ports filtered, and how the filter driver finds those ports again.

use super::filter::PortRecord;
use super::interface::Table;
use super::lock::{Call, HostObj};
use super::value::Fault;
use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RStr, RString, RVec};

/// The table behind `ports/1`; the caller holds Update.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct PortsV1 {
    /// Puts a filter on a port.
    pub attach: extern "C" fn(HostObj, Call, PortRecord) -> RResult<(), Fault>,
    /// Takes the filter off a port.
    pub detach: extern "C" fn(HostObj, Call, RStr<'_>) -> RResult<(), Fault>,
    /// The ports of every virt driver's active domains that use one of these filters.
    pub filtered: extern "C" fn(HostObj, Call, RVec<RString>) -> RResult<RVec<PortRecord>, Fault>,
}

impl Table for PortsV1 {
    const ID: &'static str = "ports/1";
}
