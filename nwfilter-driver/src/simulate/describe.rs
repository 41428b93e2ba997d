//! Packets in words, as `lockstep nwfilter-test` takes them.
//!
//! ```text
//! PACKET = [WAY] [MAC > MAC] [vlan TAG] WHAT
//! WAY    = out | in | to-host | from-host                             seen from the guest; out if left away
//! WHAT   = tcp ADDRESS:PORT > ADDRESS:PORT [FLAG ...] [option KIND ...] [SERVICE]
//!        | udp | udplite | sctp  ADDRESS:PORT > ADDRESS:PORT [SERVICE]
//!        | icmp | icmpv6         ADDRESS > ADDRESS [type N] [code N] [SERVICE]
//!        | esp | ah | igmp       ADDRESS > ADDRESS [SERVICE]
//!        | proto N               ADDRESS > ADDRESS [SERVICE]
//!        | arp | rarp            who-has ADDRESS tell ADDRESS
//!        | arp | rarp            ADDRESS is-at MAC [to ADDRESS]
//!        | stp
//!        | ether TYPE
//!        | hex BYTES             the whole frame; blanks and ':' may stand between bytes
//! FLAG   = syn | ack | fin | rst | psh | urg
//! SERVICE = dscp N
//! ```
//!
//! An IPv6 address before a port stands in brackets. Numbers are decimal, or hexadecimal with `0x`. Without MAC
//! addresses the guest's own and a neighbour's are taken.

use super::frame::{Arp, Ip, bpdu, ethernet, llc, sctp, tagged};
use super::run::Way;
use crate::def::address::Mac;
use driver_api::error::{Code, Error, Origin, Result};
use std::iter::Peekable;
use std::net::{IpAddr, Ipv4Addr};

/// The neighbour's address where a description names none.
pub const NEIGHBOUR: Mac = Mac([0x52, 0x54, 0, 0, 0, 0xfe]);
const BROADCAST: Mac = Mac([0xff; 6]);
const BRIDGES: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0]);

