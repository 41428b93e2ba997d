//! Packets in words, as `lockstep nwfilter-test` takes them.
//!
//! ```text
//! PACKET = [WAY] [MAC > MAC] [vlan TAG] WHAT
//! WAY    = out | in | to-host | from-host                             seen from the guest; out if left away
//! WHAT   = tcp ADDRESS:PORT > ADDRESS:PORT [FLAG ...] [option KIND ...] [MORE ...]
//!        | udp | udplite | sctp  ADDRESS:PORT > ADDRESS:PORT [MORE ...]
//!        | icmp | icmpv6         ADDRESS > ADDRESS [type N] [code N] [MORE ...]
//!        | esp | ah | igmp       ADDRESS > ADDRESS [MORE ...]
//!        | proto N               ADDRESS > ADDRESS [MORE ...]
//!        | arp | rarp            who-has ADDRESS tell ADDRESS [FIELD N ...]
//!        | arp | rarp            ADDRESS is-at MAC [to ADDRESS] [FIELD N ...]
//!        | stp                    [FIELD N ...]
//!        | ether TYPE
//!        | hex BYTES             the whole frame; blanks and ':' may stand between bytes
//! FLAG   = syn | ack | fin | rst | psh | urg
//! MORE   = dscp N | fragment N | behind N     fragment: flags and offset as they stand in the header;
//!                                             behind: an IPv6 extension header (0, 43, 60) before the rest
//! FIELD  = as the filter language calls it: hwtype, protocoltype, opcode; type, flags, root-priority ...
//! ```
//!
//! An IPv6 address before a port stands in brackets. Numbers are decimal, or hexadecimal with `0x`. Without MAC
//! addresses the guest's own and a neighbour's are taken.

mod ip;
mod neighbour;
mod words;

#[cfg(test)]
mod tests;

use super::frame::{ethernet, tagged};
use super::run::Way;
use crate::def::address::Mac;
use driver_api::error::{Code, Error, Origin, Result};
use words::Words;

/// The neighbour's address where a description names none.
pub const NEIGHBOUR: Mac = Mac([0x52, 0x54, 0, 0, 0, 0xfe]);

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
        "arp" => return neighbour::arp(ends, words, 0x0806, 1),
        "rarp" => return neighbour::arp(ends, words, 0x8035, 3),
        "stp" => return neighbour::stp(ends, words),
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
        "proto" => words.byte("the number of an IP protocol", 255)?,
        other => {
            let known = KINDS.join(", ");
            return refuse(format!("'{other}' is no kind of packet, known are: {known}"));
        }
    };
    ip::ip(kind, protocol, ends, words)
}
