//! The order of the locks and how long they are held.

mod reads;

use super::{life, steps};
use crate::bench::{Bench, Counted, FaultPlan, Hold, Lock};
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome};
use crate::ensure;
use driver_api::error::{Code, Error};
use driver_api::types::uuid::Uuid;
use lockstep::lock::rank::Mode;
use std::time::Duration;

/// How long Virt may be held: others' look-ups wait meanwhile.
const BRIEF: Duration = Duration::from_millis(250);

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "LOCK-001",
        title: "locks are asked for in order",
        clause: "locks.order",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "Two drivers that wait for one another's locks stand still for ever; one order for all makes that impossible.",
        fix: "Take Filter, then Update, then Virt, then Domain (several by UUID), each through the token of the one before; \
              never keep a token from an outer call.",
        run: keeps_the_order,
    },
    Check {
        id: "LOCK-002",
        title: "whatever is taken in a call is given back in it",
        clause: "locks.balance",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The host takes back what a call leaves behind, marks it as poisoned and counts a strike; three of them \
              quarantine the driver.",
        fix: "Let guards go out of scope, on the error paths too; never `mem::forget` one.",
        run: gives_back,
    },
    Check {
        id: "LOCK-003",
        title: "nothing is held when a call has returned, whoever took it",
        clause: "locks.at-return",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A lock that a thread of the driver keeps after the call stops every later one, with nobody to be seen who \
              works.",
        fix: "Long work goes on under a job, not under a lock; sessions of the driver's own threads are short.",
        run: holds_nothing_afterwards,
    },
    Check {
        id: "LOCK-004",
        title: "no lock is held over a service that may block",
        clause: "locks.blocking",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "Starting a process or waiting for a guest may take seconds, in which nobody else gets that lock.",
        fix: "Begin a job on the domain, give the locks back, call the service, take them again and look whether all is as it \
              was.",
        run: holds_nothing_while_it_blocks,
    },
    Check {
        id: "LOCK-005",
        title: "the table of domains is locked briefly",
        clause: "locks.virt-brief",
        level: Level::Must,
        needs: &["virt.lifecycle/1"],
        privileged: false,
        why: "Every look-up of every client passes through Virt: whoever works under it makes them all wait.",
        fix: "Under Virt look up, insert or remove, and no more; parse before it, write files before or after it.",
        run: locks_the_table_briefly,
    },
    Check {
        id: "LOCK-006",
        title: "a lock that is refused is an error of that call, and nothing has changed",
        clause: "locks.refused",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A lock may be refused at any time: its holder hangs, the caller's time is over. A driver that goes on without \
              it works on what others change.",
        fix: "Hand the error on with `?`, and undo what was done before.",
        run: bears_refusal,
    },
    Check {
        id: "LOCK-007",
        title: "a writer that waits stops nobody who reads already",
        clause: "locks.queued-writer",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The locks are fair: behind a waiting writer new readers wait as well. A thread that waits for another one of \
              the same call, which wants to read, then waits for itself.",
        fix: "Lend the hold to the other thread (`Guard::lend`) and have it adopt the loan.",
        run: bears_a_queued_writer,
    },
    Check {
        id: "LOCK-008",
        title: "reads wait for no lock",
        clause: "locks.reads-take-none",
        level: Level::Must,
        needs: &["virt.lifecycle/1"],
        privileged: false,
        why: "`list` and `dumpxml` are how one looks at a host that is stuck; they must answer whoever holds what.",
        fix: "Publish a snapshot when something changed, and have reads look at that.",
        run: reads::domains,
    },
    Check {
        id: "LOCK-009",
        title: "filters are read without a lock",
        clause: "locks.reads-take-none",
        level: Level::Must,
        needs: &["nwfilter.define/1"],
        privileged: false,
        why: "Lists of filters are how one looks at a host that is stuck; they must answer whoever holds what.",
        fix: "Publish a snapshot when something changed, and have reads look at that.",
        run: reads::filters,
    },
    Check {
        id: "LOCK-010",
        title: "a guest whose last holder died can be used again once it was looked at",
        clause: "locks.poison",
        level: Level::Should,
        needs: &["virt.lifecycle/1"],
        privileged: false,
        why: "A lock is marked as poisoned when its holder died of a panic. A driver that refuses such a guest for ever makes \
              one mistake an outage.",
        fix: "Look at what the lock protects, mend it, then call `revalidated`.",
        run: lives_with_poison,
    },
    Check {
        id: "LOCK-011",
        title: "it keeps the rules when locks come late and in any order of threads",
        clause: "locks.order",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "What works because a lock is always free at once breaks on the first loaded machine.",
        fix: "Take nothing for granted between two locks: look again at what was read before the second one.",
        run: bears_noise,
    },
    Check {
        id: "LOCK-012",
        title: "changes of one domain wait for one another",
        clause: "locks.order",
        level: Level::Must,
        needs: &["virt.lifecycle/1"],
        privileged: false,
        why: "While somebody holds a domain, it must not change under his hands.",
        fix: "Take the domain exclusively (`lookup`, `domain_write`) before it is changed.",
        run: waits_for_the_domain,
    },
];

