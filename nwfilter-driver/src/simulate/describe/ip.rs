//! IP packets in words.

use super::words::Words;
use super::{Ends, refuse};
use crate::simulate::frame::{Ip, ethernet, sctp};
use driver_api::error::Result;

const FLAGS: [(&str, u8); 6] = [("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32)];
const FRAGMENT: u8 = 44;

/// A packet of this protocol.
pub(super) fn ip(kind: &str, protocol: u8, ends: &Ends, words: &mut Words<'_>) -> Result<Vec<u8>> {
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
    let more = More::read(kind, source.0.is_ipv6(), words)?;
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
    let body = more.wrap(&mut ip, body);
    Ok(ethernet(ends.from, ends.to, ip.ether_type(), &ip.bytes(&body)))
}

#[derive(Default)]
struct More {
    flags: u8,
    options: Vec<u8>,
    kind: Option<u8>,
    code: u8,
    dscp: u8,
    fragment: Option<u16>,
    /// IPv6: extension headers from the inner one to the outer.
    behind: Vec<u8>,
}

impl More {
    fn read(protocol: &str, v6: bool, words: &mut Words<'_>) -> Result<Self> {
        let mut more = Self::default();
        while let Some(word) = words.0.next() {
            let flag = FLAGS.iter().find(|(name, _)| *name == word);
            match (protocol, word, flag) {
                (_, "dscp", _) => more.dscp = words.byte("a code point", 63)?,
                (_, "fragment", _) => more.fragment = Some(words.number("a fragment's flags and offset", u16::MAX)?),
                (_, "behind", _) if v6 => match words.byte("an extension header", 255)? {
                    kind @ (0 | 43 | 60) => more.behind.push(kind),
                    kind => return refuse(format!("'{kind}' is no extension header, known are 0, 43 and 60")),
                },
                ("tcp", _, Some((_, flag))) => more.flags |= flag,
                ("tcp", "option", _) => match words.byte("the kind of an option", 255)? {
                    kind @ (0 | 1) => more.options.push(kind),
                    kind => more.options.extend([kind, 4, 0, 0]),
                },
                ("icmp" | "icmpv6", "type", _) => more.kind = Some(words.byte("a type", 255)?),
                ("icmp" | "icmpv6", "code", _) => more.code = words.byte("a code", 255)?,
                _ => return refuse(format!("'{word}' means nothing in a {protocol} packet")),
            }
        }
        if more.options.len() > 40 {
            return refuse("a TCP header has room for at most 10 options");
        }
        Ok(more)
    }

    /// Marks a fragment, and puts extension headers before the body.
    fn wrap(&self, ip: &mut Ip, mut body: Vec<u8>) -> Vec<u8> {
        match self.fragment {
            Some(fragment) if ip.source.is_ipv6() => {
                let [high, low] = fragment.to_be_bytes();
                body.splice(..0, [ip.protocol, 0, high, low, 0, 0, 0, 1]);
                ip.protocol = FRAGMENT;
            }
            fragment => ip.fragment = fragment.unwrap_or_default(),
        }
        for kind in &self.behind {
            // Filled with one option of padding; in a routing header this is a type that nobody follows.
            body.splice(..0, [ip.protocol, 0, 1, 4, 0, 0, 0, 0]);
            ip.protocol = *kind;
        }
        body
    }
}
