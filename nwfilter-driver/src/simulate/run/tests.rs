//! Hand-made programs, and what becomes of frames.

use super::*;
use crate::def::address::Mac;
use crate::ruleset::{Base, SlotShape};
use crate::simulate::describe;
use driver_api::types::uuid::Uuid;

const GUEST: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);

fn is(base: Base, offset: u8, value: &[u8]) -> Condition {
    Condition::Bytes {
        load: Load::payload(base, offset, u8::try_from(value.len()).unwrap()),
        mask: None,
        test: Test::Equal(value.to_vec()),
        negated: false,
    }
}

fn not(condition: Condition) -> Condition {
    match condition {
        Condition::Bytes { load, mask, test, .. } => Condition::Bytes {
            load,
            mask,
            test,
            negated: true,
        },
        other => other,
    }
}

fn ipv4() -> Condition {
    is(Base::Link, 12, &[8, 0])
}

const fn state(states: u8) -> Condition {
    Condition::State { states, negated: false }
}

type Written<'a> = &'a [(&'a [Condition], Verdict)];

/// Chains by hook and suffix; the entry of each rule counts up over all.
fn program(chains: &[(Hook, &str, Written<'_>)]) -> Program {
    let mut entry = 0;
    let mut program = Program::default();
    for (hook, suffix, rules) in chains {
        let name = ChainName {
            hook: *hook,
            suffix: (*suffix).to_owned(),
        };
        let rule = |(conditions, verdict): &(&[Condition], Verdict)| {
            entry += 1;
            Rule {
                conditions: conditions.to_vec(),
                verdict: verdict.clone(),
                origin: Some(Origin {
                    filter: Uuid::from_bytes([1; 16]),
                    entry: entry - 1,
                }),
            }
        };
        program.chains.insert(name, rules.iter().map(rule).collect());
    }
    program
}

fn sent(program: &Program, slots: &[BTreeSet<Vec<u8>>], packets: &[&str]) -> Vec<Outcome> {
    let mut connections = Connections::default();
    let rules = Rules { program, slots };
    let one = |text: &&str| {
        let (way, frame) = describe::packet(text, GUEST).unwrap();
        run(rules, way, &frame, &mut connections)
    };
    packets.iter().map(one).collect()
}

fn fates(program: &Program, packets: &[&str]) -> Vec<Fate> {
    sent(program, &[], packets).iter().map(|outcome| outcome.fate).collect()
}

const UDP_OUT: &str = "out udp 192.0.2.1:5 > 192.0.2.2:53";
const UDP_BACK: &str = "in udp 192.0.2.2:53 > 192.0.2.1:5";

#[test]
fn a_program_without_rules_passes_everything() {
    assert_eq!(
        fates(&Program::default(), &[UDP_OUT, UDP_BACK, "to-host stp"]),
        [Fate::Pass; 3]
    );
}

#[test]
fn jumps_come_back_and_verdicts_end_the_hook() {
    let program = program(&[
        (
            Hook::FrameOut,
            "",
            &[
                (&[], Verdict::Continue),
                (&[ipv4()], Verdict::Jump("v4".to_owned())),
                (&[], Verdict::Jump("missing".to_owned())),
                (&[is(Base::Link, 12, &[8, 6])], Verdict::Accept),
                (&[], Verdict::Drop),
            ],
        ),
        (
            Hook::FrameOut,
            "v4",
            &[
                (&[is(Base::Network, 19, &[9])], Verdict::Return),
                (&[is(Base::Network, 9, &[17])], Verdict::Accept),
            ],
        ),
    ]);
    let outcomes = sent(
        &program,
        &[],
        &[
            UDP_OUT,
            "udp 192.0.2.1:5 > 192.0.2.9:53",
            "igmp 192.0.2.1 > 192.0.2.3",
            "arp who-has 1.1.1.1 tell 1.1.1.2",
        ],
    );
    let entries =
        |outcome: &Outcome| -> Vec<u32> { outcome.path.iter().map(|step| step.origin.unwrap().entry).collect() };
    let found: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.fate, entries(outcome)))
        .collect();
    assert_eq!(
        found,
        [
            (Fate::Pass, vec![0, 1, 6]),
            // The return went back behind the jump, where the last rule drops.
            (Fate::Drop, vec![0, 1, 5, 2, 4]),
            (Fate::Drop, vec![0, 1, 2, 4]),
            (Fate::Pass, vec![0, 2, 3]),
        ]
    );
    assert_eq!(outcomes[0].decided.as_ref().unwrap().chain.suffix, "v4");
}

#[test]
fn the_way_decides_which_hooks_are_asked() {
    for (hook, dropped) in [
        (Hook::FrameOut, [true, false, true, false]),
        (Hook::PacketOut, [true, false, true, false]),
        (Hook::PacketIn, [false, true, false, false]),
        (Hook::FrameIn, [false, true, false, true]),
    ] {
        let program = program(&[(hook, "", &[(&[], Verdict::Drop)])]);
        for (way, dropped) in Way::ALL.into_iter().zip(dropped) {
            let text = format!("{} udp 192.0.2.1:5 > 192.0.2.2:53", way.name());
            assert_eq!(fates(&program, &[&text]) == [Fate::Drop], dropped, "{hook:?} {text}");
        }
    }
}

#[test]
fn what_is_not_there_does_not_match_negated_or_not() {
    for condition in [is(Base::Transport, 2, &[0, 53]), not(is(Base::Transport, 2, &[0, 53]))] {
        let program = program(&[(Hook::FrameOut, "", &[(&[condition], Verdict::Drop)])]);
        assert_eq!(fates(&program, &["arp who-has 1.1.1.1 tell 1.1.1.2"]), [Fate::Pass]);
    }
    let program = program(&[(
        Hook::FrameOut,
        "",
        &[(&[not(is(Base::Transport, 2, &[0, 53]))], Verdict::Drop)],
    )]);
    assert_eq!(
        fates(&program, &[UDP_OUT, "udp 192.0.2.1:5 > 192.0.2.2:54"]),
        [Fate::Pass, Fate::Drop]
    );
}

#[test]
fn masks_ranges_and_two_loads_are_compared() {
    let network = |offset, len| Load::payload(Base::Network, offset, len);
    let range = Condition::Bytes {
        load: Load::payload(Base::Transport, 2, 2),
        mask: None,
        test: Test::Range(vec![0, 200], vec![1, 3]),
        negated: false,
    };
    let prefix = Condition::Bytes {
        load: network(12, 4),
        mask: Some(vec![255, 255, 0, 0]),
        test: Test::Equal(vec![10, 1, 0, 0]),
        negated: false,
    };
    let same = Condition::Same {
        left: network(12, 4),
        right: network(16, 4),
        negated: false,
    };
    for (condition, hit, miss) in [
        (
            range.clone(),
            "udp 10.1.2.3:1 > 10.9.9.9:256",
            "udp 10.1.2.3:1 > 10.9.9.9:260",
        ),
        (range, "udp 10.1.2.3:1 > 10.9.9.9:200", "udp 10.1.2.3:1 > 10.9.9.9:199"),
        (prefix, "esp 10.1.2.3 > 10.9.9.9", "esp 10.2.2.3 > 10.9.9.9"),
        (same, "esp 10.1.2.3 > 10.1.2.3", "esp 10.1.2.3 > 10.1.2.4"),
    ] {
        let program = program(&[(Hook::FrameOut, "", &[(&[condition], Verdict::Drop)])]);
        assert_eq!(fates(&program, &[hit, miss]), [Fate::Drop, Fate::Pass], "{hit}");
    }
}

#[test]
fn slots_hold_the_ports_own_values() {
    let key = |offset, len, mask| SlotKey {
        load: Load::payload(Base::Network, offset, len),
        mask,
    };
    let slot = Condition::Slot {
        slot: 0,
        keys: vec![key(12, 4, Some(vec![255, 255, 255, 0])), key(9, 1, None)],
        negated: true,
    };
    let mut program = program(&[(Hook::FrameOut, "", &[(&[ipv4(), slot], Verdict::Drop)])]);
    program.slots = vec![SlotShape {
        out: true,
        widths: vec![4, 1],
    }];
    let element = vec![192, 0, 2, 0, 17];
    let packets = [
        UDP_OUT,
        "udp 192.0.3.1:5 > 192.0.2.2:53",
        "esp 192.0.2.1 > 192.0.2.2",
        "stp",
    ];
    let fates = |slots: &[BTreeSet<Vec<u8>>]| -> Vec<Fate> {
        sent(&program, slots, &packets)
            .iter()
            .map(|outcome| outcome.fate)
            .collect()
    };
    assert_eq!(
        fates(&[BTreeSet::from([element])]),
        [Fate::Pass, Fate::Drop, Fate::Drop, Fate::Pass]
    );
    assert_eq!(
        fates(&[BTreeSet::new()]),
        [Fate::Drop, Fate::Drop, Fate::Drop, Fate::Pass]
    );
}

#[test]
fn answers_pass_where_the_question_passed() {
    let accept_out: Written<'_> = &[
        (&[ipv4(), state(3), Condition::Reply(false)], Verdict::Accept),
        (&[], Verdict::Drop),
    ];
    let accept_in: Written<'_> = &[
        (&[ipv4(), state(2), Condition::Reply(true)], Verdict::Accept),
        (&[], Verdict::Drop),
    ];
    let program = program(&[(Hook::PacketOut, "", accept_out), (Hook::PacketIn, "", accept_in)]);
    assert_eq!(
        fates(&program, &[UDP_BACK, UDP_OUT, UDP_BACK, UDP_OUT]),
        [Fate::Drop, Fate::Pass, Fate::Pass, Fate::Pass]
    );
    let group = format!("in 2:0:0:0:0:1 > 33:33:0:0:0:1 {}", &UDP_BACK[3..]);
    assert_eq!(
        fates(&program, &[&group, UDP_OUT, &group]),
        // The host has a copy of the first, so the second is an answer, which this filter does not let out.
        [Fate::Drop, Fate::Drop, Fate::Drop]
    );
    // What was dropped opened nothing.
    let program = {
        let mut program = program;
        let drop = Rule {
            conditions: vec![is(Base::Network, 19, &[2])],
            verdict: Verdict::Drop,
            origin: None,
        };
        program
            .chains
            .get_mut(&ChainName::first(Hook::PacketOut))
            .unwrap()
            .insert(0, drop);
        program
    };
    assert_eq!(fates(&program, &[UDP_OUT, UDP_BACK]), [Fate::Drop, Fate::Drop]);
}

