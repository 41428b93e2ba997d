//! Filters under many hands at once.

use super::must;
use super::paper::{self, BAD_PART, OTHER, RULE, reference};
use super::view::View;
use crate::bench::{Bench, FaultPlan};
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) const CHECKS: &[Check] = &[
    must(
        "FILT-050",
        "of many who define one filter each is served, and one whole document is left",
        "threads.concurrency",
        "Two clients that change one filter must not make a third document of two.",
        "Hold Filter from reading the table to publishing the next one.",
        one_filter_from_many,
    ),
    must(
        "FILT-051",
        "of many who take one name with different UUIDs one gets it",
        "threads.concurrency",
        "Whoever looks first and takes the lock after that lets two have it.",
        "Look for the name under Filter.",
        one_name_for_one,
    ),
    must(
        "FILT-052",
        "many filters are defined and undefined at once, and none is lost",
        "threads.concurrency",
        "Each change makes a table from the one before it; two that start from the same one lose a filter.",
        "Make the next table under Filter.",
        none_is_lost,
    ),
    must(
        "FILT-053",
        "who looks while others change sees whole filters",
        "threads.concurrency",
        "A list that is read while it is changed shows a filter twice, or half of it.",
        "Publish tables that never change.",
        looks_are_whole,
    ),
    must(
        "FILT-054",
        "two definitions that would close a ring together do not",
        "threads.concurrency",
        "Each alone is sound; both are checked against a table that has not the other one.",
        "Check for rings under Filter.",
        no_ring_by_two,
    ),
];

const THREADS: usize = 6;

/// A bench whose locks are granted at random moments, and with time for a slow disk.
fn noisy(ctx: &Ctx) -> Outcome<Bench> {
    let faults = FaultPlan {
        noise: Some(ctx.seed()),
        ..FaultPlan::default()
    };
    ctx.builder().faults(faults).patience(Duration::from_secs(40)).open()
}

