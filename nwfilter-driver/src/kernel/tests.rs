//! Rule sets in the kernel of the machine, in network namespaces of their own.

use super::*;
use crate::nft::sys::in_own_network;
use crate::ruleset::{
    Base, ChainName, Condition, Hook, Load, Origin as Place, PortRules, Program, Rule, SlotKey, SlotShape, Test,
    Verdict as Outcome,
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

fn rule(entry: u32, conditions: Vec<Condition>, verdict: Outcome) -> Rule {
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
        verdict: Outcome::Jump("ipv4".to_owned()),
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
                vec![rule(0, vec![address], Outcome::Drop), jump],
            ),
            (to, vec![rule(1, vec![range], Outcome::Drop)]),
            (
                ChainName::first(Hook::PacketIn),
                vec![rule(2, vec![ipv4(), protocol, service], Outcome::Drop)],
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
    let rules = |number| PortRules {
        program: name.clone(),
        slots: vec![BTreeSet::from([vec![2, 0, 0, 0, 0, number]])],
    };
    Desired {
        ports: (0..ports)
            .map(|number| (format!("port{number}"), rules(number)))
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
        if std::env::var_os("SHOW").is_some() {
            std::process::Command::new("nft")
                .args(["-a", "list", "ruleset"])
                .status()
                .unwrap();
        }
        kernel.apply(&three, &Desired::default()).unwrap();
        assert!(kernel.names().unwrap().is_empty());
        kernel.install(&three).unwrap();
        kernel.install(&two).unwrap();
        assert_eq!(kernel.names().unwrap().len(), 2);
    });
}