#[test]
fn rejects_reject_only_where_the_kernel_can() {
    for (hook, text, fate) in [
        (Hook::FrameOut, "udp 192.0.2.1:5 > 192.0.2.2:53", Fate::Reject),
        (Hook::FrameOut, "arp who-has 1.1.1.1 tell 1.1.1.2", Fate::Drop),
        (Hook::FrameOut, "vlan 3 udp 192.0.2.1:5 > 192.0.2.2:53", Fate::Drop),
        (Hook::PacketOut, "udp [fe80::1]:5 > [fe80::2]:53", Fate::Reject),
        (Hook::PacketIn, "in udp 192.0.2.1:5 > 192.0.2.2:53", Fate::Reject),
        (Hook::FrameIn, "in udp 192.0.2.1:5 > 192.0.2.2:53", Fate::Drop),
    ] {
        let program = program(&[(hook, "", &[(&[], Verdict::Reject)])]);
        let outcome = sent(&program, &[], &[text]).remove(0);
        assert_eq!(outcome.fate, fate, "{text}");
        assert_eq!(outcome.notes.is_empty(), fate == Fate::Reject, "{text}");
    }
}

#[test]
fn fragments_wait_only_where_connections_are_tracked() {
    let plain = "hex 020000000002 020000000001 0800 4500 001c 0001 2000 40 11 d6cc c0000201 c0000202 0005003500080000";
    let untracked = program(&[(
        Hook::PacketOut,
        "",
        &[(&[ipv4(), is(Base::Network, 9, &[6])], Verdict::Drop)],
    )]);
    assert_eq!(fates(&untracked, &[plain]), [Fate::Pass]);
    let tracked = program(&[(Hook::PacketOut, "", &[(&[ipv4(), state(8)], Verdict::Drop)])]);
    assert_eq!(fates(&tracked, &[plain]), [Fate::Held]);
    let other = program(&[(
        Hook::PacketOut,
        "",
        &[(&[is(Base::Link, 12, &[0x86, 0xdd]), state(8)], Verdict::Drop)],
    )]);
    assert_eq!(fates(&other, &[plain]), [Fate::Pass]);
}

#[test]
fn what_can_not_be_known_is_noted() {
    let set = Condition::Predicate {
        predicate: Predicate::IpSet {
            v6: false,
            name: "allowed".to_owned(),
            sources: vec![true],
        },
        negated: true,
    };
    let program = program(&[(
        Hook::PacketOut,
        "",
        &[
            (&[ipv4(), set.clone()], Verdict::Continue),
            (&[ipv4(), set], Verdict::Drop),
        ],
    )]);
    let outcome = sent(&program, &[], &[UDP_OUT]).remove(0);
    assert_eq!(outcome.fate, Fate::Drop);
    assert_eq!(
        outcome.notes,
        ["depends on ipset 'allowed', taken as if the packet were not in it"]
    );
}

#[test]
fn a_loop_of_jumps_ends() {
    let program = program(&[(Hook::FrameOut, "", &[(&[], Verdict::Jump(String::new()))])]);
    assert_eq!(fates(&program, &[UDP_OUT]), [Fate::Pass]);
}
