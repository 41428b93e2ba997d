//! `destroy` and `shutdown`: the two ways off.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{Picture, Told, VIRT, expect_calm, expect_state, running, startable, told};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::{Lifecycle, State, detail};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-050",
        title: "when destroy returns nothing of the guest is left",
        clause: "lifecycle.stop",
        why: "A user who destroys a guest wants its memory, its ports and its name back now.",
        fix: "`Host::kill` waits until the tree of processes is gone; publish and forget the guest before you return.",
        run: nothing_is_left,
        ..VIRT
    },
    Check {
        id: "VIRT-051",
        title: "a domain that was told to shut down is off in the end, once",
        clause: "lifecycle.stop",
        why: "A guest is shut down so that it writes what it has; whoever waits for that must learn when it is over.",
        fix: "Ask the guest and return; when its processes are gone publish, then raise `Stopped`.",
        run: shuts_down,
        ..VIRT
    },
    Check {
        id: "VIRT-052",
        title: "what does not run can not be stopped: 55, and nothing changes",
        clause: "lifecycle.idempotence",
        why: "A second destroy that succeeds hides that the first one did it, or that the guest had crashed.",
        fix: "Decide by the state under the domain's lock.",
        run: stops_once,
        ..VIRT
    },
    Check {
        id: "VIRT-053",
        title: "a paused domain can be destroyed",
        clause: "lifecycle.stop",
        why: "A guest that hangs is paused first and ended then; there is no other way to get rid of it.",
        fix: "Let destroy work in every active state.",
        run: destroys_paused,
        ..VIRT
    },
    Check {
        id: "VIRT-054",
        title: "a domain can be started again and again",
        clause: "lifecycle.start",
        why: "What one run leaves behind is met by the next one: a socket, a lock file, a port.",
        fix: "Take back at the end of a run all that was made for it.",
        run: again_and_again,
        ..VIRT
    },
];

/// No guest process of the driver's may be left.
fn expect_no_guest(bench: &Bench, after: &str) -> Outcome {
    let left = bench
        .guests()?
        .survivors(&bench.facts().name)
        .succeeds("the bench: its guests")?;
    ensure!(
        left.is_empty(),
        "after {after}: expected no guest process, found {left:?}"
    );
    Ok(())
}

fn stops(bench: &Bench, ctx: &Ctx) -> Vec<Told> {
    let mut events = told(bench, ctx.uuid(1));
    events.retain(|(kind, ..)| *kind == Lifecycle::Stopped);
    events
}

fn nothing_is_left(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    running(ctx, &bench, 1)?;
    bench.destroy(ctx.uuid(1)).succeeds("destroy")?;
    let idle = expect_state(&bench, ctx.uuid(1), State::Shutoff, "destroy")?;
    ensure!(
        idle.persistent,
        "after destroy: expected the definition to stay, found the domain transient"
    );
    expect_no_guest(&bench, "destroy")?;
    ensure!(
        bench.attached_ports().is_empty(),
        "after destroy: expected no filtered port, found {:?}",
        bench.attached_ports()
    );
    let events = vec![(Lifecycle::Stopped, detail::STOPPED_DESTROYED, None)];
    ensure_eq!(stops(&bench, ctx), events, "destroy: the events 'Stopped'");
    expect_calm(&bench)
}

fn shuts_down(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    bench.shutdown(uuid).succeeds("shutdown")?;
    if !ctx.fixtures().domain.obeys_shutdown {
        return goes_on(ctx, &bench);
    }
    let within = ctx.fixtures().timing.shutdown();
    let is_off = |bench: &Bench| {
        let found = bench.by_uuid(uuid);
        found.is_ok_and(|found| found.is_some_and(|brief| brief.state == State::Shutoff))
    };
    ensure!(
        bench.wait(within, is_off),
        "shutdown: expected the domain to be off within {within:?} ('timing.shutdown'), found {:?}",
        bench.by_uuid(uuid)
    );
    // The event follows what was published, on the thread that noticed.
    let _settled = bench.wait(within, |bench| !stops(bench, ctx).is_empty());
    let events = vec![(Lifecycle::Stopped, detail::STOPPED_SHUTDOWN, None)];
    ensure_eq!(stops(&bench, ctx), events, "shutdown: the events 'Stopped'");
    expect_state(&bench, uuid, State::Shutoff, "shutdown")?;
    let refused = bench.destroy(uuid);
    refused.fails_with(&[Code::OPERATION_INVALID], "destroy of a domain that has shut down")?;
    let settled = bench.wait(within, |bench| bench.expect_nothing_held().is_ok());
    ensure!(
        settled,
        "after shutdown: expected every lock and job to be given back, found {:?}",
        bench.expect_nothing_held()
    );
    expect_calm(&bench)
}

/// A guest that did not hear the request runs as before, and can be ended as before.
fn goes_on(ctx: &Ctx, bench: &Bench) -> Outcome {
    let uuid = ctx.uuid(1);
    let asked = "a shutdown that the guest does not obey ('domain.obeys_shutdown')";
    expect_state(bench, uuid, State::Running, asked)?;
    let events = stops(bench, ctx);
    ensure!(
        events.is_empty(),
        "{asked}: expected no event 'Stopped', found {events:?}"
    );
    bench
        .destroy(uuid)
        .succeeds(format_args!("destroy of a domain after {asked}"))?;
    expect_state(bench, uuid, State::Shutoff, "destroy")?;
    let events = vec![(Lifecycle::Stopped, detail::STOPPED_DESTROYED, None)];
    ensure_eq!(stops(bench, ctx), events, "destroy after {asked}: the events 'Stopped'");
    expect_no_guest(bench, "destroy")?;
    expect_calm(bench)
}

fn stops_once(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let wrong = &[Code::OPERATION_INVALID];
    let before = Picture::of(&bench)?;
    bench
        .destroy(uuid)
        .fails_with(wrong, "destroy of a domain that is off")?;
    bench
        .shutdown(uuid)
        .fails_with(wrong, "shutdown of a domain that is off")?;
    before.expect_same(&bench, "destroy and shutdown of a domain that is off")?;
    running(ctx, &bench, 1)?;
    bench.destroy(uuid).succeeds("destroy")?;
    let before = Picture::of(&bench)?;
    bench.destroy(uuid).fails_with(wrong, "a second destroy")?;
    before.expect_same(&bench, "a second destroy")?;
    expect_calm(&bench)
}

fn destroys_paused(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    if ctx.fixtures().domain.suspendable {
        bench.suspend(uuid).succeeds("suspend")?;
    }
    bench.destroy(uuid).succeeds("destroy of a paused domain")?;
    expect_state(&bench, uuid, State::Shutoff, "destroy of a paused domain")?;
    expect_no_guest(&bench, "destroy of a paused domain")?;
    expect_calm(&bench)
}

fn again_and_again(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let printed = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    for round in 1..=3 {
        bench.start(uuid).succeeds(format_args!("start number {round}"))?;
        expect_state(&bench, uuid, State::Running, "start")?;
        bench.destroy(uuid).succeeds(format_args!("destroy number {round}"))?;
        expect_state(&bench, uuid, State::Shutoff, "destroy")?;
        let now = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
        ensure_eq!(
            now,
            printed,
            "dump_xml after run number {round}, beside that before the first"
        );
    }
    expect_no_guest(&bench, "three runs")?;
    expect_calm(&bench)
}
