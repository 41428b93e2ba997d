//! Looking at domains: look-ups, lists and single facts. Nothing here takes a lock or waits.

use super::{Dispatch, job};
use crate::rpc::codec::domain::{
    ConnectListAllDomains, ConnectListDefinedDomains, ConnectListDomains, ConnectNumOfDefinedDomains,
    ConnectNumOfDomains, ControlInfo, DomainGetAutostart, DomainGetControlInfo, DomainGetInfo, DomainGetMaxMemory,
    DomainGetMessages, DomainGetOsType, DomainGetState, DomainGetXmlDesc, DomainHasManagedSaveImage, DomainInfo,
    DomainIsActive, DomainIsPersistent, DomainIsUpdated, DomainLookupById, DomainLookupByName, DomainLookupByUuid,
    DomainRef, DomainSnapshotNum, DomainState,
};
use crate::rpc::codec::{Listing, Names};
use crate::rpc::xdr::List;
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::device::Control;
use driver_api::types::domain::{DomainBrief, State, flags};
use driver_api::types::uuid::Uuid;

/// `virConnectListAllDomainsFlags`, in pairs of which one or none narrows the list.
mod list {
    pub(super) const ACTIVE: u32 = 1;
    pub(super) const INACTIVE: u32 = 2;
    pub(super) const PERSISTENT: u32 = 4;
    pub(super) const TRANSIENT: u32 = 8;
    pub(super) const RUNNING: u32 = 16;
    pub(super) const PAUSED: u32 = 32;
    pub(super) const SHUTOFF: u32 = 64;
    pub(super) const OTHER: u32 = 128;
    pub(super) const MANAGEDSAVE: u32 = 256;
    pub(super) const NO_MANAGEDSAVE: u32 = 512;
    pub(super) const AUTOSTART: u32 = 1024;
    pub(super) const NO_AUTOSTART: u32 = 2048;
    pub(super) const HAS_SNAPSHOT: u32 = 4096;
    pub(super) const NO_SNAPSHOT: u32 = 8192;
    pub(super) const HAS_CHECKPOINT: u32 = 16384;
    pub(super) const NO_CHECKPOINT: u32 = 32768;
    pub(super) const ALL: u32 = 65535;
}

/// Those bits that narrow by what a domain is now: all that lists of figures know.
pub(super) const NARROWING: u32 = list::ACTIVE
    | list::INACTIVE
    | list::PERSISTENT
    | list::TRANSIENT
    | list::RUNNING
    | list::PAUSED
    | list::SHUTOFF
    | list::OTHER;

/// `virDomainControlState` and, of an error, `virDomainControlErrorReason`.
mod control_state {
    pub(super) const OK: u32 = 0;
    pub(super) const JOB: u32 = 1;
    pub(super) const OCCUPIED: u32 = 2;
    pub(super) const ERROR: u32 = 3;
    pub(super) const MONITOR: u32 = 2;
}

/// `virDomainMessageType`: what a domain asks for and does not get taints it; nothing is deprecated here.
const MESSAGES_TAINTING: u32 = 2;
const MESSAGES_ALL: u32 = 3;

/// Whether a domain is wanted: each group of bits that is not empty must contain one that fits.
pub(super) fn wanted(domain: &DomainBrief, bits: u32) -> bool {
    let active = domain.id.is_some();
    let state = match domain.state {
        State::Running => list::RUNNING,
        State::Paused => list::PAUSED,
        State::Shutoff => list::SHUTOFF,
        _ => list::OTHER,
    };
    let groups = [
        (
            list::ACTIVE | list::INACTIVE,
            if active { list::ACTIVE } else { list::INACTIVE },
        ),
        (
            list::PERSISTENT | list::TRANSIENT,
            if domain.persistent {
                list::PERSISTENT
            } else {
                list::TRANSIENT
            },
        ),
        (list::RUNNING | list::PAUSED | list::SHUTOFF | list::OTHER, state),
        (list::MANAGEDSAVE | list::NO_MANAGEDSAVE, list::NO_MANAGEDSAVE),
        (
            list::AUTOSTART | list::NO_AUTOSTART,
            if domain.autostart {
                list::AUTOSTART
            } else {
                list::NO_AUTOSTART
            },
        ),
        (list::HAS_SNAPSHOT | list::NO_SNAPSHOT, list::NO_SNAPSHOT),
        (list::HAS_CHECKPOINT | list::NO_CHECKPOINT, list::NO_CHECKPOINT),
    ];
    groups.iter().all(|(group, own)| bits & group == 0 || bits & own != 0)
}

