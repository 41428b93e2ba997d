//! `descriptors/1`: guests that are born with open descriptors; since version 1.4.

use super::guest::{SpecRecord, StartedRecord};
use super::interface::Table;
use super::lock::{Call, HostObj};
use super::value::Fault;
use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RVec};

/// The table behind `descriptors/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct DescriptorsV1 {
    /// [`crate::host::Host::spawn_with`]. The numbers are of descriptors that the caller owns and keeps open during the
    /// call; the host makes its own copies.
    pub spawn_with: extern "C" fn(HostObj, Call, SpecRecord, RVec<i32>) -> RResult<StartedRecord, Fault>,
}

impl Table for DescriptorsV1 {
    const ID: &'static str = "descriptors/1";
}
