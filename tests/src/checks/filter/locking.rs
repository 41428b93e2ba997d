//! Locks of filter definitions: what a change takes, what it does without them, and that looking takes none.

use super::must;
use super::paper::{self, OTHER, RULE};
use super::view::View;
use crate::bench::{Bench, Counted, FaultPlan, Lock};
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use lockstep::lock::rank::Mode;
use std::time::Duration;

pub(crate) const CHECKS: &[Check] = &[
    must(
        "FILT-030",
        "a definition is changed under Filter, and under Update held exclusively",
        "filter.rebuild",
        "Filter keeps two definitions apart, Update keeps a guest from having its port made by rules that just go away.",
        "`cx.filters()`, then `filters.update_write()`, then the change.",
        takes_both,
    ),
    must(
        "FILT-031",
        "looking at filters takes no lock and waits for nobody",
        "locks.reads-take-none",
        "A definition that waits for a guest must not keep anybody from listing filters.",
        "Answer from a published table.",
        looks_wait_for_nobody,
    ),
    must(
        "FILT-032",
        "a change that does not get its locks changes nothing",
        "locks.refused",
        "A host under load refuses a lock after its time. What was changed before that would be half a definition.",
        "Take the locks before the first effect; hand the error on.",
        refused_locks_change_nothing,
    ),
    must(
        "FILT-033",
        "whichever lock is refused, a change is whole or has not happened",
        "locks.refused",
        "Each acquisition can fail by itself: time, cancellation, a driver in quarantine.",
        "Undo what was staged when a later step fails.",
        each_refusal_in_turn,
    ),
    must(
        "FILT-034",
        "whichever call of the host fails, a change is whole or has not happened",
        "faults.host-error",
        "The host asks other drivers for their ports and any of them may fail.",
        "Ask first, change after that.",
        each_host_error_in_turn,
    ),
    must(
        "FILT-035",
        "a change of a filter is done under a queue of writers",
        "locks.queued-writer",
        "Behind each shared hold somebody may wait for an exclusive one. Who then takes it shared again, past the host, waits for ever.",
        "Take each lock once and hand its guard down.",
        goes_on_before_writers,
    ),
];

fn holds(bench: &Bench, lock: Lock) -> Vec<bool> {
    let holds = bench.recording().holds;
    let of = holds.iter().filter(|hold| hold.lock == lock);
    of.map(|hold| hold.exclusive).collect()
}

fn takes_both(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let changes: [(&str, &dyn Fn() -> Outcome); 3] = [
        ("define_filter", &|| {
            bench.define_filter(&ctx.filter(1)).succeeds("define_filter").map(drop)
        }),
        ("define_filter with other rules", &|| {
            let changed = bench.define_filter(&ctx.changed_filter(1));
            changed.succeeds("define_filter with other rules").map(drop)
        }),
        ("undefine_filter", &|| {
            bench.undefine_filter(ctx.uuid(1)).succeeds("undefine_filter")
        }),
    ];
    for (what, change) in changes {
        bench.forget_recording();
        change()?;
        ensure!(
            holds(&bench, Lock::FILTER).contains(&true),
            "{what}: expected that it takes Filter, found that it took {:?}",
            taken(&bench)
        );
        ensure!(
            holds(&bench, Lock::UPDATE).contains(&true),
            "{what}: expected that it takes Update exclusively, found that it took {:?}",
            taken(&bench)
        );
        let breaches = bench.recording().breaches;
        ensure!(
            breaches.is_empty(),
            "{what}: expected no broken rule of the locks, found: {}",
            breaches[0]
        );
        bench.expect_nothing_held()?;
    }
    Ok(())
}

fn taken(bench: &Bench) -> Vec<String> {
    let how = |exclusive| if exclusive { "exclusively" } else { "shared" };
    let holds = bench.recording().holds;
    holds
        .iter()
        .map(|hold| format!("{} {}", hold.lock, how(hold.exclusive)))
        .collect()
}

fn looks_wait_for_nobody(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    bench.forget_recording();
    for lock in [Lock::FILTER, Lock::UPDATE] {
        bench.while_held(lock, Mode::Exclusive, || -> Outcome {
            bench.filters().succeeds(format_args!("filters while {lock} is held"))?;
            let xml = bench.filter_xml(ctx.uuid(1));
            xml.succeeds(format_args!("filter_xml while {lock} is held")).map(drop)
        })??;
    }
    let taken: Vec<String> = bench.recording().of("lock/1").map(ToString::to_string).collect();
    ensure_eq!(taken, Vec::<String>::new(), "calls of lock/1 in filters and filter_xml");
    Ok(())
}

