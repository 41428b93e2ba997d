//! `Live`: what the document of a running domain shows beyond its definition.

use super::disk::Target;
use driver_api::types::guest::ConsoleSpec;
use std::collections::BTreeMap;

/// Facts of one run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    /// The domain's id.
    pub id: i32,
    /// Pty paths by console alias.
    pub ptys: BTreeMap<String, String>,
    /// The host's device of each interface, in the order of the definition; empty for those that have none.
    pub devices: Vec<String>,
    /// How much memory the guest has, in KiB, when that is less than it booted with.
    pub memory_kib: Option<u64>,
}

impl Live {
    /// The facts of a run from what was ordered and what the host answered, console by console; an empty path is none.
    #[must_use]
    pub fn new(id: i32, consoles: &[ConsoleSpec], ptys: &[String], devices: Vec<String>) -> Self {
        let ptys = consoles
            .iter()
            .zip(ptys)
            .filter(|(_, path)| !path.is_empty())
            .map(|(console, path)| (console.alias.clone(), path.clone()))
            .collect();
        Self {
            id,
            ptys,
            devices,
            memory_kib: None,
        }
    }
}

/// The alias of a disk: its own, or what the guest calls it.
#[must_use]
pub fn disk_alias(target: &Target, own: Option<&str>) -> String {
    own.map_or_else(|| target.to_string(), ToOwned::to_owned)
}

/// The alias of the interface (`vec`) with this number.
#[must_use]
pub fn interface_alias(number: u32, own: Option<&str>) -> String {
    own.map_or_else(|| format!("net{number}"), ToOwned::to_owned)
}

/// The alias of the console (`con`) on this port.
#[must_use]
pub fn console_alias(port: u32, own: Option<&str>) -> String {
    own.map_or_else(|| format!("console{port}"), ToOwned::to_owned)
}

/// The alias of the serial line (`ssl`) on this port.
#[must_use]
pub fn serial_alias(port: u32, own: Option<&str>) -> String {
    own.map_or_else(|| format!("serial{port}"), ToOwned::to_owned)
}
