//! `event/1`: how a driver raises domain events.

use super::domain::EventRecord;
use super::interface::Table;
use super::lock::HostObj;
use super::value::Fault;
use abi_stable::StableAbi;
use abi_stable::std_types::RResult;

/// The table behind `event/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct EventV1 {
    /// Queues the event; it leaves once the calling thread holds no lock.
    pub emit: extern "C" fn(HostObj, EventRecord) -> RResult<(), Fault>,
}

impl Table for EventV1 {
    const ID: &'static str = "event/1";
}
