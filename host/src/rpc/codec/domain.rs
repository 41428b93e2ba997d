//! Domains: look-ups, lists, definitions and the verbs of a guest's life.

use super::{LIST_MAX, Listing, Names, procedures};
use crate::rpc::xdr::{List, xdr_struct};
use driver_api::types::domain::DomainBrief;
use driver_api::types::uuid::Uuid;

/// The id of a domain that is not active.
pub const NO_ID: i32 = -1;

xdr_struct! {
    /// A domain on the wire. Clients remember the id, so it must be true in every answer; in calls only the UUID counts.
    #[derive(Eq)]
    DomainRef {
        name: String,
        uuid: Uuid,
        id: i32,
    }

    /// The result of [`DomainGetInfo`]; memory in KiB, time in nanoseconds.
    DomainInfo {
        state: u8,
        max_memory: u64,
        memory: u64,
        vcpus: u16,
        cpu_time: u64,
    }

    /// The result of [`DomainGetState`].
    DomainState {
        state: i32,
        reason: i32,
    }

    /// The result of [`DomainGetControlInfo`].
    ControlInfo {
        state: u32,
        details: u32,
        state_time: u64,
    }
}

impl DomainRef {
    /// A domain with its id, if it is active.
    #[must_use]
    pub fn new(name: &str, uuid: Uuid, id: Option<i32>) -> Self {
        Self {
            name: name.to_owned(),
            uuid,
            id: id.unwrap_or(NO_ID),
        }
    }
}

impl From<&DomainBrief> for DomainRef {
    fn from(brief: &DomainBrief) -> Self {
        Self::new(&brief.name, brief.uuid, brief.id)
    }
}

procedures! {
    9 DomainCreate { dom: DomainRef } -> ();
    10 DomainCreateXml { xml: String, flags: u32 } -> DomainRef;
    11 DomainDefineXml { xml: String } -> DomainRef;
    12 DomainDestroy { dom: DomainRef } -> ();
    14 DomainGetXmlDesc { dom: DomainRef, flags: u32 } -> String;
    15 DomainGetAutostart { dom: DomainRef } -> i32;
    16 DomainGetInfo { dom: DomainRef } -> DomainInfo;
    17 DomainGetMaxMemory { dom: DomainRef } -> u64;
    19 DomainGetOsType { dom: DomainRef } -> String;
    21 ConnectListDefinedDomains { max: i32 } -> Names;
    22 DomainLookupById { id: i32 } -> DomainRef;
    23 DomainLookupByName { name: String } -> DomainRef;
    24 DomainLookupByUuid { uuid: Uuid } -> DomainRef;
    25 ConnectNumOfDefinedDomains {} -> i32;
    27 DomainReboot { dom: DomainRef, flags: u32 } -> ();
    28 DomainResume { dom: DomainRef } -> ();
    29 DomainSetAutostart { dom: DomainRef, autostart: i32 } -> ();
    33 DomainShutdown { dom: DomainRef } -> ();
    34 DomainSuspend { dom: DomainRef } -> ();
    35 DomainUndefine { dom: DomainRef } -> ();
    37 ConnectListDomains { max: i32 } -> List<i32, LIST_MAX>;
    51 ConnectNumOfDomains {} -> i32;
    150 DomainIsActive { dom: DomainRef } -> i32;
    151 DomainIsPersistent { dom: DomainRef } -> i32;
    183 DomainHasManagedSaveImage { dom: DomainRef, flags: u32 } -> i32;
    187 DomainSnapshotNum { dom: DomainRef, flags: u32 } -> i32;
    196 DomainCreateWithFlags { dom: DomainRef, flags: u32 } -> DomainRef;
    201 DomainOpenConsole { dom: DomainRef, device: Option<String>, flags: u32 } -> ();
    202 DomainIsUpdated { dom: DomainRef } -> i32;
    212 DomainGetState { dom: DomainRef, flags: u32 } -> DomainState;
    229 DomainGetControlInfo { dom: DomainRef, flags: u32 } -> ControlInfo;
    231 DomainUndefineFlags { dom: DomainRef, flags: u32 } -> ();
    234 DomainDestroyFlags { dom: DomainRef, flags: u32 } -> ();
    258 DomainShutdownFlags { dom: DomainRef, flags: u32 } -> ();
    264 DomainSetMetadata {
        dom: DomainRef, kind: i32, value: Option<String>, key: Option<String>, uri: Option<String>, flags: u32
    } -> ();
    265 DomainGetMetadata { dom: DomainRef, kind: i32, uri: Option<String>, flags: u32 } -> String;
    273 ConnectListAllDomains { need_results: i32, flags: u32 } -> Listing<DomainRef>;
    350 DomainDefineXmlFlags { xml: String, flags: u32 } -> DomainRef;
    426 DomainGetMessages { dom: DomainRef, flags: u32 } -> List<String, 2048>;
}
