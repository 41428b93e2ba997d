//! `nwfilter.define/1` and `nwfilter.binding/1`: filter definitions, and filters on ports.

use super::filter::{BindingRecord, FilterRecord, PortRecord};
use super::interface::Table;
use super::lock::Call;
use super::root::Obj;
use super::value::Fault;
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RStr, RString, RVec};

/// The table behind `nwfilter.define/1`; each function is the method of [`crate::driver::FilterDriver`] of that name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct FilterV1 {
    pub filters: extern "C" fn(Obj) -> RResult<RVec<FilterRecord>, Fault>,
    pub filter_xml: extern "C" fn(Obj, Uuid, u32) -> RResult<RString, Fault>,
    pub define_filter: extern "C" fn(Obj, Call, RStr<'_>, u32) -> RResult<FilterRecord, Fault>,
    pub undefine_filter: extern "C" fn(Obj, Call, Uuid) -> RResult<(), Fault>,
}

impl Table for FilterV1 {
    const ID: &'static str = "nwfilter.define/1";
}

/// The table behind `nwfilter.binding/1`; each function is the method of [`crate::driver::BindingDriver`] of that name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct BindingV1 {
    pub bindings: extern "C" fn(Obj) -> RResult<RVec<BindingRecord>, Fault>,
    pub binding_xml: extern "C" fn(Obj, RStr<'_>, u32) -> RResult<RString, Fault>,
    pub create_binding: extern "C" fn(Obj, Call, RStr<'_>, u32) -> RResult<BindingRecord, Fault>,
    pub delete_binding: extern "C" fn(Obj, Call, RStr<'_>) -> RResult<(), Fault>,
    pub attach_port: extern "C" fn(Obj, Call, PortRecord) -> RResult<(), Fault>,
    pub detach_port: extern "C" fn(Obj, Call, RStr<'_>) -> RResult<(), Fault>,
}

impl Table for BindingV1 {
    const ID: &'static str = "nwfilter.binding/1";
}
