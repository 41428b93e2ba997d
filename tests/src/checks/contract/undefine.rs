//! `undefine`: what goes and what stays.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{Picture, VIRT, expect_calm, expect_gone, expect_state, running, told};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::{Lifecycle, State, detail};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-070",
        title: "an idle domain that is undefined is gone, with its files and its name",
        clause: "lifecycle.undefine",
        why: "What is left of it is found by the next host, or keeps the next domain from its name.",
        fix: "Remove the file first, then publish.",
        run: idle_is_gone,
        ..VIRT
    },
    Check {
        id: "VIRT-071",
        title: "a domain that is undefined while it runs goes on and is gone at its end",
        clause: "lifecycle.undefine",
        why: "To undefine is to forget a plan, not to end a guest: its users would lose what it has not written.",
        fix: "Make it transient: keep what runs, drop the definition.",
        run: running_goes_on,
        ..VIRT
    },
    Check {
        id: "VIRT-072",
        title: "a second undefine is refused with 42 and changes nothing",
        clause: "lifecycle.idempotence",
        why: "By 42 a client learns that somebody else did it.",
        fix: "Look the domain up under its lock.",
        run: once,
        ..VIRT
    },
    Check {
        id: "VIRT-073",
        title: "the autostart mark goes with the definition",
        clause: "lifecycle.undefine",
        why: "A mark that stays would be found by the next domain of that UUID.",
        fix: "Remove the mark with the definition.",
        run: mark_goes,
        ..VIRT
    },
];

fn idle_is_gone(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(2)).succeeds("define")?;
    let files = Bench::files(&bench.config().conf_dir);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.undefine(uuid).succeeds("undefine")?;
    expect_gone(&bench, uuid, &ctx.name(1), "undefine")?;
    let left = Bench::files(&bench.config().conf_dir);
    ensure!(
        left == files,
        "after undefine: expected 'conf_dir' as before define ({:?}), found {:?}",
        files.keys(),
        left.keys()
    );
    let last = told(&bench, uuid).pop();
    ensure_eq!(
        last,
        Some((Lifecycle::Undefined, detail::UNDEFINED_REMOVED, None)),
        "undefine: the last event"
    );
    let thief = ctx.domain_as(&ctx.fixtures().domain.valid, &ctx.name(1), ctx.uuid(3));
    bench
        .define(&thief)
        .succeeds("define of another domain under the name that is free again")?;
    expect_calm(&bench)
}

fn running_goes_on(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let before = running(ctx, &bench, 1)?;
    let live = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    bench.undefine(uuid).succeeds("undefine of a domain that runs")?;
    let after = expect_state(&bench, uuid, State::Running, "undefine of a domain that runs")?;
    ensure_eq!(
        (after.id, after.persistent, after.autostart),
        (before.id, false, false),
        "undefine of a domain that runs: id, persistent, autostart"
    );
    let now = bench
        .dump_xml(uuid, 0)
        .succeeds("dump_xml of a domain that was undefined while it runs")?;
    ensure_eq!(now, live, "dump_xml of a domain that was undefined while it runs");
    let picture = Picture::of(&bench)?;
    bench
        .undefine(uuid)
        .fails_with(&[Code::OPERATION_INVALID], "undefine of a domain that became transient")?;
    picture.expect_same(&bench, "undefine of a domain that became transient")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_gone(
        &bench,
        uuid,
        &ctx.name(1),
        "destroy of a domain that was undefined while it ran",
    )?;
    // No ghost of it: a new domain of that name and UUID is a new one.
    let again = bench.define(&ctx.domain(1)).succeeds("define once more")?;
    ensure!(
        again.persistent && again.id.is_none(),
        "define once more: expected an idle, persistent domain, found {again:?}"
    );
    let added = told(&bench, uuid).pop();
    ensure_eq!(
        added,
        Some((Lifecycle::Defined, detail::DEFINED_ADDED, None)),
        "define once more: the event"
    );
    expect_calm(&bench)
}

fn once(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.define(&ctx.domain(2)).succeeds("define")?;
    bench.undefine(ctx.uuid(1)).succeeds("undefine")?;
    let before = Picture::of(&bench)?;
    bench
        .undefine(ctx.uuid(1))
        .fails_with(&[Code::NO_DOMAIN], "a second undefine")?;
    before.expect_same(&bench, "a second undefine")?;
    expect_calm(&bench)
}

fn mark_goes(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.set_autostart(uuid, true).succeeds("set_autostart")?;
    bench.undefine(uuid).succeeds("undefine")?;
    let again = bench.define(&ctx.domain(1)).succeeds("define once more")?;
    ensure!(
        !again.autostart,
        "define after undefine of a marked domain: expected no mark, found it set"
    );
    let found = expect_state(&bench, uuid, State::Shutoff, "define once more")?;
    ensure!(
        !found.autostart,
        "by_uuid after undefine of a marked domain: expected no mark, found it set"
    );
    expect_calm(&bench)
}
