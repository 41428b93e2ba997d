//! `virt.console/1`: consoles of running domains; since version 1.1.

use super::guest::ConsoleRefRecord;
use super::interface::Table;
use super::root::Obj;
use super::value::Fault;
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RStr};

/// The table behind `virt.console/1`; each function is the method of [`crate::driver::Console`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct ConsoleV1 {
    pub console: extern "C" fn(Obj, Uuid, ROption<RStr<'_>>) -> RResult<ConsoleRefRecord, Fault>,
}

impl Table for ConsoleV1 {
    const ID: &'static str = "virt.console/1";
}
