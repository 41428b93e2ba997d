//! `virt.stats/1`.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{CAN_NOT, Picture, VIRT, brief, either, expect_calm, running};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::device::{AddressSource, InterfaceAddresses, stats};
use driver_api::types::param::{Param, Value, find};
use driver_api::types::uuid::Uuid;
use std::collections::BTreeSet;

const STATS: Check = Check {
    needs: &["virt.lifecycle/1", "virt.stats/1"],
    clause: "stats.reads",
    ..VIRT
};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-150",
        title: "figures have libvirt's names, of the groups that were asked for and of no other",
        why: "Monitors ask for what they draw, for all guests at once, and look for names.",
        fix: "Answer a group's figures only for its bit, each under its prefix (`state.`, `cpu.`, `balloon.`, ...), once.",
        run: groups_are_kept,
        ..STATS
    },
    Check {
        id: "VIRT-151",
        title: "figures agree with what the domain is",
        why: "A monitor that shows a guest as running which is off wakes somebody.",
        fix: "Make figures and brief from one snapshot.",
        run: agree_with_the_brief,
        ..STATS
    },
    Check {
        id: "VIRT-152",
        title: "counters never go back while the guest runs",
        why: "A difference below 0 is drawn as a peak of years.",
        fix: "Answer the last value that you told when the kernel can not tell a newer one.",
        run: counters_grow,
        ..STATS
    },
    Check {
        id: "VIRT-153",
        title: "figures and addresses of a domain that there is not: 42, addresses of one that is off: 55",
        clause: "errors.codes",
        why: "By the code a monitor knows whether to forget the domain or to ask again.",
        fix: "Look the domain up first; an agent that is not there is 86 or 3.",
        run: refuses,
        ..STATS
    },
];

/// The groups whose names begin alike everywhere.
const GROUPS: [(u32, &str); 6] = [
    (stats::STATE, "state."),
    (stats::CPU_TOTAL, "cpu."),
    (stats::BALLOON, "balloon."),
    (stats::VCPU, "vcpu."),
    (stats::INTERFACE, "net."),
    (stats::BLOCK, "block."),
];

fn figures(bench: &Bench, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
    bench.read("stats", |driver| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.stats/1 is not offered");
        driver.stats().ok_or_else(none)?.stats(uuid, groups)
    })
}

fn addresses(bench: &Bench, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
    bench.read("addresses", |driver| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.stats/1 is not offered");
        driver.stats().ok_or_else(none)?.addresses(uuid, source)
    })
}

fn expect_groups(bench: &Bench, uuid: Uuid, of: &str) -> Outcome {
    for (bit, prefix) in GROUPS {
        let found = figures(bench, uuid, bit).succeeds(format_args!("stats of group {bit} of a domain that {of}"))?;
        let other = found.iter().find(|param| !param.name.starts_with(prefix));
        ensure!(
            other.is_none(),
            "stats of group {bit} of a domain that {of}: expected names that begin with '{prefix}', found {other:?}"
        );
        let names: BTreeSet<&str> = found.iter().map(|param| param.name.as_str()).collect();
        ensure_eq!(
            names.len(),
            found.len(),
            "stats of group {bit} of a domain that {of}: each name once, in {found:?}"
        );
    }
    for unknown in [1 << 30, 1 << 31] {
        let found = figures(bench, uuid, unknown).succeeds(format_args!("stats of groups {unknown:#x}"))?;
        ensure!(
            found.is_empty(),
            "stats of groups {unknown:#x}: expected no figure, found {found:?}"
        );
    }
    let all: u32 = GROUPS.iter().map(|(bit, _)| bit).sum();
    let found = figures(bench, uuid, all).succeeds("stats of all groups")?;
    let names: BTreeSet<&str> = found.iter().map(|param| param.name.as_str()).collect();
    for name in ["state.state", "state.reason"] {
        ensure!(
            names.contains(name),
            "stats of a domain that {of}: expected '{name}', found {names:?}"
        );
    }
    Ok(())
}

