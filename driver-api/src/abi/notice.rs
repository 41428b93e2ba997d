//! `notice/1`: how a driver tells what happens to a domain beside its life; since version 1.5.

use super::interface::Table;
use super::lock::HostObj;
use super::param::ParamRecord;
use super::record::{all, each_of};
use super::value::{Fault, text, unsound};
use crate::error::{Error, Result};
use crate::types::notice::{DomainNotice, Notice};
use crate::types::uuid::Uuid;
use abi_stable::StableAbi;
use abi_stable::std_types::{RResult, RString, RVec};

/// `DomainNotice` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct NoticeRecord {
    /// Whose.
    pub uuid: Uuid,
    /// Its name.
    pub name: RString,
    /// -1 when not active.
    pub id: i32,
    /// 0 device added, 1 removed, 2 removal failed, 3 metadata, 4 balloon, 5 tuned, 6 agent; a host ignores others.
    pub kind: u32,
    /// The alias of a device, the namespace of a note.
    pub text: RString,
    /// The kind of a note, the KiB of a balloon, whether an agent is there.
    pub number: u64,
    /// Of a note, whether it has a namespace; of an agent, the reason.
    pub detail: u32,
    /// What was tuned.
    pub params: RVec<ParamRecord>,
}

/// The table behind `notice/1`.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
pub struct NoticeV1 {
    /// Queues the notice; it leaves, in order with the thread's events, once the calling thread holds no lock.
    pub notify: extern "C" fn(HostObj, NoticeRecord) -> RResult<(), Fault>,
}

impl Table for NoticeV1 {
    const ID: &'static str = "notice/1";
}

impl From<DomainNotice> for NoticeRecord {
    fn from(notice: DomainNotice) -> Self {
        let mut record = Self {
            uuid: notice.uuid,
            name: notice.name.into(),
            id: notice.id.unwrap_or(-1),
            kind: 0,
            text: RString::new(),
            number: 0,
            detail: 0,
            params: RVec::new(),
        };
        match notice.notice {
            Notice::DeviceAdded { alias } => (record.kind, record.text) = (0, alias.into()),
            Notice::DeviceRemoved { alias } => (record.kind, record.text) = (1, alias.into()),
            Notice::DeviceRemovalFailed { alias } => (record.kind, record.text) = (2, alias.into()),
            Notice::MetadataChanged { kind, uri } => {
                (record.kind, record.number, record.detail) = (3, kind.into(), uri.is_some().into());
                record.text = uri.unwrap_or_default().into();
            }
            Notice::BalloonChanged { actual_kib } => (record.kind, record.number) = (4, actual_kib),
            Notice::Tuned { params } => (record.kind, record.params) = (5, all(params)),
            Notice::Agent { connected, reason } => {
                (record.kind, record.number, record.detail) = (6, connected.into(), reason);
            }
        }
        record
    }
}

impl TryFrom<NoticeRecord> for DomainNotice {
    type Error = Error;

    fn try_from(record: NoticeRecord) -> Result<Self> {
        let words = text(record.text)?;
        Ok(Self {
            uuid: record.uuid,
            name: text(record.name)?,
            id: (record.id > 0).then_some(record.id),
            notice: match record.kind {
                0 => Notice::DeviceAdded { alias: words },
                1 => Notice::DeviceRemoved { alias: words },
                2 => Notice::DeviceRemovalFailed { alias: words },
                3 => Notice::MetadataChanged {
                    kind: u32::try_from(record.number).map_err(|_| unsound("a note of no kind"))?,
                    uri: (record.detail != 0).then_some(words),
                },
                4 => Notice::BalloonChanged {
                    actual_kib: record.number,
                },
                5 => Notice::Tuned {
                    params: each_of(record.params)?,
                },
                6 => Notice::Agent {
                    connected: record.number != 0,
                    reason: record.detail,
                },
                other => return Err(unsound(&format!("a notice of kind {other}, which does not exist"))),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::param::Param;

    #[test]
    fn every_notice_crosses_whole() {
        let alias = || "ubd1".to_owned();
        let notices = [
            Notice::DeviceAdded { alias: alias() },
            Notice::DeviceRemoved { alias: alias() },
            Notice::DeviceRemovalFailed { alias: alias() },
            Notice::MetadataChanged { kind: 1, uri: None },
            Notice::MetadataChanged {
                kind: 2,
                uri: Some(String::new()),
            },
            Notice::BalloonChanged { actual_kib: 65_536 },
            Notice::Tuned {
                params: vec![Param::new("cputune.cpu_shares", 9_u64)],
            },
            Notice::Agent {
                connected: true,
                reason: 2,
            },
        ];
        for (id, notice) in [None, Some(3)].into_iter().cycle().zip(notices) {
            let notice = DomainNotice {
                uuid: Uuid::from_bytes([3; 16]),
                name: "vm".to_owned(),
                id,
                notice,
            };
            assert_eq!(
                DomainNotice::try_from(NoticeRecord::from(notice.clone())).unwrap(),
                notice
            );
        }
    }
}
