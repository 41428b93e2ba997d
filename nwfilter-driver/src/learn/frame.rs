//! `Frame`: what an Ethernet frame tells of addresses; bytes that nobody vouches for are read with bounds.

use crate::def::address::Mac;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where frames go in relation to the guest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Way {
    /// The guest sent it; no filter has seen it yet.
    FromGuest,
    /// It is on its way to the guest, past the port's filter.
    ToGuest,
}

/// A frame without a VLAN tag that tells something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// The Ethernet source.
    pub source: Mac,
    /// The Ethernet destination.
    pub destination: Mac,
    /// What it tells.
    pub tale: Tale<'a>,
}

/// What a frame tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tale<'a> {
    /// An ARP packet names its sender.
    Arp {
        /// The sender's MAC address as the packet, not the frame, has it.
        mac: Mac,
        /// The sender; 0.0.0.0 in a probe.
        address: Ipv4Addr,
    },
    /// An IPv4 packet that is not DHCP has a source.
    Ipv4(Ipv4Addr),
    /// An IPv6 neighbour is solicited or advertised: the packet's source, or the address that is tried out if it has
    /// none yet.
    Neighbour(Ipv6Addr),
    /// DHCP from client to server.
    DhcpQuestion(&'a [u8]),
    /// DHCP from server to client.
    DhcpAnswer {
        /// The packet's source.
        server: Ipv4Addr,
        /// The message.
        message: &'a [u8],
    },
    /// DHCPv6 from client to server.
    Dhcp6Question(&'a [u8]),
    /// DHCPv6 from server to client.
    Dhcp6Answer {
        /// The packet's source.
        server: Ipv6Addr,
        /// The message.
        message: &'a [u8],
    },
}

const UDP: u8 = 17;
const ICMP6: u8 = 58;

impl<'a> Frame<'a> {
    /// Reads a frame from its Ethernet header on; `None` if it tells nothing, is tagged, or is cut short.
    #[must_use]
    pub fn read(frame: &'a [u8]) -> Option<Self> {
        let (destination, rest) = frame.split_first_chunk()?;
        let (source, rest) = rest.split_first_chunk()?;
        let (ether_type, packet) = rest.split_first_chunk()?;
        let tale = match u16::from_be_bytes(*ether_type) {
            0x0806 => arp(packet),
            0x0800 => ipv4(packet),
            0x86dd => ipv6(packet),
            _ => None,
        }?;
        Some(Self {
            source: Mac(*source),
            destination: Mac(*destination),
            tale,
        })
    }
}

/// Ethernet and IPv4 only, request or reply.
fn arp(packet: &[u8]) -> Option<Tale<'_>> {
    let (head, rest) = packet.split_first_chunk::<8>()?;
    let &[0, 1, 8, 0, 6, 4, 0, 1 | 2] = head else {
        return None;
    };
    let (mac, rest) = rest.split_first_chunk()?;
    let (address, rest) = rest.split_first_chunk()?;
    (rest.len() >= 10).then_some(Tale::Arp {
        mac: Mac(*mac),
        address: Ipv4Addr::from_octets(*address),
    })
}

fn ipv4(packet: &[u8]) -> Option<Tale<'_>> {
    let head: &[u8; 20] = packet.first_chunk()?;
    let header = usize::from(head[0] & 0xf) * 4;
    let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
    if head[0] >> 4 != 4 || header < 20 || total < header {
        return None;
    }
    let source = Ipv4Addr::new(head[12], head[13], head[14], head[15]);
    let fragment = u16::from_be_bytes([head[6], head[7]]) & 0x3fff != 0;
    if head[9] != UDP || fragment {
        return Some(Tale::Ipv4(source));
    }
    // Ethernet pads short packets; what is behind the packet's end is not part of it.
    let datagram = packet.get(header..total.min(packet.len()))?;
    Some(match udp(datagram) {
        Some((68, 67, message)) => Tale::DhcpQuestion(message),
        Some((67, 68, message)) => Tale::DhcpAnswer {
            server: source,
            message,
        },
        _ => Tale::Ipv4(source),
    })
}

/// Extension headers are not followed: neither DHCPv6 nor neighbour discovery has them.
fn ipv6(packet: &[u8]) -> Option<Tale<'_>> {
    let (head, payload) = packet.split_first_chunk::<40>()?;
    if head[0] >> 4 != 6 {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
    let payload = payload.get(..length.min(payload.len()))?;
    let source = Ipv6Addr::from_octets(*head[8..].first_chunk()?);
    match head[6] {
        UDP => match udp(payload)? {
            (546, 547, message) => Some(Tale::Dhcp6Question(message)),
            (547, 546, message) => Some(Tale::Dhcp6Answer {
                server: source,
                message,
            }),
            _ => None,
        },
        // A hop limit below 255 was set by a router, that is, not by a neighbour (RFC 4861, 7.1).
        ICMP6 if head[7] == 255 => neighbour(source, payload),
        _ => None,
    }
}

fn neighbour(source: Ipv6Addr, payload: &[u8]) -> Option<Tale<'_>> {
    const SOLICITATION: u8 = 135;
    const ADVERTISEMENT: u8 = 136;
    let (head, rest) = payload.split_first_chunk::<8>()?;
    let target = Ipv6Addr::from_octets(*rest.first_chunk()?);
    match head[..2] {
        [SOLICITATION, 0] if source.is_unspecified() => Some(Tale::Neighbour(target)),
        [SOLICITATION | ADVERTISEMENT, 0] => Some(Tale::Neighbour(source)),
        _ => None,
    }
}

/// Source port, destination port, content. The checksum is not looked at: the host's own packets have none yet.
fn udp(datagram: &[u8]) -> Option<(u16, u16, &[u8])> {
    let (head, _) = datagram.split_first_chunk::<8>()?;
    let field = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let length = usize::from(field(4)).min(datagram.len());
    Some((field(0), field(2), datagram.get(8..length)?))
}

#[cfg(test)]
mod tests;
