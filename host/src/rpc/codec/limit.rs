//! Limits of domains and their devices, as named values.

use super::domain::DomainRef;
use super::procedures;
use super::typed_param::{Counted, TypedParam};
use crate::rpc::xdr::{List, xdr_struct};

/// The most limits in a set.
pub const LIMITS_MAX: usize = 16;
/// The most limits of a disk.
pub const DISK_LIMITS_MAX: usize = 32;

/// The limits of a set.
pub type Limits = List<TypedParam, LIMITS_MAX>;
/// The limits of a disk.
pub type DiskLimits = List<TypedParam, DISK_LIMITS_MAX>;

xdr_struct! {
    /// The result of [`DomainGetSchedulerType`].
    SchedulerType {
        name: String,
        nparams: i32,
    }
}

procedures! {
    56 DomainGetSchedulerType { dom: DomainRef } -> SchedulerType;
    57 DomainGetSchedulerParameters { dom: DomainRef, nparams: i32 } -> Limits;
    58 DomainSetSchedulerParameters { dom: DomainRef, params: Limits } -> ();
    197 DomainSetMemoryParameters { dom: DomainRef, params: Limits, flags: u32 } -> ();
    198 DomainGetMemoryParameters { dom: DomainRef, nparams: i32, flags: u32 } -> Counted<LIMITS_MAX>;
    205 DomainSetBlkioParameters { dom: DomainRef, params: Limits, flags: u32 } -> ();
    206 DomainGetBlkioParameters { dom: DomainRef, nparams: i32, flags: u32 } -> Counted<LIMITS_MAX>;
    219 DomainSetSchedulerParametersFlags { dom: DomainRef, params: Limits, flags: u32 } -> ();
    223 DomainGetSchedulerParametersFlags { dom: DomainRef, nparams: i32, flags: u32 } -> Limits;
    252 DomainSetBlockIoTune { dom: DomainRef, disk: String, params: DiskLimits, flags: u32 } -> ();
    253 DomainGetBlockIoTune {
        dom: DomainRef, disk: Option<String>, nparams: i32, flags: u32
    } -> Counted<DISK_LIMITS_MAX>;
    256 DomainSetInterfaceParameters { dom: DomainRef, device: String, params: Limits, flags: u32 } -> ();
    257 DomainGetInterfaceParameters {
        dom: DomainRef, device: String, nparams: i32, flags: u32
    } -> Counted<LIMITS_MAX>;
}
