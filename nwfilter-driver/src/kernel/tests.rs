//! Rule sets in the kernel of the machine, in network namespaces of their own.

mod listing;
mod load;
mod packets;
mod walk;

use super::*;
use crate::nft::sys::in_own_network;
use crate::ruleset::{
    Base, ChainName, Condition, Hook, Load, Origin as Place, PortRules, Predicate, Program, Rule, SlotKey, SlotShape,
    Test, Verdict as Does,
};
use driver_api::types::uuid::Uuid;
use std::collections::BTreeSet;
use std::sync::Arc;

fn origin(entry: u32) -> Place {
    Place {
        filter: Uuid::from_bytes([7; 16]),
        entry,
    }
}

fn bytes(base: Base, offset: u8, value: &[u8]) -> Condition {
    Condition::Bytes {
        load: Load::payload(base, offset, u8::try_from(value.len()).unwrap()),
        mask: None,
        test: Test::Equal(value.to_vec()),
        negated: false,
    }
}

fn ipv4() -> Condition {
    bytes(Base::Link, 12, &[8, 0])
}

fn rule(entry: u32, conditions: Vec<Condition>, verdict: Does) -> Rule {
    Rule {
        conditions,
        verdict,
        origin: Some(origin(entry)),
    }
}

/// Guards the sender's hardware address by a slot, and drops a port.
fn guard(port: u16) -> Program {
    let source = SlotKey {
        load: Load::payload(Base::Link, 6, 6),
        mask: None,
    };
    let address = Condition::Slot {
        slot: 0,
        keys: vec![source],
        negated: true,
    };
    let to = ChainName {
        hook: Hook::FrameOut,
        suffix: "ipv4".to_owned(),
    };
    let jump = Rule {
        conditions: vec![ipv4()],
        verdict: Does::Jump("ipv4".to_owned()),
        origin: None,
    };
    let range = Condition::Bytes {
        load: Load::payload(Base::Network, 12, 4),
        mask: Some(vec![255, 255, 255, 0]),
        test: Test::Range(vec![10, 0, 0, 0], vec![10, 0, 9, 0]),
        negated: true,
    };
    let service = bytes(Base::Transport, 2, &port.to_be_bytes());
    let protocol = Condition::Bytes {
        load: Load::Protocol,
        mask: None,
        test: Test::Equal(vec![6]),
        negated: false,
    };
    Program {
        chains: BTreeMap::from([
            (
                ChainName::first(Hook::FrameOut),
                vec![rule(0, vec![address], Does::Drop), jump],
            ),
            (to, vec![rule(1, vec![range], Does::Drop)]),
            (
                ChainName::first(Hook::PacketIn),
                vec![rule(2, vec![ipv4(), protocol, service], Does::Drop)],
            ),
        ]),
        slots: vec![SlotShape {
            out: true,
            widths: vec![6],
        }],
    }
}

/// Some ports with one program.
fn desired(program: Program, ports: u8) -> Desired {
    let name = "p-00000001".to_owned();
    let width = program.slots.iter().flat_map(|shape| &shape.widths);
    let width = width.map(|width| usize::from(*width)).sum();
    let rules = |number| PortRules {
        program: name.clone(),
        slots: vec![BTreeSet::from([vec![number; width]])],
    };
    Desired {
        ports: (0..ports)
            .map(|number| (format!("port{number}"), rules(number).into()))
            .collect(),
        programs: BTreeMap::from([(name.clone(), Arc::new(program))]),
    }
}