/// A driver whose calls were made, whatever they answered: what they must answer is for the checks of the contract.
fn live(ctx: &Ctx) -> Outcome<Bench> {
    let bench = ctx.bench()?;
    live_on(ctx, &bench)?;
    Ok(bench)
}

fn live_on(ctx: &Ctx, bench: &Bench) -> Outcome {
    life::short(ctx, bench, 1)?;
    // What is refused passes through other paths: those of errors.
    if bench.offers("virt.lifecycle/1") {
        let nobody = ctx.uuid(9);
        let _refused = (bench.start(nobody), bench.destroy(nobody), bench.undefine(nobody));
        let _refused = bench.define("<domain><name>");
        let _any = bench.define(&ctx.domain(2));
        let _refused = (
            bench.destroy(ctx.uuid(2)),
            bench.resume(ctx.uuid(2)),
            bench.suspend(ctx.uuid(2)),
        );
        let _refused = bench.define(&ctx.domain_as(&ctx.fixtures().domain.valid, &ctx.name(2), ctx.uuid(3)));
        let _any = (bench.set_autostart(ctx.uuid(2), false), bench.undefine(ctx.uuid(2)));
    }
    if bench.offers("nwfilter.define/1") {
        let _refused = (bench.undefine_filter(ctx.uuid(9)), bench.define_filter("<filter"));
    }
    Ok(())
}

fn no_breach(bench: &Bench) -> Outcome {
    let breaches = bench.recording().breaches;
    match breaches.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!(
            "rules of the locks: expected none to be broken, found {}; the first {first}",
            breaches.len()
        ))),
    }
}

fn keeps_the_order(ctx: &Ctx) -> Outcome {
    let bench = live(ctx)?;
    no_breach(&bench)
}

fn gives_back(ctx: &Ctx) -> Outcome {
    let bench = live(ctx)?;
    let seen = bench.recording();
    match seen.calls.iter().find(|call| call.kept > 0) {
        None => Ok(()),
        Some(call) => {
            let how = call
                .error
                .as_ref()
                .map_or(String::from("success"), |error| format!("the error '{error}'"));
            Err(Failure::new(format!(
                "{}: expected every lock to be given back, found {} still held when it returned (with {how})",
                call.method, call.kept
            )))
        }
    }
}

fn holds_nothing_afterwards(ctx: &Ctx) -> Outcome {
    let bench = live(ctx)?;
    // Threads of the driver may still have their short sessions; they must come to an end.
    if bench.wait(Duration::from_secs(5), |bench| bench.expect_nothing_held().is_ok()) {
        return Ok(());
    }
    bench
        .expect_nothing_held()
        .map_err(|failure| failure.when("five seconds after the last call"))
}

fn holds_nothing_while_it_blocks(ctx: &Ctx) -> Outcome {
    const BLOCKING: [&str; 11] = [
        "spawn",
        "spawn_with",
        "launch",
        "plug",
        "unplug",
        "kill",
        "forget",
        "survivors",
        "limit",
        "console_tail",
        "watch",
    ];
    let bench = live(ctx)?;
    for call in &bench.recording().host_calls {
        if !BLOCKING.contains(&call.function) || call.service == "lock/1" {
            continue;
        }
        // `watch` and `console_tail` wait for nobody in today's host; only what the host refuses counts for them.
        let refused = call.error.is_some() && !call.injected;
        if let Some(held) = call.held.first()
            && (refused || !matches!(call.function, "console_tail" | "watch"))
        {
            return Err(Failure::new(format!(
                "{} in {}: expected no lock to be held, found {held}",
                call, call.method
            )));
        }
    }
    Ok(())
}

fn locks_the_table_briefly(ctx: &Ctx) -> Outcome {
    let bench = live(ctx)?;
    let seen = bench.recording();
    let long = |hold: &&Hold| hold.lock == Lock::VIRT && hold.age().is_some_and(|age| age > BRIEF);
    // Once more if so: on a loaded machine a thread may be away for that long with the lock in its hands.
    if seen.holds.iter().filter(long).count() == 0 {
        return Ok(());
    }
    bench.forget_recording();
    live_on(ctx, &bench)?;
    match bench.recording().holds.iter().find(long) {
        None => Ok(()),
        Some(hold) => Err(Failure::new(format!(
            "{}: expected Virt to be held for {} ms at most, found {} ms, twice",
            hold.method,
            BRIEF.as_millis(),
            hold.age().unwrap_or_default().as_millis()
        ))),
    }
}

