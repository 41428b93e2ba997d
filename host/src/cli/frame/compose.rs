//! Makes a frame of words: a protocol, then `name=value` for what should differ from an ordinary packet.

use super::Mac;
use super::summary::{TCP_FLAGS, mac};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const GUEST: Mac = [0x52, 0x54, 0, 0, 0, 1];
const OTHER: Mac = [0x52, 0x54, 0, 0, 0, 2];

/// A protocol that a packet can be of: its word, its number in IP headers, and the names that it understands.
struct Kind {
    word: &'static str,
    number: u8,
    names: &'static [&'static str],
}

const fn kind(word: &'static str, number: u8, names: &'static [&'static str]) -> Kind {
    Kind { word, number, names }
}

const FRAME: &[&str] = &["smac", "dmac", "vlan"];
const PACKET: &[&str] = &["src", "dst", "ttl", "tos", "size"];
const PORTS: &[&str] = &["sport", "dport"];
const TCP: &[&str] = &["sport", "dport", "flags"];
const TYPES: &[&str] = &["type", "code"];

/// ARP and plain frames carry no IP; their number is 0.
const KINDS: &[Kind] = &[
    kind("tcp", 6, TCP),
    kind("udp", 17, PORTS),
    kind("udplite", 136, PORTS),
    kind("sctp", 132, PORTS),
    kind("icmp", 1, TYPES),
    kind("icmpv6", 58, TYPES),
    kind("igmp", 2, &[]),
    kind("esp", 50, &[]),
    kind("ah", 51, &[]),
    kind("ip", 253, &["protocol"]),
    kind("arp", 0, &["op", "sha", "spa", "tha", "tpa"]),
    kind("rarp", 0, &["op", "sha", "spa", "tha", "tpa"]),
    kind("frame", 0, &["ethertype", "size"]),
];

/// The words behind the protocol.
struct Given<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Given<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn value<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>, otherwise: T) -> Result<T, String> {
        self.text(name).map_or(Ok(otherwise), |text| {
            read(text).ok_or_else(|| format!("'{text}' is no value for '{name}'"))
        })
    }

    fn number<T: TryFrom<u32>>(&self, name: &str, otherwise: T) -> Result<T, String> {
        let read = |text: &str| {
            let number = match text.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => text.parse(),
            };
            T::try_from(number.ok()?).ok()
        };
        self.value(name, read, otherwise)
    }

    fn mac(&self, name: &str, otherwise: Mac) -> Result<Mac, String> {
        self.value(name, |text| mac(text).ok(), otherwise)
    }

    fn address<T: std::str::FromStr>(&self, name: &str, otherwise: T) -> Result<T, String> {
        self.value(name, |text| text.parse().ok(), otherwise)
    }
}

/// The frame that the words mean. The guest is the sender unless `to_guest`.
///
/// # Errors
/// What is wrong with the words.
pub(super) fn compose(words: &str, guest: Option<Mac>, to_guest: bool) -> Result<Vec<u8>, String> {
    let mut words = words.split_whitespace();
    let first = words.next().unwrap_or_default();
    let Some(kind) = KINDS.iter().find(|kind| kind.word == first) else {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.word).collect();
        return Err(format!(
            "there is no such file, and it does not begin with one of {}",
            known.join(", ")
        ));
    };
    let mut given = Given(Vec::new());
    for word in words {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("'{word}' is not 'name=value'"))?;
        let ip = if kind.number == 0 { &[] } else { PACKET };
        if ![FRAME, ip, kind.names].concat().contains(&name) {
            let known = [FRAME, ip, kind.names].concat().join(", ");
            return Err(format!("'{first}' has no '{name}', it has {known}"));
        }
        given.0.push((name, value));
    }
    let guest = guest.unwrap_or(GUEST);
    let (from, to) = if to_guest { (OTHER, guest) } else { (guest, OTHER) };
    let sender = given.mac("smac", from)?;
    let broadcast = kind.word.ends_with("arp") && given.text("op").is_none_or(|op| op != "reply" && op != "2");
    let (target, payload) = (
        given.mac("dmac", if broadcast { [0xff; 6] } else { to })?,
        Payload::of(kind, &given, sender)?,
    );
    let mut frame = [target, sender].concat();
    if given.text("vlan").is_some() {
        let vlan: u16 = given.number("vlan", 0)?;
        frame.extend([[0x81, 0], (vlan & 0xfff).to_be_bytes()].concat());
    }
    frame.extend(payload.ethertype.to_be_bytes());
    frame.extend(payload.bytes);
    Ok(frame)
}

