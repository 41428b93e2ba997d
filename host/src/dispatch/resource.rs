//! Memory and processors of domains.

use super::Dispatch;
use super::domain::{find, running, unknown_flags};
use crate::rpc::codec::domain::DomainRef;
use crate::rpc::codec::resource::{
    DomainGetMaxVcpus, DomainGetVcpusFlags, DomainSetMaxMemory, DomainSetMemory, DomainSetMemoryFlags, DomainSetVcpus,
    DomainSetVcpusFlags,
};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::flags::{MEMORY_MAXIMUM, VCPU_GUEST, VCPU_MAXIMUM};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};

/// Only what runs can have its memory changed by this one.
pub(super) fn set_memory(host: &Dispatch, call: &Call<'_>, args: DomainSetMemory) -> Result<()> {
    change_memory(host, call, &args.dom, args.memory, AFFECT_LIVE)
}

pub(super) fn set_memory_flags(host: &Dispatch, call: &Call<'_>, args: DomainSetMemoryFlags) -> Result<()> {
    change_memory(host, call, &args.dom, args.memory, args.flags)
}

pub(super) fn set_max_memory(host: &Dispatch, call: &Call<'_>, args: DomainSetMaxMemory) -> Result<()> {
    change_memory(host, call, &args.dom, args.memory, MEMORY_MAXIMUM)
}

fn change_memory(host: &Dispatch, call: &Call<'_>, dom: &DomainRef, kib: u64, flags: u32) -> Result<()> {
    let uuid = find(host, call, dom)?.uuid;
    host.change_resources(call, "set_memory", |resources, cx| {
        resources.set_memory(cx, uuid, kib, flags)
    })
}

pub(super) fn set_vcpus(host: &Dispatch, call: &Call<'_>, args: DomainSetVcpus) -> Result<()> {
    change_vcpus(host, call, &args.dom, args.count, AFFECT_LIVE)
}

pub(super) fn set_vcpus_flags(host: &Dispatch, call: &Call<'_>, args: DomainSetVcpusFlags) -> Result<()> {
    change_vcpus(host, call, &args.dom, args.count, args.flags)
}

fn change_vcpus(host: &Dispatch, call: &Call<'_>, dom: &DomainRef, count: u32, flags: u32) -> Result<()> {
    let uuid = find(host, call, dom)?.uuid;
    host.change_resources(call, "set_vcpus", |resources, cx| {
        resources.set_vcpus(cx, uuid, count, flags)
    })
}

pub(super) fn vcpus(host: &Dispatch, call: &Call<'_>, args: DomainGetVcpusFlags) -> Result<i32> {
    count_vcpus(host, call, &args.dom, args.flags)
}

pub(super) fn max_vcpus(host: &Dispatch, call: &Call<'_>, args: DomainGetMaxVcpus) -> Result<i32> {
    count_vcpus(host, call, &args.dom, VCPU_MAXIMUM)
}

/// A driver that can not change the number has one number, which no flag changes.
fn count_vcpus(host: &Dispatch, call: &Call<'_>, dom: &DomainRef, flags: u32) -> Result<i32> {
    const KNOWN: u32 = AFFECT_LIVE | AFFECT_CONFIG | VCPU_MAXIMUM;
    if flags & !(KNOWN | VCPU_GUEST) != 0 {
        return Err(unknown_flags(
            "a domain's number of processors",
            flags & !(KNOWN | VCPU_GUEST),
        ));
    }
    if flags & VCPU_GUEST != 0 && call.client.read_only() {
        let text =
            "a read-only connection may not have a guest asked for its processors: drop the flag or connect read-write";
        return Err(Error::new(Code::OPERATION_DENIED, Origin::DOMAIN, text));
    }
    let domain = find(host, call, dom)?;
    if flags & AFFECT_LIVE != 0 {
        running(&domain)?;
    }
    let told = host.resources(call, "vcpus", |resources| resources.vcpus(domain.uuid, flags))?;
    let count = match told {
        Some(count) => count,
        None if flags & VCPU_GUEST == 0 => domain.vcpus,
        None => return Err(host.lacks(call, "what the guest says of its processors")),
    };
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}
