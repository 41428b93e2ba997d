//! `driver.core/1`: birth and death of every driver.

use super::interface::Table;
use super::lock::Call;
use super::root::Obj;
use super::value::Fault;
use abi_stable::StableAbi;
use abi_stable::std_types::RResult;

/// The table behind `driver.core/1`; each function is the method of [`crate::driver::Driver`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct CoreV1 {
    pub bring_up: extern "C" fn(Obj, Call) -> RResult<(), Fault>,
    pub autostart: extern "C" fn(Obj, Call) -> RResult<(), Fault>,
    /// Milliseconds.
    pub close: extern "C" fn(Obj, u64) -> RResult<(), Fault>,
    /// The host's log filter changed: ask again which callsites are enabled.
    pub rebuild_log_filters: extern "C" fn(Obj) -> RResult<(), Fault>,
}

impl Table for CoreV1 {
    const ID: &'static str = "driver.core/1";
}
