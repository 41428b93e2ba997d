//! Events: once for each change, in order, and none for what did not happen.

use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{UNKNOWN_FLAG, VIRT, expect_calm, running, startable, told};
use crate::{ensure, ensure_eq};
use driver_api::types::domain::{Lifecycle, detail};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-090",
        title: "each change is told once, in order, with the id that the domain has afterwards",
        clause: "lifecycle.events",
        why: "Clients keep their own picture of the host by events. One that is missing, doubled or early makes it wrong for good.",
        fix: "Raise the event right after you published, in one place for each change.",
        run: each_change_once,
        ..VIRT
    },
    Check {
        id: "VIRT-091",
        title: "what failed is not told",
        clause: "lifecycle.events",
        why: "Whoever hears of a domain that was not defined looks for it.",
        fix: "Raise events after the last step that can fail.",
        run: failures_are_not_told,
        ..VIRT
    },
    Check {
        id: "VIRT-092",
        title: "every event carries the domain's name",
        clause: "lifecycle.events",
        why: "A domain that is gone can not be looked up any more; its name in the event is all that a client has.",
        fix: "Take name and id from the value that you just published.",
        run: events_carry_names,
        ..VIRT
    },
];

fn each_change_once(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let mut expected = Vec::new();
    // After each step, so that a step that tells late is found, too.
    let compare = |what: &str, expected: &[_]| -> Outcome {
        ensure_eq!(
            told(&bench, uuid),
            expected.to_vec(),
            "the events when {what} has returned"
        );
        Ok(())
    };
    bench.define(&ctx.domain(1)).succeeds("define")?;
    expected.push((Lifecycle::Defined, detail::DEFINED_ADDED, None));
    compare("define", &expected)?;
    bench.define(&ctx.changed_domain(1)).succeeds("define")?;
    expected.push((Lifecycle::Defined, detail::DEFINED_UPDATED, None));
    compare("a second define", &expected)?;
    let id = bench.start(uuid).succeeds("start")?.id;
    expected.push((Lifecycle::Started, detail::STARTED_BOOTED, id));
    compare("start", &expected)?;
    if ctx.fixtures().domain.suspendable {
        bench.suspend(uuid).succeeds("suspend")?;
        expected.push((Lifecycle::Suspended, detail::SUSPENDED_PAUSED, id));
        compare("suspend", &expected)?;
        bench.resume(uuid).succeeds("resume")?;
        expected.push((Lifecycle::Resumed, detail::RESUMED_UNPAUSED, id));
        compare("resume", &expected)?;
    }
    bench.define(&ctx.domain(1)).succeeds("define while it runs")?;
    expected.push((Lifecycle::Defined, detail::DEFINED_UPDATED, id));
    compare("define while it runs", &expected)?;
    bench.destroy(uuid).succeeds("destroy")?;
    expected.push((Lifecycle::Stopped, detail::STOPPED_DESTROYED, None));
    compare("destroy", &expected)?;
    bench.undefine(uuid).succeeds("undefine")?;
    expected.push((Lifecycle::Undefined, detail::UNDEFINED_REMOVED, None));
    compare("undefine", &expected)?;
    expect_calm(&bench)
}

fn failures_are_not_told(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    running(ctx, &bench, 1)?;
    bench.define(&ctx.domain(2)).succeeds("define")?;
    let before = bench.recording().events;
    let (runs, idle, nobody) = (ctx.uuid(1), ctx.uuid(2), ctx.uuid(3));
    let stolen = ctx.domain_as(&ctx.fixtures().domain.valid, &ctx.name(1), nobody);
    let refused = [
        ("define of half a document", bench.define("<domain>").is_err()),
        ("define with a name that is taken", bench.define(&stolen).is_err()),
        ("start of what runs", bench.start(runs).is_err()),
        ("start of nobody", bench.start(nobody).is_err()),
        ("resume of what runs", bench.resume(runs).is_err()),
        ("resume of what is off", bench.resume(idle).is_err()),
        ("suspend of what is off", bench.suspend(idle).is_err()),
        ("destroy of what is off", bench.destroy(idle).is_err()),
        ("shutdown of what is off", bench.shutdown(idle).is_err()),
        ("undefine of nobody", bench.undefine(nobody).is_err()),
        (
            "undefine with an unknown flag",
            bench
                .virt("undefine", |virt, call| virt.undefine(call, idle, UNKNOWN_FLAG))
                .is_err(),
        ),
    ];
    for (what, is_refused) in refused {
        ensure!(is_refused, "{what}: expected an error, found success");
    }
    let after = bench.recording().events;
    ensure_eq!(after, before, "the events after calls that failed");
    bench.destroy(runs).succeeds("destroy")?;
    expect_calm(&bench)
}

fn events_carry_names(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    for n in 1..=2 {
        bench.define(&ctx.domain(n)).succeeds("define")?;
    }
    bench.start(ctx.uuid(1)).succeeds("start")?;
    bench.destroy(ctx.uuid(1)).succeeds("destroy")?;
    for n in 1..=2 {
        bench.undefine(ctx.uuid(n)).succeeds("undefine")?;
    }
    let events = bench.recording().events;
    for event in &events {
        let owner = (1..=2).find(|n| ctx.uuid(*n) == event.uuid);
        let Some(n) = owner else {
            return Err(crate::check::Failure::new(format!("an event of nobody's: {event:?}")));
        };
        ensure_eq!(event.name, ctx.name(n), "the name in the event {:?}", event.kind);
    }
    expect_calm(&bench)
}
