//! `start`: what runs when it returns, and the ids of what runs.

use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{CAN_NOT, Picture, VIRT, expect_calm, expect_state, reboots, running, startable, told};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::flags::{START_AUTODESTROY, START_PAUSED};
use driver_api::types::domain::{Lifecycle, Reason, State};
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-030",
        title: "when start returns the domain runs, with an id and a reason",
        clause: "lifecycle.start",
        why: "`virsh start` has succeeded when it returns: whoever looks then must find a domain that runs.",
        fix: "Publish state, reason and id before you return, and answer what you published.",
        run: runs,
        ..VIRT
    },
    Check {
        id: "VIRT-031",
        title: "a domain that is started paused waits until it is resumed",
        clause: "lifecycle.start",
        why: "A debugger is attached, or a network set up, before the first instruction.",
        fix: "With `START_PAUSED` stop the processors before the guest's first step, and say paused in the brief.",
        run: starts_paused,
        ..VIRT
    },
    Check {
        id: "VIRT-032",
        title: "a second start is refused with 55 and changes nothing",
        clause: "lifecycle.idempotence",
        why: "A guest that is started twice writes to its disks from two sides.",
        fix: "Look at the state under the domain's lock, and begin the job before you let it go.",
        run: starts_once,
        ..VIRT
    },
    Check {
        id: "VIRT-033",
        title: "an id is positive, belongs to one domain, and does not come back",
        clause: "lifecycle.ids",
        why: "Scripts hold ids; one that comes back means another guest.",
        fix: "Count upwards, under a lock.",
        run: ids_are_fresh,
        ..VIRT
    },
    Check {
        id: "VIRT-034",
        title: "a reboot keeps the id and is told",
        clause: "lifecycle.ids",
        why: "For a client a guest that reboots is the same guest.",
        fix: "Keep the id until the guest is off; raise `Reboot` when the guest starts anew.",
        run: reboot_keeps_the_id,
        ..VIRT
    },
    Check {
        id: "VIRT-035",
        title: "the bit that ends a domain with its client is accepted",
        clause: "lifecycle.start",
        why: "The host does what `START_AUTODESTROY` asks for; a driver that refuses it takes that from its users.",
        fix: "Accept the bit, do nothing about it.",
        run: autodestroy_is_accepted,
        ..VIRT
    },
];

fn runs(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let started = bench.start(uuid).succeeds("start")?;
    ensure_eq!(
        (started.uuid, started.state),
        (uuid, State::Running),
        "start: who, and the state"
    );
    ensure!(
        started.id.is_some_and(|id| id > 0),
        "start: expected a positive id, found {:?}",
        started.id
    );
    ensure!(
        started.reason != Reason::UNKNOWN,
        "start: expected a reason for the state, found 0 (unknown)"
    );
    ensure!(
        started.persistent,
        "start: expected a domain that stays defined, found one that does not"
    );
    let found = expect_state(&bench, uuid, State::Running, "start")?;
    ensure_eq!(found, started, "by_uuid after start, beside what start answered");
    bench.destroy(uuid).succeeds("destroy")?;
    expect_state(&bench, uuid, State::Shutoff, "destroy")?;
    expect_calm(&bench)
}

fn starts_paused(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let started = bench.virt("start", |virt, call| virt.start(call, uuid, START_PAUSED));
    if !ctx.fixtures().domain.suspendable {
        let codes = [CAN_NOT, &[Code::INVALID_ARG]].concat();
        started.fails_with(&codes, "start with START_PAUSED of a driver that can not pause")?;
        expect_state(&bench, uuid, State::Shutoff, "a refused start")?;
        return expect_calm(&bench);
    }
    let started = started.succeeds("start with START_PAUSED")?;
    ensure_eq!(started.state, State::Paused, "start with START_PAUSED: the state");
    let id = expect_state(&bench, uuid, State::Paused, "start with START_PAUSED")?.id;
    bench.resume(uuid).succeeds("resume")?;
    let running = expect_state(&bench, uuid, State::Running, "resume")?;
    ensure_eq!(running.id, id, "resume: the id");
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn starts_once(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    running(ctx, &bench, 1)?;
    let before = Picture::of(&bench)?;
    bench
        .start(ctx.uuid(1))
        .fails_with(&[Code::OPERATION_INVALID], "start of a domain that runs")?;
    before.expect_same(&bench, "a second start")?;
    let kinds = told(&bench, ctx.uuid(1)).into_iter().map(|(kind, ..)| kind);
    ensure_eq!(
        kinds.filter(|kind| *kind == Lifecycle::Started).count(),
        1,
        "the number of events 'Started'"
    );
    bench.destroy(ctx.uuid(1)).succeeds("destroy")?;
    expect_calm(&bench)
}

fn ids_are_fresh(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let mut seen = BTreeSet::new();
    for n in 1..=2 {
        bench.define(&ctx.domain(n)).succeeds("define")?;
    }
    for round in 1..=2 {
        for n in 1..=2 {
            let started = bench.start(ctx.uuid(n)).succeeds("start")?;
            let id = started.id.unwrap_or_default();
            ensure!(
                id > 0,
                "start: the id: expected a positive number, found {:?}",
                started.id
            );
            ensure!(
                seen.insert(id),
                "start number {round} of domain {n}: expected an id that was not given out before, found {id} again"
            );
            expect_state(&bench, ctx.uuid(n), State::Running, "start")?;
        }
        for n in 1..=2 {
            bench.destroy(ctx.uuid(n)).succeeds("destroy")?;
            expect_state(&bench, ctx.uuid(n), State::Shutoff, "destroy")?;
        }
    }
    for id in seen {
        let found = bench.by_id(id).succeeds("by_id")?;
        ensure!(
            found.is_none(),
            "by_id({id}) when nothing runs: expected nothing, found {found:?}"
        );
    }
    expect_calm(&bench)
}

fn reboot_keeps_the_id(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let before = running(ctx, &bench, 1)?;
    match bench.virt("reboot", |virt, call| virt.reboot(call, uuid, 0)) {
        Ok(()) => {
            let within = Duration::from_millis(ctx.fixtures().timing.shutdown + ctx.fixtures().timing.start);
            let is_told = bench.wait(within, |bench| reboots(bench, uuid) > 0);
            ensure!(
                is_told,
                "reboot: expected an event 'Reboot' within {within:?}, found none"
            );
            let runs = |bench: &crate::bench::Bench| {
                let found = bench.by_uuid(uuid);
                found.is_ok_and(|found| found.is_some_and(|brief| brief.state == State::Running))
            };
            ensure!(
                bench.wait(within, runs),
                "reboot: expected the domain to run again within {within:?}"
            );
            ensure_eq!(reboots(&bench, uuid), 1, "reboot: the number of events 'Reboot'");
        }
        Err(error) => {
            Err::<(), _>(error).fails_with(CAN_NOT, "reboot of a domain that runs")?;
        }
    }
    let after = expect_state(&bench, uuid, State::Running, "reboot")?;
    ensure_eq!(after.id, before.id, "reboot: the id");
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn autodestroy_is_accepted(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let started = bench.virt("start", |virt, call| virt.start(call, uuid, START_AUTODESTROY));
    started.succeeds("start with START_AUTODESTROY")?;
    expect_state(&bench, uuid, State::Running, "start with START_AUTODESTROY")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}