fn refused_locks_change_nothing(ctx: &Ctx) -> Outcome {
    let bench = ctx.builder().patience(Duration::from_millis(200)).open()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let view = View::of(&bench)?;
    for (lock, mode) in [
        (Lock::FILTER, Mode::Exclusive),
        (Lock::UPDATE, Mode::Exclusive),
        (Lock::UPDATE, Mode::Shared),
    ] {
        bench.while_held(lock, mode, || -> Outcome {
            let changed = bench.define_filter(&ctx.changed_filter(1));
            ensure!(
                changed.is_err(),
                "define_filter while {lock} is held: expected an error, found success"
            );
            view.is_still_so(&bench, format_args!("define_filter while {lock} is held"))?;
            let undefined = bench.undefine_filter(ctx.uuid(1));
            ensure!(
                undefined.is_err(),
                "undefine_filter while {lock} is held: expected an error, found success"
            );
            view.is_still_so(&bench, format_args!("undefine_filter while {lock} is held"))
        })??;
    }
    bench.expect_nothing_held()?;
    bench
        .define_filter(&ctx.changed_filter(1))
        .succeeds("define_filter when nobody holds anything")?;
    bench
        .undefine_filter(ctx.uuid(1))
        .succeeds("undefine_filter when nobody holds anything")
}

/// Lets the `k`th counted call fail, for all `k`, and looks at what is left each time.
fn in_turn(ctx: &Ctx, counted: Counted) -> Outcome {
    let bench = ctx.bench()?;
    bench
        .define_filter(&paper::nth(ctx, 1, RULE))
        .succeeds("define_filter")?;
    bench.set_wanted_ports(vec![paper::request(ctx, "guest0", "another-filter", &[])]);
    for k in 1..=32 {
        let before = View::of(&bench)?;
        let body = if k % 2 == 0 { RULE } else { OTHER };
        let document = paper::nth(ctx, 1, body);
        bench.set_faults(FaultPlan {
            counted,
            fail: Some((k, Code::SYSTEM_ERROR)),
            ..FaultPlan::default()
        });
        let answer = bench.define_filter(&document);
        let met = bench.counted() >= k;
        bench.set_faults(FaultPlan::default());
        bench.expect_nothing_held()?;
        match answer {
            Err(error) => {
                ensure!(met, "define_filter without a fault: expected success, found {error}");
                before.is_still_so(&bench, format_args!("define_filter whose call {k} of the host failed"))?;
                bench
                    .define_filter(&document)
                    .succeeds("define_filter when nothing fails any more")?;
            }
            Ok(_) => {
                let xml = bench.filter_xml(ctx.uuid(1)).succeeds("filter_xml")?;
                let lost = paper::lost(
                    &paper::read("the document", &document)?,
                    &paper::read("filter_xml", &xml)?,
                );
                ensure_eq!(
                    lost,
                    None,
                    "what is lost of the document after define_filter whose call {k} of the host failed"
                );
                if !met {
                    return undefined_in_turn(ctx, &bench, counted);
                }
            }
        }
    }
    Ok(())
}

fn undefined_in_turn(ctx: &Ctx, bench: &Bench, counted: Counted) -> Outcome {
    for k in 1..=32 {
        let before = View::of(bench)?;
        bench.set_faults(FaultPlan {
            counted,
            fail: Some((k, Code::SYSTEM_ERROR)),
            ..FaultPlan::default()
        });
        let answer = bench.undefine_filter(ctx.uuid(1));
        bench.set_faults(FaultPlan::default());
        bench.expect_nothing_held()?;
        if answer.is_ok() {
            let gone = bench.filter_xml(ctx.uuid(1));
            gone.fails_with(&[Code::NO_NWFILTER], "filter_xml after undefine_filter")?;
            return Ok(());
        }
        before.is_still_so(bench, format_args!("undefine_filter whose call {k} of the host failed"))?;
    }
    bench
        .undefine_filter(ctx.uuid(1))
        .succeeds("undefine_filter when nothing fails any more")
}

fn each_refusal_in_turn(ctx: &Ctx) -> Outcome {
    in_turn(ctx, Counted::Acquisitions)
}

fn each_host_error_in_turn(ctx: &Ctx) -> Outcome {
    in_turn(ctx, Counted::Fallible)
}

fn goes_on_before_writers(ctx: &Ctx) -> Outcome {
    let bench = ctx.builder().patience(Duration::from_secs(5)).open()?;
    bench.set_faults(FaultPlan {
        queued_writer: true,
        ..FaultPlan::default()
    });
    bench
        .define_filter(&ctx.filter(1))
        .succeeds("define_filter with writers in the queue")?;
    bench
        .define_filter(&ctx.changed_filter(1))
        .succeeds("define_filter once more with writers in the queue")?;
    bench
        .undefine_filter(ctx.uuid(1))
        .succeeds("undefine_filter with writers in the queue")
}
