//! `DomainDef`: what the user asked for, read from XML, checked, and printed back.
//!
//! What this driver does not understand is kept and printed back. What it understands but cannot do is kept too and
//! named by [`DomainDef::unsupported`], so that a definition survives the way through a host that cannot start it.

pub mod change;
pub mod console;
pub mod cpuset;
pub mod device;
pub mod disk;
pub mod folder;
mod format;
pub mod interface;
pub mod label;
pub mod live;
pub mod memory;
mod metadata;
mod notes;
mod order;
pub mod os;
mod parse;
pub mod rest;
pub mod secret;
pub mod shaping;
pub mod tune;
mod unsupported;
mod validate;

pub use live::Live;
pub use validate::NAME_BYTES;

use console::Console;
use disk::Disk;
use driver_api::error::Result;
use driver_api::kit::xml::Element;
use driver_api::types::uuid::Uuid;
use folder::Folder;
use interface::Interface;
use memory::Memory;
use os::{Action, Os, Vcpu};
use rest::Rest;
use tune::Tune;

/// A domain as the user asked for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainDef {
    /// Never changes.
    pub uuid: Uuid,
    /// At most [`NAME_BYTES`] bytes, without `/` and control characters.
    pub name: String,
    /// One line about it.
    pub title: Option<String>,
    /// Any text about it.
    pub description: Option<String>,
    /// Other programs' notes, kept as they are.
    pub metadata: Option<Element>,
    /// Memory.
    pub memory: Memory,
    /// Processors.
    pub vcpu: Vcpu,
    /// What it may use of the machine.
    pub tune: Tune,
    /// How it boots.
    pub os: Os,
    /// What is done when the guest powers off.
    pub on_poweroff: Action,
    /// What is done when the guest reboots.
    pub on_reboot: Action,
    /// What is done when the guest crashes.
    pub on_crash: Action,
    /// The program; the kernel, when `<os>` names none.
    pub emulator: Option<String>,
    /// Disks, in the order of their targets.
    pub disks: Vec<Disk>,
    /// Folders of the host, in the order of the document.
    pub folders: Vec<Folder>,
    /// Network interfaces, in the order of the document.
    pub interfaces: Vec<Interface>,
    /// Serial lines (`ssl0`...), in the order of the document.
    pub serials: Vec<Console>,
    /// Consoles (`con0`...), in the order of the document, which is the order of their ports.
    pub consoles: Vec<Console>,
    /// What else `<devices>` held.
    pub devices_rest: Rest,
    /// What else `<domain>` held.
    pub rest: Rest,
}

impl DomainDef {
    /// Reads and checks a document. A UUID and MAC addresses that it leaves out are made up.
    ///
    /// # Errors
    /// 27 (`XML_ERROR`) for what is not well-formed or contradicts itself, 8 for another virtualization type, 19 for a
    /// disk without source, 67 for what UML cannot express, 38 when the kernel's random source fails.
    pub fn from_xml(document: &[u8]) -> Result<Self> {
        let def = parse::document(document)?;
        validate::all(&def)?;
        Ok(def)
    }

    /// The document as libvirt prints it; with `live`, also what only a running domain has.
    #[must_use]
    pub fn to_xml(&self, live: Option<&Live>) -> String {
        format::document(self, live).to_string()
    }

    /// What was asked for and cannot be done, one fragment each that names it; empty when the domain can be started.
    #[must_use]
    pub fn unsupported(&self) -> Vec<String> {
        unsupported::list(self)
    }

    /// What was asked for and has no effect, in sentences; none of it breaks a promise.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        notes::list(self)
    }

    /// The UML kernel: `<kernel>`, else `<emulator>`.
    #[must_use]
    pub fn kernel(&self) -> Option<&str> {
        self.os.kernel.as_deref().or(self.emulator.as_deref())
    }
}

/// What every document must survive: if it is accepted, then its printed form is accepted, means the same and prints
/// the same.
///
/// Fuzzing and property tests call this.
///
/// # Panics
/// The driver has a bug.
pub fn check_round_trip(document: &[u8]) {
    let Ok(def) = DomainDef::from_xml(document) else {
        return;
    };
    let printed = def.to_xml(None);
    match DomainDef::from_xml(printed.as_bytes()) {
        Ok(again) => {
            assert_eq!(again, def, "the printed form means something else:\n{printed}");
            assert_eq!(again.to_xml(None), printed, "the printed form is not stable");
        }
        Err(error) => assert_eq!(None, Some(error.to_string()), "the printed form is refused:\n{printed}"),
    }
}

#[cfg(test)]
mod tests;
