//! Reads while others hold the locks.

use crate::bench::{Bench, Lock};
use crate::check::{Ctx, Expect, Failure, Outcome};
use crate::ensure;
use lockstep::lock::rank::Mode;
use std::time::{Duration, Instant};

/// How long a read may take while everything is held by others.
const AT_ONCE: Duration = Duration::from_secs(2);

pub(super) fn domains(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let name = ctx.name(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let reads = |bench: &Bench, held: &str| -> Outcome {
        bench.list().succeeds(format_args!("list while {held}"))?;
        bench.by_uuid(uuid).succeeds(format_args!("by_uuid while {held}"))?;
        bench.by_name(&name).succeeds(format_args!("by_name while {held}"))?;
        bench.by_id(1).succeeds(format_args!("by_id while {held}"))?;
        bench
            .dump_xml(uuid, 0)
            .succeeds(format_args!("dump_xml while {held}"))?;
        bench
            .look("cpu_time", |virt| virt.cpu_time(uuid))
            .succeeds(format_args!("cpu_time while {held}"))?;
        bench
            .look("capabilities", |virt| virt.capabilities())
            .succeeds(format_args!("capabilities while {held}"))?;
        Ok(())
    };
    bench.forget_recording();
    for lock in [Lock::FILTER, Lock::UPDATE, Lock::VIRT, Lock::domain(uuid)] {
        let held = format!("{lock} is held exclusively by somebody else");
        let began = Instant::now();
        bench.while_held(lock, Mode::Exclusive, || reads(&bench, &held))??;
        let took = began.elapsed();
        ensure!(
            took < AT_ONCE,
            "reads while {held}: expected answers at once, found that they took {} ms",
            took.as_millis()
        );
    }
    let seen = bench.recording();
    let mut asked = seen
        .of("lock/1")
        .filter(|call| call.method.is_empty() || seen.calls.iter().any(|read| read.method == call.method));
    match asked
        .find(|call| call.function != "release" && call.function != "session_close" && call.thread == own_thread())
    {
        None => Ok(()),
        Some(call) => Err(Failure::new(format!(
            "reads: expected them to take no lock, found {call}"
        ))),
    }
}

fn own_thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

pub(super) fn filters(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    for lock in [Lock::FILTER, Lock::UPDATE] {
        let held = format!("{lock} is held exclusively by somebody else");
        let began = Instant::now();
        bench.while_held(lock, Mode::Exclusive, || -> Outcome {
            bench.filters().succeeds(format_args!("filters while {held}"))?;
            bench
                .filter_xml(uuid)
                .succeeds(format_args!("filter_xml while {held}"))?;
            if bench.offers("nwfilter.binding/1") {
                bench
                    .read("bindings", |driver| {
                        driver.bindings().map_or(Ok(Vec::new()), |bindings| bindings.bindings())
                    })
                    .succeeds(format_args!("bindings while {held}"))?;
            }
            Ok(())
        })??;
        let took = began.elapsed();
        ensure!(
            took < AT_ONCE,
            "reads while {held}: expected answers at once, found that they took {} ms",
            took.as_millis()
        );
    }
    Ok(())
}