pub(super) fn unknown_flags(what: &str, bits: u32) -> Error {
    Error::new(
        Code::INVALID_ARG,
        Origin::DOMAIN,
        format!("{what} does not know the flags {bits:#x}"),
    )
}

pub(super) fn no_flags(what: &str, bits: u32) -> Result<()> {
    if bits == 0 {
        Ok(())
    } else {
        Err(unknown_flags(what, bits))
    }
}

/// What runs only can be asked for it.
pub(super) fn running(domain: &DomainBrief) -> Result<()> {
    if domain.id.is_some() {
        return Ok(());
    }
    let text = format!("domain '{}' is not running", domain.name);
    Err(Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, text))
}

fn names(domains: impl Iterator<Item = DomainBrief>, max: i32) -> Names {
    List(
        domains
            .take(usize::try_from(max).unwrap_or(0))
            .map(|domain| domain.name)
            .collect(),
    )
}

fn count(items: usize) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}

pub(super) fn list_all(host: &Dispatch, call: &Call<'_>, args: ConnectListAllDomains) -> Result<Listing<DomainRef>> {
    if args.flags & !list::ALL != 0 {
        return Err(unknown_flags("a list of domains", args.flags & !list::ALL));
    }
    let domains = host.read(call, "list", |virt| virt.list())?;
    let found = domains
        .iter()
        .filter(|domain| wanted(domain, args.flags))
        .map(DomainRef::from)
        .collect();
    Ok(Listing::new(found, args.need_results))
}

pub(super) fn list_active(host: &Dispatch, call: &Call<'_>, args: ConnectListDomains) -> Result<List<i32, 16_384>> {
    let ids = host
        .read(call, "list", |virt| virt.list())?
        .into_iter()
        .filter_map(|domain| domain.id);
    Ok(List(ids.take(usize::try_from(args.max).unwrap_or(0)).collect()))
}

pub(super) fn num_active(host: &Dispatch, call: &Call<'_>, _: ConnectNumOfDomains) -> Result<i32> {
    Ok(count(
        host.read(call, "list", |virt| virt.list())?
            .iter()
            .filter(|domain| domain.id.is_some())
            .count(),
    ))
}

pub(super) fn list_defined(host: &Dispatch, call: &Call<'_>, args: ConnectListDefinedDomains) -> Result<Names> {
    let domains = host.read(call, "list", |virt| virt.list())?;
    Ok(names(
        domains.into_iter().filter(|domain| domain.id.is_none()),
        args.max,
    ))
}

pub(super) fn num_defined(host: &Dispatch, call: &Call<'_>, _: ConnectNumOfDefinedDomains) -> Result<i32> {
    Ok(count(
        host.read(call, "list", |virt| virt.list())?
            .iter()
            .filter(|domain| domain.id.is_none())
            .count(),
    ))
}

fn no_domain(what: &str) -> Error {
    Error::new(Code::NO_DOMAIN, Origin::DOMAIN, format!("no domain with {what}"))
}

pub(super) fn by_id(host: &Dispatch, call: &Call<'_>, args: DomainLookupById) -> Result<DomainRef> {
    let found = host.read(call, "look up", |virt| virt.by_id(args.id))?;
    found
        .as_ref()
        .map(DomainRef::from)
        .ok_or_else(|| no_domain(&format!("id {}", args.id)))
}

