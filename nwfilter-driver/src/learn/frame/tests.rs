//! What frames tell, and what they must not.

use super::{Frame, Tale};
use crate::learn::testing::*;
use proptest::prelude::*;

fn tale(frame: &[u8]) -> Option<Tale<'_>> {
    Frame::read(frame).map(|frame| frame.tale)
}

#[test]
fn arp_names_its_sender() {
    for opcode in [1, 2] {
        let frame = arp(GUEST, OTHER, opcode, "10.0.0.5", "10.0.0.1");
        let expected = Tale::Arp {
            mac: OTHER,
            address: v4("10.0.0.5"),
        };
        assert_eq!(tale(&frame), Some(expected));
        assert_eq!(Frame::read(&frame).unwrap().source, GUEST);
        assert_eq!(tale(&frame[..40]), None);
        assert_eq!(tale(&tagged(&frame)), None);
    }
    // Reverse ARP's operation, another hardware, another protocol.
    for (at, byte) in [(21, 3), (15, 6), (16, 9), (18, 5), (19, 16)] {
        let mut frame = arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1");
        frame[at] = byte;
        assert_eq!(tale(&frame), None, "{at}");
    }
}

#[test]
fn packets_have_sources_and_dhcp_has_both_ways() {
    let ping = ethernet(GUEST, OTHER, IPV4, &ipv4("10.0.0.5", "10.0.0.1", 1, &[8, 0, 0, 0]));
    assert_eq!(tale(&ping), Some(Tale::Ipv4(v4("10.0.0.5"))));
    assert_eq!(tale(&tagged(&ping)), None);
    let asked = request(7, "10.0.0.5");
    assert_eq!(tale(&asked.asked()), Some(Tale::DhcpQuestion(&asked.bytes())));
    let answered = ack(7, "10.0.0.5", 60);
    let expected = Tale::DhcpAnswer {
        server: v4("10.0.0.1"),
        message: &answered.bytes(),
    };
    assert_eq!(tale(&answered.answered("10.0.0.1")), Some(expected));
    // Neither a fragment, nor another port, nor with options in the header that are cut short.
    let mut fragment = answered.answered("10.0.0.1");
    fragment[20] = 0x20;
    assert_eq!(tale(&fragment), Some(Tale::Ipv4(v4("10.0.0.1"))));
    let mut long = asked.asked();
    long[14] = 0x4f;
    assert_ne!(tale(&long), Some(Tale::DhcpQuestion(&asked.bytes())));
    long[14] = 0x44;
    assert_eq!(tale(&long), None);
}

#[test]
fn what_stands_behind_a_packets_end_is_not_read() {
    let mut frame = request(7, "10.0.0.5").asked();
    let whole = frame.len();
    frame.extend(b"behind");
    let Some(Tale::DhcpQuestion(message)) = tale(&frame) else {
        panic!("no question");
    };
    assert_eq!(message.len(), whole - 14 - 20 - 8);
}

#[test]
fn neighbours_tell_their_source_or_what_they_try_out() {
    let seen = |kind, source, target| {
        let frame = neighbour(GUEST, kind, source, target);
        match tale(&frame) {
            Some(Tale::Neighbour(address)) => Some(address),
            _ => None,
        }
    };
    assert_eq!(seen(135, "fe80::5", "fe80::1"), Some(v6("fe80::5")));
    assert_eq!(seen(135, "::", "2001:db8::5"), Some(v6("2001:db8::5")));
    assert_eq!(seen(136, "fe80::5", "2001:db8::5"), Some(v6("fe80::5")));
    assert_eq!(seen(134, "fe80::5", "fe80::1"), None);
    let mut routed = neighbour(GUEST, 135, "fe80::5", "fe80::1");
    routed[14 + 7] = 254;
    assert_eq!(tale(&routed), None);
    let mut no_code = neighbour(GUEST, 135, "fe80::5", "fe80::1");
    no_code[14 + 41] = 1;
    assert_eq!(tale(&no_code), None);
}

#[test]
fn dhcp6_goes_both_ways() {
    let message = dhcp6(3, 9, &[("2001:db8::5", 60)]);
    assert_eq!(tale(&dhcp6_asked(&message)), Some(Tale::Dhcp6Question(&message)));
    let expected = Tale::Dhcp6Answer {
        server: v6("fe80::1"),
        message: &message,
    };
    assert_eq!(tale(&dhcp6_answered(GUEST, "fe80::1", &message)), Some(expected));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        start in prop::sample::select(vec![ack(1, "10.0.0.5", 60).answered("10.0.0.1"), request(1, "10.0.0.5").asked(),
            dhcp6_asked(&dhcp6(3, 9, &[("2001:db8::5", 60)])), neighbour(GUEST, 135, "::", "fe80::1"),
            arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1"), vec![0; 80]]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        end in any::<prop::sample::Index>(),
    ) {
        let mut frame = start;
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        let _ = Frame::read(&frame[..end.index(frame.len() + 1)]);
    }
}
