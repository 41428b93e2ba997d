//! The programs, run by a small machine of our own: they let pass whatever counts, and little else.

use super::*;
use crate::learn::frame::{Frame, Tale, Way};
use crate::learn::testing::*;
use proptest::prelude::*;

/// Runs a program over an untagged frame; `None` if it reads what is not there, which ends it.
fn run(program: &[Insn], frame: &[u8], way: Way, tag: bool) -> u32 {
    let (mut a, mut x, mut at) = (0_u32, 0_u32, 0_usize);
    loop {
        let insn = program[at];
        at += 1;
        let load = |offset: u32, size: usize| {
            let offset = usize::try_from(offset).unwrap();
            let bytes = frame.get(offset..offset + size)?;
            Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
        };
        let loaded = match insn.code {
            LOAD_BYTE if insn.k == PACKET_TYPE => Some(if way == Way::ToGuest { OUTGOING } else { 0 }),
            LOAD_BYTE if insn.k == TAGGED => Some(tag.into()),
            LOAD_WORD => load(insn.k, 4),
            LOAD_HALF => load(insn.k, 2),
            LOAD_BYTE => load(insn.k, 1),
            LOAD_WORD_BEHIND => load(insn.k + x, 4),
            LOAD_HALF_BEHIND => load(insn.k + x, 2),
            LOAD_IP_HEADER_LENGTH => match load(insn.k, 1) {
                Some(byte) => {
                    x = (byte & 0xf) * 4;
                    Some(a)
                }
                None => None,
            },
            IS | HAS_BITS => {
                let holds = if insn.code == IS { a == insn.k } else { a & insn.k != 0 };
                at += usize::from(if holds { insn.yes } else { insn.no });
                continue;
            }
            RETURN => return insn.k,
            other => panic!("{other:#x}"),
        };
        match loaded {
            Some(value) => a = value,
            None => return 0,
        }
    }
}

const NOTHING: Look = Look {
    mac: GUEST,
    dhcp: false,
    dhcp6: false,
    v4: false,
    v6: false,
};

fn looks() -> [(&'static str, Look); 4] {
    [
        ("dhcp", Look { dhcp: true, ..NOTHING }),
        ("dhcp6", Look { dhcp6: true, ..NOTHING }),
        ("v4", Look { v4: true, ..NOTHING }),
        ("v6", Look { v6: true, ..NOTHING }),
    ]
}

/// Which of the looks see a frame.
fn seen(frame: &[u8], way: Way) -> Vec<&'static str> {
    let all = looks();
    let seeing = all
        .iter()
        .filter(|(_, look)| run(&look.program(), frame, way, false) == SNAP);
    seeing.map(|(name, _)| *name).collect()
}

#[test]
fn frames_are_seen_by_those_who_look_for_them() {
    let reply = dhcp6(7, 1, &[]);
    for (what, frame, way, expected) in [
        (
            "arp",
            arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1"),
            Way::FromGuest,
            &["v4"][..],
        ),
        (
            "another's arp",
            arp(OTHER, GUEST, 1, "10.0.0.5", "10.0.0.1"),
            Way::FromGuest,
            &[],
        ),
        (
            "arp to the guest",
            arp(OTHER, OTHER, 1, "10.0.0.1", "10.0.0.5"),
            Way::ToGuest,
            &[],
        ),
        (
            "question",
            request(1, "10.0.0.5").asked(),
            Way::FromGuest,
            &["dhcp", "v4"],
        ),
        (
            "question to the guest",
            request(1, "10.0.0.5").asked(),
            Way::ToGuest,
            &[],
        ),
        (
            "answer",
            ack(1, "10.0.0.5", 60).answered("10.0.0.1"),
            Way::ToGuest,
            &["dhcp"],
        ),
        (
            "answer by the guest",
            ack(1, "10.0.0.5", 60).answered("10.0.0.1"),
            Way::FromGuest,
            &[],
        ),
        (
            "another's answer",
            ack(1, "10.0.0.5", 60).client(OTHER).answered("10.0.0.1"),
            Way::ToGuest,
            &[],
        ),
        (
            "packet",
            ethernet(GUEST, OTHER, IPV4, &ipv4("10.0.0.5", "10.0.0.1", 1, &[8])),
            Way::FromGuest,
            &["v4"],
        ),
        (
            "neighbour",
            neighbour(GUEST, 135, "::", "fe80::1"),
            Way::FromGuest,
            &["v6"],
        ),
        (
            "another neighbour",
            neighbour(OTHER, 136, "fe80::1", "fe80::1"),
            Way::ToGuest,
            &[],
        ),
        (
            "router",
            neighbour(GUEST, 134, "fe80::1", "fe80::1"),
            Way::FromGuest,
            &[],
        ),
        ("question 6", dhcp6_asked(&reply), Way::FromGuest, &["dhcp6"]),
        (
            "answer 6",
            dhcp6_answered(GUEST, "fe80::1", &reply),
            Way::ToGuest,
            &["dhcp6"],
        ),
        (
            "another's answer 6",
            dhcp6_answered(OTHER, "fe80::1", &reply),
            Way::ToGuest,
            &[],
        ),
    ] {
        assert_eq!(seen(&frame, way), expected, "{what}");
        assert_eq!(seen(&tagged(&frame), way), Vec::<&str>::new(), "{what}, tagged");
        for (_, look) in looks() {
            assert_eq!(run(&look.program(), &frame, way, true), 0, "{what}, its tag taken off");
        }
    }
    assert!(NOTHING.is_nothing() && looks().iter().all(|(_, look)| !look.is_nothing()));
    let mut fragment = ack(1, "10.0.0.5", 60).answered("10.0.0.1");
    fragment[21] = 1;
    assert_eq!(seen(&fragment, Way::ToGuest), Vec::<&str>::new());
}