#[test]
fn ports_come_change_and_go() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        let two = desired(guard(22), 2);
        kernel.install(&Desired::default()).unwrap();
        kernel.apply(&Desired::default(), &two).unwrap();
        let names = kernel.names().unwrap();
        assert_eq!(names.get("port1").map(String::as_str), Some("p-00000001"));
        let three = desired(guard(23), 3);
        kernel.apply(&two, &three).unwrap();
        assert_eq!(kernel.names().unwrap().len(), 3);
        assert_eq!(kernel.verify(&three).unwrap(), []);
        assert!(!kernel.verify(&two).unwrap().is_empty());
        if std::env::var_os("SHOW").is_some() {
            std::process::Command::new("nft")
                .args(["-a", "list", "ruleset"])
                .status()
                .unwrap();
        }
        let four = desired(guard(23), 4);
        for (from, to) in [(&three, &four), (&four, &three)] {
            kernel.apply(from, to).unwrap();
            assert_eq!(kernel.verify(to).unwrap(), []);
        }
        kernel.apply(&three, &Desired::default()).unwrap();
        assert!(kernel.names().unwrap().is_empty());
        assert_eq!(kernel.verify(&Desired::default()).unwrap(), []);
        kernel.install(&three).unwrap();
        kernel.install(&two).unwrap();
        assert_eq!(kernel.names().unwrap().len(), 2);
    });
}

#[test]
fn a_refusal_of_any_message_changes_nothing() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        let (old, new) = (desired(guard(22), 2), desired(stateful(), 3));
        kernel.install(&old).unwrap();
        let (mut messages, mut named_rules, mut said) = (1, 0, Vec::new());
        let mut at = 0;
        while at < messages {
            let refused = kernel.apply_altered(&old, &new, |batch| {
                messages = batch.len();
                batch.spoil(at);
            });
            let Err(Failure::Refused { error, rule }) = refused else {
                panic!("message {at}: {refused:?}");
            };
            said.push(error.to_string());
            if let Some(origin) = rule {
                let named = format!("the rule of entry {} of filter {}", origin.entry, origin.filter);
                assert!(error.to_string().contains(&named), "{error}");
                named_rules += 1;
            }
            assert_eq!(kernel.verify(&old).unwrap(), [], "message {at}");
            at += 1;
        }
        assert!(messages > 20 && named_rules > 5, "{messages} {named_rules}");
        let known = |words: &str| said.iter().any(|said| said.contains(words));
        assert!(known("values of several ports in set 'from-packet'"), "{said:#?}");
        assert!(known("values of port 'port2' in set 'from'"), "{said:#?}");
        kernel.apply(&old, &new).unwrap();
        assert_eq!(kernel.verify(&new).unwrap(), []);
    });
}

#[test]
fn equal_rule_sets_send_nothing() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        let two = desired(guard(22), 2);
        kernel.install(&two).unwrap();
        let same = kernel.apply_altered(&two, &desired(guard(22), 2), |batch| assert!(batch.is_empty()));
        same.unwrap();
    });
}

#[test]
fn what_others_changed_is_told_apart_and_repaired() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        let (two, three) = (desired(guard(22), 2), desired(guard(23), 3));
        // Nothing was ever installed.
        assert!(matches!(kernel.apply(&two, &three), Err(Failure::Stale(_))));
        kernel.install(&two).unwrap();
        assert_eq!(kernel.verify(&two).unwrap(), []);
    });
}

#[test]
fn what_a_kernel_can_not_is_named() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        kernel.install(&Desired::default()).unwrap();
        let limit = |above| Condition::Predicate {
            predicate: Predicate::Connections {
                v6: false,
                protocol: None,
                above,
            },
            negated: false,
        };
        let rules = (0..10).map(|number| rule(number, vec![ipv4(), limit(number)], Does::Drop));
        let program = Program {
            chains: BTreeMap::from([(ChainName::first(Hook::PacketOut), rules.collect())]),
            slots: Vec::new(),
        };
        let mut many = desired(program, 1);
        many.ports
            .values_mut()
            .for_each(|port| Arc::make_mut(port).slots.clear());
        let refused = kernel.apply(&Desired::default(), &many);
        let Err(Failure::Refused { error, rule }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((error.code(), rule), (Code::CONFIG_UNSUPPORTED, Some(origin(9))));
        assert!(error.to_string().contains("more than 9"), "{error}");
        assert_eq!(kernel.verify(&Desired::default()).unwrap(), []);
    });
}

