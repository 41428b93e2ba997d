//! The simulator against the kernel: random packets through a bridge, and through the same rules without a kernel.
//!
//! `LOCKSTEP_AGREEMENT_SEED` repeats a run; `LOCKSTEP_AGREEMENT_FILTERS` and `LOCKSTEP_AGREEMENT_PACKETS` make it longer.
//! `tools/agreement` runs it in full.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic is a verdict"
)]

mod filters;
mod packets;
mod pool;
#[path = "../wire/mod.rs"]
mod wire;

use driver_api::error::Code;
use fastrand::Rng;
use nwfilter_driver::compile::compile;
use nwfilter_driver::def::address::Mac;
use nwfilter_driver::kernel::{Failure, Kernel, Options};
use nwfilter_driver::ruleset::{Desired, PortRules, Program};
use nwfilter_driver::simulate::packet::Packet;
use nwfilter_driver::simulate::tuple::Ends;
use nwfilter_driver::simulate::{Connections, Fate, Rules, Way, run};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use wire::{GUEST_PORT, HOST_V4, Seen, Wire, need_root};

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

fn seed() -> u64 {
    let seed = setting("LOCKSTEP_AGREEMENT_SEED", fastrand::u64(..));
    eprintln!("LOCKSTEP_AGREEMENT_SEED={seed}");
    seed
}

/// All senders that a host can answer.
fn neighbours() -> Vec<(IpAddr, String)> {
    let addresses = pool::V4.iter().chain(&pool::V6).map(|text| text.parse().unwrap());
    addresses
        .filter(|address| can_be_answered(*address))
        .map(|address| (address, "52:54:00:00:00:fe".to_owned()))
        .collect()
}

fn can_be_answered(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_broadcast() && !v4.is_multicast(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

#[test]
fn a_bridge_without_filters_loses_what_the_simulator_says() {
    need_root!();
    let mut rng = Rng::with_seed(seed());
    let program = Program::default();
    let wrong = Wire::with(&neighbours(), |wire| {
        let rules = Rules {
            program: &program,
            slots: &[],
        };
        compare(wire, rules, &[], &mut rng, setting("LOCKSTEP_AGREEMENT_PACKETS", 5000))
    });
    assert!(
        wrong.is_empty(),
        "{} packets, the first:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}

#[test]
fn the_kernel_and_the_simulator_agree_on_random_filters() {
    need_root!();
    let seed = seed();
    let (filters, packets) = (
        setting("LOCKSTEP_AGREEMENT_FILTERS", 12),
        setting("LOCKSTEP_AGREEMENT_PACKETS", 1000),
    );
    let one = |number| {
        // Each filter has a seed and a namespace of its own, so that one can be looked at without those before it.
        let seed = seed.wrapping_add(number);
        Wire::with(&neighbours(), |wire| disagreement(wire, seed, packets))
    };
    let failed: Vec<String> = (0..filters).filter_map(one).collect();
    assert!(
        failed.is_empty(),
        "{} of {filters} filters:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// What the kernel and the simulator do not agree on for one random filter.
fn disagreement(wire: &mut Wire, seed: u64, packets: u64) -> Option<String> {
    let mut rng = Rng::with_seed(seed);
    let kernel = Kernel::open(Options::default()).unwrap();
    let nothing = Desired::default();
    kernel.install(&nothing).map_err(Failure::into_error).unwrap();
    let (tree, program, slots) = loop {
        let tree = filters::tree(&mut rng);
        let compiled = match compile(&tree.table, filters::TOP, &tree.parameters) {
            Ok(compiled) => compiled,
            Err(error) => {
                eprintln!("passed over: {error}");
                continue;
            }
        };
        let slots = compiled.fill(&tree.parameters).unwrap();
        let port = PortRules {
            program: "p-00000001".to_owned(),
            slots: slots.clone(),
        };
        let desired = Desired {
            programs: BTreeMap::from([(port.program.clone(), Arc::clone(&compiled.program))]),
            ports: BTreeMap::from([(GUEST_PORT.to_owned(), port.into())]),
        };
        match kernel.apply(&nothing, &desired).map_err(Failure::into_error) {
            Ok(()) => break (tree, compiled.program, slots),
            Err(error) if error.code() == Code::CONFIG_UNSUPPORTED => eprintln!("passed over: {error}"),
            Err(error) => return Some(format!("seed {seed}: {error}\n{}{:?}", tree.xml, tree.parameters)),
        }
    };
    let rules = Rules {
        program: &program,
        slots: &slots,
    };
    let wrong = compare(wire, rules, &tree.protocols, &mut rng, packets);
    let first = wrong.get(..wrong.len().min(3))?.join("\n");
    (!wrong.is_empty()).then(|| {
        format!(
            "seed {seed}: {} packets\n{}{:?}\n{first}",
            wrong.len(),
            tree.xml,
            tree.parameters
        )
    })
}

/// Sends packets both ways; says where the fates differ.
fn compare(wire: &mut Wire, rules: Rules<'_>, protocols: &[&'static str], rng: &mut Rng, packets: u64) -> Vec<String> {
    let host = Mac::read(wire::HOST_MAC).unwrap();
    let mut wrong = Vec::new();
    let mut sent = 0;
    let tracked = nwfilter_driver::simulate::run::tracks(rules.program) != [false; 2];
    while sent < packets {
        let mut connections = Connections::default();
        if tracked {
            wire.forget_connections();
        }
        let mut history = String::new();
        for (way, frame) in packets::sequence(rng, protocols, host) {
            sent += 1;
            let seen = wire.send(way, &frame);
            let outcome = run(rules, way, &frame, &mut connections);
            history += &format!(
                "  {} hex {} -> {seen:?}, simulated {outcome:?}\n",
                way.name(),
                hex(&frame)
            );
            if !agree(way, &frame, seen, outcome.fate) {
                wrong.push(history);
                break;
            }
        }
    }
    wrong
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn agree(way: Way, frame: &[u8], seen: Seen, fate: Fate) -> bool {
    match (seen, fate) {
        (Seen::Passed, Fate::Pass) | (Seen::Rejected, Fate::Reject) | (Seen::Nothing, Fate::Drop | Fate::Held) => true,
        // Not every packet is answered: broadcasts, errors, wrong checksums.
        (Seen::Nothing, Fate::Reject) => !must_be_answered(way, frame),
        // The rejection comes behind the place where what arrives at the host is looked at.
        (Seen::Passed, Fate::Reject) => way == Way::ToHost && !must_be_answered(way, frame),
        _ => false,
    }
}

/// A rejection of this packet is sent without doubt: UDP from one to one, whole, with a right checksum.
fn must_be_answered(way: Way, frame: &[u8]) -> bool {
    let Ok(packet) = Packet::read(frame).map(Packet::trimmed) else {
        return false;
    };
    let Ends::Talk { tuple, .. } = Ends::read(&packet) else {
        return false;
    };
    let v4 = |bytes: &[u8]| bytes.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets));
    let (Some(source), Some(target)) = (v4(&tuple.source), v4(&tuple.target)) else {
        return false;
    };
    let host: Ipv4Addr = HOST_V4.parse().unwrap();
    // Only what is for the host, and whole, gets as far as where the host would reject it.
    let arrives = way != Way::ToHost || target == host && !packet.is_fragment();
    let one_to_one = frame[0] & 1 == 0 && can_be_answered(source.into()) && can_be_answered(target.into());
    arrives && one_to_one && source != target && frame[12..14] == [8, 0] && tuple.protocol == 17
}
