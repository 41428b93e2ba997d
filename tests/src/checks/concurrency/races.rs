//! Races for one domain.

use super::at_once;
use crate::bench::Bench;
use crate::check::{Ctx, Expect, Failure, Outcome};
use crate::checks::domains::{expect_calm, expect_state, running, startable, told};
use crate::fixture::Room;
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Result};
use driver_api::types::domain::flags::XML_INACTIVE;
use driver_api::types::domain::{Lifecycle, State};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const THREADS: usize = 6;

fn rounds(ctx: &Ctx, memory: usize, real: usize) -> usize {
    match ctx.fixtures().guests {
        Room::Memory => memory,
        Room::Real => real,
    }
}

/// Exactly one of the answers must be a success, the others 55.
fn expect_one<T>(answers: Vec<Result<T>>, what: &str) -> Outcome {
    let mut done = 0;
    for answer in answers {
        match answer {
            Ok(_) => done += 1,
            Err(error) => {
                let refused = Err::<(), _>(error);
                refused.fails_with(&[Code::OPERATION_INVALID], format_args!("{what} that came too late"))?;
            }
        }
    }
    ensure_eq!(done, 1, "{THREADS} times {what} at once: how many succeeded");
    Ok(())
}

fn count(bench: &Bench, ctx: &Ctx, wanted: Lifecycle) -> usize {
    let events = told(bench, ctx.uuid(1));
    events.iter().filter(|(kind, ..)| *kind == wanted).count()
}

pub(super) fn one_start(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    for round in 1..=rounds(ctx, 40, 2) {
        let answers = at_once(THREADS, |_| bench.start(uuid))?;
        expect_one(answers, "start").map_err(|failure| failure.when(format_args!("round {round}")))?;
        expect_state(&bench, uuid, State::Running, "starts at once")?;
        ensure_eq!(
            count(&bench, ctx, Lifecycle::Started),
            round,
            "after starts at once: events 'Started', one a round"
        );
        bench.destroy(uuid).succeeds("destroy")?;
        expect_state(&bench, uuid, State::Shutoff, "destroy")?;
    }
    expect_calm(&bench)
}

pub(super) fn one_destroy(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    for round in 1..=rounds(ctx, 40, 2) {
        running(ctx, &bench, 1)?;
        let answers = at_once(THREADS, |_| bench.destroy(uuid))?;
        expect_one(answers, "destroy").map_err(|failure| failure.when(format_args!("round {round}")))?;
        expect_state(&bench, uuid, State::Shutoff, "destroys at once")?;
        ensure_eq!(
            count(&bench, ctx, Lifecycle::Stopped),
            round,
            "after destroys at once: events 'Stopped', one a round"
        );
    }
    expect_calm(&bench)
}