const FLAGS: [(&str, u8); 6] = [("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32)];
const KINDS: [&str; 15] = [
    "tcp", "udp", "udplite", "sctp", "icmp", "icmpv6", "esp", "ah", "igmp", "proto", "arp", "rarp", "stp", "ether",
    "hex",
];

/// Reads a description; `guest` is the guest's own address.
///
/// # Errors
/// 8, naming the word that does not fit and what would.
pub fn packet(text: &str, guest: Mac) -> Result<(Way, Vec<u8>)> {
    let mut words = Words(text.split_ascii_whitespace().peekable());
    let way = Way::ALL
        .into_iter()
        .find(|way| words.is(way.name()))
        .unwrap_or(Way::Out);
    let (mut from, mut to) = match way {
        Way::Out | Way::ToHost => (guest, NEIGHBOUR),
        Way::In | Way::FromHost => (NEIGHBOUR, guest),
    };
    let named = words.0.peek().is_some_and(|word| Mac::read(word).is_some());
    if named {
        from = words.mac("a MAC address")?;
        words.arrow()?;
        to = words.mac("the MAC address of the receiver")?;
    }
    let tag = match words.is("vlan") {
        true => Some(words.number("the VLAN's tag", u16::MAX)?),
        false => None,
    };
    let kind = words.next("a protocol")?;
    if kind == "hex" {
        return Ok((way, words.bytes()?));
    }
    let ends = Ends { from, to, named };
    let frame = what(kind, &ends, &mut words)?;
    match words.0.next() {
        Some(word) => refuse(format!("'{word}' means nothing behind this {kind} packet")),
        None => Ok((way, tag.map_or(frame.clone(), |tag| tagged(&frame, tag)))),
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(Code::INVALID_ARG, Origin::NWFILTER, message))
}

struct Ends {
    from: Mac,
    to: Mac,
    /// They were named, so nothing better is chosen.
    named: bool,
}

impl Ends {
    fn to_or(&self, better: Mac) -> Mac {
        if self.named { self.to } else { better }
    }
}

fn what(kind: &str, ends: &Ends, words: &mut Words<'_>) -> Result<Vec<u8>> {
    let protocol = match kind {
        "arp" => return arp(ends, words, 0x0806, 1),
        "rarp" => return arp(ends, words, 0x8035, 3),
        "stp" => {
            let body = bpdu(0, 0, &[0; 30]);
            return Ok(llc(ends.from, ends.to_or(BRIDGES), &body));
        }
        "ether" => {
            let ether_type = words.number("an Ethernet type", u16::MAX)?;
            return Ok(ethernet(ends.from, ends.to, ether_type, &[0; 46]));
        }
        "tcp" => 6,
        "udp" => 17,
        "udplite" => 136,
        "sctp" => 132,
        "icmp" => 1,
        "icmpv6" => 58,
        "esp" => 50,
        "ah" => 51,
        "igmp" => 2,
        "proto" => u8::try_from(words.number("the number of an IP protocol", 255)?).unwrap_or(u8::MAX),
        other => {
            return refuse(format!(
                "'{other}' is no kind of packet, known are: {}",
                KINDS.join(", ")
            ));
        }
    };
    let with_ports = matches!(kind, "tcp" | "udp" | "udplite" | "sctp");
    let (source, target) = (words.end(with_ports)?, {
        words.arrow()?;
        words.end(with_ports)?
    });
    if source.0.is_ipv4() != target.0.is_ipv4() {
        return refuse(format!(
            "'{}' and '{}' are of different IP versions",
            source.0, target.0
        ));
    }
    let wanted = match kind {
        "icmp" => Some(true),
        "icmpv6" => Some(false),
        _ => None,
    };
    if wanted.is_some_and(|v4| v4 != source.0.is_ipv4()) {
        return refuse(format!(
            "'{}' is an address of the other IP version than {kind}",
            source.0
        ));
    }
    let mut ip = Ip::new(source.0, target.0, protocol);
    let more = More::read(kind, words)?;
    ip.service = more.dscp << 2;
    let ports = (source.1, target.1);
    let body = match kind {
        "tcp" => ip.tcp(ports, more.flags, &more.options, &[]),
        "udp" => ip.udp(ports, &[]),
        "udplite" => ip.udplite(ports, &[]),
        "sctp" => sctp(ports),
        "icmp" | "icmpv6" => {
            let echo = if kind == "icmp" { 8 } else { 128 };
            ip.icmp(more.kind.unwrap_or(echo), more.code, &[0, 1, 0, 1])
        }
        _ => vec![0; 16],
    };
    Ok(ethernet(ends.from, ends.to, ip.ether_type(), &ip.bytes(&body)))
}

#[derive(Default)]
struct More {
    flags: u8,
    options: Vec<u8>,
    kind: Option<u8>,
    code: u8,
    dscp: u8,
}

impl More {
    fn read(protocol: &str, words: &mut Words<'_>) -> Result<Self> {
        let mut more = Self::default();
        let byte = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
        while let Some(word) = words.0.next() {
            let flag = FLAGS.iter().find(|(name, _)| *name == word);
            match (protocol, word, flag) {
                (_, "dscp", _) => more.dscp = byte(words.number("a code point", 63)?),
                ("tcp", _, Some((_, flag))) => more.flags |= flag,
                ("tcp", "option", _) => match byte(words.number("the kind of an option", 255)?) {
                    kind @ (0 | 1) => more.options.push(kind),
                    kind => more.options.extend([kind, 4, 0, 0]),
                },
                ("icmp" | "icmpv6", "type", _) => more.kind = Some(byte(words.number("a type", 255)?)),
                ("icmp" | "icmpv6", "code", _) => more.code = byte(words.number("a code", 255)?),
                _ => return refuse(format!("'{word}' means nothing in a {protocol} packet")),
            }
        }
        if more.options.len() > 40 {
            return refuse("a TCP header has room for at most 10 options");
        }
        Ok(more)
    }
}

fn arp(ends: &Ends, words: &mut Words<'_>, ether_type: u16, request: u16) -> Result<Vec<u8>> {
    let v4 = |words: &mut Words<'_>| -> Result<Ipv4Addr> {
        match words.end(false)?.0 {
            IpAddr::V4(address) => Ok(address),
            IpAddr::V6(address) => refuse(format!("'{address}' is no IPv4 address, which ARP wants")),
        }
    };
    let arp = |operation, sender, target| Arp {
        hardware: 1,
        protocol: 0x0800,
        operation,
        sender,
        target,
    };
    let (arp, to) = if words.is("who-has") {
        let wanted = v4(words)?;
        words.word("tell")?;
        let asker = v4(words)?;
        let arp = arp(request, (ends.from, asker), (Mac([0; 6]), wanted));
        (arp, ends.to_or(BROADCAST))
    } else {
        let owner = v4(words)?;
        words.word("is-at")?;
        let at = words.mac("the MAC address of the owner")?;
        let asker = if words.is("to") { v4(words)? } else { owner };
        (arp(request + 1, (at, owner), (ends.to, asker)), ends.to)
    };
    Ok(ethernet(ends.from, to, ether_type, &arp.bytes()))
}

struct Words<'a>(Peekable<std::str::SplitAsciiWhitespace<'a>>);

