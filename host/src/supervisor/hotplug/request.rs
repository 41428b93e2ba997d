//! What is put into a running guest or taken out, and what its supervisor answers, as it goes over the control socket.

use super::super::extras::{BackendOrder, CompanionOrder, LinkOrder};
use super::super::order::{ConsoleOrder, Failure, FileOrder};
use driver_api::types::launch::Unplug;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `Plug`, complete: addresses are numbers, paths are absolute.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum PlugOrder {
    File(FileOrder),
    Console(ConsoleOrder, BackendOrder),
    Link(LinkOrder),
    Companion(CompanionOrder),
}

/// `Unplug`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum UnplugOrder {
    File(PathBuf),
    Console(String),
    Link(String),
    Companion(String),
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Outcome {
    /// It is in; of a console, where.
    Plugged {
        index: u32,
        descriptor: i32,
        pty: String,
    },
    /// It is out.
    Unplugged,
    /// It can not be put in as things are now: what stands in the way.
    Taken(String),
    /// It can not be taken out: what is not there.
    Missing(String),
    Failed(Failure),
}

impl Outcome {
    /// Something without a place of its own is in.
    pub(super) const fn plugged() -> Self {
        Self::Plugged {
            index: 0,
            descriptor: 0,
            pty: String::new(),
        }
    }
}

impl From<Result<(), Failure>> for Outcome {
    fn from(done: Result<(), Failure>) -> Self {
        done.map_or_else(Self::Failed, |()| Self::plugged())
    }
}

impl From<&Unplug> for UnplugOrder {
    fn from(unplug: &Unplug) -> Self {
        match unplug.clone() {
            Unplug::File(path) => Self::File(path),
            Unplug::Console(alias) => Self::Console(alias),
            Unplug::Link(name) => Self::Link(name),
            Unplug::Companion(name) => Self::Companion(name),
        }
    }
}
