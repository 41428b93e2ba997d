//! The host's tables of neighbours (ARP and IPv6): which address was seen at which MAC.

use super::message::{attributes, message};
use crate::def::interface::Mac;
use std::net::IpAddr;

/// `RTM_GETNEIGH`.
const GET: u16 = 30;
/// `RTM_NEWNEIGH`.
const NEW: u16 = 28;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST` and `NLM_F_DUMP`.
const REQUEST_AND_DUMP: u16 = 1 | 0x300;
/// `NDA_DST`.
const ADDRESS: u16 = 1;
/// `NDA_LLADDR`.
const LINK_ADDRESS: u16 = 2;
/// `NUD_INCOMPLETE`, `NUD_FAILED` and `NUD_NOARP`: nobody answered there, or nobody was asked.
const UNKNOWN: u16 = 0x01 | 0x20 | 0x40;
const HEADER: usize = 16;
const NEIGHBOUR: usize = 12;

/// The families that have tables: `AF_INET` and `AF_INET6`.
pub(super) const FAMILIES: [u8; 2] = [2, 10];

/// An address and who was seen there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// Whose it is.
    pub mac: Mac,
    /// The address.
    pub address: IpAddr,
}

/// The question for the table of a family.
pub(super) fn question(family: u8) -> [u8; HEADER + NEIGHBOUR] {
    let mut bytes = [0; HEADER + NEIGHBOUR];
    bytes[..4].copy_from_slice(&28_u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST_AND_DUMP.to_ne_bytes());
    bytes[HEADER] = family;
    bytes
}

/// Takes the neighbours of a datagram; whether the table ends with it.
pub(super) fn read(mut datagram: &[u8], found: &mut Vec<Neighbour>) -> bool {
    while let Some((kind, body, rest)) = message(datagram) {
        match kind {
            NEW => found.extend(neighbour(body)),
            DONE | ERROR => return true,
            _ => {}
        }
        datagram = rest;
    }
    false
}

fn neighbour(body: &[u8]) -> Option<Neighbour> {
    let state = u16::from_ne_bytes(body.get(8..10)?.try_into().ok()?);
    if state & UNKNOWN != 0 || state == 0 {
        return None;
    }
    let (mut mac, mut address) = (None, None);
    for (kind, value) in attributes(body.get(NEIGHBOUR..)?) {
        match kind {
            LINK_ADDRESS => mac = <[u8; 6]>::try_from(value).ok().map(Mac::from),
            ADDRESS => address = ip(value),
            _ => {}
        }
    }
    Some(Neighbour {
        mac: mac?,
        address: address?,
    })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.ok().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(state: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + NEIGHBOUR];
        bytes[4..6].copy_from_slice(&NEW.to_ne_bytes());
        bytes[HEADER + 8..HEADER + 10].copy_from_slice(&state.to_ne_bytes());
        for (kind, value) in attributes {
            bytes.extend(u16::try_from(value.len() + 4).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend_from_slice(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    const MAC: [u8; 6] = [0x52, 0x54, 0, 1, 2, 3];

    #[test]
    fn neighbours_of_both_families_are_read_and_those_that_never_answered_are_none() {
        let six = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let mut datagram = [
            told(0x02, &[(ADDRESS, &[10, 0, 0, 2]), (LINK_ADDRESS, &MAC), (3, &[0; 16])]),
            told(0x20, &[(ADDRESS, &[10, 0, 0, 3]), (LINK_ADDRESS, &MAC)]),
            told(0x04, &[(LINK_ADDRESS, &MAC), (ADDRESS, &six)]),
            told(0x02, &[(ADDRESS, &[10, 0, 0, 4])]),
        ]
        .concat();
        let mut found = Vec::new();
        assert!(!read(&datagram, &mut found));
        let addresses: Vec<String> = found.iter().map(|n| format!("{} {}", n.mac, n.address)).collect();
        assert_eq!(addresses, ["52:54:00:01:02:03 10.0.0.2", "52:54:00:01:02:03 fe80::1"]);
        let mut done = told(0, &[]);
        done[4..6].copy_from_slice(&DONE.to_ne_bytes());
        datagram.extend(done);
        assert!(read(&datagram, &mut Vec::new()));
    }

    proptest! {
        #[test]
        fn reading_any_bytes_ends_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes, &mut Vec::new());
        }
    }
}