/// Runs the same work on several threads; the first failure counts.
fn all(work: impl Fn(usize) -> Outcome + Sync) -> Outcome {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|n| (n, &work)).collect();
        let threads: Vec<_> = threads
            .into_iter()
            .map(|(n, work)| scope.spawn(move || work(n)))
            .collect();
        let mut outcome = Ok(());
        for thread in threads {
            let one = thread
                .join()
                .unwrap_or_else(|_| Err(Failure::new("a thread of the check panicked")));
            outcome = outcome.and(one);
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

fn one_filter_from_many(ctx: &Ctx) -> Outcome {
    let bench = noisy(ctx)?;
    let body = |n: usize| RULE.replace("'22'", &format!("'{}'", 1000 + n));
    all(|n| {
        for round in 0..5 {
            let document = paper::nth(ctx, 1, &body(10 * n + round));
            bench.define_filter(&document).succeeds("define_filter, many at once")?;
        }
        Ok(())
    })?;
    let found = bench.filters().succeeds("filters")?;
    let mine = found
        .iter()
        .filter(|filter| filter.uuid == ctx.uuid(1) || filter.name == ctx.name(1));
    ensure_eq!(mine.count(), 1, "how often the filter is on the list");
    let xml = bench.filter_xml(ctx.uuid(1)).succeeds("filter_xml")?;
    let shown = paper::read("filter_xml", &xml)?;
    let whole = (0..10 * THREADS).any(|n| {
        let said = paper::read("the document", &paper::nth(ctx, 1, &body(n)));
        said.is_ok_and(|said| paper::lost(&said, &shown).is_none())
    });
    ensure!(
        whole && shown.children_named("rule").count() == 1,
        "filter_xml: expected one of the documents, found {xml:?}"
    );
    bench.expect_nothing_held()
}

fn one_name_for_one(ctx: &Ctx) -> Outcome {
    let bench = noisy(ctx)?;
    for round in 0..5 {
        let name = ctx.name(round);
        let winners = std::sync::Mutex::new(Vec::new());
        all(|n| {
            let uuid = ctx.uuid(100 * (round + 1) + n);
            let defined = bench.define_filter(&paper::filter(&name, uuid, RULE));
            if done(
                defined,
                &[Code::OPERATION_FAILED],
                "define_filter of one name with many UUIDs",
            )? && let Ok(mut winners) = winners.lock()
            {
                winners.push(uuid);
            }
            Ok(())
        })?;
        let winners = winners.into_inner().unwrap_or_default();
        ensure_eq!(winners.len(), 1, "how many of {THREADS} got the name '{name}'");
        let found = bench.filters().succeeds("filters")?;
        let with: Vec<_> = found
            .iter()
            .filter(|filter| filter.name == name)
            .map(|filter| filter.uuid)
            .collect();
        ensure_eq!(with, winners, "the UUIDs on the list under the name '{name}'");
    }
    Ok(())
}

fn none_is_lost(ctx: &Ctx) -> Outcome {
    let bench = noisy(ctx)?;
    let before = View::of(&bench)?;
    all(|n| {
        for round in 0..3 {
            let (keep, drop) = (10 + 100 * n + round, 1010 + 100 * n + round);
            bench
                .define_filter(&paper::nth(ctx, keep, RULE))
                .succeeds("define_filter, many at once")?;
            bench
                .define_filter(&paper::nth(ctx, drop, OTHER))
                .succeeds("define_filter, many at once")?;
            bench
                .undefine_filter(ctx.uuid(drop))
                .succeeds("undefine_filter, many at once")?;
        }
        Ok(())
    })?;
    let view = View::of(&bench)?;
    let expected = before.names().count() + 3 * THREADS;
    ensure_eq!(view.names().count(), expected, "filters on the list after all that");
    all(|n| {
        for round in 0..3 {
            let undefined = bench.undefine_filter(ctx.uuid(10 + 100 * n + round));
            undefined.succeeds("undefine_filter, many at once")?;
        }
        Ok(())
    })?;
    before.is_still_so(&bench, "all that was defined and undefined again")
}

fn looks_are_whole(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let over = AtomicBool::new(false);
    let body = |n: usize| format!("{RULE}{OTHER}").replace("'22'", &format!("'{}'", 1000 + n));
    bench
        .define_filter(&paper::nth(ctx, 1, &body(0)))
        .succeeds("define_filter")?;
    std::thread::scope(|scope| {
        let looker = scope.spawn(|| -> Outcome {
            while !over.load(Ordering::Relaxed) {
                let found = bench.filters().succeeds("filters while others define")?;
                let mine = found.iter().filter(|filter| filter.uuid == ctx.uuid(1)).count();
                ensure_eq!(mine, 1, "how often a filter is on the list while others define");
                let xml = bench
                    .filter_xml(ctx.uuid(1))
                    .succeeds("filter_xml while others define")?;
                let rules = paper::read("filter_xml", &xml)?.children_named("rule").count();
                ensure_eq!(rules, 2, "rules in filter_xml while others define");
            }
            Ok(())
        });
        let changed = (1..25).try_for_each(|n| -> Outcome {
            bench
                .define_filter(&paper::nth(ctx, 1, &body(n)))
                .succeeds("define_filter")?;
            bench
                .define_filter(&paper::nth(ctx, 2, RULE))
                .succeeds("define_filter")?;
            bench.undefine_filter(ctx.uuid(2)).succeeds("undefine_filter")
        });
        over.store(true, Ordering::Relaxed);
        let looked = looker
            .join()
            .unwrap_or_else(|_| Err(Failure::new("the thread that looks panicked")));
        changed.and(looked)
    })
}

fn no_ring_by_two(ctx: &Ctx) -> Outcome {
    let bench = noisy(ctx)?;
    for round in 0..5 {
        let number = |n: usize| 10 * round + n % THREADS;
        let won = std::sync::atomic::AtomicUsize::new(0);
        all(|n| {
            let next = reference(&ctx.name(number(n + 1)));
            let document = paper::nth(ctx, number(n), &next);
            if done(
                bench.define_filter(&document),
                BAD_PART,
                "define_filter of a link of a ring",
            )? {
                won.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })?;
        ensure_eq!(
            won.into_inner(),
            THREADS - 1,
            "how many of {THREADS} filters, each of which refers to the next, were defined (all of them are a ring)"
        );
    }
    Ok(())
}
