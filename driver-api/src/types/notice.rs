//! What happens to a domain beside its life: devices that come and go, notes and memory that change.

use super::param::Param;
use super::uuid::Uuid;

/// Something that happened to a domain.
#[derive(Clone, PartialEq, Debug)]
pub struct DomainNotice {
    /// The domain it happened to.
    pub uuid: Uuid,
    /// Its name when it happened.
    pub name: String,
    /// Its id after it happened; `None` when it is not active.
    pub id: Option<i32>,
    /// What happened.
    pub notice: Notice,
}

/// The kinds of notices; each is one of libvirt's domain events.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    /// A device was plugged in (`DEVICE_ADDED`).
    DeviceAdded {
        /// Its alias.
        alias: String,
    },
    /// A device is gone (`DEVICE_REMOVED`).
    DeviceRemoved {
        /// Its alias.
        alias: String,
    },
    /// The guest did not let go of a device (`DEVICE_REMOVAL_FAILED`).
    DeviceRemovalFailed {
        /// Its alias.
        alias: String,
    },
    /// A note was changed (`METADATA_CHANGE`).
    MetadataChanged {
        /// 0 description, 1 title, 2 element (`virDomainMetadataType`).
        kind: u32,
        /// An element's namespace.
        uri: Option<String>,
    },
    /// The guest has more or less memory now (`BALLOON_CHANGE`).
    BalloonChanged {
        /// How much, in KiB.
        actual_kib: u64,
    },
    /// Limits were changed (`TUNABLE`), each under libvirt's name for it (`cputune.cpu_shares`).
    Tuned {
        /// The new values.
        params: Vec<Param>,
    },
    /// The agent in the guest came or went (`AGENT_LIFECYCLE`).
    Agent {
        /// Whether it is there.
        connected: bool,
        /// 0 unknown, 1 the domain started, 2 its channel was used.
        reason: u32,
    },
}
