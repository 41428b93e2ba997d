//! Autostart: the mark, and the day on which it counts.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{VIRT, brief, expect_calm, running, startable};
use crate::{ensure, ensure_eq};
use driver_api::types::domain::State;
use std::time::Duration;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-080",
        title: "the autostart mark is shown as it was set",
        clause: "lifecycle.autostart",
        why: "The machine's owner set it for the day when nobody watches, and looks whether it is set.",
        fix: "Store the mark beside the definition and publish it in the brief; setting it twice is no error.",
        run: mark_is_shown,
        ..VIRT
    },
    Check {
        id: "VIRT-081",
        title: "when clients are served, marked domains that do not run are started, and no others",
        clause: "lifecycle.autostart",
        why: "After a power failure the marked guests are the service.",
        fix: "In `Driver::autostart` start every marked, idle domain; log what fails and go on.",
        run: marked_are_started,
        ..VIRT
    },
];

fn mark_is_shown(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.define(&ctx.domain(2)).succeeds("define")?;
    for on in [false, true, true, false, false, true] {
        bench
            .set_autostart(uuid, on)
            .succeeds(format_args!("set_autostart({on})"))?;
        let list = bench.list().succeeds("list")?;
        let listed = list.iter().find(|brief| brief.uuid == uuid);
        ensure_eq!(
            listed.map(|brief| brief.autostart),
            Some(on),
            "list after set_autostart({on}): the mark"
        );
        ensure_eq!(
            brief(&bench, uuid)?.autostart,
            on,
            "by_uuid after set_autostart({on}): the mark"
        );
        ensure!(
            !brief(&bench, ctx.uuid(2))?.autostart,
            "set_autostart({on}) of one domain: expected no mark at another one, found it set"
        );
    }
    expect_calm(&bench)
}

fn is_active(bench: &Bench, ctx: &Ctx, n: usize) -> bool {
    let found = bench.by_uuid(ctx.uuid(n));
    found.is_ok_and(|found| found.is_some_and(|brief| brief.id.is_some()))
}

fn marked_are_started(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.define(&ctx.domain(2)).succeeds("define")?;
    let before = running(ctx, &bench, 3)?;
    for marked in [1, 3] {
        bench.set_autostart(ctx.uuid(marked), true).succeeds("set_autostart")?;
    }
    bench
        .call("autostart", |driver, call| driver.autostart(call))
        .succeeds("autostart")?;
    let within = Duration::from_millis(ctx.fixtures().timing.start);
    ensure!(
        bench.wait(within, |bench| is_active(bench, ctx, 1)),
        "autostart: expected a marked domain to run within {within:?}, found it off"
    );
    ensure_eq!(
        brief(&bench, ctx.uuid(2))?.state,
        State::Shutoff,
        "autostart: the state of a domain without a mark"
    );
    let after = brief(&bench, ctx.uuid(3))?;
    ensure_eq!(
        (after.id, after.state),
        (before.id, before.state),
        "autostart: id and state of a domain that ran already"
    );
    for n in [1, 3] {
        bench.destroy(ctx.uuid(n)).succeeds("destroy")?;
    }
    expect_calm(&bench)
}
