//! What a document must be beyond its form, so that a start does not fail for what a definition could have told.

use super::DomainDef;
use crate::fault::{ORIGIN, fault};
use driver_api::error::{Code, Error, Result};
use driver_api::types::uuid::Uuid;
use std::path::Path;

/// The longest name of a network device, in bytes.
const DEVICE_NAME: usize = 15;
/// How many serial lines a PC has.
const SERIALS: usize = 4;
/// How many processors QEMU gives to a PC of type `pc`.
const VCPUS: u32 = 255;

impl DomainDef {
    /// # Errors
    /// 27 for what makes no sense, 67 for more than there can be.
    pub(super) fn validate(&self) -> Result<()> {
        if self.name.trim() != self.name
            || self.name.is_empty()
            || self.name.contains(|c: char| c == '/' || c.is_control())
        {
            return Err(wrong(format!("'{}' is no name for a domain", self.name.escape_debug())));
        }
        if self.uuid == Uuid::default() {
            return Err(wrong(format!("'{}' is no domain's UUID: leave it out to have one chosen", self.uuid)));
        }
        if self.memory_kib == 0 {
            return Err(wrong("a domain without memory can not run".to_owned()));
        }
        if !(1..=VCPUS).contains(&self.vcpus) {
            return Err(too_much(format!("{} processors are not between 1 and {VCPUS}", self.vcpus)));
        }
        if self.serials > SERIALS {
            return Err(too_much(format!("{} serial lines are more than {SERIALS}", self.serials)));
        }
        if self.kernel.is_none() && (self.initrd.is_some() || self.cmdline.is_some()) {
            return Err(wrong("<initrd> and <cmdline> are for a <kernel>, which is missing".to_owned()));
        }
        let booted = [Some(&self.emulator), self.kernel.as_ref(), self.initrd.as_ref()];
        let paths = booted.into_iter().flatten().chain(self.disks.iter().map(|disk| &disk.path));
        for path in paths {
            absolute(path)?;
        }
        self.disks_differ()?;
        self.interfaces_differ()
    }

    fn disks_differ(&self) -> Result<()> {
        for (index, disk) in self.disks.iter().enumerate() {
            let target = &disk.target;
            let letters = target.strip_prefix("vd").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_lowercase()));
            if !letters || target.len() < 3 {
                return Err(wrong(format!("'{target}' is no target of a virtio disk: 'vda' is one")));
            }
            if self.disks[..index].iter().any(|other| other.target == *target) {
                return Err(wrong(format!("two disks are '{target}'")));
            }
        }
        Ok(())
    }

    fn interfaces_differ(&self) -> Result<()> {
        for (index, interface) in self.interfaces.iter().enumerate() {
            let (mac, others) = (interface.mac, &self.interfaces[..index]);
            if mac.is_multicast() {
                return Err(wrong(format!("'{mac}' is a multicast address, which no interface can have")));
            }
            if others.iter().any(|other| other.mac == mac) {
                return Err(wrong(format!("two interfaces have the MAC address '{mac}'")));
            }
            let Some(name) = &interface.target else { continue };
            let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%');
            if !(1..=DEVICE_NAME).contains(&name.len()) || name.contains(odd) || matches!(name.as_str(), "." | "..") {
                return Err(wrong(format!("'{}' is no name for a network device", name.escape_debug())));
            }
            if others.iter().any(|other| other.target.as_ref() == Some(name)) {
                return Err(wrong(format!("two interfaces have the device '{name}'")));
            }
        }
        Ok(())
    }
}

fn absolute(path: &Path) -> Result<()> {
    match path.is_absolute() {
        true => Ok(()),
        false => Err(wrong(format!("'{}' must be an absolute path", path.display()))),
    }
}

fn wrong(message: String) -> Error {
    Error::new(Code::XML_ERROR, ORIGIN, message)
}

fn too_much(message: String) -> Error {
    fault(Code::CONFIG_UNSUPPORTED, message)
}