pub(super) fn by_name(host: &Dispatch, call: &Call<'_>, args: DomainLookupByName) -> Result<DomainRef> {
    let found = host.read(call, "look up", |virt| virt.by_name(&args.name))?;
    found
        .as_ref()
        .map(DomainRef::from)
        .ok_or_else(|| no_domain(&format!("name '{}'", args.name)))
}

pub(super) fn by_uuid(host: &Dispatch, call: &Call<'_>, args: DomainLookupByUuid) -> Result<DomainRef> {
    let found = host.read(call, "look up", |virt| virt.by_uuid(args.uuid))?;
    found
        .as_ref()
        .map(DomainRef::from)
        .ok_or_else(|| no_domain(&format!("uuid '{}'", args.uuid)))
}

/// The domain that a client means: by UUID alone, since the id that it remembers may be old.
pub(super) fn find(host: &Dispatch, call: &Call<'_>, dom: &DomainRef) -> Result<DomainBrief> {
    let found = host.read(call, "look up", |virt| virt.by_uuid(dom.uuid))?;
    found.ok_or_else(|| no_domain(&format!("uuid '{}' ('{}')", dom.uuid, dom.name)))
}

/// A domain's document, for what is not told otherwise (`flags::XML_*`).
pub(super) fn document(host: &Dispatch, call: &Call<'_>, uuid: Uuid, flags: u32) -> Result<Element> {
    let xml = host.read(call, "dump_xml", |virt| virt.dump_xml(uuid, flags))?;
    parse(xml.as_bytes(), Origin::DOMAIN, &Limits::default())
}

pub(super) fn info(host: &Dispatch, call: &Call<'_>, args: DomainGetInfo) -> Result<DomainInfo> {
    let domain = find(host, call, &args.dom)?;
    Ok(DomainInfo {
        state: u8::try_from(domain.state as u32).unwrap_or(0),
        max_memory: domain.max_memory_kib,
        memory: domain.memory_kib,
        vcpus: u16::try_from(domain.vcpus).unwrap_or(u16::MAX),
        cpu_time: host.read(call, "cpu_time", |virt| virt.cpu_time(domain.uuid))?,
    })
}

pub(super) fn state(host: &Dispatch, call: &Call<'_>, args: DomainGetState) -> Result<DomainState> {
    no_flags("a domain's state", args.flags)?;
    let domain = find(host, call, &args.dom)?;
    Ok(DomainState {
        state: (domain.state as u32).cast_signed(),
        reason: domain.reason.0.cast_signed(),
    })
}

pub(super) fn control_info(host: &Dispatch, call: &Call<'_>, args: DomainGetControlInfo) -> Result<ControlInfo> {
    no_flags("a domain's control state", args.flags)?;
    let domain = find(host, call, &args.dom)?;
    running(&domain)?;
    let control = host.control(call, "control", |control| control.control(domain.uuid))?;
    // A guest that is silent is told of though a job waits for it: that is why the job takes so long.
    let (state, details, state_time) = match (control.unwrap_or_default(), job::running(host, call, domain.uuid)?) {
        (Control::Silent(since_ms), _) => (control_state::ERROR, control_state::MONITOR, since_ms),
        (_, Some(job)) => (control_state::JOB, 0, job.age_ms),
        (Control::Occupied(since_ms), None) => (control_state::OCCUPIED, 0, since_ms),
        (Control::Ok, None) => (control_state::OK, 0, 0),
    };
    Ok(ControlInfo {
        state,
        details,
        state_time,
    })
}

