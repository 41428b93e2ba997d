//! What a guest is kept in beside its namespaces: the system calls that it may make, the files that it may touch.

mod calls;
mod filter;
mod landlock;
mod report;

pub(super) use filter::{allow_for_guest, deny_for_companion, tie_to_supervisor};
pub(super) use landlock::restrict;
pub use report::{Layer, Security, Seen};

use serde::{Deserialize, Serialize};

/// The layers that an administrator can turn off; everything else is always there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the configuration")]
pub struct Layers {
    /// A list of the system calls that a guest may make.
    pub seccomp: bool,
    /// Rules for files, sockets and signals that hold whatever user the guest has.
    pub landlock: bool,
    /// Groups in which a guest is limited, counted and killed.
    pub cgroups: bool,
    /// A network of the guest's own, with nothing in it.
    pub network_namespace: bool,
}

impl Default for Layers {
    fn default() -> Self {
        Self {
            seccomp: true,
            landlock: true,
            cgroups: true,
            network_namespace: true,
        }
    }
}

impl Layers {
    /// What is turned off, in words.
    pub(super) fn off(&self) -> Vec<String> {
        let layers = [
            (self.seccomp, "seccomp"),
            (self.landlock, "landlock"),
            (self.cgroups, "cgroups"),
            (self.network_namespace, "network_namespace"),
        ];
        let off = layers.iter().filter(|(on, _)| !on);
        off.map(|(_, name)| format!("'{name}' is turned off in lockstep.toml"))
            .collect()
    }
}

/// What was put in force and can not be read back from the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct InForce {
    /// How many system calls a guest may make; 0 without such a list.
    pub(super) calls: u32,
    /// The version of Landlock's interface; 0 without it.
    pub(super) landlock: u32,
}