/// One thread starts and ends the domain, another one marks it: each finds what it did itself, since nobody else does that.
pub(super) fn marks_beside_a_life(ctx: &Ctx, bench: &Bench, n: usize, starts: usize) -> Outcome {
    let uuid = ctx.uuid(n);
    bench.define(&ctx.domain(n)).succeeds("define")?;
    let over = AtomicBool::new(false);
    let marks = AtomicUsize::new(0);
    let find = |what: &str| {
        let found = bench.by_uuid(uuid).succeeds("by_uuid")?;
        found.ok_or_else(|| Failure::new(format!("by_uuid after {what}: expected the domain, found nothing")))
    };
    // A mark that is under way now is over then, and another one was made after this.
    let two_marks_later = || {
        let before = marks.load(Ordering::SeqCst);
        while marks.load(Ordering::SeqCst) < before.saturating_add(2) {
            std::thread::yield_now();
        }
    };
    let live = || -> Outcome {
        for _ in 0..starts {
            let id = bench.start(uuid).succeeds("start")?.id;
            two_marks_later();
            let found = find("start")?;
            ensure_eq!(
                (found.state, found.id),
                (State::Running, id),
                "state and id after start"
            );
            bench.destroy(uuid).succeeds("destroy")?;
            two_marks_later();
            let found = find("destroy")?;
            ensure_eq!(
                (found.state, found.id),
                (State::Shutoff, None),
                "state and id after destroy"
            );
        }
        Ok(())
    };
    let mark = || -> Outcome {
        let mut on = false;
        while !over.load(Ordering::SeqCst) {
            on = !on;
            bench.set_autostart(uuid, on).succeeds("set_autostart")?;
            ensure_eq!(find("set_autostart")?.autostart, on, "the mark after set_autostart");
            marks.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    };
    let found = at_once(2, |thread| {
        if thread == 1 {
            let marked = mark().map_err(|failure| failure.when("beside starts and destroys of the same domain"));
            // Nobody waits for marks that do not come any more.
            marks.store(usize::MAX, Ordering::SeqCst);
            return marked;
        }
        let lived = live().map_err(|failure| failure.when("beside calls of set_autostart for the same domain"));
        over.store(true, Ordering::SeqCst);
        lived
    })?;
    for outcome in found {
        outcome?;
    }
    bench.undefine(uuid).succeeds("undefine")
}

/// What one of the threads of a race found.
enum Found<T> {
    Start(Result<T>),
    Destroys(usize, Option<driver_api::error::Error>),
}

pub(super) fn destroy_during_start(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let mut random = ctx.random();
    for round in 1..=rounds(ctx, 30, 3) {
        let over = AtomicBool::new(false);
        let delay = Duration::from_micros(random.u64(0..rounds(ctx, 2_000, 600_000) as u64));
        let answers = at_once(2, |thread| {
            if thread == 0 {
                let started = bench.start(uuid);
                over.store(true, Ordering::SeqCst);
                return Found::Start(started);
            }
            std::thread::sleep(delay);
            let (mut done, mut odd) = (0, None);
            loop {
                // Read before the call: a start that is over by then leaves nothing to be cancelled after it.
                let last = over.load(Ordering::SeqCst);
                match bench.destroy(uuid) {
                    Ok(()) => done += 1,
                    Err(error) if error.code() == Code::OPERATION_INVALID => {}
                    Err(error) => odd = Some(error),
                }
                if last || odd.is_some() {
                    return Found::Destroys(done, odd);
                }
            }
        })?;
        let situation = format!("round {round}, a destroy {delay:?} after a start began");
        for answer in answers {
            match answer {
                Found::Start(Ok(_)) => {}
                // Cancelled: the contract leaves open which code says so, but it must say something.
                Found::Start(Err(error)) => {
                    ensure!(
                        !error.to_string().is_empty(),
                        "{situation}: expected an error in words, found an empty one"
                    );
                }
                Found::Destroys(_, Some(error)) => {
                    let code = error.code().0;
                    return Err(Failure::new(format!(
                        "{situation}: destroy: expected success or error 55, found error {code}: {error}"
                    )));
                }
                Found::Destroys(done, None) => {
                    ensure!(done > 0, "{situation}: expected a destroy that succeeds, found none");
                }
            }
        }
        expect_state(&bench, uuid, State::Shutoff, &situation)?;
        let left = bench
            .guests()?
            .survivors(&bench.facts().name)
            .succeeds("the bench: its guests")?;
        ensure!(
            left.is_empty(),
            "{situation}: expected no guest process, found {left:?}"
        );
        let (started, stopped) = (
            count(&bench, ctx, Lifecycle::Started),
            count(&bench, ctx, Lifecycle::Stopped),
        );
        ensure!(
            stopped >= started,
            "{situation}: expected every event 'Started' to be followed by 'Stopped', found {started} and {stopped}"
        );
    }
    // The domain is none the worse for it.
    bench.start(uuid).succeeds("start after the races")?;
    bench.destroy(uuid).succeeds("destroy after the races")?;
    expect_calm(&bench)
}

pub(super) fn define_during_start(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.changed_domain(1)).succeeds("define")?;
    let next = bench.dump_xml(uuid, XML_INACTIVE).succeeds("dump_xml")?;
    for round in 1..=rounds(ctx, 30, 2) {
        bench.define(&ctx.domain(1)).succeeds("define")?;
        let answers = at_once(2, |thread| {
            if thread == 0 {
                return bench.start(uuid);
            }
            bench.define(&ctx.changed_domain(1))
        })?;
        for answer in answers {
            answer.succeeds(format_args!("round {round}, start and define at once"))?;
        }
        let found = expect_state(&bench, uuid, State::Running, "start and define at once")?;
        ensure!(
            found.persistent,
            "start and define at once: expected a persistent domain, found one that is not"
        );
        let defined = bench
            .dump_xml(uuid, XML_INACTIVE)
            .succeeds("dump_xml with XML_INACTIVE")?;
        ensure_eq!(
            defined,
            next,
            "round {round}, dump_xml with XML_INACTIVE after start and define at once"
        );
        bench.destroy(uuid).succeeds("destroy")?;
        let idle = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
        ensure_eq!(
            idle,
            next,
            "round {round}, dump_xml when it is off, after start and define at once"
        );
    }
    expect_calm(&bench)
}
