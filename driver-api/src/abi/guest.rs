//! Frozen records of guest processes: the order, the answer, the events.

use super::value::{Pair, each, flag, from_pairs, from_path, from_texts, pairs, path, text, texts, unsound};
use crate::error::{Error, Result};
use crate::types::guest::{ConsoleRef, ConsoleSpec, Exit, GuestEvent, GuestId, GuestSpec, Started, VisibleFile};
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{RString, RVec};

/// `GuestSpec` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `GuestSpec`")]
pub struct SpecRecord {
    pub domain: Uuid,
    pub name: RString,
    pub argv: RVec<RString>,
    pub env: RVec<Pair>,
    pub consoles: RVec<ConsoleRecord>,
    pub files: RVec<FileRecord>,
    pub memory_bytes: u64,
    /// Empty for the host's log folder.
    pub log: RVec<u8>,
}

/// `ConsoleSpec` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `ConsoleSpec`")]
pub struct ConsoleRecord {
    pub alias: RString,
    /// Empty for none.
    pub log: RVec<u8>,
    pub pty: u32,
}

/// `VisibleFile` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `VisibleFile`")]
pub struct FileRecord {
    pub path: RVec<u8>,
    pub writable: u32,
}

impl From<&ConsoleSpec> for ConsoleRecord {
    fn from(console: &ConsoleSpec) -> Self {
        Self {
            alias: console.alias.as_str().into(),
            log: console.log.as_deref().map(from_path).unwrap_or_default(),
            pty: flag(console.pty),
        }
    }
}

impl TryFrom<ConsoleRecord> for ConsoleSpec {
    type Error = Error;

    fn try_from(record: ConsoleRecord) -> Result<Self> {
        Ok(Self {
            alias: text(record.alias)?,
            pty: record.pty != 0,
            log: (!record.log.is_empty()).then(|| path(record.log)),
        })
    }
}

impl From<&VisibleFile> for FileRecord {
    fn from(file: &VisibleFile) -> Self {
        Self {
            path: from_path(&file.path),
            writable: flag(file.writable),
        }
    }
}

impl From<FileRecord> for VisibleFile {
    fn from(record: FileRecord) -> Self {
        Self {
            path: path(record.path),
            writable: record.writable != 0,
        }
    }
}

impl From<&GuestSpec> for SpecRecord {
    fn from(spec: &GuestSpec) -> Self {
        Self {
            domain: spec.domain,
            name: spec.name.as_str().into(),
            argv: from_texts(&spec.argv),
            env: from_pairs(&spec.env),
            consoles: spec.consoles.iter().map(ConsoleRecord::from).collect(),
            files: spec.files.iter().map(FileRecord::from).collect(),
            memory_bytes: spec.memory_bytes,
            log: spec.log.as_deref().map(from_path).unwrap_or_default(),
        }
    }
}

impl TryFrom<SpecRecord> for GuestSpec {
    type Error = Error;

    fn try_from(record: SpecRecord) -> Result<Self> {
        Ok(Self {
            domain: record.domain,
            name: text(record.name)?,
            argv: texts(record.argv)?,
            env: pairs(record.env)?,
            consoles: each(record.consoles, ConsoleSpec::try_from)?,
            files: record.files.into_iter().map(VisibleFile::from).collect(),
            memory_bytes: record.memory_bytes,
            log: (!record.log.is_empty()).then(|| path(record.log)),
        })
    }
}

/// `Started` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `Started`")]
pub struct StartedRecord {
    pub guest: u64,
    pub domain: Uuid,
    pub run_dir: RVec<u8>,
    pub ptys: RVec<RString>,
    pub not_isolated: RVec<RString>,
    pub pid: u32,
}

impl From<Started> for StartedRecord {
    fn from(started: Started) -> Self {
        Self {
            guest: started.guest,
            domain: started.domain,
            run_dir: from_path(&started.run_dir),
            ptys: from_texts(&started.ptys),
            not_isolated: from_texts(&started.not_isolated),
            pid: started.pid,
        }
    }
}

impl TryFrom<StartedRecord> for Started {
    type Error = Error;

