//! `create`: domains that are there as long as they run.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{
    BAD_DOCUMENT, CAN_NOT, Picture, VIRT, either, expect_calm, expect_gone, expect_state, remove, startable, told,
};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::{Lifecycle, State, detail};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-040",
        title: "a transient domain runs when create returns and is gone when it ends",
        clause: "lifecycle.define",
        why: "Whoever wants a guest for an hour must not find its definition next year.",
        fix: "Keep no definition for it; take it out of the table when its guest is gone. What you can not do, refuse with 84.",
        run: is_gone_at_its_end,
        ..VIRT
    },
    Check {
        id: "VIRT-041",
        title: "a transient domain has no definition to remove and no mark to set: 55",
        clause: "lifecycle.undefine",
        why: "A mark for the next start of the host would name a domain that is not there then.",
        fix: "Refuse `undefine` and `set_autostart` of a domain that is not persistent.",
        run: has_no_definition,
        ..VIRT
    },
    Check {
        id: "VIRT-042",
        title: "a definition of a transient domain makes it persistent",
        clause: "lifecycle.define",
        why: "That is how a guest that proved to be useful is kept.",
        fix: "Store the definition, keep what runs.",
        run: becomes_persistent,
        ..VIRT
    },
    Check {
        id: "VIRT-043",
        title: "create refuses what define and start refuse, and leaves nothing of it",
        clause: "lifecycle.no-change-on-failure",
        why: "A refused guest that is listed, or runs, belongs to nobody.",
        fix: "Claim name and UUID before the start, give them back when it fails.",
        run: refused_leaves_nothing,
        ..VIRT
    },
];

/// For a driver that makes no transient domains: it must say so, and change nothing.
fn says_so(ctx: &Ctx, bench: &Bench) -> Outcome {
    let before = Picture::of(bench)?;
    let what = "create, and the fixtures say that there are no transient domains";
    bench.create(&ctx.domain(1)).fails_with(CAN_NOT, what)?;
    before.expect_same(bench, "a refused create")?;
    expect_calm(bench)
}

fn is_gone_at_its_end(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.transient {
        return says_so(ctx, &bench);
    }
    let uuid = ctx.uuid(1);
    let files = Bench::files(&bench.config().conf_dir);
    let created = bench.create(&ctx.domain(1)).succeeds("create")?;
    ensure_eq!(
        (created.uuid, created.state, created.persistent),
        (uuid, State::Running, false),
        "create: who, the state, and whether it is persistent"
    );
    let found = expect_state(&bench, uuid, State::Running, "create")?;
    ensure_eq!(found, created, "by_uuid after create, beside what create answered");
    bench.destroy(uuid).succeeds("destroy")?;
    expect_gone(&bench, uuid, &ctx.name(1), "destroy of a transient domain")?;
    let left = Bench::files(&bench.config().conf_dir);
    ensure!(
        left == files,
        "after a transient domain: expected 'conf_dir' as before, found {:?}",
        left.keys()
    );
    let events = vec![
        (Lifecycle::Started, detail::STARTED_BOOTED, created.id),
        (Lifecycle::Stopped, detail::STOPPED_DESTROYED, None),
    ];
    ensure_eq!(told(&bench, uuid), events, "the events of a transient domain");
    // Name and UUID are free again.
    bench
        .define(&ctx.domain(1))
        .succeeds("define after a transient domain of that name")?;
    expect_calm(&bench)
}

fn has_no_definition(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.transient {
        return says_so(ctx, &bench);
    }
    let uuid = ctx.uuid(1);
    bench.create(&ctx.domain(1)).succeeds("create")?;
    let before = Picture::of(&bench)?;
    let wrong = &[Code::OPERATION_INVALID];
    bench
        .undefine(uuid)
        .fails_with(wrong, "undefine of a transient domain")?;
    bench
        .set_autostart(uuid, true)
        .fails_with(wrong, "set_autostart of a transient domain")?;
    before.expect_same(&bench, "refused calls on a transient domain")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn becomes_persistent(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.transient {
        return says_so(ctx, &bench);
    }
    let uuid = ctx.uuid(1);
    let created = bench.create(&ctx.domain(1)).succeeds("create")?;
    let defined = bench.define(&ctx.domain(1)).succeeds("define of a transient domain")?;
    ensure_eq!(
        (defined.id, defined.state, defined.persistent),
        (created.id, State::Running, true),
        "define of a transient domain: id, state, and whether it is persistent"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    let idle = expect_state(
        &bench,
        uuid,
        State::Shutoff,
        "destroy of a domain that became persistent",
    )?;
    ensure!(
        idle.persistent,
        "after destroy: expected a persistent domain, found one that is not"
    );
    remove(&bench, uuid)?;
    expect_calm(&bench)
}

fn refused_leaves_nothing(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.transient {
        return says_so(ctx, &bench);
    }
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.create(&ctx.domain(2)).succeeds("create")?;
    let before = Picture::of(&bench)?;
    let valid = &ctx.fixtures().domain.valid;
    let busy = [Code::OPERATION_FAILED, Code::OPERATION_INVALID];
    let taken = [Code::OPERATION_FAILED];
    let create = |document: &str| bench.create(document);
    create(&ctx.domain(2)).fails_with(&busy, "create of a domain that runs")?;
    create(&ctx.domain_as(valid, &ctx.name(1), ctx.uuid(3)))
        .fails_with(&taken, "create with the name of another domain")?;
    create(&ctx.domain_as(valid, &ctx.name(2), ctx.uuid(3)))
        .fails_with(&taken, "create with the name of a transient domain")?;
    create(&ctx.domain_as(valid, &ctx.name(3), ctx.uuid(2)))
        .fails_with(&either(&taken, &busy), "create with the UUID of another domain")?;
    create("<domain>").fails_with(BAD_DOCUMENT, "create of half a document")?;
    before.expect_same(&bench, "refused calls of create")?;
    bench.destroy(ctx.uuid(2)).succeeds("destroy")?;
    expect_calm(&bench)
}
