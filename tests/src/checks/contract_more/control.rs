//! `virt.control/1`.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{
    Picture, VIRT, brief, expect_calm, expect_gone, expect_state, expect_words, reboots, running, told, tree,
};
use crate::{ensure, ensure_eq};
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::Control;
use driver_api::types::domain::{DomainBrief, Lifecycle, State};
use driver_api::types::uuid::Uuid;
use std::time::Duration;

const CONTROL: Check = Check {
    needs: &["virt.lifecycle/1", "virt.control/1"],
    clause: "control.reset",
    ..VIRT
};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-160",
        title: "a reset starts the guest anew under its id",
        why: "For a client it is the same guest, as if somebody had pressed the button.",
        fix: "Keep id, name and definition; raise `Reboot`.",
        run: reset_keeps_the_id,
        ..CONTROL
    },
    Check {
        id: "VIRT-161",
        title: "a domain that was renamed has the new name everywhere",
        why: "A domain that is listed under one name and found under another one can not be used by either.",
        fix: "Store the document with the new name, publish, raise the events; the UUID stays.",
        run: new_name_everywhere,
        ..CONTROL
    },
    Check {
        id: "VIRT-162",
        title: "a name that can not be given leaves the old one everywhere",
        why: "The client was told that nothing happened.",
        fix: "9 for a name that is taken, 27 for one that is none, 55 for a domain that runs; all before the first effect.",
        run: old_name_stays,
        ..CONTROL
    },
    Check {
        id: "VIRT-163",
        title: "only disks of the domain can be looked into: 8 for all else",
        clause: "errors.codes",
        why: "Whoever may look at a guest's disk must not read the host's files by it.",
        fix: "Look the disk up among the domain's own; never open a path that a client gave.",
        run: only_own_disks,
        ..CONTROL
    },
    Check {
        id: "VIRT-164",
        title: "42 for a domain that there is not, 55 for one that does not run",
        clause: "errors.codes",
        why: "By the code a client knows whether to forget the domain or to ask again.",
        fix: "Look the domain up first, then at its state.",
        run: refuses,
        ..CONTROL
    },
    Check {
        id: "VIRT-165",
        title: "the mark for the next start alone is not the mark for every start",
        clause: "lifecycle.autostart",
        why: "A guest that should come back once would come back for ever.",
        fix: "Keep two marks; start by either, and forget this one then.",
        run: once_is_not_always,
        ..CONTROL
    },
];

fn change<T>(bench: &Bench, method: &str, work: impl FnOnce(Control<'_>, Call) -> Result<T>) -> Result<T> {
    bench.call(method, |driver, call| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.control/1 is not offered");
        work(driver.control().ok_or_else(none)?, call)
    })
}

fn look<T>(bench: &Bench, method: &str, work: impl FnOnce(Control<'_>) -> Result<T>) -> Result<T> {
    bench.read(method, |driver| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.control/1 is not offered");
        work(driver.control().ok_or_else(none)?)
    })
}

fn reset(bench: &Bench, uuid: Uuid) -> Result<()> {
    change(bench, "reset", |control, call| control.reset(call, uuid))
}

fn rename(bench: &Bench, uuid: Uuid, name: &str) -> Result<()> {
    named(bench, uuid, name).map(drop)
}

fn named(bench: &Bench, uuid: Uuid, name: &str) -> Result<DomainBrief> {
    change(bench, "rename", |control, call| control.rename(call, uuid, name))
}

fn once(bench: &Bench, uuid: Uuid, on: bool) -> Result<()> {
    change(bench, "set_autostart_once", |control, call| {
        control.set_autostart_once(call, uuid, on)
    })
}

fn reset_keeps_the_id(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let before = running(ctx, &bench, 1)?;
    let printed = bench
        .dump_xml(uuid, driver_api::types::domain::flags::XML_INACTIVE)
        .succeeds("dump_xml")?;
    reset(&bench, uuid).succeeds("reset of a domain that runs")?;
    let after = expect_state(&bench, uuid, State::Running, "reset")?;
    ensure_eq!(
        (after.id, after.persistent),
        (before.id, true),
        "reset: the id, and whether it is persistent"
    );
    let now = bench
        .dump_xml(uuid, driver_api::types::domain::flags::XML_INACTIVE)
        .succeeds("dump_xml")?;
    ensure_eq!(now, printed, "dump_xml with XML_INACTIVE after reset");
    let _settled = bench.wait(Duration::from_secs(5), |bench| reboots(bench, uuid) > 0);
    ensure_eq!(reboots(&bench, uuid), 1, "reset: the number of events 'Reboot'");
    let stopped = told(&bench, uuid)
        .iter()
        .filter(|(kind, ..)| *kind == Lifecycle::Stopped)
        .count();
    ensure_eq!(stopped, 0, "reset: the number of events 'Stopped'");
    bench.destroy(uuid).succeeds("destroy")?;
    expect_state(&bench, uuid, State::Shutoff, "destroy after reset")?;
    expect_calm(&bench)
}

