//! Random packets: mostly what a filter asks for, now and then broken.

use crate::pool::{self, often, one};
use crate::wire::{HOST_V4, HOST_V6};
use fastrand::Rng;
use nwfilter_driver::def::address::Mac;
use nwfilter_driver::simulate::Way;
use nwfilter_driver::simulate::frame::{Arp, Ip, bpdu, ethernet, llc, sctp, tagged};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const KINDS: [&str; 22] = [
    "mac",
    "vlan",
    "stp",
    "arp",
    "rarp",
    "ip",
    "ipv6",
    "tcp",
    "udp",
    "udplite",
    "esp",
    "ah",
    "sctp",
    "icmp",
    "igmp",
    "all",
    "tcp-ipv6",
    "udp-ipv6",
    "udplite-ipv6",
    "sctp-ipv6",
    "icmpv6",
    "all-ipv6",
];

/// Packets that follow one another, on connections that nobody saw before.
pub(crate) fn sequence(rng: &mut Rng, protocols: &[&'static str], host: Mac) -> Vec<(Way, Vec<u8>)> {
    let way = one(
        rng,
        &[
            Way::Out,
            Way::Out,
            Way::Out,
            Way::In,
            Way::In,
            Way::In,
            Way::ToHost,
            Way::FromHost,
        ],
    );
    let kind = match protocols {
        [] => one(rng, &KINDS),
        some if often(rng, 70) => one(rng, some),
        _ => one(rng, &KINDS),
    };
    let mut packet = Parts::random(rng, way, host);
    let first = packet.frame(rng, kind);
    let mut sequence = vec![(way, broken(rng, way, first))];
    // An answer, and another packet of the first sender.
    let back = match way {
        Way::Out => Way::In,
        Way::In => Way::Out,
        _ => return sequence,
    };
    if often(rng, 35) {
        packet.turn();
        sequence.push((back, packet.frame(rng, kind)));
        packet.turn();
        sequence.push((way, packet.frame(rng, kind)));
    }
    sequence
}

fn mac(text: &str) -> Mac {
    Mac::read(text).unwrap()
}

/// Cuts a frame, changes a byte, or adds what does not belong to it.
fn broken(rng: &mut Rng, way: Way, mut frame: Vec<u8>) -> Vec<u8> {
    // The host itself sends no broken packets, and it would be the one to find out.
    if way == Way::FromHost || often(rng, 85) {
        return frame;
    }
    match rng.u32(..4) {
        0 => frame.truncate(rng.usize(14..=frame.len())),
        1 => frame.extend(std::iter::repeat_n(0x55, rng.usize(1..12))),
        2 => {
            // The Ethernet header decides whether a bridge takes the frame at all.
            let at = rng.usize(12..frame.len());
            frame[at] ^= 1 << rng.u32(..8);
        }
        _ => {
            let at = rng.usize(14..frame.len().max(15)).min(frame.len() - 1);
            frame[at] = rng.u8(..);
        }
    }
    frame
}

/// Who sends what to whom.
struct Parts {
    from: Mac,
    to: Mac,
    v4: (Ipv4Addr, Ipv4Addr),
    v6: (Ipv6Addr, Ipv6Addr),
    ports: (u16, u16),
    id: u16,
    answers: bool,
    packets: u32,
    first_flags: Option<u8>,
    tag: Option<u16>,
    to_host: bool,
}

impl Parts {
    fn random(rng: &mut Rng, way: Way, host: Mac) -> Self {
        let guest = mac(pool::GUEST);
        let others: Vec<&str> = pool::MACS.to_vec();
        let all: Vec<&str> = pool::MACS.into_iter().chain(pool::GROUPS).collect();
        let sender = if often(rng, 60) { guest } else { mac(one(rng, &others)) };
        let (from, to) = match way {
            Way::Out => (sender, mac(one(rng, &all))),
            Way::In => (
                mac(one(rng, &others)),
                if often(rng, 50) { guest } else { mac(one(rng, &all)) },
            ),
            Way::ToHost => (sender, host),
            Way::FromHost => (host, if often(rng, 50) { guest } else { mac(one(rng, &all)) }),
        };
        let mut v4 = (one(rng, &pool::V4), one(rng, &pool::V4));
        let mut v6 = (one(rng, &pool::V6), one(rng, &pool::V6));
        // The host takes in what is for it, and can tell who is rejected.
        match way {
            Way::ToHost if often(rng, 60) => (v4.1, v6.1) = (HOST_V4, HOST_V6),
            Way::FromHost => (v4.0, v6.0) = (HOST_V4, HOST_V6),
            _ => {}
        }
        let port = |rng: &mut Rng| u16::try_from(one(rng, &pool::PORTS)).unwrap();
        let mut ports = (port(rng), port(rng));
        // Who talks to itself over TCP is followed by its sequence numbers only, which the simulator does not do.
        if (v4.0 == v4.1 || v6.0 == v6.1) && ports.0 == ports.1 {
            ports.1 ^= 1;
        }
        Self {
            from,
            to,
            v4: (v4.0.parse().unwrap(), v4.1.parse().unwrap()),
            v6: (v6.0.parse().unwrap(), v6.1.parse().unwrap()),
            ports,
            id: rng.u16(..),
            answers: false,
            packets: 0,
            first_flags: None,
            tag: (often(rng, 12) && matches!(way, Way::Out | Way::In)).then(|| {
                let vlan = u16::try_from(one(rng, &pool::VLANS)).unwrap();
                if often(rng, 20) { vlan | 0x6000 } else { vlan }
            }),
            to_host: matches!(way, Way::ToHost | Way::FromHost),
        }
    }

    /// The other one answers.
    fn turn(&mut self) {
        (self.from, self.to) = (self.to, self.from);
        // A group can not answer.
        if self.from.0[0] & 1 == 1 {
            self.from = Mac([0x52, 0x54, 0, 0, 0, 0xfe]);
        }
        self.v4 = (self.v4.1, self.v4.0);
        self.v6 = (self.v6.1, self.v6.0);
        self.ports = (self.ports.1, self.ports.0);
        self.answers = !self.answers;
        self.packets += 1;
    }

    fn frame(&mut self, rng: &mut Rng, kind: &str) -> Vec<u8> {
        let frame = self.plain(rng, kind);
        match (kind, self.tag) {
            ("vlan", None) if !self.to_host => tagged(&frame, u16::try_from(one(rng, &pool::VLANS)).unwrap()),
            (_, Some(tag)) => tagged(&frame, tag),
            (_, None) => frame,
        }
    }

    fn plain(&mut self, rng: &mut Rng, kind: &str) -> Vec<u8> {
        let (v6, kind) = match kind.strip_suffix("-ipv6") {
            Some(kind) => (true, kind),
            None => (matches!(kind, "icmpv6" | "ipv6"), kind),
        };
        match kind {
            "mac" | "vlan" if often(rng, 50) => {
                let ether_type = u16::try_from(one(rng, &pool::ETHER_TYPES)).unwrap();
                let body: Vec<u8> = (0..rng.usize(8..50)).map(|_| rng.u8(..)).collect();
                ethernet(self.from, self.to, ether_type, &body)
            }
            "mac" | "vlan" => self.arp(rng, 0x0806),
            "arp" => self.arp(rng, 0x0806),
            "rarp" => self.arp(rng, 0x8035),
            "stp" => self.stp(rng),
            kind => self.packet(rng, kind, v6),
        }
    }

    fn arp(&self, rng: &mut Rng, ether_type: u16) -> Vec<u8> {
        let sender = (
            if often(rng, 70) {
                self.from
            } else {
                mac(one(rng, &pool::MACS))
            },
            self.v4.0,
        );
        let target = (self.to, if often(rng, 30) { self.v4.0 } else { self.v4.1 });
        let arp = Arp {
            hardware: one(rng, &[1, 1, 1, 6]),
            protocol: one(rng, &[0x0800, 0x0800, 0x0800, 0x86dd]),
            operation: rng.u16(1..6),
            sender,
            target,
        };
        ethernet(self.from, self.to, ether_type, &arp.bytes())
    }

    fn stp(&self, rng: &mut Rng) -> Vec<u8> {
        let mut fields = [0; 30];
        // Priority, address, cost, priority, address, port, and four ages; small numbers in the low bytes.
        for at in [1, 11, 13, 21, 23, 25, 27, 29] {
            fields[at] = rng.u8(..9);
        }
        fields[2..8].copy_from_slice(&mac(one(rng, &pool::MACS)).0);
        fields[14..20].copy_from_slice(&mac(one(rng, &pool::MACS)).0);
        let to = if often(rng, 80) && !self.to_host {
            mac("01:80:c2:00:00:00")
        } else {
            self.to
        };
        let body = bpdu(one(rng, &[0, 2, 128]), rng.u8(..6), &fields);
        llc(self.from, to, &body)
    }

    fn packet(&mut self, rng: &mut Rng, kind: &str, v6: bool) -> Vec<u8> {
        let (source, target) = match v6 {
            true => (IpAddr::V6(self.v6.0), IpAddr::V6(self.v6.1)),
            false => (IpAddr::V4(self.v4.0), IpAddr::V4(self.v4.1)),
        };
        let protocol = match kind {
            "tcp" => 6,
            "udp" => 17,
            "udplite" => 136,
            "sctp" => 132,
            "esp" => 50,
            "ah" => 51,
            "igmp" => 2,
            "icmp" => 1,
            "icmpv6" => 58,
            _ => u8::try_from(one(rng, &pool::IP_PROTOCOLS)).unwrap(),
        };
        let mut ip = Ip::new(source, target, protocol);
        ip.id = rng.u16(..);
        let service = u8::try_from(one(rng, &pool::SERVICES)).unwrap();
        ip.service = if often(rng, 70) { service << 2 } else { service };
        let body = self.transport(rng, &ip, protocol);
        if !v6 && often(rng, 8) {
            ip.fragment = one(rng, &[0x2000, 0x2001, 0x0010, 0x4000]);
        }
        let body = if v6 { extended(rng, &mut ip, body) } else { body };
        ethernet(self.from, self.to, ip.ether_type(), &ip.bytes(&body))
    }

    fn transport(&mut self, rng: &mut Rng, ip: &Ip, protocol: u8) -> Vec<u8> {
        let data = vec![0x44; rng.usize(..20)];
        match protocol {
            6 => {
                // What begins a connection, or nonsense; then what follows if it was the former.
                let nonsense = rng.u8(..64);
                let first = one(rng, &[2, 2, 2, 2, 2, 16, 16, nonsense]);
                let opened = *self.first_flags.get_or_insert(first);
                let handshake = opened & 2 != 0;
                let (flags, numbers) = match (self.packets, handshake) {
                    (0, _) => (opened, (100, 0)),
                    (1, true) => (18, (500, 101)),
                    (1, false) => (16, (500, 100)),
                    _ => (16, (101, 501)),
                };
                let data = if self.packets == 0 && opened == 16 {
                    &[][..]
                } else {
                    &data
                };
                let options = one(
                    rng,
                    &[
                        &[][..],
                        &[2, 4, 5, 0xb4],
                        &[1, 1, 3, 3],
                        &[5, 4, 9, 9, 30, 4, 0, 0],
                        &[1, 0],
                    ],
                );
                ip.tcp_at(self.ports, flags, numbers, options, data)
            }
            17 => ip.udp(self.ports, &data),
            136 => ip.udplite(self.ports, &data),
            132 => sctp(self.ports),
            1 | 58 => {
                let kinds: &[u32] = if protocol == 1 { &pool::ICMP } else { &pool::ICMPV6 };
                let kind = match (often(rng, 50), protocol, self.answers) {
                    (true, 1, false) => 8,
                    (true, 1, true) => 0,
                    (true, _, false) => 128,
                    (true, _, true) => 129,
                    _ => u8::try_from(one(rng, kinds)).unwrap(),
                };
                let [high, low] = self.id.to_be_bytes();
                ip.icmp(kind, rng.u8(..4), &[&[high, low, 0, 1], &data[..]].concat())
            }
            _ => [&[59, 1, 0, 0], &data[..], &[0; 12]].concat(),
        }
    }
}

/// Puts extension headers before the transport of an IPv6 packet.
fn extended(rng: &mut Rng, ip: &mut Ip, body: Vec<u8>) -> Vec<u8> {
    if often(rng, 75) {
        return body;
    }
    let header = one(rng, &[0_u8, 43, 44, 60, 51]);
    let next = ip.protocol;
    ip.protocol = header;
    let bytes: [u8; 8] = match header {
        44 => {
            let [high, low] = one(rng, &[0x0001_u16, 0x0008, 0x0009]).to_be_bytes();
            [next, 0, high, low, 0, rng.u8(..), rng.u8(..), rng.u8(..)]
        }
        // An authentication header counts its length otherwise: 16 bytes, the rest is the body's.
        51 => [next, 2, 0, 0, 0, 0, 0, 1],
        43 => [next, 0, 0, 0, 0, 0, 0, 0],
        _ => [next, 0, 1, 4, 0, 0, 0, 0],
    };
    [&bytes[..], &body].concat()
}
