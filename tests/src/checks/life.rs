//! Short lives of domains and filters, as steps that several checks share.

use crate::bench::Bench;
use crate::check::{Ctx, Outcome};
use driver_api::error::Error;

/// Walks the `n`th domain and filter through a short life, as far as the driver offers it, and leaves nothing behind.
/// A step that the driver refuses ends the walk; its error is the answer.
pub(crate) fn short(ctx: &Ctx, bench: &Bench, n: usize) -> Outcome<Option<Error>> {
    let domains = if bench.offers("virt.lifecycle/1") {
        domain(ctx, bench, n).err()
    } else {
        None
    };
    let filters = if bench.offers("nwfilter.define/1") {
        filter(ctx, bench, n).err()
    } else {
        None
    };
    Ok(domains.or(filters))
}

/// Defines, starts, stops and undefines a domain. After a refused step what was begun is taken back.
///
/// # Errors
/// The first refusal.
pub(crate) fn domain(ctx: &Ctx, bench: &Bench, n: usize) -> driver_api::error::Result<()> {
    let uuid = ctx.uuid(n);
    bench.define(&ctx.domain(n))?;
    let ran = if ctx.fixtures().domain.startable {
        bench.start(uuid).and_then(|_| bench.destroy(uuid))
    } else {
        Ok(())
    };
    let known = bench.by_uuid(uuid)?;
    if known.is_some_and(|brief| brief.id.is_some()) {
        bench.destroy(uuid)?;
    }
    bench.undefine(uuid)?;
    ran
}

/// Defines, looks at and undefines a filter.
///
/// # Errors
/// The first refusal.
pub(crate) fn filter(ctx: &Ctx, bench: &Bench, n: usize) -> driver_api::error::Result<()> {
    let uuid = ctx.uuid(n);
    bench.define_filter(&ctx.filter(n))?;
    let seen = bench.filter_xml(uuid).map(drop);
    bench.undefine_filter(uuid)?;
    seen
}
