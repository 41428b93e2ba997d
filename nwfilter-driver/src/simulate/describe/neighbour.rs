//! Frames between neighbours in words: ARP, RARP and spanning tree.

use super::words::Words;
use super::{Ends, refuse};
use crate::def::address::Mac;
use crate::simulate::frame::{Arp, bpdu, ethernet, llc};
use driver_api::error::Result;
use std::net::{IpAddr, Ipv4Addr};

const BROADCAST: Mac = Mac([0xff; 6]);
const BRIDGES: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0]);

/// Fields that a description may set, as the filter language calls them: where they stand and how long they are.
type Fields = &'static [(&'static str, usize, usize)];

const ARP: Fields = &[("hwtype", 0, 2), ("protocoltype", 2, 2), ("opcode", 6, 2)];

/// Behind the LLC header.
const BPDU: Fields = &[
    ("type", 6, 1),
    ("flags", 7, 1),
    ("root-priority", 8, 2),
    ("root-address", 10, 6),
    ("root-cost", 16, 4),
    ("sender-priority", 20, 2),
    ("sender-address", 22, 6),
    ("port", 28, 2),
    ("age", 30, 2),
    ("max-age", 32, 2),
    ("hello-time", 34, 2),
    ("forward-delay", 36, 2),
];

fn set(fields: Fields, words: &mut Words<'_>, body: &mut [u8]) -> Result<()> {
    while let Some((name, at, len)) = fields.iter().find(|(name, ..)| words.is(name)) {
        body[*at..at + len].copy_from_slice(&words.value(name, *len)?);
    }
    Ok(())
}

pub(super) fn stp(ends: &Ends, words: &mut Words<'_>) -> Result<Vec<u8>> {
    let mut body = bpdu(0, 0, &[0; 30]);
    set(BPDU, words, &mut body)?;
    Ok(llc(ends.from, ends.to_or(BRIDGES), &body))
}

/// `request` is the operation that asks; the next one answers.
pub(super) fn arp(ends: &Ends, words: &mut Words<'_>, ether_type: u16, request: u16) -> Result<Vec<u8>> {
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
    let mut body = arp.bytes();
    set(ARP, words, &mut body)?;
    Ok(ethernet(ends.from, to, ether_type, &body))
}
