//! `Step`: one change at a time, with what undoes it, so that a check can try each in every bad situation.

use crate::bench::Bench;
use crate::check::{Ctx, Expect, Failure, Outcome};
use crate::ensure;
use driver_api::error::{Code, Result};
use driver_api::types::domain::flags::XML_INACTIVE;
use std::time::Duration;

/// How long a driver's own threads may take until they are done with what a call began.
const SOON: Duration = Duration::from_secs(10);

/// A change of the first domain or filter. Walked in order the steps are a whole life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Its name, for texts.
    pub(crate) name: &'static str,
    /// Does it.
    pub(crate) forth: fn(&Ctx, &Bench) -> Result<()>,
    /// Undoes it.
    pub(crate) back: fn(&Ctx, &Bench) -> Result<()>,
}

/// How often a guest that did not answer in time is asked again.
const ASKED: usize = 5;

impl Step {
    /// Does it in a host that is well: a guest that is slow on a loaded machine is asked again.
    ///
    /// # Errors
    /// The driver's.
    pub(crate) fn go(&self, ctx: &Ctx, bench: &Bench) -> Result<()> {
        patiently(|| (self.forth)(ctx, bench))
    }

    /// Undoes it, likewise.
    ///
    /// # Errors
    /// The driver's.
    pub(crate) fn undo(&self, ctx: &Ctx, bench: &Bench) -> Result<()> {
        patiently(|| (self.back)(ctx, bench))
    }
}

fn patiently(work: impl Fn() -> Result<()>) -> Result<()> {
    let mut late = false;
    for _ in 1..ASKED {
        match work() {
            Err(error) if error.code() == Code::OPERATION_TIMEOUT => late = true,
            // It heard the first time, and did it after all.
            Err(error) if late && error.code() == Code::OPERATION_INVALID => return Ok(()),
            done => return done,
        }
    }
    work()
}

const DOMAIN: [Step; 8] = [
    Step {
        name: "define",
        forth: |ctx, bench| bench.define(&ctx.domain(1)).map(drop),
        back: |ctx, bench| bench.undefine(ctx.uuid(1)),
    },
    Step {
        name: "define of a domain that there is",
        forth: |ctx, bench| bench.define(&ctx.changed_domain(1)).map(drop),
        back: |ctx, bench| bench.define(&ctx.domain(1)).map(drop),
    },
    Step {
        name: "set_autostart",
        forth: |ctx, bench| bench.set_autostart(ctx.uuid(1), true),
        back: |ctx, bench| bench.set_autostart(ctx.uuid(1), false),
    },
    Step {
        name: "start",
        forth: |ctx, bench| bench.start(ctx.uuid(1)).map(drop),
        back: |ctx, bench| bench.destroy(ctx.uuid(1)),
    },
    Step {
        name: "suspend",
        forth: |ctx, bench| bench.suspend(ctx.uuid(1)),
        back: |ctx, bench| bench.resume(ctx.uuid(1)),
    },
    Step {
        name: "resume",
        forth: |ctx, bench| bench.resume(ctx.uuid(1)),
        back: |ctx, bench| bench.suspend(ctx.uuid(1)),
    },
    Step {
        name: "destroy",
        forth: |ctx, bench| bench.destroy(ctx.uuid(1)),
        back: |ctx, bench| bench.start(ctx.uuid(1)).map(drop),
    },
    Step {
        name: "undefine",
        forth: |ctx, bench| bench.undefine(ctx.uuid(1)),
        back: |ctx, bench| {
            bench.define(&ctx.changed_domain(1))?;
            bench.set_autostart(ctx.uuid(1), true)
        },
    },
];

const FILTER: [Step; 3] = [
    Step {
        name: "define_filter",
        forth: |ctx, bench| bench.define_filter(&ctx.filter(1)).map(drop),
        back: |ctx, bench| bench.undefine_filter(ctx.uuid(1)),
    },
    Step {
        name: "define_filter of a filter that there is",
        forth: |ctx, bench| bench.define_filter(&ctx.changed_filter(1)).map(drop),
        back: |ctx, bench| bench.define_filter(&ctx.filter(1)).map(drop),
    },
    Step {
        name: "undefine_filter",
        forth: |ctx, bench| bench.undefine_filter(ctx.uuid(1)),
        back: |ctx, bench| bench.define_filter(&ctx.changed_filter(1)).map(drop),
    },
];