fn groups_are_kept(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    expect_groups(&bench, uuid, "is off")?;
    running(ctx, &bench, 1)?;
    let before = Picture::of(&bench)?;
    expect_groups(&bench, uuid, "runs")?;
    before.expect_same(&bench, "reading figures")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn expect_agreement(bench: &Bench, uuid: Uuid) -> Outcome {
    let brief = brief(bench, uuid)?;
    let found = figures(bench, uuid, stats::STATE | stats::BALLOON | stats::VCPU).succeeds("stats")?;
    let number = |name: &str| find(&found, name).and_then(Value::as_u64);
    ensure_eq!(
        number("state.state"),
        Some(u64::from(brief.state as u32)),
        "stats: 'state.state', beside the brief"
    );
    ensure_eq!(
        number("state.reason"),
        Some(u64::from(brief.reason.0)),
        "stats: 'state.reason', beside the brief"
    );
    let known = [
        ("balloon.maximum", brief.max_memory_kib),
        ("vcpu.current", u64::from(brief.vcpus)),
    ];
    for (name, expected) in known {
        let told = number(name);
        ensure!(
            told.is_none_or(|told| told == expected),
            "stats: '{name}': expected {expected} as in the brief, found {told:?}"
        );
    }
    Ok(())
}

fn agree_with_the_brief(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    expect_agreement(&bench, uuid)?;
    running(ctx, &bench, 1)?;
    expect_agreement(&bench, uuid)?;
    if ctx.fixtures().domain.suspendable {
        bench.suspend(uuid).succeeds("suspend")?;
        expect_agreement(&bench, uuid)?;
    }
    bench.destroy(uuid).succeeds("destroy")?;
    expect_agreement(&bench, uuid)?;
    expect_calm(&bench)
}

fn counters_grow(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    let groups = stats::CPU_TOTAL | stats::INTERFACE | stats::BLOCK | stats::VCPU;
    let is_counter = |name: &str| {
        let ends = ["time", "user", "system", "bytes", "pkts", "reqs", "errs", "drop"];
        name.rsplit('.').next().is_some_and(|last| ends.contains(&last))
    };
    let mut last: Vec<Param> = Vec::new();
    for _ in 0..20 {
        let now = figures(&bench, uuid, groups).succeeds("stats")?;
        for param in now.iter().filter(|param| is_counter(&param.name)) {
            let before = find(&last, &param.name).and_then(Value::as_u64).unwrap_or(0);
            let told = param.value.as_u64();
            ensure!(
                told.is_some_and(|told| told >= before),
                "stats of a domain that runs: '{}': expected {before} or more, found {told:?}",
                param.name
            );
        }
        last = now;
    }
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn refuses(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let nobody = &[Code::NO_DOMAIN];
    for groups in [0, stats::STATE, u32::MAX] {
        figures(&bench, uuid, groups)
            .fails_with(nobody, format_args!("stats {groups:#x} of a domain that there is not"))?;
    }
    for source in AddressSource::ALL {
        let what = format!("addresses ({source:?}) of a domain that there is not");
        addresses(&bench, uuid, source).fails_with(nobody, what)?;
    }
    bench.define(&ctx.domain(1)).succeeds("define")?;
    for source in AddressSource::ALL {
        let what = format!("addresses ({source:?}) of a domain that is off");
        addresses(&bench, uuid, source).fails_with(&[Code::OPERATION_INVALID], what)?;
    }
    running(ctx, &bench, 1)?;
    for source in AddressSource::ALL {
        let found = addresses(&bench, uuid, source);
        if found.is_err() {
            // The agent may be missing, and a driver may know nothing of a source.
            let codes = either(&[Code::AGENT_UNRESPONSIVE], CAN_NOT);
            found.fails_with(&codes, format_args!("addresses ({source:?}) of a domain that runs"))?;
        }
    }
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}
