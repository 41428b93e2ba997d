//! Frames from their parts, with right lengths and checksums.

use super::packet::{checksum, folded};
use super::tuple::crc32c;
use crate::def::address::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An Ethernet frame.
#[must_use]
pub fn ethernet(from: Mac, to: Mac, ether_type: u16, body: &[u8]) -> Vec<u8> {
    [&to.0, &from.0, &ether_type.to_be_bytes()[..], body].concat()
}

/// The frame with a VLAN tag; the tag's upper four bits are the priority.
#[must_use]
pub fn tagged(frame: &[u8], tag: u16) -> Vec<u8> {
    let (head, rest) = frame.split_at(frame.len().min(12));
    [head, &[0x81, 0x00], &tag.to_be_bytes(), rest].concat()
}

/// An 802.3 frame: its length stands where others have a type.
#[must_use]
pub fn llc(from: Mac, to: Mac, body: &[u8]) -> Vec<u8> {
    ethernet(from, to, short(body.len()), body)
}

/// What an ARP or RARP packet says.
#[derive(Clone, Debug)]
pub struct Arp {
    /// The hardware, 1 for Ethernet.
    pub hardware: u16,
    /// The protocol, 0x0800 for IPv4.
    pub protocol: u16,
    /// The operation.
    pub operation: u16,
    /// The sender.
    pub sender: (Mac, Ipv4Addr),
    /// Whom it is about.
    pub target: (Mac, Ipv4Addr),
}

impl Arp {
    /// Its bytes behind the Ethernet header.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [
            &self.hardware.to_be_bytes()[..],
            &self.protocol.to_be_bytes(),
            &[6, 4],
            &self.operation.to_be_bytes(),
            &self.sender.0.0,
            &self.sender.1.octets(),
            &self.target.0.0,
            &self.target.1.octets(),
        ]
        .concat()
    }
}

/// An IP packet's header.
#[derive(Clone, Debug)]
pub struct Ip {
    /// The sender.
    pub source: IpAddr,
    /// The receiver; of the same version.
    pub target: IpAddr,
    /// The protocol, or the first extension header of IPv6.
    pub protocol: u8,
    /// Type of service, or traffic class.
    pub service: u8,
    /// IPv4: what its fragments have in common.
    pub id: u16,
    /// IPv4: the flags and fragment offset field.
    pub fragment: u16,
}

impl Ip {
    /// A packet with nothing special.
    #[must_use]
    pub const fn new(source: IpAddr, target: IpAddr, protocol: u8) -> Self {
        Self {
            source,
            target,
            protocol,
            service: 0,
            id: 0x1234,
            fragment: 0,
        }
    }

    /// The Ethernet type of its version.
    #[must_use]
    pub const fn ether_type(&self) -> u16 {
        match self.source {
            IpAddr::V4(_) => 0x0800,
            IpAddr::V6(_) => 0x86dd,
        }
    }

    /// The packet with this behind its header.
    #[must_use]
    pub fn bytes(&self, body: &[u8]) -> Vec<u8> {
        match (self.source, self.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => self.v4(source, target, body),
            (source, target) => self.v6(v6(source), v6(target), body),
        }
    }

    fn v4(&self, source: Ipv4Addr, target: Ipv4Addr, body: &[u8]) -> Vec<u8> {
        let mut header = [
            &[0x45, self.service][..],
            &short(20 + body.len()).to_be_bytes(),
            &self.id.to_be_bytes(),
            &self.fragment.to_be_bytes(),
            &[64, self.protocol, 0, 0],
            &source.octets(),
            &target.octets(),
        ]
        .concat();
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        [&header, body].concat()
    }

    fn v6(&self, source: Ipv6Addr, target: Ipv6Addr, body: &[u8]) -> Vec<u8> {
        let first = 0x6000_0000 | u32::from(self.service) << 20;
        [
            &first.to_be_bytes()[..],
            &short(body.len()).to_be_bytes(),
            &[self.protocol, 64],
            &source.octets(),
            &target.octets(),
            body,
        ]
        .concat()
    }