/// The steps that can be walked with this driver and these fixtures.
pub(crate) fn of(ctx: &Ctx, bench: &Bench) -> Vec<Step> {
    let domain = &ctx.fixtures().domain;
    let wanted = |step: &&Step| match step.name {
        "start" | "destroy" => domain.startable && domain.stays,
        "suspend" | "resume" => domain.startable && domain.stays && domain.suspendable,
        _ => true,
    };
    let mut steps = Vec::new();
    if bench.offers("virt.lifecycle/1") {
        steps.extend(DOMAIN.iter().filter(wanted));
    }
    if bench.offers("nwfilter.define/1") {
        steps.extend(FILTER);
    }
    steps
}

/// What a view says of a domain that is active.
pub(crate) const ACTIVE: &str = "with an id";

/// Whether a domain or filter is one of the suite's: a driver may come with some of its own.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with("check-")
}

/// What a client sees of the suite's domains and filters, as text.
pub(crate) fn view(bench: &Bench) -> Outcome<String> {
    let mut text = kept(bench)?;
    if bench.offers("virt.lifecycle/1") {
        let mut list = bench.list().succeeds("list")?;
        list.retain(|brief| is_ours(&brief.name));
        list.sort_by_key(|brief| brief.uuid);
        for brief in list {
            let active = if brief.id.is_some() { ACTIVE } else { "without an id" };
            text.push_str(&format!("{} is {:?}, {active}\n", brief.uuid, brief.state));
        }
    }
    Ok(text)
}

/// As much of it as outlives a host: definitions and their marks, not states.
pub(crate) fn kept(bench: &Bench) -> Outcome<String> {
    let mut text = String::new();
    if bench.offers("virt.lifecycle/1") {
        let mut list = bench.list().succeeds("list")?;
        list.retain(|brief| is_ours(&brief.name));
        list.sort_by_key(|brief| brief.uuid);
        for brief in list {
            let xml = bench.dump_xml(brief.uuid, XML_INACTIVE).succeeds("dump_xml")?;
            text.push_str(&format!(
                "{} '{}' autostart {} persistent {}\n{xml}\n",
                brief.uuid, brief.name, brief.autostart, brief.persistent,
            ));
        }
    }
    if bench.offers("nwfilter.define/1") {
        let mut filters = bench.filters().succeeds("filters")?;
        filters.retain(|brief| is_ours(&brief.name));
        filters.sort_by_key(|brief| brief.uuid);
        for brief in filters {
            let xml = bench.filter_xml(brief.uuid).succeeds("filter_xml")?;
            text.push_str(&format!("{} '{}'\n{xml}\n", brief.uuid, brief.name));
        }
    }
    Ok(text)
}

/// The driver looks as before, at once or when its own threads are done.
///
/// # Errors
/// It does not; the text has both.
pub(crate) fn unchanged(bench: &Bench, before: &str) -> Outcome {
    if bench.wait(SOON, |bench| view(bench).is_ok_and(|after| after == before)) {
        return Ok(());
    }
    let after = view(bench)?;
    Err(Failure::new(format!(
        "expected that nothing has changed\nbefore: {}\nafter: {}",
        or_nothing(before),
        or_nothing(&after)
    )))
}

pub(crate) fn or_nothing(text: &str) -> &str {
    if text.is_empty() {
        "(nothing defined)"
    } else {
        text.trim_end()
    }
}

/// Nobody holds anything and nothing has panicked.
///
/// # Errors
/// Somebody does, or something has.
pub(crate) fn settled(bench: &Bench) -> Outcome {
    if !bench.wait(SOON, |bench| bench.expect_nothing_held().is_ok()) {
        bench.expect_nothing_held()?;
    }
    let panics = bench.recording().panics;
    ensure!(
        panics.is_empty(),
        "expected an error at most, found a panic: {}",
        panics.join("; ")
    );
    Ok(())
}