fn new_name_everywhere(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let (uuid, old, new) = (ctx.uuid(1), ctx.name(1), "check-renamed");
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.set_autostart(uuid, true).succeeds("set_autostart")?;
    let answered = named(&bench, uuid, new).succeeds("rename")?;
    let found = expect_state(&bench, uuid, State::Shutoff, "rename")?;
    ensure_eq!(found, answered, "by_uuid after rename, beside what rename answered");
    ensure_eq!(
        (found.name.as_str(), found.autostart),
        (new, true),
        "rename: the name and the autostart mark"
    );
    let ghost = bench.by_name(&old).succeeds("by_name")?;
    ensure!(
        ghost.is_none(),
        "by_name of the old name after rename: expected nothing, found {ghost:?}"
    );
    let printed = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    let name = tree(&printed)?.child("name").map(|name| name.text().trim().to_owned());
    ensure_eq!(name.as_deref(), Some(new), "dump_xml after rename: <name>");
    bench
        .define(&printed)
        .succeeds("define of what dump_xml printed after rename")?;
    let told = told(&bench, uuid)
        .into_iter()
        .filter(|(kind, ..)| *kind == Lifecycle::Defined);
    ensure!(told.count() >= 2, "rename: expected an event 'Defined', found none");
    // The old name is free.
    let other = ctx.domain_as(&ctx.fixtures().domain.valid, &old, ctx.uuid(2));
    bench
        .define(&other)
        .succeeds("define of another domain under the old name")?;
    bench.undefine(uuid).succeeds("undefine")?;
    expect_gone(&bench, uuid, new, "undefine of a domain that was renamed")?;
    expect_calm(&bench)
}

fn old_name_stays(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.define(&ctx.domain(2)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    let taken = rename(&bench, uuid, &ctx.name(2));
    let error = taken.fails_with(&[Code::OPERATION_FAILED], "rename to a name that is taken")?;
    expect_words(&error, "rename to a name that is taken")?;
    before.expect_same(&bench, "rename to a name that is taken")?;
    for name in ["", "a\nb", "a/b", "../up"] {
        let what = format!("rename to {name:?}");
        rename(&bench, uuid, name).fails_with(&[Code::XML_ERROR], &what)?;
        before.expect_same(&bench, &what)?;
    }
    running(ctx, &bench, 1)?;
    let before = Picture::of(&bench)?;
    let runs = rename(&bench, uuid, "check-renamed");
    runs.fails_with(&[Code::OPERATION_INVALID], "rename of a domain that runs")?;
    before.expect_same(&bench, "rename of a domain that runs")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn peek(bench: &Bench, uuid: Uuid, disk: &str) -> Result<Vec<u8>> {
    look(bench, "block_peek", |control| control.block_peek(uuid, disk, 0, 16))
}

fn only_own_disks(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let nobody = peek(&bench, uuid, "vda");
    nobody.fails_with(&[Code::NO_DOMAIN], "block_peek of a domain that there is not")?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    for disk in ["", "suite-disk", "/etc/passwd", "../../../etc/passwd", "/", "/dev/null"] {
        let what = format!("block_peek of '{disk}', which is no disk of the domain's");
        peek(&bench, uuid, disk).fails_with(&[Code::INVALID_ARG], what)?;
    }
    expect_calm(&bench)
}

fn refuses(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let each = |bench: &Bench| {
        [
            ("reset", reset(bench, uuid)),
            (
                "control",
                look(bench, "control", |control| control.control(uuid)).map(drop),
            ),
            (
                "messages",
                look(bench, "messages", |control| control.messages(uuid)).map(drop),
            ),
            ("set_autostart_once", once(bench, uuid, true)),
            ("rename", rename(bench, uuid, "check-renamed")),
        ]
    };
    for (what, answer) in each(&bench) {
        answer.fails_with(&[Code::NO_DOMAIN], format_args!("{what} of a domain that there is not"))?;
    }
    bench.define(&ctx.domain(1)).succeeds("define")?;
    for (what, answer) in each(&bench).into_iter().take(2) {
        answer.fails_with(
            &[Code::OPERATION_INVALID],
            format_args!("{what} of a domain that is off"),
        )?;
    }
    let renamed = brief(&bench, uuid)?.name == "check-renamed";
    ensure!(
        renamed,
        "rename of a domain that is off: expected the new name, found the old one"
    );
    rename(&bench, uuid, &ctx.name(1)).succeeds("rename back")?;
    once(&bench, uuid, false).succeeds("set_autostart_once(false)")?;
    running(ctx, &bench, 1)?;
    look(&bench, "control", |control| control.control(uuid)).succeeds("control of a domain that runs")?;
    look(&bench, "messages", |control| control.messages(uuid)).succeeds("messages of a domain that runs")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn once_is_not_always(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    for on in [true, true, false] {
        once(&bench, uuid, on).succeeds(format_args!("set_autostart_once({on})"))?;
        ensure!(
            !brief(&bench, uuid)?.autostart,
            "set_autostart_once({on}): expected no autostart mark, found it set"
        );
    }
    bench.set_autostart(uuid, true).succeeds("set_autostart")?;
    once(&bench, uuid, false).succeeds("set_autostart_once(false)")?;
    ensure!(
        brief(&bench, uuid)?.autostart,
        "set_autostart_once(false) of a domain with the autostart mark: expected it to stay, found it gone"
    );
    if ctx.fixtures().domain.transient && ctx.fixtures().domain.startable {
        bench.create(&ctx.domain(2)).succeeds("create")?;
        let transient = once(&bench, ctx.uuid(2), true);
        transient.fails_with(&[Code::OPERATION_INVALID], "set_autostart_once of a transient domain")?;
        bench.destroy(ctx.uuid(2)).succeeds("destroy")?;
    }
    expect_calm(&bench)
}
