//! `Packet`: a frame as nf_tables sees it in the bridge family: where its headers begin, and what can be read of it.

use crate::ruleset::{Base, Load};
use std::borrow::Cow;

/// The shortest frame that a device takes: its Ethernet header.
pub const MIN_FRAME: usize = 14;
/// The kernel takes the tag off on receipt; a frame that ends before the inner type and two more bytes is lost then.
const MIN_TAGGED: usize = 20;

const ETH_IP: u16 = 0x0800;
const ETH_IPV6: u16 = 0x86dd;
const TAGS: [u16; 2] = [0x8100, 0x88a8];
/// What the kernel takes an 802.3 length behind a tag for: LLC, or raw IPX.
const LLC: u16 = 0x0004;
const RAW_802_3: u16 = 0x0001;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;

/// The protocol of a packet and where its header is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transport {
    /// The IP protocol.
    pub protocol: u8,
    /// The header's first byte, counted from the frame's.
    pub at: usize,
    /// A fragment but the first: the header is in another packet.
    pub later_fragment: bool,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// As loads from the Ethernet header see it.
    link: Cow<'a, [u8]>,
    network: usize,
    ether_type: u16,
    tagged: bool,
    transport: Option<Transport>,
}

impl<'a> Packet<'a> {
    /// Looks at a frame's headers.
    ///
    /// # Errors
    /// In words why no device would take it.
    pub fn read(frame: &'a [u8]) -> Result<Self, &'static str> {
        if frame.len() < MIN_FRAME {
            return Err("it is shorter than an Ethernet header");
        }
        let outer = be16(frame, 12).unwrap_or_default();
        let tagged = TAGS.contains(&outer);
        if tagged && frame.len() < MIN_TAGGED {
            return Err("it ends within its VLAN tag");
        }
        let (network, ether_type) = match tagged {
            true => (18, be16(frame, 16).unwrap_or_default()),
            false => (14, outer),
        };
        let mut link = Cow::Borrowed(frame);
        if tagged && ether_type < 0x0600 {
            let shown = if be16(frame, 18) == Some(0xffff) {
                RAW_802_3
            } else {
                LLC
            };
            link.to_mut()[16..18].copy_from_slice(&shown.to_be_bytes());
        }
        let mut packet = Self {
            link,
            network,
            ether_type,
            tagged,
            transport: None,
        };
        packet.transport = packet.find_transport();
        Ok(packet)
    }

    fn find_transport(&self) -> Option<Transport> {
        match self.ether_type {
            ETH_IP => self.transport_v4(),
            ETH_IPV6 => self.transport_v6(),
            _ => None,
        }
    }

    /// The frame without the bytes behind its IP packet, as it is once the kernel's IP side has seen it.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        let end = match self.ip_version() {
            Some(4) => self.field(2).map(usize::from),
            Some(_) => self.field(4).map(|length| 40 + usize::from(length)),
            None => None,
        };
        let Some(end) = end.map(|end| self.network + end) else {
            return self;
        };
        match &mut self.link {
            Cow::Borrowed(link) => *link = &link[..end.min(link.len())],
            Cow::Owned(link) => link.truncate(end),
        }
        // What the walk over headers went by may have been behind the packet.
        self.transport = self.find_transport();
        self
    }

    /// What is read, or `None` if it is not there.
    #[must_use]
    pub fn load(&self, load: Load) -> Option<&[u8]> {
        let (base, offset, len) = match load {
            Load::Payload { base, offset, len } => (base, usize::from(offset), usize::from(len)),
            Load::Protocol => return self.transport.map(|transport| protocol_byte(transport.protocol)),
        };
        let start = match base {
            Base::Link => 0,
            Base::Network => self.network,
            Base::Transport => self.readable_transport()?.at,
        };
        self.link.get(start + offset..start + offset + len)
    }

    /// The transport header as far as rules may read it: our rules first make sure that three bytes of it are there, since
    /// the kernel would take shorter ones from fragments that have none.
    fn readable_transport(&self) -> Option<Transport> {
        let transport = self.transport.filter(|transport| !transport.later_fragment)?;
        (transport.at + 3 <= self.link.len()).then_some(transport)
    }

    /// Whether the TCP header has an option of this kind; the kernel answers no for what is not TCP. `None` if there is no
    /// transport header.
    #[must_use]
    pub fn has_tcp_option(&self, kind: u8) -> Option<bool> {
        self.readable_transport()?;
        Some(self.tcp_option(kind).unwrap_or_default())
    }

    fn tcp_option(&self, kind: u8) -> Option<bool> {
        let tcp = self
            .transport
            .filter(|transport| transport.protocol == 6 && !transport.later_fragment)?;
        let header = self.link.get(tcp.at..)?;
        let len = usize::from(*header.get(12)? >> 4) * 4;
        let header = header.get(..len).filter(|header| header.len() >= 20)?;
        let mut at = 20;
        // The kernel does not look at an option that is the header's last byte, nor does it stop at the list's end.
        while at + 1 < len {
            let found = header[at];
            let step = match (found, usize::from(header[at + 1])) {
                (0 | 1, _) | (_, 0) => 1,
                (_, step) => step,
            };
            if found == kind {
                return Some(at + step <= len);
            }
            at += step;
        }
        Some(false)
    }

    /// Why the kernel's bridge drops the packet before anything but [`crate::ruleset::Hook::FrameOut`] sees it, where
    /// bridges call the IP tables. Of tagged packets and other protocols only a second header is looked at.
    #[must_use]
    pub fn malformed(&self) -> Option<&'static str> {
        match (self.ip_version(), self.ether_type) {
            (Some(4), _) => self.malformed_v4(),
            (Some(_), _) => self.malformed_v6(),
            (None, 0x8100) if self.network().len() < 4 => Some("the second VLAN tag is cut"),
            (None, 0x8864) if self.network().len() < 8 => Some("the PPPoE header is cut"),
            _ => None,
        }
    }

    /// Why the bridge does not forward the packet, which it looks at once more when it was [`Packet::trimmed`].
    #[must_use]
    pub fn malformed_again(&self) -> Option<&'static str> {
        let is_cut = |length| self.byte(6) == Some(HOP_BY_HOP) && usize::from(length) < self.hop_by_hop_len();
        let cut = self.ip_version() == Some(6) && self.field(4).is_some_and(is_cut);
        cut.then_some("the IPv6 packet ends within its hop-by-hop options")
    }

    fn hop_by_hop_len(&self) -> usize {
        self.byte(41).map_or(8, |len| (usize::from(len) + 1) * 8)
    }

    fn malformed_v4(&self) -> Option<&'static str> {
        let network = self.network();
        let (Some(first), Some(length)) = (network.first(), self.field(2)) else {
            return Some("the IPv4 header is cut");
        };
        let header = usize::from(first & 0xf) * 4;
        if network.len() < 20 || header < 20 || first >> 4 != 4 || network.len() < header {
            return Some("the IPv4 header is not one");
        }
        if checksum(&network[..header]) != 0 {
            return Some("the IPv4 header's checksum is wrong");
        }
        let length = usize::from(length);
        (length > network.len() || length < header).then_some("the IPv4 packet's length is wrong")
    }

    fn malformed_v6(&self) -> Option<&'static str> {
        let network = self.network();
        let (true, Some(length)) = (network.len() >= 40, self.field(4)) else {
            return Some("the IPv6 header is cut");
        };
        if network[0] >> 4 != 6 {
            return Some("the IPv6 header is not one");
        }
        if (length > 0 || network[6] != HOP_BY_HOP) && 40 + usize::from(length) > network.len() {
            return Some("the IPv6 packet's length is wrong");
        }
        (network[6] == HOP_BY_HOP && !hop_by_hop_is_sound(network))
            .then_some("the IPv6 hop-by-hop options are malformed")
    }

    /// 4 or 6 for packets that the kernel's IP side is shown: untagged ones.
    #[must_use]
    pub const fn ip_version(&self) -> Option<u8> {
        match (self.tagged, self.ether_type) {
            (false, ETH_IP) => Some(4),
            (false, ETH_IPV6) => Some(6),
            _ => None,
        }
    }

    /// Whether it is a part of a packet that the kernel's IP side holds until it has all, if it tracks connections.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        match self.ip_version() {
            Some(4) => self.field(6).is_some_and(|field| field & 0x3fff != 0),
            Some(_) => self.v6_fragment().unwrap_or_default(),
            None => false,
        }
    }

    fn v6_fragment(&self) -> Option<bool> {
        let network = self.network();
        let (mut next, mut at) = (*network.get(6)?, 40);
        while next != FRAGMENT {
            if !matches!(next, HOP_BY_HOP | ROUTING | DESTINATION) {
                return None;
            }
            let header = network.get(at..at + 2)?;
            (next, at) = (header[0], at + (usize::from(header[1]) + 1) * 8);
        }
        let (offset, length) = (be16(network, at + 2)?, usize::from(self.field(4)?));
        let body = (40 + length).checked_sub(at + 8)?;
        let more = offset & 1 == 1;
        // The kernel lets through what can not be a part: one that others follow, with an odd length.
        Some(offset & 0xfff9 != 0 && !(more && body % 8 != 0))
    }

    /// The transport header, for IP packets that can be read.
    #[must_use]
    pub const fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// What stands behind the Ethernet header and a tag that was taken off.
    #[must_use]
    pub fn network(&self) -> &[u8] {
        self.link.get(self.network..).unwrap_or_default()
    }

    /// The frame from its first byte.
    #[must_use]
    pub fn link(&self) -> &[u8] {
        &self.link
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.network().get(at).copied()
    }

    fn field(&self, at: usize) -> Option<u16> {
        be16(self.network(), at)
    }

    fn transport_v4(&self) -> Option<Transport> {
        let network = self.network();
        let header = usize::from(*network.first()? & 0xf) * 4;
        let length = usize::from(self.field(2)?);
        let sound = network.len() >= 20 && header >= 20 && network[0] >> 4 == 4;
        (sound && length <= network.len() && length >= header).then(|| Transport {
            protocol: network[9],
            at: self.network + header,
            later_fragment: self.field(6).is_some_and(|field| field & 0x1fff != 0),
        })
    }

    fn transport_v6(&self) -> Option<Transport> {
        let network = self.network();
        if network.len() < 40 || network[0] >> 4 != 6 || 40 + usize::from(self.field(4)?) > network.len() {
            return None;
        }
        let (mut next, mut at) = (network[6], 40);
        // An authentication header ends the walk: it is what the kernel answers.
        while matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
            let header = network.get(at..at + if next == ROUTING { 4 } else { 2 })?;
            let following = header[0];
            let mut len = (usize::from(header[1]) + 1) * 8;
            if next == FRAGMENT {
                let offset = be16(network, at + 2)? & 0xfff8;
                if offset != 0 {
                    let last = !is_extension(following) || following == NO_NEXT;
                    return last.then_some(Transport {
                        protocol: following,
                        at: self.network,
                        later_fragment: true,
                    });
                }
                len = 8;
            }
            (next, at) = (following, at + len);
        }
        // The kernel reads the first two bytes even of the header that it stops at.
        if next == AUTHENTICATION {
            network.get(at..at + 2)?;
        }
        Some(Transport {
            protocol: next,
            at: self.network + at,
            later_fragment: false,
        })
    }
}

