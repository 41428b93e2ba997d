//! `spawn/2`: guests with links, companions and limits, which can be changed while they run; since version 1.5.
//!
//! What `spawn/1` does for a guest that runs already (watch, kill, forget, ...) it does for these too.

use super::guest::{FileRecord, SpecRecord, StartedRecord};
use super::interface::Table;
use super::lock::{Call, HostObj};
use super::param::ParamRecord;
use super::plug::{PlugRecord, PluggedRecord, UnplugRecord};
use super::record::{all, each_of, word, yes};
use super::value::{Fault, flag, from_path, from_texts, path, text, texts, unsound};
use crate::error::{Error, Result};
use crate::types::guest::VisibleFile;
use crate::types::launch::{Backend, Companion, Launch, Link};
use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RResult, RString, RVec};

/// `Launch` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `Launch`")]
pub struct LaunchRecord {
    pub spec: SpecRecord,
    pub backends: RVec<BackendRecord>,
    pub spare_consoles: u32,
    pub links: RVec<LinkRecord>,
    pub companions: RVec<CompanionRecord>,
    pub limits: RVec<ParamRecord>,
    pub user: ROption<UserRecord>,
}

/// A user and a group.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "numbers as the kernel counts")]
pub struct UserRecord {
    pub uid: u32,
    pub gid: u32,
}

/// `Backend` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct BackendRecord {
    /// 0 none, 1 unix, 2 TCP, 3 UDP, 4 device, 5 pipe.
    pub kind: u32,
    /// Of unix, device, pipe.
    pub path: RVec<u8>,
    /// Of TCP: host, service. Of UDP: those of the other end, then our own.
    pub address: RVec<RString>,
    /// Bit 0: it listens; bit 1: it speaks telnet.
    pub flags: u32,
}

/// `Link` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
pub struct LinkRecord {
    /// 0 tap, 1 multicast, 2 UDP, 3 program.
    pub kind: u32,
    /// Its name.
    pub name: RString,
    /// Of multicast: the group. Of UDP: where frames come in. Of a program: its socket.
    pub local: RString,
    /// Of UDP: where frames go.
    pub remote: RString,
}

/// `Companion` as it crosses.
#[repr(C)]
#[derive(Clone, Debug, StableAbi)]
#[allow(missing_docs, reason = "the fields are those of `Companion`")]
pub struct CompanionRecord {
    pub name: RString,
    pub argv: RVec<RString>,
    pub files: RVec<FileRecord>,
    pub ready: RString,
    pub network: u32,
    pub restart: u32,
}

/// The table behind `spawn/2`; each function is the method of [`crate::host::Host`] of the same name. Numbers of
/// descriptors are of those that the caller owns and keeps open during the call.
#[repr(C)]
#[derive(Clone, Copy, Debug, StableAbi)]
#[allow(missing_docs, reason = "documented at `Host`")]
pub struct SpawnV2 {
    pub launch: extern "C" fn(HostObj, Call, LaunchRecord, RVec<i32>) -> RResult<StartedRecord, Fault>,
    pub plug: extern "C" fn(HostObj, Call, u64, PlugRecord, ROption<i32>) -> RResult<PluggedRecord, Fault>,
    pub unplug: extern "C" fn(HostObj, Call, u64, UnplugRecord) -> RResult<(), Fault>,
    pub limit: extern "C" fn(HostObj, Call, u64, RVec<ParamRecord>) -> RResult<(), Fault>,
    pub limits: extern "C" fn(HostObj, u64) -> RResult<RVec<ParamRecord>, Fault>,
    pub usage: extern "C" fn(HostObj, u64) -> RResult<RVec<ParamRecord>, Fault>,
}

impl Table for SpawnV2 {
    const ID: &'static str = "spawn/2";
}

impl From<&Launch> for LaunchRecord {
    fn from(launch: &Launch) -> Self {
        Self {
            spec: (&launch.spec).into(),
            backends: all(launch.backends.clone()),
            spare_consoles: launch.spare_consoles,
            links: all(launch.links.clone()),
            companions: all(launch.companions.clone()),
            limits: all(launch.limits.clone()),
            user: launch.user.map(|(uid, gid)| UserRecord { uid, gid }).into(),
        }
    }
}

impl TryFrom<LaunchRecord> for Launch {
    type Error = Error;

    fn try_from(record: LaunchRecord) -> Result<Self> {
        Ok(Self {
            spec: record.spec.try_into()?,
            backends: each_of(record.backends)?,
            spare_consoles: record.spare_consoles,
            links: each_of(record.links)?,
            companions: each_of(record.companions)?,
            limits: each_of(record.limits)?,
            user: record.user.map(|user| (user.uid, user.gid)).into_option(),
        })
    }
}

const LISTENS: u32 = 1;
const TELNET: u32 = 2;

impl From<Backend> for BackendRecord {
    fn from(backend: Backend) -> Self {
        let mut record = Self {
            kind: 0,
            path: RVec::new(),
            address: RVec::new(),
            flags: 0,
        };
        match backend {
            Backend::None => {}
            Backend::Unix { path, listen } => {
                (record.kind, record.path) = (1, from_path(&path));
                record.flags = flag(listen) * LISTENS;
            }
            Backend::Tcp {
                host,
                service,
                listen,
                telnet,
            } => {
                (record.kind, record.address) = (2, from_texts(&[host, service]));
                record.flags = flag(listen) * LISTENS + flag(telnet) * TELNET;
            }
            Backend::Udp { remote, local } => {
                (record.kind, record.address) = (3, from_texts(&[remote.0, remote.1, local.0, local.1]));
            }
            Backend::Device { path } => (record.kind, record.path) = (4, from_path(&path)),
            Backend::Pipe { path } => (record.kind, record.path) = (5, from_path(&path)),
        }
        record
    }
}