fn bears_refusal(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for step in steps::of(ctx, &bench) {
        // Until the step takes fewer locks than are refused: then it has been tried with each of them refused.
        for nth in 1..=64 {
            let before = steps::view(&bench)?;
            bench.set_faults(FaultPlan {
                counted: Counted::Acquisitions,
                fail: Some((nth, Code::OPERATION_TIMEOUT)),
                ..FaultPlan::default()
            });
            let answer = (step.forth)(ctx, &bench);
            let met = bench.counted() >= nth;
            bench.set_faults(FaultPlan::default());
            let situation = format!("{} with its lock number {nth} refused", step.name);
            steps::settled(&bench).map_err(|failure| failure.when(&situation))?;
            if !met {
                let late = |error: Error| match error.code() {
                    Code::OPERATION_TIMEOUT => step.go(ctx, &bench),
                    _ => Err(error),
                };
                answer.or_else(late).succeeds(step.name)?;
                break;
            }
            match answer {
                // A driver may do without a lock that is refused, or try again.
                Ok(()) => step
                    .undo(ctx, &bench)
                    .succeeds(format_args!("what undoes {}", step.name))?,
                Err(error) => {
                    ensure!(
                        error.code() == Code::OPERATION_TIMEOUT,
                        "{situation}: expected the lock's own error {} to be handed on, found error {}: {error}",
                        Code::OPERATION_TIMEOUT.0,
                        error.code().0
                    );
                    steps::unchanged(&bench, &before).map_err(|failure| failure.when(&situation))?;
                }
            }
        }
    }
    no_breach(&bench)
}

fn bears_a_queued_writer(ctx: &Ctx) -> Outcome {
    let bench = ctx
        .builder()
        .patience(Duration::from_secs(5))
        .faults(FaultPlan {
            queued_writer: true,
            ..FaultPlan::default()
        })
        .open()?;
    for step in steps::of(ctx, &bench) {
        let name = step.name;
        step.go(ctx, &bench).succeeds(format_args!(
            "{name} with a writer in the queue behind each of its shared locks"
        ))?;
    }
    no_breach(&bench)
}

fn lives_with_poison(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.poison(Lock::domain(uuid))?;
    bench
        .set_autostart(uuid, false)
        .succeeds("set_autostart of a domain whose lock's last holder died")?;
    bench
        .undefine(uuid)
        .succeeds("undefine of a domain whose lock's last holder died")
}

fn bears_noise(ctx: &Ctx) -> Outcome {
    const THREADS: usize = 4;
    let bench = ctx
        .builder()
        .faults(FaultPlan {
            noise: Some(ctx.seed()),
            ..FaultPlan::default()
        })
        .open()?;
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let bench = &bench;
                scope.spawn(move || -> Outcome {
                    for round in 0..3 {
                        let n = 10 + thread * 10 + round;
                        if let Some(error) = life::short(ctx, bench, n)? {
                            let code = error.code().0;
                            return Err(Failure::new(format!(
                                "thread {thread} of {THREADS}, with domains and filters of its own: expected success, found \
                                 error {code}: {error}"
                            )));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let died = || Err(Failure::new("a thread of the check died"));
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| died()))
            .collect()
    });
    outcomes.into_iter().collect::<Outcome>()?;
    no_breach(&bench)?;
    bench.expect_nothing_held()
}

fn waits_for_the_domain(ctx: &Ctx) -> Outcome {
    let bench = ctx.builder().patience(Duration::from_millis(500)).open()?;
    let uuid: Uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let held = Lock::domain(uuid);
    for step in steps::of(ctx, &bench) {
        let name = step.name;
        if !matches!(name, "start" | "undefine") {
            continue;
        }
        let answer = bench.while_held(held, Mode::Exclusive, || (step.forth)(ctx, &bench))?;
        answer.fails_with(
            &[Code::OPERATION_TIMEOUT, Code::RESOURCE_BUSY],
            format_args!("{name} while somebody else holds the domain, and goes on holding it"),
        )?;
        let brief = bench.by_uuid(uuid).succeeds("by_uuid")?;
        ensure!(
            brief.is_some_and(|brief| brief.id.is_none()),
            "{name} while somebody else holds the domain: expected that nothing has changed, found that it was done"
        );
    }
    Ok(())
}
