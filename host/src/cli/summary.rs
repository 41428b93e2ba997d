//! A frame in words, as far as a person tells packets apart.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

fn mac_text(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The frame in words; what is missing is left out.
#[must_use]
pub fn of(frame: &[u8]) -> String {
    let Some((head, mut rest)) = frame.split_at_checked(14) else {
        return format!("{} bytes", frame.len());
    };
    let mut text = format!("{} > {}", mac_text(&head[6..12]), mac_text(&head[..6]));
    let mut kind = word(head, 12).unwrap_or(0);
    while let (0x8100 | 0x88a8, Some((tag, inner))) = (kind, rest.split_at_checked(4)) {
        let _ = write!(text, " vlan {}", word(tag, 0).unwrap_or(0) & 0xfff);
        kind = word(tag, 2).unwrap_or(0);
        rest = inner;
    }
    let inner = match kind {
        0x0800 => v4(rest),
        0x86dd => v6(rest),
        0x0806 => arp("arp", rest),
        0x8035 => arp("rarp", rest),
        0..0x0600 => Some(format!("802.3 length {kind}")),
        _ => None,
    };
    match inner {
        Some(inner) => text + " " + &inner,
        None => text + &format!(" ethertype {kind:#06x}"),
    }
}

fn arp(name: &str, bytes: &[u8]) -> Option<String> {
    let address = |at: usize| Some(Ipv4Addr::from(*bytes.get(at..)?.first_chunk::<4>()?));
    let what = match word(bytes, 6)? {
        1 => "who-has".to_owned(),
        2 => "is-at".to_owned(),
        other => format!("opcode {other}"),
    };
    let (sender, target) = (mac_text(bytes.get(8..14)?), address(24)?);
    Some(format!("{name} {what} {target} from {} ({sender})", address(14)?))
}

fn v4(bytes: &[u8]) -> Option<String> {
    let header = usize::from(bytes.first()? & 0xf) * 4;
    let (source, target) = (
        bytes.get(12..)?.first_chunk::<4>()?,
        bytes.get(16..)?.first_chunk::<4>()?,
    );
    let ends = (Ipv4Addr::from(*source).to_string(), Ipv4Addr::from(*target).to_string());
    let fragment = word(bytes, 6)? & 0x1fff;
    if fragment != 0 {
        return Some(format!(
            "{} > {} fragment at {}",
            ends.0,
            ends.1,
            u32::from(fragment) * 8
        ));
    }
    Some(transport(
        *bytes.get(9)?,
        bytes.get(header..).unwrap_or_default(),
        &ends,
    ))
}

fn v6(bytes: &[u8]) -> Option<String> {
    let (source, target) = (
        bytes.get(8..)?.first_chunk::<16>()?,
        bytes.get(24..)?.first_chunk::<16>()?,
    );
    let ends = (Ipv6Addr::from(*source).to_string(), Ipv6Addr::from(*target).to_string());
    let (mut next, mut rest) = (*bytes.get(6)?, bytes.get(40..)?);
    // Hop-by-hop, routing, fragment and destination headers stand before what people ask for.
    while let 0 | 43 | 44 | 60 = next {
        let length = if next == 44 {
            8
        } else {
            usize::from(*rest.get(1)?) * 8 + 8
        };
        if next == 44 && word(rest, 2)? & 0xfff8 != 0 {
            return Some(format!("{} > {} fragment", ends.0, ends.1));
        }
        (next, rest) = (*rest.first()?, rest.get(length..)?);
    }
    Some(transport(next, rest, &ends))
}

fn transport(protocol: u8, bytes: &[u8], (source, target): &(String, String)) -> String {
    let name = match protocol {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        132 => "sctp",
        136 => "udplite",
        other => return format!("{source} > {target} protocol {other}"),
    };
    let text = match (protocol, word(bytes, 0), word(bytes, 2)) {
        (6 | 17 | 132 | 136, Some(from), Some(to)) => format!("{name} {source} port {from} > {target} port {to}"),
        (1 | 58, Some(what), _) => format!("{name} {source} > {target} type {} code {}", what >> 8, what & 0xff),
        _ => format!("{name} {source} > {target}"),
    };
    match bytes.get(13).filter(|_| protocol == 6) {
        Some(flags) => text + " " + &tcp_flags(*flags),
        None => text,
    }
}

/// The names of the flags of TCP from the lowest bit on.
const TCP_FLAGS: [&str; 6] = ["fin", "syn", "rst", "psh", "ack", "urg"];

fn tcp_flags(flags: u8) -> String {
    let set = TCP_FLAGS.iter().enumerate().filter(|(bit, _)| flags & 1 << bit != 0);
    let names: Vec<&str> = set.map(|(_, name)| *name).collect();
    if names.is_empty() {
        "no flags".to_owned()
    } else {
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(|c| *c != b' ').collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn whatever_a_frame_is_cut_to_it_has_words() {
        let frames = [
            "ffffffffffff 525400000001 8100 0005 0800 4500002c00010000 4006 0000 0a000001 0a000002 04d2 0016 0000000000000000 6012 0000",
            "ffffffffffff 525400000001 86dd 60000000 0018 0040 20010db8000000000000000000000001 20010db8000000000000000000000002 3a00000000000000 8000",
            "ffffffffffff 525400000001 0806 0001080006040001 525400000001 0a000001 000000000000 0a000002",
        ];
        for frame in frames {
            let whole = bytes(frame);
            for end in 0..=whole.len() {
                assert!(!of(&whole[..end]).is_empty());
            }
        }
        let words: Vec<String> = frames.iter().map(|frame| of(&bytes(frame))).collect();
        let head = "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff";
        assert_eq!(
            words[0],
            format!("{head} vlan 5 tcp 10.0.0.1 port 1234 > 10.0.0.2 port 22 syn,ack")
        );
        assert_eq!(
            words[1],
            format!("{head} icmpv6 2001:db8::1 > 2001:db8::2 type 128 code 0")
        );
        assert_eq!(
            words[2],
            format!("{head} arp who-has 10.0.0.2 from 10.0.0.1 (52:54:00:00:00:01)")
        );
    }
}
