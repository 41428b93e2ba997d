//! Frames for tests, made by hand, and a port to send them through.

use super::bpf::Look;
use super::socket::Tap;
use crate::def::address::Mac;
use crate::engine::{Lesson, Mode};
use crate::links::Links;
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub(crate) const GUEST: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
pub(crate) const OTHER: Mac = Mac([0x52, 0x54, 0, 0xaa, 0xbb, 0xcc]);
pub(crate) const ALL: Mac = Mac([0xff; 6]);
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;

pub(crate) fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub(crate) fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(crate) fn ethernet(source: Mac, destination: Mac, ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = [&destination.0[..], &source.0, &ether_type.to_be_bytes(), packet].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// The frame with an 802.1Q tag.
pub(crate) fn tagged(frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &[0x81, 0, 0, 5], &frame[12..]].concat()
}

pub(crate) fn arp(source: Mac, mac: Mac, opcode: u8, sender: &str, target: &str) -> Vec<u8> {
    let packet = [
        &[0, 1, 8, 0, 6, 4, 0, opcode],
        &mac.0[..],
        &v4(sender).octets(),
        &[0; 6],
        &v4(target).octets(),
    ]
    .concat();
    ethernet(source, ALL, ARP, &packet)
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap().to_be_bytes()
}

fn udp(source: u16, destination: u16, content: &[u8]) -> Vec<u8> {
    let mut datagram = [&source.to_be_bytes()[..], &destination.to_be_bytes(), &[0; 4], content].concat();
    let length = length(&datagram);
    datagram[4..6].copy_from_slice(&length);
    datagram
}

pub(crate) fn ipv4(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
    let mut packet = [&head[..], &v4(source).octets(), &v4(destination).octets(), payload].concat();
    let length = length(&packet);
    packet[2..4].copy_from_slice(&length);
    let sum: u32 = packet[..20]
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

pub(crate) fn ipv4_udp(source: &str, destination: &str, ports: (u16, u16), content: &[u8]) -> Vec<u8> {
    ipv4(source, destination, 17, &udp(ports.0, ports.1, content))
}

pub(crate) fn ipv6(source: &str, destination: &str, next: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0x60, 0, 0, 0];
    [
        &head[..],
        &length(payload),
        &[next, 255],
        &v6(source).octets(),
        &v6(destination).octets(),
        payload,
    ]
    .concat()
}

/// A solicitation (135) or advertisement (136).
pub(crate) fn neighbour(source: Mac, kind: u8, address: &str, target: &str) -> Vec<u8> {
    let payload = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &v6(target).octets()].concat();
    let packet = ipv6(address, "ff02::1", 58, &payload);
    ethernet(source, Mac([0x33, 0x33, 0, 0, 0, 1]), IPV6, &packet)
}

/// A DHCP message of a guest.
#[derive(Clone)]
pub(crate) struct Dhcp {
    pub(crate) kind: u8,
    pub(crate) xid: u32,
    pub(crate) client: Mac,
    pub(crate) current: &'static str,
    pub(crate) given: &'static str,
    pub(crate) options: Vec<(u8, Vec<u8>)>,
}

impl Dhcp {
    pub(crate) fn new(kind: u8, xid: u32) -> Self {
        Self {
            kind,
            xid,
            client: GUEST,
            current: "0.0.0.0",
            given: "0.0.0.0",
            options: Vec::new(),
        }
    }