struct Payload {
    ethertype: u16,
    bytes: Vec<u8>,
}

impl Payload {
    fn of(kind: &Kind, given: &Given<'_>, sender: Mac) -> Result<Self, String> {
        match (kind.word, kind.number) {
            ("frame", _) => {
                let size: u16 = given.number("size", 46)?;
                Ok(Self {
                    ethertype: given.number("ethertype", 0x88b5)?,
                    bytes: vec![0; usize::from(size)],
                })
            }
            (word, 0) => Self::arp(if word == "arp" { 0x0806 } else { 0x8035 }, given, sender),
            _ => Self::ip(kind, given),
        }
    }

    fn arp(ethertype: u16, given: &Given<'_>, sender: Mac) -> Result<Self, String> {
        let operation = |text: &str| match text {
            "request" => Some(1),
            "reply" => Some(2),
            number => number.parse::<u16>().ok(),
        };
        let operation = given.value("op", operation, if ethertype == 0x0806 { 1 } else { 3 })?;
        let mut bytes = vec![0, 1, 8, 0, 6, 4];
        bytes.extend(operation.to_be_bytes());
        bytes.extend(given.mac("sha", sender)?);
        bytes.extend(given.address("spa", Ipv4Addr::new(192, 0, 2, 1))?.octets());
        bytes.extend(given.mac("tha", [0; 6])?);
        bytes.extend(given.address("tpa", Ipv4Addr::new(192, 0, 2, 2))?.octets());
        Ok(Self { ethertype, bytes })
    }

    fn ip(kind: &Kind, given: &Given<'_>) -> Result<Self, String> {
        let six = kind.number == 58
            || ["src", "dst"]
                .iter()
                .any(|name| given.text(name).is_some_and(|a| a.contains(':')));
        let (src, dst) = if six {
            let own = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
            (
                IpAddr::V6(given.address("src", own(1))?),
                IpAddr::V6(given.address("dst", own(2))?),
            )
        } else {
            let own = |last| Ipv4Addr::new(192, 0, 2, last);
            (
                IpAddr::V4(given.address("src", own(1))?),
                IpAddr::V4(given.address("dst", own(2))?),
            )
        };
        let protocol: u8 = given.number("protocol", kind.number)?;
        let mut inner = transport(kind, given)?;
        let size: u16 = given.number("size", 0)?;
        inner.resize(inner.len() + usize::from(size), 0);
        let length = u16::try_from(inner.len() + 20).map_err(|_| format!("{size} bytes are too many"))?;
        let (tos, ttl): (u8, u8) = (given.number("tos", 0)?, given.number("ttl", 64)?);
        let ends = match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => [src.octets(), dst.octets()].concat(),
            (IpAddr::V6(src), IpAddr::V6(dst)) => [src.octets(), dst.octets()].concat(),
            _ => return Err("its addresses are of two kinds".to_owned()),
        };
        seal(protocol, &ends, &mut inner);
        let mut bytes;
        if six {
            bytes = vec![0x60 | tos >> 4, tos << 4, 0, 0];
            bytes.extend((length - 20).to_be_bytes());
            bytes.extend([protocol, ttl]);
            bytes.extend(ends);
        } else {
            bytes = vec![0x45, tos];
            bytes.extend(length.to_be_bytes());
            bytes.extend([0, 1, 0, 0, ttl, protocol, 0, 0]);
            bytes.extend(ends);
            let sum = checksum(&[&bytes]);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.extend(inner);
        Ok(Self {
            ethertype: if six { 0x86dd } else { 0x0800 },
            bytes,
        })
    }
}

/// The transport header, its checksum left open.
fn transport(kind: &Kind, given: &Given<'_>) -> Result<Vec<u8>, String> {
    let ports = || -> Result<Vec<u8>, String> {
        let (from, to): (u16, u16) = (given.number("sport", 40_000)?, given.number("dport", 7)?);
        Ok([from.to_be_bytes(), to.to_be_bytes()].concat())
    };
    Ok(match kind.number {
        6 => {
            let flags = |text: &str| {
                let bit = |name: &str| TCP_FLAGS.iter().position(|known| *known == name).map(|bit| 1_u8 << bit);
                text.split(',').try_fold(0, |all, name| Some(all | bit(name)?))
            };
            let flags = given.value("flags", flags, 2)?;
            [
                ports()?,
                vec![0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0],
            ]
            .concat()
        }
        17 | 136 => {
            let size: u16 = given.number("size", 0)?;
            let length = size.saturating_add(8).to_be_bytes();
            [ports()?, length.to_vec(), vec![0, 0]].concat()
        }
        132 => [ports()?, vec![0; 8]].concat(),
        1 => vec![given.number("type", 8)?, given.number("code", 0)?, 0, 0, 0, 1, 0, 1],
        58 => vec![given.number("type", 128)?, given.number("code", 0)?, 0, 0, 0, 1, 0, 1],
        _ => vec![0; 16],
    })
}