pub(super) fn xml(host: &Dispatch, call: &Call<'_>, args: DomainGetXmlDesc) -> Result<String> {
    if call.client.read_only() && args.flags & flags::XML_SECURE != 0 {
        let text = "a read-only connection may not see the secrets of a domain: drop the flag or connect read-write";
        return Err(Error::new(Code::OPERATION_DENIED, Origin::DOMAIN, text));
    }
    let domain = find(host, call, &args.dom)?;
    host.read(call, "dump_xml", |virt| virt.dump_xml(domain.uuid, args.flags))
}

pub(super) fn autostart(host: &Dispatch, call: &Call<'_>, args: DomainGetAutostart) -> Result<i32> {
    Ok(find(host, call, &args.dom)?.autostart.into())
}

pub(super) fn max_memory(host: &Dispatch, call: &Call<'_>, args: DomainGetMaxMemory) -> Result<u64> {
    Ok(find(host, call, &args.dom)?.max_memory_kib)
}

pub(super) fn os_type(host: &Dispatch, call: &Call<'_>, args: DomainGetOsType) -> Result<String> {
    Ok(find(host, call, &args.dom)?.os_type)
}

pub(super) fn is_active(host: &Dispatch, call: &Call<'_>, args: DomainIsActive) -> Result<i32> {
    Ok(find(host, call, &args.dom)?.id.is_some().into())
}

pub(super) fn is_persistent(host: &Dispatch, call: &Call<'_>, args: DomainIsPersistent) -> Result<i32> {
    Ok(find(host, call, &args.dom)?.persistent.into())
}

pub(super) fn is_updated(host: &Dispatch, call: &Call<'_>, args: DomainIsUpdated) -> Result<i32> {
    Ok(find(host, call, &args.dom)?.updated.into())
}

pub(super) fn has_managed_save(host: &Dispatch, call: &Call<'_>, args: DomainHasManagedSaveImage) -> Result<i32> {
    no_flags("a domain's managed save image", args.flags)?;
    find(host, call, &args.dom)?;
    Ok(0)
}

pub(super) fn snapshots(host: &Dispatch, call: &Call<'_>, args: DomainSnapshotNum) -> Result<i32> {
    find(host, call, &args.dom)?;
    Ok(0)
}

pub(super) fn messages(host: &Dispatch, call: &Call<'_>, args: DomainGetMessages) -> Result<List<String, 2048>> {
    if args.flags & !MESSAGES_ALL != 0 {
        return Err(unknown_flags("a domain's messages", args.flags & !MESSAGES_ALL));
    }
    let domain = find(host, call, &args.dom)?;
    if args.flags != 0 && args.flags & MESSAGES_TAINTING == 0 {
        return Ok(List(Vec::new()));
    }
    let messages = host.control(call, "messages", |control| control.messages(domain.uuid))?;
    Ok(List(messages.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::types::domain::Reason;

    fn brief(id: Option<i32>, state: State) -> DomainBrief {
        DomainBrief {
            uuid: Uuid::default(),
            name: "x".into(),
            id,
            state,
            reason: Reason::UNKNOWN,
            persistent: true,
            autostart: false,
            updated: false,
            max_memory_kib: 1,
            memory_kib: 1,
            vcpus: 1,
            os_type: "uml".into(),
        }
    }

    #[test]
    fn list_flags_narrow_group_by_group() {
        let (on, off) = (brief(Some(1), State::Running), brief(None, State::Shutoff));
        for (bits, want_on, want_off) in [
            (0, true, true),
            (list::ACTIVE, true, false),
            (list::INACTIVE, false, true),
            (list::ACTIVE | list::INACTIVE, true, true),
            (list::ACTIVE | list::SHUTOFF, false, false),
            (list::RUNNING | list::SHUTOFF, true, true),
            (list::TRANSIENT, false, false),
            (list::HAS_SNAPSHOT, false, false),
            (list::NO_AUTOSTART | list::PERSISTENT, true, true),
        ] {
            assert_eq!(
                (wanted(&on, bits), wanted(&off, bits)),
                (want_on, want_off),
                "{bits:#x}"
            );
        }
    }
}