impl<'a> Words<'a> {
    fn next(&mut self, wanted: &str) -> Result<&'a str> {
        match self.0.next() {
            Some(word) => Ok(word),
            None => refuse(format!("the packet ends where {wanted} is wanted")),
        }
    }

    /// Takes the word if it stands there.
    fn is(&mut self, word: &str) -> bool {
        self.0.next_if(|next| *next == word).is_some()
    }

    fn word(&mut self, wanted: &str) -> Result<()> {
        let quoted = format!("'{wanted}'");
        match self.next(&quoted)? {
            word if word == wanted => Ok(()),
            word => refuse(format!("'{word}' stands where '{wanted}' is wanted")),
        }
    }

    fn arrow(&mut self) -> Result<()> {
        self.word(">")
    }

    fn mac(&mut self, wanted: &str) -> Result<Mac> {
        let word = self.next(wanted)?;
        match Mac::read(word) {
            Some(mac) => Ok(mac),
            None => refuse(format!("'{word}' is not {wanted}")),
        }
    }

    fn number(&mut self, wanted: &str, max: u16) -> Result<u16> {
        let word = self.next(wanted)?;
        let number = match word.strip_prefix("0x") {
            Some(hex) => u16::from_str_radix(hex, 16),
            None => word.parse(),
        };
        match number {
            Ok(number) if number <= max => Ok(number),
            _ => refuse(format!("'{word}' is not {wanted}, a number from 0 to {max}")),
        }
    }

    /// An address, with a port if one is wanted.
    fn end(&mut self, with_port: bool) -> Result<(IpAddr, u16)> {
        let word = self.next("an address")?;
        let (address, port) = match word.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None if with_port => match word.rsplit_once(':') {
                Some((address, port)) => (address, Some(port)),
                None => (word, None),
            },
            None => (word, None),
        };
        let Ok(address) = address.parse() else {
            return refuse(format!("'{address}' in '{word}' is not an IP address"));
        };
        match (with_port, port) {
            (false, None) => Ok((address, 0)),
            (false, Some(_)) => refuse(format!("'{word}' has a port, this protocol has none")),
            (true, None) => refuse(format!(
                "'{word}' lacks a port: write ADDRESS:PORT, or [ADDRESS]:PORT for IPv6"
            )),
            (true, Some(port)) => match port.parse() {
                Ok(port) => Ok((address, port)),
                Err(_) => refuse(format!("'{port}' in '{word}' is not a port, a number from 0 to 65535")),
            },
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let mut digits = Vec::new();
        for word in self.0.by_ref() {
            for c in word.chars().filter(|c| *c != ':') {
                let Some(digit) = c.to_digit(16) else {
                    return refuse(format!("'{word}' has other characters than hexadecimal digits"));
                };
                digits.push(u8::try_from(digit).unwrap_or_default());
            }
        }
        if digits.len() % 2 == 1 {
            return refuse("the frame ends in half a byte");
        }
        Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Base, Load};
    use crate::simulate::packet::Packet;

    const GUEST: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);

    fn frame(text: &str) -> (Way, Vec<u8>) {
        packet(text, GUEST).unwrap()
    }

    fn read(text: &str, base: Base, offset: u8, len: u8) -> Vec<u8> {
        let (_, frame) = frame(text);
        let packet = Packet::read(&frame).unwrap();
        assert_eq!(packet.malformed(), None, "{text}");
        packet.load(Load::payload(base, offset, len)).unwrap().to_vec()
    }

    #[test]
    fn directions_choose_who_sends() {
        for (text, way, sender) in [
            ("arp who-has 10.0.0.1 tell 10.0.0.2", Way::Out, GUEST),
            ("out ether 0x88cc", Way::Out, GUEST),
            ("to-host igmp 10.0.0.1 > 224.0.0.1", Way::ToHost, GUEST),
            ("in udp 10.0.0.1:53 > 10.0.0.2:1024", Way::In, NEIGHBOUR),
            ("from-host stp", Way::FromHost, NEIGHBOUR),
            ("in 2:0:0:0:0:1 > 2:0:0:0:0:2 stp", Way::In, Mac([2, 0, 0, 0, 0, 1])),
        ] {
            let (found, frame) = frame(text);
            assert_eq!((found, &frame[6..12]), (way, &sender.0[..]), "{text}");
        }
        assert_eq!(frame("hex 00:11 2233").1, [0, 0x11, 0x22, 0x33]);
    }

    #[test]
    fn words_become_the_bytes_that_they_name() {
        let tcp = "out tcp 192.0.2.10:1234 > 198.51.100.1:80 syn ack option 5 dscp 8";
        assert_eq!(read(tcp, Base::Link, 12, 2), [8, 0]);
        assert_eq!(read(tcp, Base::Network, 1, 1), [8 << 2]);
        assert_eq!(read(tcp, Base::Network, 12, 8), [192, 0, 2, 10, 198, 51, 100, 1]);
        assert_eq!(read(tcp, Base::Transport, 0, 4), [4, 210, 0, 80]);
        assert_eq!(read(tcp, Base::Transport, 13, 1), [0x12]);
        let (_, bytes) = frame(tcp);
        let seen = Packet::read(&bytes).unwrap();
        assert_eq!([5, 4].map(|kind| seen.has_tcp_option(kind)), [Some(true), Some(false)]);
        let tagged = "vlan 0x2005 udp [2001:db8::1]:5 > [2001:db8::2]:6";
        assert_eq!(read(tagged, Base::Link, 12, 6), [0x81, 0, 0x20, 5, 0x86, 0xdd]);
        assert_eq!(read(tagged, Base::Transport, 0, 4), [0, 5, 0, 6]);
        assert_eq!(read("icmp 1.2.3.4 > 1.2.3.5", Base::Transport, 0, 2), [8, 0]);
        assert_eq!(
            read("icmpv6 fe80::1 > ff02::1 type 135 code 2", Base::Transport, 0, 2),
            [135, 2]
        );
        assert_eq!(read("proto 99 1.2.3.4 > 1.2.3.5", Base::Network, 9, 1), [99]);
        assert_eq!(read("arp who-has 1.2.3.4 tell 1.2.3.5", Base::Network, 6, 2), [0, 1]);
        assert_eq!(read("arp who-has 1.2.3.4 tell 1.2.3.5", Base::Link, 0, 6), [255; 6]);
        assert_eq!(
            read("arp 1.2.3.4 is-at 2:0:0:0:0:9 to 1.2.3.5", Base::Network, 6, 8),
            [0, 2, 2, 0, 0, 0, 0, 9]
        );
        assert_eq!(read("rarp who-has 1.2.3.4 tell 1.2.3.5", Base::Network, 6, 2), [0, 3]);
        assert_eq!(read("stp", Base::Link, 0, 6), BRIDGES.0);
    }

    #[test]
    fn errors_name_the_word_that_does_not_fit() {
        for (text, wanted) in [
            ("", "ends where a protocol"),
            (
                "out tpc 1.2.3.4:5 > 1.2.3.4:6",
                "'tpc' is no kind of packet, known are: tcp",
            ),
            ("tcp 1.2.3.4 > 1.2.3.4:6", "'1.2.3.4' lacks a port"),
            ("tcp 1.2.3.4:x > 1.2.3.4:6", "'x' in '1.2.3.4:x' is not a port"),
            ("tcp 1.2.3:5 > 1.2.3.4:6", "'1.2.3' in '1.2.3:5' is not an IP address"),
            ("tcp 1.2.3.4:5 1.2.3.4:6", "'1.2.3.4:6' stands where '>' is wanted"),
            ("tcp 1.2.3.4:5 > 1.2.3.4:6 sin", "'sin' means nothing in a tcp packet"),
            ("udp 1.2.3.4:5 > [::1]:6", "different IP versions"),
            ("icmp ::1 > ::2", "other IP version than icmp"),
            (
                "icmp 1.2.3.4 > 1.2.3.5 type 256",
                "'256' is not a type, a number from 0 to 255",
            ),
            ("esp [1.2.3.4]:5 > 1.2.3.5", "this protocol has none"),
            ("arp 1.2.3.4 at 2:0:0:0:0:9", "'at' stands where 'is-at'"),
            ("arp who-has ::1 tell 1.2.3.4", "'::1' is no IPv4 address"),
            ("stp now", "'now' means nothing behind this stp packet"),
            ("2:0:0:0:0:1 > x stp", "'x' is not the MAC address of the receiver"),
            ("hex 00 0", "half a byte"),
            ("hex 0g", "'0g' has other characters"),
            ("vlan 1", "ends where a protocol"),
        ] {
            let error = packet(text, GUEST).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
