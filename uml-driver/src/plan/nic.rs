//! `Nic`: one interface as it will be made: which way it leads, and what the host makes for it.

use super::refuse;
use crate::def::DomainDef;
use crate::def::interface::{FilterRef, Interface, Mac};
use crate::def::shaping::Shaping;
use crate::net::{HOST_SIDE, name_fits};
use driver_api::error::Result;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How many interfaces one guest may have.
const MOST: usize = 32;
/// What UML's driver takes, and a tap.
const MTU: std::ops::RangeInclusive<u32> = 576..=65_521;
/// The largest packet that the supervisor carries.
const MOST_RELAYED: u32 = 9_000;

/// An interface as it will be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nic {
    /// The number of the guest's device (`vecN`).
    pub number: u32,
    /// The guest's address.
    pub mac: Mac,
    /// Where it leads.
    pub way: Way,
    /// The name of the host's device, when the user chose it.
    pub device: Option<String>,
    /// The bridge to attach it to; `None` leaves that to the user.
    pub bridge: Option<String>,
    /// The virtual network of which `bridge` is to be the bridge, when the user named that.
    pub network: Option<String>,
    /// The largest packet on both sides; the bridge's and the guest's own when `None`.
    pub mtu: Option<u32>,
    /// Whether the cable is plugged in.
    pub up: bool,
    /// The filter on it.
    pub filter: Option<FilterRef>,
    /// How much it may carry.
    pub shaping: Shaping,
    /// Whether large packets cross whole and are cut by whom they concern: the guest opens its tap itself.
    pub offload: bool,
}

/// Where an interface leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// To a tap that is made for it and goes with it.
    Tap,
    /// To a tap that somebody else made.
    ForeignTap,
    /// Outwards, through a network stack in a program beside the guest.
    User {
        /// The network that the guest sees, when the user chose it.
        subnet: Option<(Ipv4Addr, u8)>,
    },
    /// To everybody in a multicast group.
    Multicast(SocketAddr),
    /// To one peer.
    Udp {
        /// Where frames come in.
        local: SocketAddr,
        /// Where they go.
        remote: SocketAddr,
    },
}

impl Nic {
    /// Whether the host has a device for it.
    #[must_use]
    pub const fn has_device(&self) -> bool {
        matches!(self.way, Way::Tap | Way::ForeignTap)
    }
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
        let nic = Nic::of(interface)?;
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

impl Nic {
    /// One interface.
    ///
    /// # Errors
    /// As [`all`].
    pub fn of(interface: &Interface) -> Result<Self> {
        let mac = interface.mac;
        if mac.bytes()[0] == HOST_SIDE {
            return Err(refuse(format!(
                "the address of interface '{mac}' begins with 'fe', as do those of the host's ends: choose another"
            )));
        }
        if let Some(name) = interface.target.as_deref().filter(|name| !name_fits(name)) {
            return Err(refuse(format!(
                "'{name}', the device of interface '{mac}', is no name that the kernel and UML take: at most 15 bytes without \
                 blanks, '/', ':', ',', '=' and quotes"
            )));
        }
        let way = way(interface)?;
        let most = match way {
            Way::Tap | Way::ForeignTap => *MTU.end(),
            _ => MOST_RELAYED,
        };
        if let Some(mtu) = interface.mtu.filter(|mtu| !(*MTU.start()..=most).contains(mtu)) {
            return Err(refuse(format!(
                "interface '{mac}' has an MTU of {mtu}, UML takes {} to {most} on type '{}'",
                MTU.start(),
                interface.kind
            )));
        }
        let network = interface.source("network").filter(|_| interface.kind == "network");
        let bridge = match interface.kind.as_str() {
            "bridge" => interface.source("bridge"),
            // The second is how libvirt shows which bridge a network has.
            "network" => interface.source("bridge").or(network),
            _ => None,
        };
        let device = interface.target.clone();
        Ok(Self {
            number: interface.number,
            mac,
            device: device.filter(|_| matches!(way, Way::Tap | Way::ForeignTap)),
            way,
            bridge: bridge.map(ToOwned::to_owned),
            network: network.map(ToOwned::to_owned),
            mtu: interface.mtu,
            up: interface.link_up != Some(false),
            filter: interface.filter.clone(),
            shaping: interface.shaping.clone(),
            offload: false,
        })
    }
}

fn way(interface: &Interface) -> Result<Way> {
    let mac = interface.mac;
    Ok(match interface.kind.as_str() {
        "user" => Way::User {
            subnet: subnet(interface)?,
        },
        "mcast" => {
            let group = address(interface, interface.source.as_ref())?;
            if !group.ip().is_multicast() {
                return Err(refuse(format!(
                    "interface '{mac}' of type 'mcast' names '{}', which is no multicast group: 224.0.0.0 to 239.255.255.255 are",
                    group.ip()
                )));
            }
            Way::Multicast(group)
        }
        "udp" => {
            let source = interface.source.as_ref();
            Way::Udp {
                local: address(interface, source.and_then(|source| source.child("local")))?,
                remote: address(interface, source)?,
            }
        }
        _ if interface.is_foreign() => {
            if interface.target.is_none() {
                return Err(refuse(format!(
                    "interface '{mac}' has <target managed='no'> without 'dev', the name of the device that somebody else made"
                )));
            }
            Way::ForeignTap
        }
        _ => Way::Tap,
    })
}

fn address(interface: &Interface, element: Option<&driver_api::kit::xml::Element>) -> Result<SocketAddr> {
    let attribute = |name| element.and_then(|element| element.attr(name)).unwrap_or_default();
    let (ip, port) = (attribute("address"), attribute("port"));
    // A name could mean another machine at each start.
    let parsed = ip.parse::<IpAddr>().ok().zip(port.parse::<u16>().ok());
    let parsed = parsed.filter(|(_, port)| *port > 0);
    parsed.map(|(ip, port)| SocketAddr::new(ip, port)).ok_or_else(|| {
        refuse(format!(
            "interface '{}' of type '{}' has the address '{ip}' and port '{port}': a numeric address and a port from 1 are wanted",
            interface.mac, interface.kind
        ))
    })
}

/// The network that `<ip>` names: the first of its addresses is not the guest's.
fn subnet(interface: &Interface) -> Result<Option<(Ipv4Addr, u8)>> {
    let mut asked = interface.rest.elements.iter().filter(|element| element.name == "ip");
    let Some(ip) = asked.next() else {
        return Ok(None);
    };
    let address = ip.attr("address").and_then(|text| text.parse::<Ipv4Addr>().ok());
    let prefix = ip.attr("prefix").map_or(Some(24), |text| text.parse::<u8>().ok());
    // The program wants the network's own address, with room for the four that it gives out.
    let whole = address.zip(prefix).filter(|(address, prefix)| {
        let hosts = u32::MAX.checked_shr((*prefix).into()).unwrap_or(0);
        (1..=25).contains(prefix) && address.to_bits() & hosts == 0
    });
    let family = matches!(ip.attr("family"), None | Some("ipv4"));
    match whole.filter(|_| family && asked.next().is_none()) {
        Some(whole) => Ok(Some(whole)),
        None => Err(refuse(format!(
            "interface '{}' of type 'user': <ip> must be there once and name an IPv4 network of 1 to 25 bits, such as \
             address='10.1.2.0' prefix='24'",
            interface.mac
        ))),
    }
}
