//! Refusals: the codes for what is not there, what is in another state, and bits that nobody knows.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{CAN_NOT, Picture, UNKNOWN_FLAG, VIRT, either, expect_calm, expect_words, running};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Result};
use driver_api::types::uuid::Uuid;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-100",
        title: "every method answers 42 for a domain that there is not",
        clause: "errors.codes",
        why: "By 42 a client knows that it may forget the domain.",
        fix: "Look the domain up in one place that answers `Code::NO_DOMAIN`.",
        run: nobody,
        ..VIRT
    },
    Check {
        id: "VIRT-101",
        title: "every method answers 55 for a domain in another state",
        clause: "errors.codes",
        why: "By 55 a client knows that it may ask again later.",
        fix: "Answer `Code::OPERATION_INVALID` with the state that the domain is in.",
        run: other_state,
        ..VIRT
    },
    Check {
        id: "VIRT-102",
        title: "bits that a method does not know are refused with 8, and nothing is done",
        clause: "errors.codes",
        why: "A new client asks for what an old driver does not know; if it is ignored the client believes that it was done.",
        fix: "Compare `flags` with the bits that you know before anything else.",
        run: unknown_bits,
        ..VIRT
    },
    Check {
        id: "VIRT-103",
        title: "a filter that no domain uses concerns no port",
        clause: "filter.rebuild",
        why: "A definition of a filter fails when a virt driver can not say which ports use it.",
        fix: "Answer the ports of active domains that name one of the filters: none, when there are none.",
        run: no_ports,
        ..VIRT
    },
];

type Method = (&'static str, fn(&Bench, Uuid, u32) -> Result<()>);

/// The methods that change a domain. Those that a driver may be unable to do at all come last.
const CHANGES: &[Method] = &[
    ("undefine", |bench, uuid, flags| {
        bench.virt("undefine", |virt, call| virt.undefine(call, uuid, flags))
    }),
    ("start", |bench, uuid, flags| {
        bench
            .virt("start", |virt, call| virt.start(call, uuid, flags))
            .map(drop)
    }),
    ("shutdown", |bench, uuid, flags| {
        bench.virt("shutdown", |virt, call| virt.shutdown(call, uuid, flags))
    }),
    ("destroy", |bench, uuid, flags| {
        bench.virt("destroy", |virt, call| virt.destroy(call, uuid, flags))
    }),
    ("reboot", |bench, uuid, flags| {
        bench.virt("reboot", |virt, call| virt.reboot(call, uuid, flags))
    }),
];

const WITHOUT_FLAGS: &[Method] = &[
    ("suspend", |bench, uuid, _| bench.suspend(uuid)),
    ("resume", |bench, uuid, _| bench.resume(uuid)),
    ("set_autostart", |bench, uuid, _| bench.set_autostart(uuid, true)),
    ("dump_xml", |bench, uuid, flags| bench.dump_xml(uuid, flags).map(drop)),
    ("cpu_time", |bench, uuid, _| {
        bench.look("cpu_time", |virt| virt.cpu_time(uuid)).map(drop)
    }),
];

/// The codes for a method: what its contract names, and that it can not be done at all, where that may be.
fn codes(ctx: &Ctx, method: &str, named: Code) -> Vec<Code> {
    let optional = match method {
        "reboot" => true,
        "suspend" | "resume" => !ctx.fixtures().domain.suspendable,
        _ => false,
    };
    either(&[named], if optional { CAN_NOT } else { &[] })
}

fn nobody(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    for uuid in [ctx.uuid(2), Uuid::default(), Uuid::from_bytes([0xff; 16])] {
        for (name, method) in CHANGES.iter().chain(WITHOUT_FLAGS) {
            let what = format!("{name} of a domain that there is not");
            let error = method(&bench, uuid, 0).fails_with(&codes(ctx, name, Code::NO_DOMAIN), &what)?;
            expect_words(&error, &what)?;
        }
    }
    before.expect_same(&bench, "calls for a domain that there is not")?;
    expect_calm(&bench)
}

fn other_state(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    let methods = CHANGES.iter().chain(WITHOUT_FLAGS);
    let of_what_runs = ["shutdown", "destroy", "reboot", "suspend", "resume"];
    for (name, method) in methods.filter(|(name, _)| of_what_runs.contains(name)) {
        let what = format!("{name} of a domain that is off");
        let error = method(&bench, uuid, 0).fails_with(&codes(ctx, name, Code::OPERATION_INVALID), &what)?;
        expect_words(&error, &what)?;
        before.expect_same(&bench, &what)?;
    }
    running(ctx, &bench, 1)?;
    let before = Picture::of(&bench)?;
    bench
        .start(uuid)
        .fails_with(&[Code::OPERATION_INVALID], "start of a domain that runs")?;
    let codes = codes(ctx, "resume", Code::OPERATION_INVALID);
    bench.resume(uuid).fails_with(&codes, "resume of a domain that runs")?;
    before.expect_same(&bench, "start and resume of a domain that runs")?;
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}

fn refuses_bits(ctx: &Ctx, bench: &Bench, uuid: Uuid, of_what: &str) -> Outcome {
    let before = Picture::of(bench)?;
    let methods = CHANGES
        .iter()
        .chain(WITHOUT_FLAGS.iter().filter(|(name, _)| *name == "dump_xml"));
    for (name, method) in methods {
        for flags in [UNKNOWN_FLAG, 1 << 31] {
            let what = format!("{name} of a domain that {of_what}, with flags {flags:#x}");
            method(bench, uuid, flags).fails_with(&codes(ctx, name, Code::INVALID_ARG), &what)?;
            before.expect_same(bench, &what)?;
        }
    }
    Ok(())
}

fn unknown_bits(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for flags in [UNKNOWN_FLAG, 1 << 31] {
        let document = ctx.domain(1);
        let defined = bench.virt("define", |virt, call| virt.define(call, &document, flags));
        defined.fails_with(&[Code::INVALID_ARG], format_args!("define with flags {flags:#x}"))?;
        let created = bench.virt("create", |virt, call| virt.create(call, &document, flags));
        let codes = either(
            &[Code::INVALID_ARG],
            if ctx.fixtures().domain.transient { &[] } else { CAN_NOT },
        );
        created.fails_with(&codes, format_args!("create with flags {flags:#x}"))?;
    }
    let list = bench.list().succeeds("list")?;
    ensure!(
        list.is_empty(),
        "list after refused calls: expected no domain, found {list:?}"
    );
    bench.define(&ctx.domain(1)).succeeds("define")?;
    // A domain that is off could be started, one that runs be ended: that is where a bit that is ignored is seen.
    refuses_bits(ctx, &bench, ctx.uuid(1), "is off")?;
    running(ctx, &bench, 1)?;
    refuses_bits(ctx, &bench, ctx.uuid(1), "runs")?;
    bench.destroy(ctx.uuid(1)).succeeds("destroy")?;
    expect_calm(&bench)
}

fn no_ports(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let ports = |filters: &[&str]| {
        let filters: Vec<String> = filters.iter().map(ToString::to_string).collect();
        bench.call_under_update("filtered_ports", true, |driver, call| {
            driver
                .virt()
                .map_or(Ok(Vec::new()), |virt| virt.filtered_ports(call, &filters))
        })
    };
    for filters in [&[][..], &["a-filter-that-nobody-has"][..], &["", "../x", "a b"][..]] {
        let found = ports(filters).succeeds(format_args!("filtered_ports({filters:?})"))?;
        ensure_eq!(found.len(), 0, "filtered_ports({filters:?}): the number of ports");
    }
    expect_calm(&bench)
}