/// Fills in the checksums that connection tracking looks at.
fn seal(protocol: u8, ends: &[u8], inner: &mut [u8]) {
    let length = u32::try_from(inner.len()).unwrap_or(0).to_be_bytes();
    let pseudo = [ends, &length, &[0, 0, 0, protocol]].concat();
    let (place, sum) = match protocol {
        6 => (16, checksum(&[&pseudo, inner])),
        17 => (6, checksum(&[&pseudo, inner])),
        58 => (2, checksum(&[&pseudo, inner])),
        1 => (2, checksum(&[inner])),
        _ => return,
    };
    if let Some(field) = inner.get_mut(place..place + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

/// The Internet checksum of parts that each have an even length, but for the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words
        .map(|word| u64::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)])))
        .sum();
    let mut folded = sum;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
    }
    !u16::try_from(folded).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::summary::of;
    use super::*;

    #[test]
    fn words_make_the_packet_that_they_say() {
        for (words, summary) in [
            (
                "tcp src=10.0.0.1 dst=10.0.0.2 dport=22 flags=syn,ack vlan=7",
                "52:54:00:00:00:01 > 52:54:00:00:00:02 vlan 7 tcp 10.0.0.1 port 40000 > 10.0.0.2 port 22 syn,ack",
            ),
            (
                "udp src=fe80::1 dst=ff02::2 sport=546 dmac=33:33:0:0:0:2",
                "52:54:00:00:00:01 > 33:33:00:00:00:02 udp fe80::1 port 546 > ff02::2 port 7",
            ),
            (
                "arp spa=10.0.0.1 tpa=10.0.0.9",
                "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff arp who-has 10.0.0.9 from 10.0.0.1 (52:54:00:00:00:01)",
            ),
            (
                "icmp type=0",
                "52:54:00:00:00:01 > 52:54:00:00:00:02 icmp 192.0.2.1 > 192.0.2.2 type 0 code 0",
            ),
            (
                "frame ethertype=0x9000",
                "52:54:00:00:00:01 > 52:54:00:00:00:02 ethertype 0x9000",
            ),
        ] {
            assert_eq!(of(&compose(words, None, false).unwrap()), summary);
        }
        let reply = compose("icmpv6 type=129", Some([2, 0, 0, 0, 0, 9]), true).unwrap();
        assert!(of(&reply).starts_with("52:54:00:00:00:02 > 02:00:00:00:00:09 icmpv6"));
    }

    #[test]
    fn checksums_are_those_that_receivers_expect() {
        for words in [
            "tcp size=3",
            "udp size=4",
            "icmp",
            "tcp src=fe80::1 dst=fe80::2",
            "icmpv6",
        ] {
            let frame = compose(words, None, false).unwrap();
            let six = frame[12] == 0x86;
            let (head, inner) = frame[14..].split_at(if six { 40 } else { 20 });
            let (protocol, ends) = if six {
                (head[6], &head[8..])
            } else {
                (head[9], &head[12..])
            };
            let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
            let pseudo = [ends, &length, &[0, 0, 0, protocol]].concat();
            let parts: &[&[u8]] = if protocol == 1 { &[inner] } else { &[&pseudo, inner] };
            assert_eq!(checksum(parts), 0, "{words}");
            assert!(six || checksum(&[head]) == 0, "{words}");
        }
    }

    #[test]
    fn words_that_mean_nothing_are_named() {
        for (words, why) in [
            ("tpc dport=22", "does not begin with one of tcp"),
            ("tcp 22", "'22' is not 'name=value'"),
            ("tcp type=8", "'tcp' has no 'type', it has smac"),
            ("tcp dport=65536", "'65536' is no value for 'dport'"),
            ("tcp flags=syn,fast", "no value for 'flags'"),
            ("udp src=10.0.0.1 dst=fe80::1", "'10.0.0.1' is no value for 'src'"),
            ("udp size=65535", "too many"),
            ("arp src=10.0.0.1", "'arp' has no 'src'"),
        ] {
            let error = compose(words, None, false).unwrap_err();
            assert!(error.contains(why), "{words}: {error}");
        }
    }
}