    /// The sum of the addresses, protocol and length, which checksums of transports include.
    fn pseudo(&self, protocol: u8, len: usize) -> u16 {
        let addresses = match (self.source, self.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => folded(folded(0, &source.octets()), &target.octets()),
            (source, target) => folded(folded(0, &v6(source).octets()), &v6(target).octets()),
        };
        let [.., high, low] = len.to_be_bytes();
        folded(addresses, &[0, protocol, high, low])
    }

    /// Writes the checksum over the body and the addresses at its place.
    fn sum(&self, protocol: u8, mut body: Vec<u8>, at: usize) -> Vec<u8> {
        let sum = !folded(self.pseudo(protocol, body.len()), &body);
        // A UDP checksum of 0 would mean none.
        let sum = if sum == 0 { 0xffff } else { sum };
        body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        body
    }

    /// A TCP segment of a connection's first moments; options are filled up with zeros to whole words.
    #[must_use]
    pub fn tcp(&self, ports: (u16, u16), flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
        self.tcp_at(ports, flags, (1, 0), options, data)
    }

    /// A TCP segment with its sequence number and the one that it acknowledges.
    #[must_use]
    pub fn tcp_at(&self, ports: (u16, u16), flags: u8, numbers: (u32, u32), options: &[u8], data: &[u8]) -> Vec<u8> {
        let mut options = options.to_vec();
        options.resize(options.len().min(40).next_multiple_of(4), 0);
        let words = u8::try_from(5 + options.len() / 4).unwrap_or(15);
        let header = [
            &ports.0.to_be_bytes()[..],
            &ports.1.to_be_bytes(),
            &numbers.0.to_be_bytes(),
            &numbers.1.to_be_bytes(),
            &[words << 4, flags, 0x20, 0, 0, 0, 0, 0],
        ];
        self.sum(6, [&header.concat(), &options[..], data].concat(), 16)
    }

    /// A UDP datagram.
    #[must_use]
    pub fn udp(&self, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
        self.sum(17, datagram(ports, data), 6)
    }

    /// A UDP-Lite datagram, covered as a whole.
    #[must_use]
    pub fn udplite(&self, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
        self.sum(136, datagram(ports, data), 6)
    }

    /// An ICMP or ICMPv6 message, as the version wants it.
    #[must_use]
    pub fn icmp(&self, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
        let mut body = [&[kind, code, 0, 0], rest].concat();
        if matches!(self.source, IpAddr::V6(_)) {
            return self.sum(58, body, 2);
        }
        let sum = checksum(&body);
        body[2..4].copy_from_slice(&sum.to_be_bytes());
        body
    }
}

fn datagram(ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    [
        &ports.0.to_be_bytes()[..],
        &ports.1.to_be_bytes(),
        &short(8 + data.len()).to_be_bytes(),
        &[0, 0],
        data,
    ]
    .concat()
}

/// An SCTP packet that opens an association.
#[must_use]
pub fn sctp(ports: (u16, u16)) -> Vec<u8> {
    const INIT: [u8; 20] = [1, 0, 0, 20, 1, 2, 3, 4, 0, 0, 0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 1];
    let mut body = [&ports.0.to_be_bytes()[..], &ports.1.to_be_bytes(), &[0; 8], &INIT].concat();
    let sum = crc32c(&body);
    body[8..12].copy_from_slice(&sum.to_le_bytes());
    body
}

/// A spanning tree configuration message behind its LLC header: type, flags, then the fields from the root's priority on.
#[must_use]
pub fn bpdu(kind: u8, flags: u8, fields: &[u8; 30]) -> Vec<u8> {
    [&[0x42, 0x42, 0x03, 0, 0, 0, kind, flags], &fields[..]].concat()
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