    fn try_from(record: StartedRecord) -> Result<Self> {
        Ok(Self {
            guest: record.guest,
            domain: record.domain,
            pid: record.pid,
            run_dir: path(record.run_dir),
            ptys: texts(record.ptys)?,
            not_isolated: texts(record.not_isolated)?,
        })
    }
}

/// `GuestEvent` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `GuestEvent` and `Exit`")]
pub struct GuestEventRecord {
    /// [`NOTIFIED`] or [`EXITED`].
    pub kind: u32,
    /// Of an exit: which of [`HAS_CODE`] and its kin are true.
    pub flags: u32,
    pub code: i32,
    pub signal: i32,
    /// The datagram, or the last ones before an exit.
    pub notifications: RVec<RVec<u8>>,
    pub console_tail: RString,
}

/// [`GuestEventRecord::kind`].
pub const NOTIFIED: u32 = 0;
/// [`GuestEventRecord::kind`].
pub const EXITED: u32 = 1;
/// [`GuestEventRecord::flags`].
pub const HAS_CODE: u32 = 1;
/// [`GuestEventRecord::flags`].
pub const HAS_SIGNAL: u32 = 2;
/// [`GuestEventRecord::flags`].
pub const OUT_OF_MEMORY: u32 = 4;
/// [`GuestEventRecord::flags`].
pub const SUPERVISOR_LOST: u32 = 8;
/// [`GuestEventRecord::flags`].
pub const REQUESTED: u32 = 16;

impl From<GuestEvent> for GuestEventRecord {
    fn from(event: GuestEvent) -> Self {
        let exit = match event {
            GuestEvent::Notified(datagram) => {
                return Self {
                    kind: NOTIFIED,
                    flags: 0,
                    code: 0,
                    signal: 0,
                    notifications: vec![RVec::from(datagram)].into(),
                    console_tail: RString::new(),
                };
            }
            GuestEvent::Exited(exit) => exit,
        };
        Self {
            kind: EXITED,
            flags: flag(exit.code.is_some()) * HAS_CODE
                + flag(exit.signal.is_some()) * HAS_SIGNAL
                + flag(exit.out_of_memory) * OUT_OF_MEMORY
                + flag(exit.supervisor_lost) * SUPERVISOR_LOST
                + flag(exit.requested) * REQUESTED,
            code: exit.code.unwrap_or(0),
            signal: exit.signal.unwrap_or(0),
            notifications: exit.notifications.into_iter().map(RVec::from).collect(),
            console_tail: exit.console_tail.into(),
        }
    }
}

impl TryFrom<GuestEventRecord> for GuestEvent {
    type Error = Error;

    fn try_from(record: GuestEventRecord) -> Result<Self> {
        let has = |bit: u32| record.flags & bit != 0;
        let exit = Exit {
            code: has(HAS_CODE).then_some(record.code),
            signal: has(HAS_SIGNAL).then_some(record.signal),
            out_of_memory: has(OUT_OF_MEMORY),
            supervisor_lost: has(SUPERVISOR_LOST),
            requested: has(REQUESTED),
            notifications: record.notifications.into_iter().map(RVec::into_vec).collect(),
            console_tail: text(record.console_tail)?,
        };
        match record.kind {
            NOTIFIED => Ok(Self::Notified(
                exit.notifications.into_iter().next().unwrap_or_default(),
            )),
            EXITED => Ok(Self::Exited(exit)),
            other => Err(unsound(&format!("guest event kind {other}, which does not exist"))),
        }
    }
}

/// `ConsoleRef` as it crosses.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `ConsoleRef`")]
pub struct ConsoleRefRecord {
    pub guest: u64,
    pub index: u32,
}

impl From<ConsoleRef> for ConsoleRefRecord {
    fn from(console: ConsoleRef) -> Self {
        Self {
            guest: console.guest.0,
            index: console.index,
        }
    }
}

impl From<ConsoleRefRecord> for ConsoleRef {
    fn from(record: ConsoleRefRecord) -> Self {
        Self {
            guest: GuestId(record.guest),
            index: record.index,
        }
    }
}
