//! `Root`: the door of a driver and the door of the host, frozen for the whole major version.

use super::interface::Interface;
use super::lock::HostObj;
use super::value::{Fault, Pair};
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr};

/// A driver's object: made by [`Root::create`], first argument of every function of its tables, never freed.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct Obj(pub *const ());

// SAFETY: drivers are `Send + Sync`; the pointer is never dereferenced by the host.
unsafe impl Send for Obj {}
// SAFETY: as above.
unsafe impl Sync for Obj {}

/// The host as a driver gets it.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct HostRef {
    /// First argument of every function of the host's tables; says which driver calls.
    pub obj: HostObj,
    /// The service with this id (`lock/1`), or nothing.
    pub query: extern "C" fn(HostObj, RStr<'_>) -> ROption<Interface>,
}

/// What a driver's manifest leads to.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct Root {
    /// The interface with this id (`virt.lifecycle/1`), or nothing.
    pub query: extern "C" fn(RStr<'_>) -> ROption<Interface>,
    /// Makes the driver's object. The pairs are `conf_dir`, `state_dir`, `run_dir`, `log_dir`, `privileged` (`0`, `1`)
    /// and `option.NAME` for each option; unknown names are ignored.
    pub create: extern "C" fn(HostRef, RSlice<'_, Pair>) -> RResult<Obj, Fault>,
}
