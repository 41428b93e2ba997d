//! `virt.console/1`.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{Picture, VIRT, expect_calm, running};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::ConsoleRef;
use driver_api::types::uuid::Uuid;

const CONSOLE: Check = Check {
    needs: &["virt.lifecycle/1", "virt.console/1"],
    clause: "console.open",
    ..VIRT
};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-110",
        title: "only a domain that runs has consoles: 42 and 55 otherwise",
        why: "A console of a run that is over leads to another guest, or to nothing that ever ends.",
        fix: "Look the console up in the snapshot of what runs.",
        run: only_what_runs,
        ..CONSOLE
    },
    Check {
        id: "VIRT-111",
        title: "the first console stands for none given, and an alias that there is not is refused with 8",
        why: "A client that asked for one console and is connected to another one types a password into a log.",
        fix: "Compare whole aliases; answer a guest process that runs.",
        run: the_one_that_is_meant,
        ..CONSOLE
    },
];

fn console(bench: &Bench, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef> {
    bench.read("console", |driver| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.console/1 is not offered");
        driver.console().ok_or_else(none)?.console(uuid, alias)
    })
}

fn only_what_runs(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let wrong = &[Code::OPERATION_INVALID];
    for alias in [None, Some("console0"), Some("")] {
        console(&bench, uuid, alias).fails_with(&[Code::NO_DOMAIN], "console of a domain that there is not")?;
    }
    bench.define(&ctx.domain(1)).succeeds("define")?;
    console(&bench, uuid, None).fails_with(wrong, "console of a domain that is off")?;
    running(ctx, &bench, 1)?;
    bench.destroy(uuid).succeeds("destroy")?;
    console(&bench, uuid, None).fails_with(wrong, "console of a domain that is off again")?;
    expect_calm(&bench)
}

fn the_one_that_is_meant(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    let before = Picture::of(&bench)?;
    for alias in ["suite-nobody", "", "console", "../console0", "console99"] {
        let what = format!("console '{alias}', which there is not");
        console(&bench, uuid, Some(alias)).fails_with(&[Code::INVALID_ARG], what)?;
    }
    match console(&bench, uuid, None) {
        Ok(first) => {
            let again = console(&bench, uuid, None).succeeds("console, once more")?;
            ensure_eq!(again, first, "console without an alias, the second time");
            let known = bench
                .guests()?
                .survivors(&bench.facts().name)
                .succeeds("the bench: its guests")?;
            let is_known = known.iter().any(|started| started.guest == first.guest.0);
            // A driver may have guests that the host did not start; then the host knows none of its.
            ensure!(
                is_known || known.is_empty(),
                "console: expected a guest that runs (one of {known:?}), found {first:?}"
            );
        }
        Err(error) => {
            Err::<(), _>(error).fails_with(&[Code::INVALID_ARG], "console of a domain that has none")?;
        }
    }
    before.expect_same(&bench, "asking for consoles")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}
