//! What the host knows of a domain: its brief, its states with reasons, its events, and the flags of each verb.

use super::uuid::Uuid;

/// A domain's state, with libvirt's numbers (`virDomainState`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub enum State {
    NoState = 0,
    Running = 1,
    Blocked = 2,
    Paused = 3,
    Shutdown = 4,
    Shutoff = 5,
    Crashed = 6,
    PmSuspended = 7,
}

impl State {
    /// Whether guest code may exist in this state: everything but shut off and crashed-and-gone counts.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Running | Self::Blocked | Self::Paused | Self::Shutdown | Self::PmSuspended
        )
    }

    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::NoState,
            1 => Self::Running,
            2 => Self::Blocked,
            3 => Self::Paused,
            4 => Self::Shutdown,
            5 => Self::Shutoff,
            6 => Self::Crashed,
            7 => Self::PmSuspended,
            _ => return None,
        })
    }
}

/// Why a domain is in its state: a number whose meaning depends on the state (`virDomainRunningReason` and its kin).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reason(pub u32);

#[allow(
    missing_docs,
    reason = "the names are libvirt's own; the part before the first underscore is the state"
)]
impl Reason {
    pub const UNKNOWN: Self = Self(0);
    pub const RUNNING_BOOTED: Self = Self(1);
    pub const RUNNING_UNPAUSED: Self = Self(5);
    pub const RUNNING_CRASHED: Self = Self(10);
    pub const PAUSED_USER: Self = Self(1);
    pub const PAUSED_STARTING_UP: Self = Self(11);
    pub const SHUTDOWN_USER: Self = Self(1);
    pub const SHUTOFF_SHUTDOWN: Self = Self(1);
    pub const SHUTOFF_DESTROYED: Self = Self(2);
    pub const SHUTOFF_CRASHED: Self = Self(3);
    pub const SHUTOFF_FAILED: Self = Self(6);
    pub const SHUTOFF_DAEMON: Self = Self(8);
    pub const CRASHED_PANICKED: Self = Self(1);
}

/// Everything a list, look-up or info call needs, as one immutable value that was true at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainBrief {
    /// Never changes and is never reused.
    pub uuid: Uuid,
    /// Unique among the domains of one driver.
    pub name: String,
    /// Positive while the domain is active, `None` otherwise.
    pub id: Option<i32>,
    /// The state at this moment.
    pub state: State,
    /// The reason for the state.
    pub reason: Reason,
    /// A definition is kept on disk.
    pub persistent: bool,
    /// The host starts it when the host itself starts.
    pub autostart: bool,
    /// The persistent definition was changed while the domain was running.
    pub updated: bool,
    /// Upper memory limit in KiB.
    pub max_memory_kib: u64,
    /// Current memory in KiB.
    pub memory_kib: u64,
    /// Number of virtual processors.
    pub vcpus: u32,
    /// The `<os><type>` text.
    pub os_type: String,
}

/// Something that happened to a domain, with libvirt's numbers (`virDomainEventType` and the detail enums).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainEvent {
    /// The domain it happened to.
    pub uuid: Uuid,
    /// Its name when it happened.
    pub name: String,
    /// Its id after it happened; `None` when it is no longer active.
    pub id: Option<i32>,
    /// What happened.
    pub kind: DomainEventKind,
}

/// The kinds of domain events that drivers may raise; lifecycle details are libvirt's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DomainEventKind {
    /// A lifecycle event: type (`virDomainEventType`) and detail.
    Lifecycle(Lifecycle, u32),
    /// The guest rebooted and kept its id.
    Reboot,
}

/// `virDomainEventType`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub enum Lifecycle {
    Defined = 0,
    Undefined = 1,
    Started = 2,
    Suspended = 3,
    Resumed = 4,
    Stopped = 5,
    Shutdown = 6,
    PmSuspended = 7,
    Crashed = 8,
}

/// The details of lifecycle events that drivers here raise.
#[allow(
    missing_docs,
    reason = "the names are libvirt's own; the part before the first underscore is the event type"
)]
pub mod detail {
    pub const DEFINED_ADDED: u32 = 0;
    pub const DEFINED_UPDATED: u32 = 1;
    pub const DEFINED_RENAMED: u32 = 2;
    pub const UNDEFINED_REMOVED: u32 = 0;
    pub const UNDEFINED_RENAMED: u32 = 1;
    pub const STARTED_BOOTED: u32 = 0;
    pub const SUSPENDED_PAUSED: u32 = 0;
    pub const RESUMED_UNPAUSED: u32 = 0;
    pub const STOPPED_SHUTDOWN: u32 = 0;
    pub const STOPPED_DESTROYED: u32 = 1;
    pub const STOPPED_CRASHED: u32 = 2;
    pub const STOPPED_FAILED: u32 = 5;
    pub const SHUTDOWN_FINISHED: u32 = 0;
    pub const CRASHED_PANICKED: u32 = 0;
}

/// Flag bits of the verbs, with libvirt's numbers; a driver refuses the bits it does not know with code 8.
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub mod flags {
    pub const DEFINE_VALIDATE: u32 = 1;
    pub const START_PAUSED: u32 = 1;
    pub const START_AUTODESTROY: u32 = 2;
    pub const START_BYPASS_CACHE: u32 = 4;
    pub const START_FORCE_BOOT: u32 = 8;
    pub const START_VALIDATE: u32 = 16;
    pub const UNDEFINE_MANAGED_SAVE: u32 = 1;
    pub const UNDEFINE_SNAPSHOTS_METADATA: u32 = 2;
    pub const UNDEFINE_NVRAM: u32 = 4;
    pub const UNDEFINE_KEEP_NVRAM: u32 = 8;
    pub const UNDEFINE_CHECKPOINTS_METADATA: u32 = 16;
    pub const DESTROY_GRACEFUL: u32 = 1;
    pub const XML_SECURE: u32 = 1;
    pub const XML_INACTIVE: u32 = 2;
    pub const XML_UPDATE_CPU: u32 = 4;
    pub const XML_MIGRATABLE: u32 = 8;
    /// Shutdown and reboot modes (`virDomainShutdownFlagValues`): 0 lets the driver choose.
    pub const SHUTDOWN_ACPI: u32 = 1;
    pub const SHUTDOWN_AGENT: u32 = 2;
    pub const SHUTDOWN_INITCTL: u32 = 4;
    pub const SHUTDOWN_SIGNAL: u32 = 8;
    pub const AFFECT_LIVE: u32 = 1;
    pub const AFFECT_CONFIG: u32 = 2;
    pub const CONSOLE_FORCE: u32 = 1;
    pub const CONSOLE_SAFE: u32 = 2;
}
