//! `Interface`: one `<interface>`, with its MAC address and the filter that guards it.

use super::rest::Rest;
use super::shaping::Shaping;
use driver_api::kit::xml::Element;
use std::fmt;
use std::str::FromStr;

/// One network interface of a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// The `type` attribute.
    pub kind: String,
    /// The guest's address.
    pub mac: Mac,
    /// `<source>` as given.
    pub source: Option<Element>,
    /// The host's device, when the user chose its name.
    pub target: Option<String>,
    /// `<model type>`.
    pub model: Option<String>,
    /// The filter on it.
    pub filter: Option<FilterRef>,
    /// `<link state>`: whether the cable is plugged in.
    pub link_up: Option<bool>,
    /// `<mtu size>` in bytes.
    pub mtu: Option<u32>,
    /// The number of the guest's device (`vecN`) and of its alias: its place in the document, and what it was given when it
    /// was plugged in.
    pub number: u32,
    /// How much it may carry.
    pub shaping: Shaping,
    /// The user's own alias (`ua-...`).
    pub alias: Option<String>,
    /// Everything else.
    pub rest: Rest,
}

impl Interface {
    /// An attribute of `<source>`.
    #[must_use]
    pub fn source(&self, attribute: &str) -> Option<&str> {
        self.source.as_ref()?.attr(attribute)
    }

    /// Whether its device is somebody else's (`<target managed='no'>`), made before and there after.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.rest.element("target").and_then(|target| target.attr("managed")) == Some("no")
    }
}

/// `<filterref>`: which filter, with which values for its variables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilterRef {
    /// The filter's name.
    pub filter: String,
    /// Names with values, in the order of the document; a name given twice is a list.
    pub parameters: Vec<(String, String)>,
}

/// What an interface may be connected to, in libvirt's names.
pub(super) const KINDS: &[&str] = &[
    "user",
    "ethernet",
    "vhostuser",
    "server",
    "client",
    "mcast",
    "network",
    "bridge",
    "internal",
    "direct",
    "hostdev",
    "udp",
    "vdpa",
    "null",
    "vds",
];

/// An Ethernet address of one station.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mac([u8; 6]);

impl Mac {
    /// A random address in the range that libvirt uses for guests.
    ///
    /// # Errors
    /// The kernel's random source failed.
    pub fn random() -> std::io::Result<Self> {
        let uuid = driver_api::types::uuid::Uuid::random()?;
        let [a, b, c, ..] = *uuid.as_bytes();
        Ok(Self([0x52, 0x54, 0x00, a, b, c]))
    }

    /// Its bytes, first first.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// The same with another first byte.
    #[must_use]
    pub const fn with_first(self, first: u8) -> Self {
        let [_, b, c, d, e, f] = self.0;
        Self([first, b, c, d, e, f])
    }

    /// Whether it names a group of stations and not one.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl From<[u8; 6]> for Mac {
    fn from(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The text is not a MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAMac;

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().unwrap_or_default();
            // A sign would pass the number parser.
            if !matches!(part.len(), 1..=2) || !part.bytes().all(|c| c.is_ascii_hexdigit()) {
                return Err(NotAMac);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| NotAMac)?;
        }
        parts.next().map_or(Ok(Self(bytes)), |_| Err(NotAMac))
    }
}