    pub(crate) fn option(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    pub(crate) fn current(mut self, address: &'static str) -> Self {
        self.current = address;
        self
    }

    pub(crate) fn given(mut self, address: &'static str) -> Self {
        self.given = address;
        self
    }

    pub(crate) fn client(mut self, mac: Mac) -> Self {
        self.client = mac;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![if matches!(self.kind, 2 | 5 | 6) { 2 } else { 1 }, 1, 6, 0];
        bytes.extend(self.xid.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(v4(self.current).octets());
        bytes.extend(v4(self.given).octets());
        bytes.extend([0; 8]);
        bytes.extend(self.client.0);
        bytes.resize(236, 0);
        bytes.extend([99, 130, 83, 99, 53, 1, self.kind]);
        for (code, value) in &self.options {
            bytes.extend([*code, u8::try_from(value.len()).unwrap()]);
            bytes.extend(value);
        }
        bytes.push(255);
        bytes
    }

    /// As the guest sends it.
    pub(crate) fn asked(&self) -> Vec<u8> {
        let packet = ipv4_udp(self.current, "255.255.255.255", (68, 67), &self.bytes());
        ethernet(GUEST, ALL, IPV4, &packet)
    }

    /// As a server answers.
    pub(crate) fn answered(&self, server: &str) -> Vec<u8> {
        let packet = ipv4_udp(server, "255.255.255.255", (67, 68), &self.bytes());
        ethernet(OTHER, ALL, IPV4, &packet)
    }
}

pub(crate) fn request(xid: u32, address: &str) -> Dhcp {
    Dhcp::new(3, xid).option(50, &v4(address).octets())
}

pub(crate) fn ack(xid: u32, address: &'static str, seconds: u32) -> Dhcp {
    Dhcp::new(5, xid).given(address).option(51, &seconds.to_be_bytes())
}

/// A DHCPv6 message with addresses and their lifetimes in one association.
pub(crate) fn dhcp6(kind: u8, xid: u32, addresses: &[(&str, u32)]) -> Vec<u8> {
    let mut inner = vec![0; 12];
    for (address, valid) in addresses {
        inner.extend([0, 5, 0, 24]);
        inner.extend(v6(address).octets());
        inner.extend(valid.to_be_bytes());
        inner.extend(valid.to_be_bytes());
    }
    let [_, x, y, z] = xid.to_be_bytes();
    [&[kind, x, y, z, 0, 8, 0, 2, 0, 1, 0, 3][..], &length(&inner), &inner].concat()
}

pub(crate) fn dhcp6_asked(message: &[u8]) -> Vec<u8> {
    let packet = ipv6("fe80::2", "ff02::1:2", 17, &udp(546, 547, message));
    ethernet(GUEST, Mac([0x33, 0x33, 0, 1, 0, 2]), IPV6, &packet)
}

pub(crate) fn dhcp6_answered(destination: Mac, server: &str, message: &[u8]) -> Vec<u8> {
    let packet = ipv6(server, "fe80::2", 17, &udp(547, 546, message));
    ethernet(OTHER, destination, IPV6, &packet)
}

/// A veth pair in the network of this thread: what is sent at `port` goes to the guest, what is sent at its other end
/// comes from it.
pub(crate) struct Pair {
    port: String,
    to_guest: Option<Tap>,
    from_guest: Option<Tap>,
}

impl Pair {
    /// A pair that is not there yet.
    pub(crate) fn new(port: &str) -> Self {
        Self {
            port: port.to_owned(),
            to_guest: None,
            from_guest: None,
        }
    }

    pub(crate) fn plug(&mut self) {
        let (port, peer) = (&self.port, format!("{}-guest", self.port));
        ip(&["link", "add", port, "type", "veth", "peer", "name", &peer]);
        for end in [port, &peer] {
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1").unwrap();
            ip(&["link", "set", end, "up"]);
        }
        // The kernel brings a link up by itself some time later, under a lock that `ip link set` needs as well.
        for end in [port, &peer] {
            while !ip(&["link", "show", end]).contains("state UP") {}
            ip(&["link", "set", end, "up"]);
        }
        let open = |end: &str| {
            let look = Look {
                mac: GUEST,
                dhcp: false,
                dhcp6: false,
                v4: false,
                v6: false,
            };
            let links = Links::open().unwrap();
            Some(Tap::open(links.index(end).unwrap(), look).unwrap())
        };
        self.to_guest = open(port);
        self.from_guest = open(&peer);
    }

    pub(crate) fn unplug(&mut self) {
        ip(&["link", "del", &self.port]);
    }

    pub(crate) fn guest_sends(&self, frame: &[u8]) {
        send(self.from_guest.as_ref(), frame);
    }

    pub(crate) fn guest_gets(&self, frame: &[u8]) {
        send(self.to_guest.as_ref(), frame);
    }
}

fn ip(words: &[&str]) -> String {
    let output = std::process::Command::new("ip").args(words).output().unwrap();
    assert!(output.status.success(), "ip {words:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn send(end: Option<&Tap>, frame: &[u8]) {
    let sent = rustix::net::send(end.expect("a plugged pair"), frame, rustix::net::SendFlags::empty());
    assert_eq!(sent, Ok(frame.len()));
}

/// A lesson on a port for IPv4 of [`GUEST`].
pub(crate) fn lesson(port: &str, mode: Mode) -> Lesson {
    Lesson {
        port: port.to_owned(),
        mac: GUEST,
        owner: Uuid::from_bytes([5; 16]),
        mode,
        v4: true,
        v6: false,
        servers: Vec::new(),
        generation: 1,
        known: Vec::new(),
    }
}

/// Counts warnings and errors of this thread by their text.
#[derive(Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(self.clone(), work)
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.0.lock().iter().filter(|text| text.contains(part)).count()
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                let _infallible = write!(self.0, "{field}={value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().push(text.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
