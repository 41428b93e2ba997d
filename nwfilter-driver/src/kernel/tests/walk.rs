//! From any rule set to any other: what the difference leaves in the kernel is what the rule set says.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Programs that differ in chains, hooks, slots and in what they need of the IP tables.
fn programs() -> Vec<Program> {
    let limited = |above| {
        let predicate = Predicate::Connections {
            v6: above == 3,
            protocol: None,
            above,
        };
        let conditions = vec![
            ipv4(),
            Condition::Predicate {
                predicate,
                negated: false,
            },
        ];
        Program {
            chains: BTreeMap::from([(ChainName::first(Hook::PacketOut), vec![rule(0, conditions, Does::Drop)])]),
            slots: Vec::new(),
        }
    };
    let other_slot = || {
        let mut program = guard(22);
        program.slots[0].widths = vec![6, 2];
        let source = [(6, 6), (12, 2)].map(|(offset, len)| SlotKey {
            load: Load::payload(Base::Link, offset, len),
            mask: None,
        });
        program.chains.insert(
            ChainName::first(Hook::FrameOut),
            vec![rule(
                0,
                vec![Condition::Slot {
                    slot: 0,
                    keys: source.to_vec(),
                    negated: true,
                }],
                Does::Drop,
            )],
        );
        program
    };
    vec![
        Program::default(),
        guard(22),
        guard(23),
        other_slot(),
        stateful(),
        limited(2),
        limited(3),
    ]
}

/// Which program stands under each of some names, and which port uses which name with which value; `None` is no port.
type Choice = (Vec<usize>, Vec<Option<(usize, u8)>>);

fn choice() -> impl Strategy<Value = Choice> {
    let programs = proptest::collection::vec(0..programs().len(), 3);
    let ports = proptest::collection::vec(proptest::option::of((0..3_usize, 0..3_u8)), 5);
    (programs, ports)
}

fn chosen((programs, ports): &Choice) -> Desired {
    let pool = self::programs();
    let mut desired = Desired::default();
    for (port, choice) in ports.iter().enumerate() {
        let Some((name, value)) = choice else { continue };
        let program = &pool[programs[*name]];
        let name = format!("p-{name}");
        let slot =
            |shape: &SlotShape| BTreeSet::from([vec![*value; shape.widths.iter().map(|w| usize::from(*w)).sum()]]);
        let rules = PortRules {
            program: name.clone(),
            slots: program.slots.iter().map(slot).collect(),
        };
        desired.ports.insert(format!("port{port}"), rules.into());
        desired
            .programs
            .entry(name)
            .or_insert_with(|| Arc::new(program.clone()));
    }
    desired
}

#[test]
fn every_way_ends_where_it_should() {
    in_own_network(|| {
        let kernel = Kernel::open(Options::default()).unwrap();
        let mut runner = TestRunner::new(Config {
            cases: 25,
            failure_persistence: None,
            ..Config::default()
        });
        let ways = proptest::collection::vec(choice(), 2..6);
        let outcome = runner.run(&ways, |way| {
            let mut now = Desired::default();
            kernel.install(&now).unwrap();
            for next in way.iter().map(chosen) {
                kernel.apply(&now, &next).unwrap();
                prop_assert_eq!(kernel.verify(&next).unwrap(), []);
                let known: BTreeSet<_> = kernel.names().unwrap().into_keys().collect();
                prop_assert!(known.iter().all(|port| next.ports.contains_key(port)));
                now = next;
            }
            Ok(())
        });
        outcome.unwrap();
    });
}
