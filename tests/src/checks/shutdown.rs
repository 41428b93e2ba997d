//! How a driver ends, and what it says after that.

use super::{process, steps};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome};
use crate::ensure;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Threads of the host's own rooms, some of which begin with the first guest.
const OF_THE_HOST: [&str; 4] = ["guest-events", "guest-watch", "lock-watchdog", "queued-writer"];

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "STOP-001",
        title: "close returns in time and joins the driver's threads",
        clause: "shutdown.close",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The host waits for it when it stops; a thread that goes on runs into what is being torn down.",
        fix: "Tell each thread to end, and join it, within the time that `close` is given.",
        run: closes_in_time,
    },
    Check {
        id: "STOP-002",
        title: "a call after close is an error or an answer, never a crash or a hang",
        clause: "shutdown.after",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A client's last call may arrive while the host stops.",
        fix: "Keep what reads need; answer changes with code 55 once closed.",
        run: answers_after_close,
    },
    Check {
        id: "STOP-003",
        title: "close in the middle of calls harms none of them",
        clause: "shutdown.close",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The host closes drivers when its time is over, whoever is still inside.",
        fix: "Let running calls end by themselves; take nothing away from under them.",
        run: closes_under_load,
    },
    Check {
        id: "STOP-004",
        title: "a driver that was never up can be closed, and a closed one again",
        clause: "shutdown.close",
        level: Level::Should,
        needs: &[],
        privileged: false,
        why: "A host that stops early has drivers that were made and no more.",
        fix: "Let `close` end what there is, and be content with nothing.",
        run: closes_early_and_twice,
    },
];

fn closes_in_time(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for step in steps::of(ctx, &bench) {
        step.go(ctx, &bench).succeeds(step.name)?;
    }
    let within = ctx.fixtures().timing.close();
    let began = Instant::now();
    bench.close(within).succeeds("close")?;
    let took = began.elapsed();
    // Half as much again: the time is what the driver may use, and telling threads of it takes some itself.
    ensure!(
        took <= within + within / 2,
        "close within {} ms: expected it to return by then, found that it took {} ms",
        within.as_millis(),
        took.as_millis()
    );
    let of_driver = |bench: &Bench| {
        let mut now = process::threads();
        now.retain(|_, name| !OF_THE_HOST.contains(&name.as_str()));
        process::more(bench.threads_before(), &now)
    };
    if !bench.wait(Duration::from_secs(2), |bench| of_driver(bench).is_empty()) {
        return Err(Failure::new(format!(
            "threads after close: expected those from before the driver was made, found also {}",
            of_driver(&bench).join(", ")
        )));
    }
    steps::settled(&bench)
}

/// Calls everything once, whatever it answers.
fn call_all(ctx: &Ctx, bench: &Bench) -> Outcome {
    let _any = steps::view(bench);
    for step in steps::of(ctx, bench) {
        let _any = (step.forth)(ctx, bench);
    }
    steps::settled(bench)
}

fn answers_after_close(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.close(ctx.fixtures().timing.close()).succeeds("close")?;
    call_all(ctx, &bench).map_err(|failure| failure.when("calls after close"))?;
    if let Some(call) = bench.recording().calls.iter().find(|call| call.kept > 0) {
        return Err(Failure::new(format!(
            "{} after close: expected every lock to be given back, found {} still held",
            call.method, call.kept
        )));
    }
    Ok(())
}

fn closes_under_load(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Outcome {
        let callers: Vec<_> = (0..3)
            .map(|thread| {
                let (bench, over) = (&bench, &over);
                scope.spawn(move || {
                    let mut n = 100 * (thread + 1);
                    while !over.load(Ordering::Relaxed) {
                        n += 1;
                        if bench.offers("virt.lifecycle/1") {
                            let _any = (bench.define(&ctx.domain(n)), bench.list(), bench.undefine(ctx.uuid(n)));
                        }
                        if bench.offers("nwfilter.define/1") {
                            let filter = ctx.filter(n);
                            let _any = (
                                bench.define_filter(&filter),
                                bench.filters(),
                                bench.undefine_filter(ctx.uuid(n)),
                            );
                        }
                    }
                })
            })
            .collect();
        let busy = bench.wait(Duration::from_secs(10), |bench| bench.recording().calls.len() > 50);
        let closed = bench.close(ctx.fixtures().timing.close());
        over.store(true, Ordering::Relaxed);
        let died = callers
            .into_iter()
            .map(|caller| caller.join())
            .filter(Result::is_err)
            .count();
        ensure!(died == 0, "{died} callers died while the driver was closed");
        ensure!(busy, "three callers: expected fifty calls within ten seconds");
        closed.succeeds("close while three threads are calling")
    })?;
    steps::settled(&bench)
}

fn closes_early_and_twice(ctx: &Ctx) -> Outcome {
    let within = ctx.fixtures().timing.close();
    let bench = ctx.builder().not_up().open()?;
    bench
        .close(within)
        .succeeds("close of a driver that was made and never brought up")?;
    // What the second one answers is the driver's business.
    let _any = bench.close(within);
    steps::settled(&bench)
}
