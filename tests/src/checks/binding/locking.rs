//! Under which locks bindings change, and what a lock or a host that refuses leaves behind.

use super::{furnish, furnished};
use crate::bench::{Counted, FaultPlan, Lock};
use crate::check::{Ctx, Expect, Outcome};
use crate::checks::filter::paper;
use crate::checks::filter::port;
use crate::checks::filter::view::{self, View};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use lockstep::lock::rank::Mode;
use std::time::Duration;

pub(super) fn takes_update(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let document = paper::binding(ctx, "p0", &ctx.name(1), &[]);
    let changes: [(&str, &dyn Fn() -> Outcome); 2] = [
        ("create_binding", &|| {
            view::create(&bench, &document).succeeds("create_binding").map(drop)
        }),
        ("delete_binding", &|| {
            view::delete(&bench, "p0").succeeds("delete_binding")
        }),
    ];
    for (what, change) in changes {
        bench.forget_recording();
        change()?;
        let seen = bench.recording();
        let update = seen.holds.iter().any(|hold| hold.lock == Lock::UPDATE);
        ensure!(update, "{what}: expected that it takes Update, found that it took none");
        ensure!(
            seen.breaches.is_empty(),
            "{what}: expected no broken rule of the locks, found: {}",
            seen.breaches[0]
        );
        bench.expect_nothing_held()?;
    }
    Ok(())
}

pub(super) fn shares_update(ctx: &Ctx) -> Outcome {
    let bench = ctx.builder().patience(Duration::from_secs(1)).open()?;
    furnish(ctx, &bench, &["p0"])?;
    bench.while_held(Lock::UPDATE, Mode::Shared, || -> Outcome {
        let created = view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[]));
        created.succeeds("create_binding while somebody else holds Update shared")?;
        view::delete(&bench, "p0").succeeds("delete_binding while somebody else holds Update shared")
    })?
}

pub(super) fn looks_wait_for_nobody(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    bench.forget_recording();
    for lock in [Lock::FILTER, Lock::UPDATE] {
        bench.while_held(lock, Mode::Exclusive, || -> Outcome {
            let listed = view::list(&bench).succeeds(format_args!("bindings while {lock} is held"))?;
            ensure_eq!(listed.len(), 1, "bindings on the list while {lock} is held");
            view::xml(&bench, "p0")
                .succeeds(format_args!("binding_xml while {lock} is held"))
                .map(drop)
        })??;
    }
    let taken: Vec<String> = bench.recording().of("lock/1").map(ToString::to_string).collect();
    ensure_eq!(
        taken,
        Vec::<String>::new(),
        "calls of lock/1 in bindings and binding_xml"
    );
    Ok(())
}

pub(super) fn refused_locks_change_nothing(ctx: &Ctx) -> Outcome {
    let bench = ctx.builder().patience(Duration::from_millis(200)).open()?;
    furnish(ctx, &bench, &["p0", "p1"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    bench.while_held(Lock::UPDATE, Mode::Exclusive, || -> Outcome {
        let created = view::create(&bench, &paper::binding(ctx, "p1", &ctx.name(1), &[]));
        ensure!(
            created.is_err(),
            "create_binding while Update is held: expected an error, found success"
        );
        view.is_still_so(&bench, "create_binding while Update is held")?;
        let deleted = view::delete(&bench, "p0");
        ensure!(
            deleted.is_err(),
            "delete_binding while Update is held: expected an error, found success"
        );
        view.is_still_so(&bench, "delete_binding while Update is held")
    })??;
    port::is_still(&kernel, format_args!("changes that did not get their locks"))?;
    bench.expect_nothing_held()?;
    view::delete(&bench, "p0").succeeds("delete_binding when nobody holds anything")
}

pub(super) fn each_host_error_in_turn(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let document = paper::binding(ctx, "p0", &ctx.name(1), &[]);
    let changes: [(&str, &dyn Fn() -> driver_api::error::Result<()>); 2] = [
        ("create_binding", &|| view::create(&bench, &document).map(drop)),
        ("delete_binding", &|| view::delete(&bench, "p0")),
    ];
    for (what, change) in changes {
        for k in 1..=32 {
            let (before, kernel) = (View::of(&bench)?, port::everything()?);
            bench.set_faults(FaultPlan {
                counted: Counted::Fallible,
                fail: Some((k, Code::SYSTEM_ERROR)),
                ..FaultPlan::default()
            });
            let answer = change();
            let met = bench.counted() >= k;
            bench.set_faults(FaultPlan::default());
            bench.expect_nothing_held()?;
            match answer {
                Ok(()) => break,
                Err(error) => {
                    ensure!(met, "{what} without a fault: expected success, found {error}");
                    let when = format!("{what} whose call {k} of the host failed");
                    before.is_still_so(&bench, &when)?;
                    port::is_still(&kernel, format_args!("{when}"))?;
                }
            }
        }
    }
    Ok(())
}