#[test]
fn large_rule_sets_go_in_one_transaction() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        let mut program = guard(22);
        let long = (0..10_000).map(|entry| rule(entry, vec![bytes(Base::Network, 9, &[17])], Does::Drop));
        program.chains.insert(ChainName::first(Hook::PacketOut), long.collect());
        let mut large = desired(program, 0);
        for port in 0..1000_u16 {
            let rules = PortRules {
                program: "p-00000001".to_owned(),
                slots: vec![BTreeSet::from([[&[2, 0, 0, 0][..], &port.to_be_bytes()].concat()])],
            };
            large.ports.insert(format!("port{port}"), rules.into());
        }
        kernel.install(&Desired::default()).unwrap();
        kernel.apply(&Desired::default(), &large).unwrap();
        assert_eq!(kernel.verify(&large).unwrap(), []);
        kernel.apply(&large, &Desired::default()).unwrap();
        assert_eq!(kernel.verify(&Desired::default()).unwrap(), []);
    });
}

/// Asks for states, compares fields and rejects, at every hook that can.
fn stateful() -> Program {
    let ipv6 = || bytes(Base::Link, 12, &[0x86, 0xdd]);
    let new = Condition::State {
        states: 1 | 2,
        negated: false,
    };
    let invalid = Condition::State {
        states: 8,
        negated: true,
    };
    let same = Condition::Same {
        left: Load::payload(Base::Network, 14, 4),
        right: Load::payload(Base::Network, 24, 4),
        negated: true,
    };
    let option = Condition::TcpOption {
        kind: 2,
        negated: false,
    };
    let first = ChainName::first;
    Program {
        chains: BTreeMap::from([
            (
                first(Hook::FrameOut),
                vec![rule(0, vec![same], Does::Drop), rule(1, vec![], Does::Reject)],
            ),
            (first(Hook::FrameIn), vec![rule(2, vec![option], Does::Continue)]),
            (
                first(Hook::PacketOut),
                vec![
                    rule(3, vec![ipv4(), new, Condition::Reply(false)], Does::Accept),
                    rule(4, vec![ipv6(), invalid, Condition::Reply(true)], Does::Return),
                    rule(5, vec![], Does::Reject),
                ],
            ),
        ]),
        slots: vec![SlotShape {
            out: false,
            widths: vec![1, 2, 4, 16],
        }],
    }
}

#[test]
fn changes_by_others_are_heard_and_ours_are_not() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        let mut watch = kernel.watch().unwrap();
        let two = desired(guard(22), 2);
        kernel.install(&two).unwrap();
        nft("add table bridge strange");
        assert_eq!(watch.next_event().unwrap(), None);
        nft("flush chain bridge lockstep_nwfilter prerouting");
        let Some(watch::Event::Changed { pid, name }) = watch.next_event().unwrap() else {
            panic!("nothing was heard");
        };
        assert!(pid != 0 && name == "nft", "{pid} {name}");
        assert_eq!(watch.next_event().unwrap(), None);
        let deviations = kernel.verify(&two).unwrap();
        assert_eq!(deviations.len(), 1);
        assert_eq!(
            deviations[0].to_string(),
            "chain 'prerouting' of the bridge table was changed"
        );
        kernel.install(&two).unwrap();
        nft("add table bridge lockstep_nwfilter { flags dormant; }");
        let deviations = kernel.verify(&two).unwrap();
        assert_eq!(deviations[0].to_string(), "all of the bridge table is missing");
        assert!(watch.next_event().unwrap().is_some());
        nft("delete table bridge lockstep_nwfilter");
        assert!(watch.next_event().unwrap().is_some());
        let stale = kernel.apply(&two, &desired(guard(23), 2));
        assert!(matches!(stale, Err(Failure::Stale(_))), "{stale:?}");
        kernel.install(&two).unwrap();
        assert_eq!(kernel.verify(&two).unwrap(), []);
        assert_eq!(watch.next_event().unwrap(), None);
    });
}

fn nft(command: &str) {
    assert!(
        std::process::Command::new("nft")
            .args(command.split(' '))
            .status()
            .unwrap()
            .success()
    );
}
