//! `Extras`: what an order asks for beyond a program with its files and consoles, as it stands in the order's file.

use super::order::FileOrder;
use driver_api::types::launch::{Backend, Companion, Launch, Link};
use driver_api::types::param::{Param, Value};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The parts of a `Launch` that a plain guest has not.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Extras {
    /// What each console leads to, in their order; those without one lead nowhere else.
    pub(super) backends: Vec<BackendOrder>,
    pub(super) spare_consoles: u32,
    pub(super) links: Vec<LinkOrder>,
    pub(super) companions: Vec<CompanionOrder>,
    pub(super) limits: Vec<Limit>,
    pub(super) user: Option<(u32, u32)>,
}

/// `Backend` in a file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BackendOrder {
    #[default]
    None,
    Unix {
        path: PathBuf,
        listen: bool,
    },
    Tcp {
        host: String,
        service: String,
        listen: bool,
        telnet: bool,
    },
    Udp {
        remote: (String, String),
        local: (String, String),
    },
    Device {
        path: PathBuf,
    },
    Pipe {
        path: PathBuf,
    },
}

/// `Link` in a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LinkOrder {
    Tap {
        name: String,
    },
    Multicast {
        name: String,
        group: String,
    },
    Udp {
        name: String,
        local: String,
        remote: String,
    },
    Program {
        name: String,
        socket: String,
    },
}

impl LinkOrder {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Tap { name } | Self::Multicast { name, .. } | Self::Udp { name, .. } | Self::Program { name, .. } => {
                name
            }
        }
    }
}

/// `Companion` in a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct CompanionOrder {
    pub(super) name: String,
    pub(super) argv: Vec<String>,
    pub(super) files: Vec<FileOrder>,
    pub(super) ready: String,
    pub(super) network: bool,
    pub(super) restart: bool,
}

/// A limit in a file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) value: Amount,
}

/// The value of a limit: a number, or text such as a list of processors.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Amount {
    Signed(i64),
    Unsigned(u64),
    Text(String),
}

impl Amount {
    /// The value as a number that is not negative.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Signed(value) => u64::try_from(*value).ok(),
            Self::Unsigned(value) => Some(*value),
            Self::Text(_) => None,
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signed(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}

impl From<&Launch> for Extras {
    fn from(launch: &Launch) -> Self {
        Self {
            backends: launch.backends.iter().map(BackendOrder::from).collect(),
            spare_consoles: launch.spare_consoles,
            links: launch.links.iter().map(LinkOrder::from).collect(),
            companions: launch.companions.iter().map(CompanionOrder::from).collect(),
            limits: launch.limits.iter().map(Limit::from).collect(),
            user: launch.user,
        }
    }
}

impl From<&Backend> for BackendOrder {
    fn from(backend: &Backend) -> Self {
        match backend.clone() {
            Backend::None => Self::None,
            Backend::Unix { path, listen } => Self::Unix { path, listen },
            Backend::Tcp {
                host,
                service,
                listen,
                telnet,
            } => Self::Tcp {
                host,
                service,
                listen,
                telnet,
            },
            Backend::Udp { remote, local } => Self::Udp { remote, local },
            Backend::Device { path } => Self::Device { path },
            Backend::Pipe { path } => Self::Pipe { path },
        }
    }
}

impl From<&Link> for LinkOrder {
    fn from(link: &Link) -> Self {
        match link.clone() {
            Link::Tap { name } => Self::Tap { name },
            Link::Multicast { name, group } => Self::Multicast { name, group },
            Link::Udp { name, local, remote } => Self::Udp { name, local, remote },
            Link::Program { name, socket } => Self::Program { name, socket },
        }
    }
}

impl From<&Companion> for CompanionOrder {
    fn from(companion: &Companion) -> Self {
        Self {
            name: companion.name.clone(),
            argv: companion.argv.clone(),
            files: companion.files.iter().map(FileOrder::from).collect(),
            ready: companion.ready.clone(),
            network: companion.network,
            restart: companion.restart,
        }
    }
}

impl From<&Param> for Limit {
    fn from(param: &Param) -> Self {
        let value = match &param.value {
            Value::Int(number) => Amount::Signed((*number).into()),
            Value::Uint(number) => Amount::Unsigned((*number).into()),
            Value::Long(number) => Amount::Signed(*number),
            Value::Ulong(number) => Amount::Unsigned(*number),
            Value::Bool(on) => Amount::Unsigned((*on).into()),
            Value::Double(number) => Amount::Text(number.to_string()),
            Value::Text(text) => Amount::Text(text.clone()),
        };
        Self {
            name: param.name.clone(),
            value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_of_an_older_host_asks_for_nothing_more_and_ours_reads_back() {
        assert_eq!(serde_json::from_str::<Extras>("{}").unwrap(), Extras::default());
        let launch = Launch {
            backends: vec![Backend::Tcp {
                host: "::1".to_owned(),
                service: "telnet".to_owned(),
                listen: true,
                telnet: true,
            }],
            links: vec![Link::Tap {
                name: "vnet0".to_owned(),
            }],
            companions: vec![Companion::default()],
            limits: vec![Param::new("vcpu_quota", -1_i64), Param::new("cpuset", "0-1")],
            user: Some((1, 2)),
            ..Launch::default()
        };
        let extras = Extras::from(&launch);
        let text = serde_json::to_string(&extras).unwrap();
        assert_eq!(serde_json::from_str::<Extras>(&text).unwrap(), extras, "{text}");
    }
}
