//! `suspend` and `resume`.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{CAN_NOT, Picture, VIRT, expect_calm, expect_state, running};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::State;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-060",
        title: "a domain that is suspended is paused, with its id, until it is resumed",
        clause: "lifecycle.ids",
        why: "Clients decide by the state what they may do; a guest that only seems to stand still is backed up half written.",
        fix: "Stop the processors, publish paused, raise the event; the id stays. What you can not do, refuse with 84.",
        run: pauses,
        ..VIRT
    },
    Check {
        id: "VIRT-061",
        title: "what runs can not be resumed; a second suspend changes nothing",
        clause: "lifecycle.idempotence",
        why: "Two programs that pause one guest must not be told of two pauses.",
        fix: "Decide by the state under the domain's lock; raise an event only for a change.",
        run: once_each,
        ..VIRT
    },
];

/// For a driver that can not pause: it must say so, and change nothing.
fn says_so(ctx: &Ctx, bench: &Bench) -> Outcome {
    let before = Picture::of(bench)?;
    let what = "suspend, and the fixtures say that it is not for real";
    bench.suspend(ctx.uuid(1)).fails_with(CAN_NOT, what)?;
    before.expect_same(bench, "a refused suspend")?;
    expect_calm(bench)
}

fn pauses(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let started = running(ctx, &bench, 1)?;
    if !ctx.fixtures().domain.suspendable {
        return says_so(ctx, &bench);
    }
    for round in 1..=3 {
        bench.suspend(uuid).succeeds(format_args!("suspend number {round}"))?;
        let paused = expect_state(&bench, uuid, State::Paused, "suspend")?;
        ensure_eq!(paused.id, started.id, "suspend: the id");
        bench.resume(uuid).succeeds(format_args!("resume number {round}"))?;
        let resumed = expect_state(&bench, uuid, State::Running, "resume")?;
        ensure_eq!(resumed.id, started.id, "resume: the id");
    }
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn once_each(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    if !ctx.fixtures().domain.suspendable {
        return says_so(ctx, &bench);
    }
    let wrong = &[Code::OPERATION_INVALID];
    let before = Picture::of(&bench)?;
    bench.resume(uuid).fails_with(wrong, "resume of a domain that runs")?;
    before.expect_same(&bench, "resume of a domain that runs")?;
    bench.suspend(uuid).succeeds("suspend")?;
    let before = Picture::of(&bench)?;
    let second = bench.suspend(uuid);
    if second.is_err() {
        second.fails_with(wrong, "a second suspend that does not succeed")?;
    }
    before.expect_same(&bench, "a second suspend")?;
    let started = bench.start(uuid);
    started.fails_with(wrong, "start of a paused domain")?;
    before.expect_same(&bench, "start of a paused domain")?;
    bench.resume(uuid).succeeds("resume")?;
    let before = Picture::of(&bench)?;
    bench.resume(uuid).fails_with(wrong, "a second resume")?;
    before.expect_same(&bench, "a second resume")?;
    ensure!(
        bench.by_uuid(uuid).succeeds("by_uuid")?.is_some(),
        "by_uuid: expected the domain, found nothing"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}