impl TryFrom<BackendRecord> for Backend {
    type Error = Error;

    fn try_from(record: BackendRecord) -> Result<Self> {
        let mut address = texts(record.address)?.into_iter();
        let mut next = || address.next().ok_or_else(|| unsound("an address that is not whole"));
        let listen = record.flags & LISTENS != 0;
        let place = path(record.path);
        Ok(match record.kind {
            0 => Self::None,
            1 => Self::Unix { path: place, listen },
            2 => Self::Tcp {
                host: next()?,
                service: next()?,
                listen,
                telnet: record.flags & TELNET != 0,
            },
            3 => Self::Udp {
                remote: (next()?, next()?),
                local: (next()?, next()?),
            },
            4 => Self::Device { path: place },
            5 => Self::Pipe { path: place },
            other => {
                return Err(unsound(&format!(
                    "a console that leads to {other}, which does not exist"
                )));
            }
        })
    }
}

impl From<Link> for LinkRecord {
    fn from(link: Link) -> Self {
        let (kind, name, local, remote) = match link {
            Link::Tap { name } => (0, name, String::new(), String::new()),
            Link::Multicast { name, group } => (1, name, group, String::new()),
            Link::Udp { name, local, remote } => (2, name, local, remote),
            Link::Program { name, socket } => (3, name, socket, String::new()),
        };
        Self {
            kind,
            name: name.into(),
            local: local.into(),
            remote: remote.into(),
        }
    }
}

impl TryFrom<LinkRecord> for Link {
    type Error = Error;

    fn try_from(record: LinkRecord) -> Result<Self> {
        let (name, local, remote) = (text(record.name)?, text(record.local)?, text(record.remote)?);
        Ok(match record.kind {
            0 => Self::Tap { name },
            1 => Self::Multicast { name, group: local },
            2 => Self::Udp { name, local, remote },
            3 => Self::Program { name, socket: local },
            other => return Err(unsound(&format!("a link of kind {other}, which does not exist"))),
        })
    }
}

fn files(files: &[VisibleFile]) -> RVec<FileRecord> {
    files.iter().map(FileRecord::from).collect()
}

impl From<Companion> for CompanionRecord {
    fn from(companion: Companion) -> Self {
        Self {
            name: word(companion.name),
            argv: from_texts(&companion.argv),
            files: files(&companion.files),
            ready: word(companion.ready),
            network: flag(companion.network),
            restart: flag(companion.restart),
        }
    }
}

impl TryFrom<CompanionRecord> for Companion {
    type Error = Error;

    fn try_from(record: CompanionRecord) -> Result<Self> {
        Ok(Self {
            name: text(record.name)?,
            argv: texts(record.argv)?,
            files: record.files.into_iter().map(VisibleFile::from).collect(),
            ready: text(record.ready)?,
            network: yes(record.network)?,
            restart: yes(record.restart)?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::param::Param;

    pub(in crate::abi) fn companion() -> Companion {
        Companion {
            name: "net0".to_owned(),
            argv: vec!["/usr/bin/stack".to_owned(), "@RUN@/net0.link".to_owned()],
            files: vec![VisibleFile {
                path: "/etc/resolv.conf".into(),
                writable: false,
            }],
            ready: "@RUN@/net0.link".to_owned(),
            network: true,
            restart: true,
        }
    }

    pub(in crate::abi) fn backends() -> Vec<Backend> {
        let pair = |host: &str, service: &str| (host.to_owned(), service.to_owned());
        vec![
            Backend::None,
            Backend::Unix {
                path: "/s".into(),
                listen: true,
            },
            Backend::Tcp {
                host: "::1".to_owned(),
                service: "23".to_owned(),
                listen: false,
                telnet: true,
            },
            Backend::Udp {
                remote: pair("h", "1"),
                local: pair("", ""),
            },
            Backend::Device {
                path: "/dev/tty".into(),
            },
            Backend::Pipe { path: "/p".into() },
        ]
    }

    pub(in crate::abi) fn links() -> Vec<Link> {
        let name = || "net0".to_owned();
        vec![
            Link::Tap { name: name() },
            Link::Multicast {
                name: name(),
                group: "230.0.0.1:5".to_owned(),
            },
            Link::Udp {
                name: name(),
                local: "127.0.0.1:1".to_owned(),
                remote: "127.0.0.1:2".to_owned(),
            },
            Link::Program {
                name: name(),
                socket: "@RUN@/net0.stack".to_owned(),
            },
        ]
    }

    #[test]
    fn an_order_crosses_whole() {
        let launch = Launch {
            backends: backends(),
            spare_consoles: 4,
            links: links(),
            companions: vec![companion()],
            limits: vec![Param::new("cpu_shares", 512_u64)],
            user: Some((1, 2)),
            ..Launch::default()
        };
        assert_eq!(Launch::try_from(LaunchRecord::from(&launch)).unwrap(), launch);
    }
}
