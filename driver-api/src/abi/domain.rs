//! Frozen records of domains: what crosses for `DomainBrief` and `DomainEvent`.

use super::value::{flag, text, unsound};
use crate::error::{Error, Result};
use crate::types::domain::{DomainBrief, DomainEvent, DomainEventKind, Lifecycle, Reason, State};
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// `DomainBrief` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `DomainBrief`")]
pub struct DomainRecord {
    pub uuid: Uuid,
    pub name: RString,
    pub os_type: RString,
    pub max_memory_kib: u64,
    pub memory_kib: u64,
    /// -1 while inactive.
    pub id: i32,
    pub state: u32,
    pub reason: u32,
    pub vcpus: u32,
    /// [`PERSISTENT`], [`AUTOSTART`], [`UPDATED`].
    pub flags: u32,
}

/// [`DomainRecord::flags`]: a definition is kept on disk.
pub const PERSISTENT: u32 = 1;
/// [`DomainRecord::flags`]: started with the host.
pub const AUTOSTART: u32 = 2;
/// [`DomainRecord::flags`]: the definition differs from what runs.
pub const UPDATED: u32 = 4;

impl From<DomainBrief> for DomainRecord {
    fn from(brief: DomainBrief) -> Self {
        Self {
            uuid: brief.uuid,
            name: brief.name.into(),
            os_type: brief.os_type.into(),
            max_memory_kib: brief.max_memory_kib,
            memory_kib: brief.memory_kib,
            id: brief.id.unwrap_or(-1),
            state: brief.state as u32,
            reason: brief.reason.0,
            vcpus: brief.vcpus,
            flags: flag(brief.persistent) * PERSISTENT
                + flag(brief.autostart) * AUTOSTART
                + flag(brief.updated) * UPDATED,
        }
    }
}

impl TryFrom<DomainRecord> for DomainBrief {
    type Error = Error;

    fn try_from(record: DomainRecord) -> Result<Self> {
        let state = State::from_number(record.state)
            .ok_or_else(|| unsound(&format!("domain state {}, which does not exist", record.state)))?;
        Ok(Self {
            uuid: record.uuid,
            name: text(record.name)?,
            id: (record.id > 0).then_some(record.id),
            state,
            reason: Reason(record.reason),
            persistent: record.flags & PERSISTENT != 0,
            autostart: record.flags & AUTOSTART != 0,
            updated: record.flags & UPDATED != 0,
            max_memory_kib: record.max_memory_kib,
            memory_kib: record.memory_kib,
            vcpus: record.vcpus,
            os_type: text(record.os_type)?,
        })
    }
}

/// `DomainEvent` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `DomainEvent`")]
pub struct EventRecord {
    pub uuid: Uuid,
    pub name: RString,
    /// -1 when no longer active.
    pub id: i32,
    /// [`LIFECYCLE`] or [`REBOOT`]; a host ignores kinds it does not know.
    pub kind: u32,
    /// Of a lifecycle event: its type.
    pub event: u32,
    /// Of a lifecycle event: its detail.
    pub detail: u32,
}

/// [`EventRecord::kind`].
pub const LIFECYCLE: u32 = 0;
/// [`EventRecord::kind`].
pub const REBOOT: u32 = 1;

impl From<&DomainEvent> for EventRecord {
    fn from(event: &DomainEvent) -> Self {
        let (kind, number, detail) = match event.kind {
            DomainEventKind::Lifecycle(lifecycle, detail) => (LIFECYCLE, lifecycle as u32, detail),
            DomainEventKind::Reboot => (REBOOT, 0, 0),
        };
        Self {
            uuid: event.uuid,
            name: event.name.as_str().into(),
            id: event.id.unwrap_or(-1),
            kind,
            event: number,
            detail,
        }
    }
}

impl TryFrom<EventRecord> for DomainEvent {
    type Error = Error;

    fn try_from(record: EventRecord) -> Result<Self> {
        let kind = match record.kind {
            LIFECYCLE => DomainEventKind::Lifecycle(lifecycle(record.event)?, record.detail),
            REBOOT => DomainEventKind::Reboot,
            other => return Err(unsound(&format!("domain event kind {other}, which does not exist"))),
        };
        Ok(Self {
            uuid: record.uuid,
            name: text(record.name)?,
            id: (record.id > 0).then_some(record.id),
            kind,
        })
    }
}

fn lifecycle(number: u32) -> Result<Lifecycle> {
    const ALL: [Lifecycle; 9] = [
        Lifecycle::Defined,
        Lifecycle::Undefined,
        Lifecycle::Started,
        Lifecycle::Suspended,
        Lifecycle::Resumed,
        Lifecycle::Stopped,
        Lifecycle::Shutdown,
        Lifecycle::PmSuspended,
        Lifecycle::Crashed,
    ];
    ALL.into_iter()
        .find(|lifecycle| *lifecycle as u32 == number)
        .ok_or_else(|| unsound(&format!("lifecycle event {number}, which does not exist")))
}
