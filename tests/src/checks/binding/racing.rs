//! Bindings under many hands at once.

use super::{furnish, must};
use crate::bench::FaultPlan;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::checks::filter::paper::{self, OTHER, RULE};
use crate::checks::filter::port;
use crate::checks::filter::view::{self, View};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) const CHECKS: &[Check] = &[
    must(
        "BIND-030",
        "of many who bind one port one gets it",
        "threads.concurrency",
        "Whoever looks first and binds after that lets two have it.",
        "Look the port up where it is changed, under the driver's own lock.",
        one_port_for_one,
    ),
    must(
        "BIND-031",
        "a port that is bound and freed by many is bound whole or free",
        "threads.concurrency",
        "A delete that meets half a binding leaves the other half.",
        "Do the whole of a binding's change under the driver's own lock.",
        bound_or_free,
    ),
    must(
        "BIND-032",
        "filters change while ports come and go, and all of it comes to an end",
        "threads.concurrency",
        "It is what a host does all day: guests start, somebody edits a filter.",
        "Keep to the order: Filter, then Update; nothing of your own is held while the host is asked.",
        filters_and_ports,
    ),
];

const THREADS: usize = 6;

fn all(work: impl Fn(usize) -> Outcome + Sync) -> Outcome {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(move || work(n))).collect();
        let mut outcome = Ok(());
        for thread in threads {
            let panicked = |_| Err(Failure::new("a thread of the check panicked"));
            outcome = outcome.and(thread.join().unwrap_or_else(panicked));
        }
        outcome
    })
}

/// Whether it was done, or refused with one of these codes.
fn done<T>(answer: driver_api::error::Result<T>, codes: &[Code], what: &str) -> Outcome<bool> {
    match answer {
        Ok(_) => Ok(true),
        refused => refused.fails_with(codes, what).map(|_| false),
    }
}

fn noisy(ctx: &Ctx, ports: &[&str]) -> Outcome<crate::bench::Bench> {
    let faults = FaultPlan {
        noise: Some(ctx.seed()),
        ..FaultPlan::default()
    };
    let bench = ctx.builder().faults(faults).patience(Duration::from_secs(40)).open()?;
    furnish(ctx, &bench, ports)?;
    Ok(bench)
}

fn one_port_for_one(ctx: &Ctx) -> Outcome {
    let bench = noisy(ctx, &["p0"])?;
    let before = View::of(&bench)?;
    for _ in 0..5 {
        let won = AtomicUsize::new(0);
        all(|n| {
            let document = paper::binding(ctx, "p0", &ctx.name(1 + n % 2), &[]);
            let answer = view::create(&bench, &document);
            if done(answer, &[Code::OPERATION_FAILED], "create_binding of one port by many")? {
                won.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })?;
        ensure_eq!(won.into_inner(), 1, "how many of {THREADS} got the port");
        ensure_eq!(
            view::list(&bench).succeeds("bindings")?.len(),
            1,
            "bindings on the list"
        );
        view::delete(&bench, "p0").succeeds("delete_binding")?;
        before.is_still_so(&bench, "a port that was bound by many and freed")?;
    }
    Ok(())
}

fn bound_or_free(ctx: &Ctx) -> Outcome {
    let bench = noisy(ctx, &["p0"])?;
    let document = paper::binding(ctx, "p0", &ctx.name(2), &[]);
    view::create(&bench, &document).succeeds("create_binding")?;
    let bound = port::everything()?;
    view::delete(&bench, "p0").succeeds("delete_binding")?;
    let (before, free) = (View::of(&bench)?, port::everything()?);
    ensure!(
        before.difference(&before).is_none() && !bound.is_empty(),
        "the check sees nothing of the kernel"
    );
    // Bound when they begin: of those that delete first only one can have met it.
    view::create(&bench, &document).succeeds("create_binding")?;
    all(|n| {
        for _ in 0..6 {
            if n % 2 == 0 {
                let busy = [Code::OPERATION_FAILED];
                done(
                    view::create(&bench, &document),
                    &busy,
                    "create_binding while others delete",
                )?;
            } else {
                let none = [Code::NO_NWFILTER_BINDING, Code::OPERATION_FAILED];
                done(view::delete(&bench, "p0"), &none, "delete_binding while others create")?;
            }
        }
        Ok(())
    })?;
    if view::list(&bench).succeeds("bindings")?.is_empty() {
        view::create(&bench, &document).succeeds("create_binding after all that")?;
    }
    view::xml(&bench, "p0").succeeds("binding_xml after all that")?;
    view::delete(&bench, "p0").succeeds("delete_binding after all that")?;
    before.is_still_so(&bench, "a port that was bound and freed by many")?;
    port::is_still(&free, format_args!("that"))?;
    bench.expect_nothing_held()
}

fn filters_and_ports(ctx: &Ctx) -> Outcome {
    let names = ["p0", "p1", "p2", "p3", "p4", "p5"];
    let bench = noisy(ctx, &names)?;
    view::attach(&bench, &paper::request(ctx, "p0", &ctx.name(2), &[])).succeeds("attach_port")?;
    view::detach(&bench, "p0").succeeds("detach_port")?;
    let (before, kernel) = (View::of(&bench)?, port::everything()?);
    all(|n| {
        for round in 0..4 {
            match n {
                0 => {
                    let body = if round % 2 == 0 { OTHER } else { RULE };
                    let defined = bench.define_filter(&paper::nth(ctx, 1, body));
                    defined.succeeds("define_filter while ports come and go")?;
                }
                1 => {
                    let in_use = [Code::OPERATION_INVALID];
                    let undefined = bench.undefine_filter(ctx.uuid(3));
                    if done(undefined, &in_use, "undefine_filter while ports come and go")? {
                        let defined = bench.define_filter(&paper::nth(ctx, 3, paper::ASKING));
                        defined.succeeds("define_filter while ports come and go")?;
                    }
                }
                n if n % 2 == 0 => {
                    let request = paper::request(ctx, names[n], &ctx.name(2), &[]);
                    view::attach(&bench, &request).succeeds("attach_port while filters change")?;
                    view::detach(&bench, names[n]).succeeds("detach_port while filters change")?;
                }
                n => {
                    let document = paper::binding(ctx, names[n], &ctx.name(3), &[("WANTED", "10.0.0.2")]);
                    let gone = [Code::NO_NWFILTER];
                    if done(
                        view::create(&bench, &document),
                        &gone,
                        "create_binding while filters change",
                    )? {
                        view::delete(&bench, names[n]).succeeds("delete_binding while filters change")?;
                    }
                }
            }
        }
        Ok(())
    })?;
    before.is_still_so(&bench, "filters that changed while ports came and went")?;
    port::is_still(&kernel, format_args!("that"))?;
    bench.expect_nothing_held()
}
