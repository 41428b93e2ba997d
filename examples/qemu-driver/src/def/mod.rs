//! `DomainDef`: what a user asked for, as plain values; read, checked and printed in files of their own.

mod format;
mod mac;
mod parse;
#[cfg(test)]
mod tests;
mod validate;

pub(crate) use format::Live;
pub(crate) use mac::Mac;

use driver_api::types::filter::PortRequest;
use driver_api::types::uuid::Uuid;
use std::path::PathBuf;

/// The emulator of a domain that names none.
pub(crate) const EMULATOR: &str = "/usr/bin/qemu-system-x86_64";
/// How names of taps begin that the driver chooses itself.
pub(crate) const OWN_TAP: &str = "qtap";

/// One guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DomainDef {
    pub(crate) name: String,
    pub(crate) uuid: Uuid,
    /// By the machine's own processors, else emulated.
    pub(crate) kvm: bool,
    pub(crate) memory_kib: u64,
    pub(crate) vcpus: u32,
    /// `pc` or `q35`.
    pub(crate) machine: String,
    pub(crate) emulator: PathBuf,
    /// Booted directly; without one the firmware looks for something on the disks.
    pub(crate) kernel: Option<PathBuf>,
    pub(crate) initrd: Option<PathBuf>,
    pub(crate) cmdline: Option<String>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) interfaces: Vec<Interface>,
    /// How many serial lines there are; the first is the domain's console.
    pub(crate) serials: usize,
}

/// One disk on virtio.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    /// `raw` or `qcow2`.
    pub(crate) format: String,
    pub(crate) target: String,
    pub(crate) readonly: bool,
}

/// One network card on virtio, at the other end of a tap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interface {
    pub(crate) mac: Mac,
    /// Whose port the tap is; without one the tap is left to the user.
    pub(crate) bridge: Option<String>,
    /// The tap's name, if the user has chosen one.
    pub(crate) target: Option<String>,
    pub(crate) filter: Option<Filter>,
}

/// A filter with the values of its variables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) parameters: Vec<(String, String)>,
}

impl DomainDef {
    /// What is wanted of the filter driver for one of the interfaces, whose tap is `device`.
    pub(crate) fn port(&self, interface: &Interface, device: &str) -> Option<PortRequest> {
        let filter = interface.filter.as_ref()?;
        Some(PortRequest {
            port: device.to_owned(),
            mac: interface.mac.to_string(),
            filter: filter.name.clone(),
            parameters: filter.parameters.clone(),
            owner: self.uuid,
            owner_name: self.name.clone(),
        })
    }
}

/// What clients call serial line `index`.
pub(crate) fn serial_alias(index: usize) -> String {
    format!("serial{index}")
}