const fn is_extension(header: u8) -> bool {
    matches!(
        header,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | NO_NEXT | DESTINATION
    )
}

/// Options of a hop-by-hop header as far as a bridge checks them: they fill the header, and a jumbogram's length is
/// refused where a length is given already.
fn hop_by_hop_is_sound(network: &[u8]) -> bool {
    const PAD_ONE: u8 = 0;
    const PAD: u8 = 1;
    const JUMBO: u8 = 0xc2;
    let Some(len) = network.get(41).map(|len| (usize::from(*len) + 1) * 8) else {
        return false;
    };
    let Some(header) = network.get(40..40 + len) else {
        return false;
    };
    let mut at = 2;
    while at < len {
        if header[at] == PAD_ONE {
            at += 1;
            continue;
        }
        let Some(step) = header.get(at + 1).map(|step| usize::from(*step) + 2) else {
            return false;
        };
        match header[at] {
            PAD => {}
            JUMBO => return false,
            _ if at + step > len => return false,
            _ => {}
        }
        at += step;
    }
    at == len
}

/// A byte that lives long enough to be lent.
fn protocol_byte(protocol: u8) -> &'static [u8] {
    static BYTES: [u8; 256] = {
        let mut bytes = [0; 256];
        let mut at = 0_u8;
        loop {
            bytes[at as usize] = at;
            if at == u8::MAX {
                break bytes;
            }
            at += 1;
        }
    };
    std::slice::from_ref(&BYTES[usize::from(protocol)])
}

/// A number of two bytes in network order.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// The Internet checksum; 0 over bytes that have theirs in them.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    !folded(0, bytes)
}

/// Adds bytes to a sum of 16-bit words with the carry taken around.
pub(super) fn folded(start: u16, bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
    let mut sum = u32::from(start);
    for pair in bytes.chunks(2) {
        sum += word(pair);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
