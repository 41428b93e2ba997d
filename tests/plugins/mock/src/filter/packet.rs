//! `Packet`: a packet in words (`tcp 10.0.0.2:1024 > 10.0.0.1:80`), as a frame, and whether a rule fits it.

use crate::fault::{Part, senseless};
use driver_api::error::Result;
use driver_api::kit::xml::Element;
use std::net::IpAddr;

/// What is known of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Packet {
    protocol: String,
    source: IpAddr,
    target: IpAddr,
    ports: Option<(u16, u16)>,
}

/// Protocols that a packet can be of, with their numbers in IPv4 and IPv6.
const KNOWN: [(&str, u8, u8); 7] = [
    ("tcp", 6, 6),
    ("udp", 17, 17),
    ("sctp", 132, 132),
    ("icmp", 1, 58),
    ("igmp", 2, 2),
    ("esp", 50, 50),
    ("ah", 51, 51),
];

impl Packet {
    /// Reads the words.
    ///
    /// # Errors
    /// 8.
    pub(super) fn read(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            let shown: String = text.chars().take(80).collect();
            let message = format!(
                "'{}' is no packet: {what}, as in 'tcp 10.0.0.2:1024 > 10.0.0.1:80'",
                shown.escape_debug()
            );
            senseless(Part::Filter, message)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [protocol, source, ">", target] = words[..] else {
            return Err(wrong("a protocol and two addresses are wanted"));
        };
        if !KNOWN.iter().any(|(known, ..)| *known == protocol) {
            return Err(wrong("its protocol is unknown"));
        }
        let (source, from) = end(source).ok_or_else(|| wrong("its source is no address"))?;
        let (target, to) = end(target).ok_or_else(|| wrong("its destination is no address"))?;
        if source.is_ipv4() != target.is_ipv4() {
            return Err(wrong("its addresses are of two families"));
        }
        Ok(Self {
            protocol: protocol.to_owned(),
            source,
            target,
            ports: from.zip(to),
        })
    }

    /// The frame that it would be: the headers, without a checksum or a payload.
    pub(super) fn frame(&self) -> Vec<u8> {
        let mut frame = vec![0x52, 0x54, 0, 0, 0, 0xfe, 0x52, 0x54, 0, 0, 0, 1];
        let numbers = KNOWN.iter().find(|(known, ..)| *known == self.protocol);
        let (four, six) = numbers.map_or((0, 0), |(_, four, six)| (*four, *six));
        let ports = self
            .ports
            .map(|(from, to)| [from.to_be_bytes(), to.to_be_bytes()].concat())
            .unwrap_or_default();
        let payload = ports.len().to_be_bytes()[size_of::<usize>() - 1];
        match (self.source, self.target) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                frame.extend([8, 0, 0x45, 0, 0, 20 + payload, 0, 0, 0, 0, 64, four, 0, 0]);
                frame.extend(source.octets().into_iter().chain(target.octets()));
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, payload, six, 64]);
                frame.extend(source.octets().into_iter().chain(target.octets()));
            }
            // Both are of one family, or the packet would not have been read.
            _ => {}
        }
        frame.extend(ports);
        frame
    }

    /// Whether a protocol element fits; `value` gives a variable's values. The second answer names attributes that were
    /// not looked at.
    pub(super) fn fits(&self, element: &Element, value: &dyn Fn(&str) -> Vec<String>) -> (bool, Vec<String>) {
        if !self.is_of(&element.name) {
            return (false, Vec::new());
        }
        let inverted = element.attr("match") == Some("no");
        let (mut fits, mut unseen) = (true, Vec::new());
        for attribute in &element.attributes {
            let values = match attribute.value.strip_prefix('$') {
                Some(variable) => value(variable.split(['[', '@']).next().unwrap_or_default()),
                None => vec![attribute.value.clone()],
            };
            let any = |own: Option<String>| own.is_some_and(|own| values.contains(&own));
            match attribute.name.as_str() {
                "match" | "comment" => {}
                "srcipaddr" => fits &= any(Some(self.source.to_string())),
                "dstipaddr" => fits &= any(Some(self.target.to_string())),
                "srcportstart" => fits &= any(self.ports.map(|(from, _)| from.to_string())),
                "dstportstart" => fits &= any(self.ports.map(|(_, to)| to.to_string())),
                other => unseen.push(format!("attribute '{other}' of <{}> was not looked at", element.name)),
            }
        }
        (fits != inverted, unseen)
    }

    fn is_of(&self, element: &str) -> bool {
        let (name, six) = match element.strip_suffix("-ipv6") {
            Some(name) => (name, true),
            None if element == "icmpv6" => ("icmp", true),
            None => (element, false),
        };
        match name {
            "mac" => true,
            "ip" => self.source.is_ipv4(),
            "ipv6" => self.source.is_ipv6(),
            "all" => self.source.is_ipv6() == six,
            name => name == self.protocol && self.source.is_ipv6() == six,
        }
    }
}

/// An address, and the port behind it.
fn end(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse() {
        return Some((address, None));
    }
    let socket: std::net::SocketAddr = text.parse().ok()?;
    Some((socket.ip(), Some(socket.port())))
}
