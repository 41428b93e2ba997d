//! One interface: the tap that the host makes for it, and the `vec` argument by which the guest finds it.

use super::refuse;
use crate::def::DomainDef;
use crate::def::interface::{FilterRef, Interface, Mac};
use crate::net::{HOST_SIDE, name_fits};
use driver_api::error::Result;
use driver_api::types::guest::DESCRIPTOR_FD;

/// How many interfaces one guest may have: so many descriptors is a guest born with.
const MOST: usize = 32;
/// What UML's driver takes, and a tap.
const MTU: std::ops::RangeInclusive<u32> = 576..=65_521;

/// An interface as it will be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nic {
    /// The guest's address.
    pub mac: Mac,
    /// The name of the host's device, when the user chose it.
    pub device: Option<String>,
    /// The bridge to attach it to; `None` leaves that to the user.
    pub bridge: Option<String>,
    /// The largest packet on both sides; the bridge's and the guest's own when `None`.
    pub mtu: Option<u32>,
    /// Whether the cable is plugged in.
    pub up: bool,
    /// The filter on it.
    pub filter: Option<FilterRef>,
}

/// Every interface, in the order of the document, which is that of the guest's devices.
///
/// # Errors
/// 67 with the name of what neither UML nor the host's kernel can have.
pub fn all(def: &DomainDef) -> Result<Vec<Nic>> {
    if def.interfaces.len() > MOST {
        let count = def.interfaces.len();
        return Err(refuse(format!(
            "domain '{}' has {count} interfaces, {MOST} are possible",
            def.name
        )));
    }
    let mut nics: Vec<Nic> = Vec::new();
    for interface in &def.interfaces {
        let nic = nic(interface)?;
        let twice = |other: &Nic| nic.device.is_some() && nic.device == other.device;
        if let Some(other) = nics.iter().find(|other| twice(other)) {
            return Err(refuse(format!(
                "interfaces '{}' and '{}' want the same device '{}'",
                other.mac,
                nic.mac,
                nic.device.unwrap_or_default()
            )));
        }
        nics.push(nic);
    }
    Ok(nics)
}

fn nic(interface: &Interface) -> Result<Nic> {
    let mac = interface.mac;
    if mac.bytes()[0] == HOST_SIDE {
        return Err(refuse(format!(
            "the address of interface '{mac}' begins with 'fe', as do those of the host's ends: choose another"
        )));
    }
    if let Some(name) = interface.target.as_deref().filter(|name| !name_fits(name)) {
        return Err(refuse(format!(
            "'{name}', the device of interface '{mac}', is no name that the kernel takes: at most 15 bytes without blanks, \
             '/' and ':'"
        )));
    }
    if let Some(mtu) = interface.mtu.filter(|mtu| !MTU.contains(mtu)) {
        return Err(refuse(format!(
            "interface '{mac}' has an MTU of {mtu}, UML takes {} to {}",
            MTU.start(),
            MTU.end()
        )));
    }
    let bridge = interface.source.as_ref().and_then(|source| source.attr("bridge"));
    Ok(Nic {
        mac,
        device: interface.target.clone(),
        bridge: bridge.filter(|_| interface.kind == "bridge").map(ToOwned::to_owned),
        mtu: interface.mtu,
        up: interface.link_up != Some(false),
        filter: interface.filter.clone(),
    })
}

/// The argument for interface number `index`.
///
/// The descriptor is a tap's, on which UML can not read and write several frames at once (`vec=0`), and which carries no
/// packet that would have to be cut or merged (so no `gro`).
pub(super) fn argument(index: usize, nic: &Nic) -> Result<String> {
    let number = i32::try_from(index)
        .ok()
        .and_then(|index| DESCRIPTOR_FD.checked_add(index))
        .ok_or_else(|| refuse(format!("interface '{}' is one more than can be numbered", nic.mac)))?;
    let mtu = nic.mtu.map_or_else(String::new, |mtu| format!(",mtu={mtu}"));
    Ok(format!(
        "vec{index}:transport=fd,fd={number},vec=0,mac={}{mtu}",
        nic.mac
    ))
}
