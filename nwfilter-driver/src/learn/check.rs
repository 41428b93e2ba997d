//! What must hold whatever frames a guest and its network send; for fuzzing and the tests of its seeds.

use super::addresses::{Pins, usable};
use super::dialogue::{Dialogue, Step};
use super::frame::{Frame, Tale, Way};
use crate::def::address::Mac;
use std::net::IpAddr;
use std::time::Duration;

/// The guest in the seeds.
const GUEST: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

/// Takes `bytes` as frames, each behind its length in two bytes (little-endian) whose highest bit says that it goes to
/// the guest; a second passes between them.
///
/// # Panics
/// The driver has a bug.
pub fn check_frames(bytes: &[u8]) {
    let mut dialogue = Dialogue::new(GUEST, vec![IpAddr::from([10, 0, 0, 1])]);
    let mut pins = Pins::default();
    let (mut rest, mut up) = (bytes, Duration::ZERO);
    while let Some((head, tail)) = rest.split_first_chunk::<2>() {
        let head = u16::from_le_bytes(*head);
        let way = if head >> 15 == 0 { Way::FromGuest } else { Way::ToGuest };
        let (frame, behind) = tail.split_at(tail.len().min(usize::from(head & 0x7fff)));
        rest = behind;
        up += Duration::from_secs(1);
        let Some(frame) = Frame::read(frame) else {
            continue;
        };
        for step in dialogue.hear(way, &frame, up) {
            match step {
                Step::Grant {
                    address,
                    server,
                    seconds,
                } => {
                    assert_eq!(way, Way::ToGuest, "the guest gave itself {address}");
                    assert!(usable(address) && seconds != Some(0), "{address} for {seconds:?}");
                    assert!(dialogue.trusts(server), "{server} is no server");
                }
                Step::Rogue { .. } => assert_eq!(way, Way::ToGuest, "the guest is a server"),
                Step::End { .. } => {}
            }
        }
        if let Tale::Arp { address, .. } | Tale::Ipv4(address) = frame.tale {
            pins.pin(address.into());
        }
        if let Tale::Neighbour(address) = frame.tale {
            pins.pin(address.into());
        }
    }
    assert!(pins.addresses().len() <= 3, "{pins:?}");
}
