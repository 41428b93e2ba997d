//! `virt.lifecycle/1`: domains.

use super::domain::DomainRecord;
use super::filter::PortRecord;
use super::guest::GuestEventRecord;
use super::interface::Table;
use super::lock::Call;
use super::node::NodeRecord;
use super::root::Obj;
use super::value::Fault;
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};

/// The table behind `virt.lifecycle/1`; each function is the method of [`crate::driver::VirtDriver`] of the same name.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at the trait")]
pub struct VirtV1 {
    pub capabilities: extern "C" fn(Obj) -> RResult<RString, Fault>,
    pub version: extern "C" fn(Obj) -> RResult<u64, Fault>,
    pub node_info: extern "C" fn(Obj) -> RResult<NodeRecord, Fault>,
    pub list: extern "C" fn(Obj) -> RResult<RVec<DomainRecord>, Fault>,
    pub by_uuid: extern "C" fn(Obj, Uuid) -> RResult<ROption<DomainRecord>, Fault>,
    pub by_name: extern "C" fn(Obj, RStr<'_>) -> RResult<ROption<DomainRecord>, Fault>,
    pub by_id: extern "C" fn(Obj, i32) -> RResult<ROption<DomainRecord>, Fault>,
    pub cpu_time: extern "C" fn(Obj, Uuid) -> RResult<u64, Fault>,
    pub dump_xml: extern "C" fn(Obj, Uuid, u32) -> RResult<RString, Fault>,
    pub define: extern "C" fn(Obj, Call, RStr<'_>, u32) -> RResult<DomainRecord, Fault>,
    pub create: extern "C" fn(Obj, Call, RStr<'_>, u32) -> RResult<DomainRecord, Fault>,
    pub undefine: extern "C" fn(Obj, Call, Uuid, u32) -> RResult<(), Fault>,
    pub start: extern "C" fn(Obj, Call, Uuid, u32) -> RResult<DomainRecord, Fault>,
    pub shutdown: extern "C" fn(Obj, Call, Uuid, u32) -> RResult<(), Fault>,
    pub reboot: extern "C" fn(Obj, Call, Uuid, u32) -> RResult<(), Fault>,
    pub destroy: extern "C" fn(Obj, Call, Uuid, u32) -> RResult<(), Fault>,
    pub suspend: extern "C" fn(Obj, Call, Uuid) -> RResult<(), Fault>,
    pub resume: extern "C" fn(Obj, Call, Uuid) -> RResult<(), Fault>,
    pub set_autostart: extern "C" fn(Obj, Call, Uuid, u32) -> RResult<(), Fault>,
    pub guest_event: extern "C" fn(Obj, Call, u64, GuestEventRecord) -> RResult<(), Fault>,
    pub filtered_ports: extern "C" fn(Obj, Call, RVec<RString>) -> RResult<RVec<PortRecord>, Fault>,
}

impl Table for VirtV1 {
    const ID: &'static str = "virt.lifecycle/1";
}