#[test]
fn looks_add_up() {
    let all = Look {
        dhcp: true,
        dhcp6: true,
        v4: true,
        v6: true,
        ..NOTHING
    };
    let program = all.program();
    // The kernel takes 4096, and refuses a jump behind the end.
    assert!(program.len() < 200);
    for (at, insn) in program.iter().enumerate() {
        assert!(at + usize::from(insn.yes.max(insn.no)) < program.len(), "{at}");
    }
    for (frame, way) in [
        (arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1"), Way::FromGuest),
        (ack(1, "10.0.0.5", 60).answered("10.0.0.1"), Way::ToGuest),
        (neighbour(GUEST, 136, "fe80::5", "fe80::5"), Way::FromGuest),
        (dhcp6_answered(GUEST, "fe80::1", &dhcp6(7, 1, &[])), Way::ToGuest),
    ] {
        assert_eq!(run(&program, &frame, way, false), SNAP);
    }
}

proptest! {
    /// Whatever the rest of this module would take in passes here first.
    #[test]
    fn nothing_that_counts_is_held_back(
        start in prop::sample::select(vec![ack(1, "10.0.0.5", 60).answered("10.0.0.1"), request(1, "10.0.0.5").asked(),
            dhcp6_asked(&dhcp6(3, 9, &[])), dhcp6_answered(GUEST, "fe80::1", &dhcp6(7, 9, &[])),
            neighbour(GUEST, 135, "::", "fe80::1"), arp(GUEST, GUEST, 1, "10.0.0.5", "10.0.0.1")]),
        changes in prop::collection::vec((0_usize..64, any::<u8>()), 0..4),
        outgoing in any::<bool>(),
    ) {
        let mut frame = start;
        for (at, byte) in changes {
            let at = at % frame.len();
            frame[at] = byte;
        }
        let way = if outgoing { Way::ToGuest } else { Way::FromGuest };
        let Some(read) = Frame::read(&frame) else { return Ok(()) };
        let from = way == Way::FromGuest && read.source == GUEST;
        let to = way == Way::ToGuest;
        let look = match read.tale {
            Tale::Arp { .. } | Tale::Ipv4(_) if from => 2,
            Tale::DhcpQuestion(_) if from => 0,
            Tale::DhcpAnswer { message, .. } if to && message.get(28..34) == Some(&GUEST.0) => 0,
            Tale::Neighbour(_) if from => 3,
            Tale::Dhcp6Question(_) if from => 1,
            Tale::Dhcp6Answer { .. } if to && read.destination == GUEST => 1,
            _ => return Ok(()),
        };
        let (name, look) = looks()[look];
        prop_assert_eq!(run(&look.program(), &frame, way, false), SNAP, "{}", name);
    }
}
