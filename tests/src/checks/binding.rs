//! Bindings that clients make: filters on ports that no domain of ours owns.

pub(crate) mod guest;
mod locking;
pub(crate) mod racing;

use super::filter::paper::{self, ASKING, NO_DOCUMENT, NO_VALUE, OTHER, RULE, reference};
use super::filter::port;
use super::filter::view::{self, View};
use crate::bench::Bench;
use crate::check::{self, Check, Ctx, Expect, Failure, Level, Outcome};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Error, Origin};

/// What binding checks need.
const NEEDS: &[&str] = &["nwfilter.define/1", "nwfilter.binding/1"];

/// A must of drivers that put filters on ports. As root: ports and rules are the kernel's.
pub(crate) const fn must(
    id: &'static str,
    title: &'static str,
    clause: &'static str,
    why: &'static str,
    fix: &'static str,
    run: fn(&Ctx) -> Outcome,
) -> Check {
    Check {
        privileged: true,
        ..check::must(id, title, clause, NEEDS, why, fix, run)
    }
}

pub(crate) const CHECKS: &[Check] = &[
    must(
        "BIND-001",
        "a binding that is made is listed and shown with all that it says",
        "binding.create",
        "Clients look a binding up as soon as it is made, and make it again from what is shown.",
        "Publish the binding before `create_binding` returns; print port, address, owner, filter and parameters.",
        is_shown,
    ),
    must(
        "BIND-002",
        "a port that is bound is refused with error 9, and nothing changes",
        "binding.create",
        "Two owners of one port would each believe in their own rules.",
        "Look the port up before anything is changed.",
        bound_twice_is_9,
    ),
    must(
        "BIND-003",
        "an unknown filter is error 62, and nothing is left of the binding",
        "binding.create",
        "A binding without rules is an open port.",
        "Resolve the whole tree of filters before the binding is made.",
        unknown_filter_is_62,
    ),
    must(
        "BIND-004",
        "a variable without a value is refused, and nothing is left of the binding",
        "binding.create",
        "A rule whose address is empty matches everything, or nothing.",
        "Expand all rules with the binding's values before the kernel is touched.",
        missing_values_are_refused,
    ),
    must(
        "BIND-005",
        "a bad document is refused, and nothing is left of it",
        "binding.create",
        "What is half read is half bound.",
        "Check every part of the document first: port, address, owner, filter.",
        bad_documents_are_refused,
    ),
    must(
        "BIND-006",
        "a port without a binding is error 101",
        "binding.delete",
        "Clients tell 'not there' from every other failure by this number alone.",
        "Answer `Code::NO_NWFILTER_BINDING` from `binding_xml`, `delete_binding` and `detach_port`.",
        missing_is_101,
    ),
    must(
        "BIND-007",
        "a binding that is deleted is gone, and the port and the filter are free",
        "binding.delete",
        "What stays in the kernel drops packets of the next guest that gets the port's name.",
        "Take the rules out, remove the file, publish, in this order.",
        is_deleted,
    ),
    must(
        "BIND-008",
        "nothing is left in the kernel of ports that were bound and freed",
        "leaks.network",
        "A host that runs for a year makes and ends a million ports.",
        "Delete each chain, set and map element that was made for a port together with it.",
        leaves_no_rules,
    ),
    must(
        "BIND-009",
        "a binding is made and deleted under Update",
        "binding.create",
        "A filter that changes just then would be bound in its old form and never rebuilt.",
        "`cx.update_read()` before the filters are looked at.",
        locking::takes_update,
    ),
    Check {
        level: Level::Should,
        ..must(
            "BIND-010",
            "ports are bound while somebody else holds Update shared",
            "binding.create",
            "Every guest that starts holds Update shared; a binding that wants it alone waits for all of them.",
            "Take Update shared: bindings of different ports do not touch one another.",
            locking::shares_update,
        )
    },
    must(
        "BIND-011",
        "looking at bindings takes no lock and waits for nobody",
        "locks.reads-take-none",
        "A definition that waits for a guest must not keep anybody from listing bindings.",
        "Answer from a published table.",
        locking::looks_wait_for_nobody,
    ),
    must(
        "BIND-012",
        "a change of bindings that does not get its locks changes nothing",
        "locks.refused",
        "A host under load refuses a lock after its time.",
        "Take the lock before the first effect; hand the error on.",
        locking::refused_locks_change_nothing,
    ),
    must(
        "BIND-013",
        "whichever call of the host fails, a binding is whole or has not been made",
        "faults.host-error",
        "Half a binding is a port that nobody can bind again.",
        "Undo what was staged when a later step fails.",
        locking::each_host_error_in_turn,
    ),
    must(
        "BIND-014",
        "flags that nobody knows are refused with error 8",
        "binding.create",
        "A client that asks for something new must hear that it is not there.",
        "Refuse each flag bit that is not yours in `create_binding` and `binding_xml`.",
        unknown_flags_are_8,
    ),
];

/// A bench with filter 1 (a rule), filter 2 (refers to it) and filter 3 (wants a value for `WANTED`), and ports.
pub(crate) fn furnished(ctx: &Ctx, ports: &[&str]) -> Outcome<Bench> {
    let bench = ctx.bench()?;
    furnish(ctx, &bench, ports)?;
    Ok(bench)
}

pub(crate) fn furnish(ctx: &Ctx, bench: &Bench, ports: &[&str]) -> Outcome {
    for port in ports {
        port::make(port)?;
    }
    for (n, body) in [
        (1, RULE.to_owned()),
        (2, format!("{OTHER}{}", reference(&ctx.name(1)))),
        (3, ASKING.to_owned()),
    ] {
        let document = paper::nth(ctx, n, &body);
        bench
            .define_filter(&document)
            .succeeds(format_args!("define_filter of {document:?}"))?;
    }
    Ok(())
}

fn is_shown(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    let document = paper::binding(
        ctx,
        "p0",
        &ctx.name(2),
        &[("WANTED", "10.0.0.2"), ("WANTED", "10.0.0.3")],
    );
    let brief = view::create(&bench, &document).succeeds("create_binding")?;
    ensure_eq!(brief.port, "p0", "the port that create_binding answers");
    ensure_eq!(brief.filter, ctx.name(2), "the filter that create_binding answers");
    let other = paper::binding(ctx, "p1", &ctx.name(1), &[]);
    view::create(&bench, &other).succeeds("create_binding of another port")?;
    let listed = view::list(&bench).succeeds("bindings")?;
    ensure_eq!(
        listed.iter().filter(|other| **other == brief).count(),
        1,
        "how often the binding is on the list"
    );
    ensure_eq!(listed.len(), 2, "bindings on the list");
    let xml = view::xml(&bench, "p0").succeeds("binding_xml")?;
    let lost = paper::lost(
        &paper::read("the document", &document)?,
        &paper::read("binding_xml", &xml)?,
    );
    if let Some(lost) = lost {
        return Err(Failure::new(format!(
            "binding_xml: expected all that was said, found no {lost} in {xml:?}"
        )));
    }
    view::delete(&bench, "p0").succeeds("delete_binding")?;
    view::create(&bench, &xml).succeeds("create_binding of what binding_xml has shown")?;
    let again = view::xml(&bench, "p0").succeeds("binding_xml")?;
    ensure_eq!(
        again,
        xml,
        "binding_xml of a binding that was made of what it had shown"
    );
    bench.expect_nothing_held()
}

fn bound_twice_is_9(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    for filter in [1, 2] {
        let what = format!("create_binding of a bound port to '{}'", ctx.name(filter));
        let refused = view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(filter), &[]));
        let error = refused.fails_with(&[Code::OPERATION_FAILED], &what)?;
        ensure!(
            error.to_string().contains("p0"),
            "{what}: expected that the error names the port 'p0', found: {error}"
        );
        view.is_still_so(&bench, &what)?;
        port::is_still(&kernel, format_args!("{what}"))?;
    }
    Ok(())
}

fn unknown_filter_is_62(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    bench
        .define_filter(&paper::nth(ctx, 4, &reference("not-there")))
        .succeeds("define_filter")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    let below = [Code::NO_NWFILTER, Code::INTERNAL];
    for (filter, codes) in [("not-there-either", &below[..1]), (&ctx.name(4), &below)] {
        let what = format!("create_binding to '{filter}'");
        view::create(&bench, &paper::binding(ctx, "p0", filter, &[])).fails_with(codes, &what)?;
        view.is_still_so(&bench, &what)?;
        port::is_still(&kernel, format_args!("{what}"))?;
    }
    bench.expect_nothing_held()
}

fn missing_values_are_refused(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    bench
        .define_filter(&paper::nth(ctx, 4, &reference(&ctx.name(3))))
        .succeeds("define_filter")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    for n in [3, 4] {
        let what = format!("create_binding to '{}' without a value for WANTED", ctx.name(n));
        let refused = view::create(
            &bench,
            &paper::binding(ctx, "p0", &ctx.name(n), &[("OTHER", "10.0.0.2")]),
        );
        let error = refused.fails_with(NO_VALUE, &what)?;
        ensure!(
            error.to_string().contains("WANTED"),
            "{what}: expected that the error names the variable, found: {error}"
        );
        view.is_still_so(&bench, &what)?;
        port::is_still(&kernel, format_args!("{what}"))?;
    }
    let given = paper::binding(ctx, "p0", &ctx.name(4), &[("WANTED", "10.0.0.2")]);
    view::create(&bench, &given)
        .succeeds("create_binding with a value for WANTED")
        .map(drop)
}

fn bad_documents_are_refused(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let view = View::of(&bench)?;
    let sound = paper::binding(ctx, "p0", &ctx.name(1), &[]);
    for document in [
        "",
        "<filterbinding",
        &sound[..sound.len() / 2],
        "<filter name='x'/>",
        "text",
    ] {
        let what = format!("create_binding of {document:?}");
        view::create(&bench, document).fails_with(NO_DOCUMENT, &what)?;
        view.is_still_so(&bench, what)?;
    }
    let spoiled = [
        sound.replace("<portdev name='p0'/>", ""),
        sound.replace(&format!("<mac address='{}'/>", paper::MAC), ""),
        sound.replace(paper::MAC, "52:54:00"),
        sound.replace("'p0'", "'a/b'"),
        sound.replace("'p0'", "'..'"),
        sound.replace("'p0'", "'sixteen-bytes-xx'"),
        sound.replace(&format!("<filterref filter='{}'></filterref>", ctx.name(1)), ""),
    ];
    for document in spoiled {
        let what = format!("create_binding of {document:?}");
        ensure!(document != sound, "{what}: the check spoiled nothing");
        view::create(&bench, &document).fails_with(paper::BAD_PART, &what)?;
        view.is_still_so(&bench, what)?;
    }
    bench.expect_nothing_held()
}

fn missing_is_101(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    let none = [Code::NO_NWFILTER_BINDING];
    view::create(&bench, &paper::binding(ctx, "p1", &ctx.name(1), &[])).succeeds("create_binding")?;
    let view = View::of(&bench)?;
    for port in ["p0", "not-there"] {
        view::xml(&bench, port).fails_with(&none, format_args!("binding_xml of '{port}', which is not bound"))?;
        view::delete(&bench, port).fails_with(&none, format_args!("delete_binding of '{port}', which is not bound"))?;
        view::detach(&bench, port).fails_with(&none, format_args!("detach_port of '{port}', which is not bound"))?;
    }
    view.is_still_so(&bench, "deletes of ports that are not bound")
}

fn is_deleted(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let before = View::of(&bench)?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    view::delete(&bench, "p0").succeeds("delete_binding")?;
    before.is_still_so(&bench, "create_binding and delete_binding")?;
    let none = [Code::NO_NWFILTER_BINDING];
    view::xml(&bench, "p0").fails_with(&none, "binding_xml after delete_binding")?;
    view::delete(&bench, "p0").fails_with(&none, "delete_binding once more")?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(2), &[])).succeeds("create_binding to another filter")?;
    view::delete(&bench, "p0").succeeds("delete_binding")?;
    for n in 1..=3 {
        bench
            .undefine_filter(ctx.uuid(n))
            .succeeds("undefine_filter of filters that no port has any more")?;
    }
    bench.expect_nothing_held()
}

fn leaves_no_rules(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1", "p2"])?;
    let round = |n: usize| -> Outcome {
        for (port, values) in [("p0", "10.0.0.2"), ("p1", "10.0.0.3")] {
            let filter = ctx.name(if n.is_multiple_of(2) { 2 } else { 3 });
            let document = paper::binding(ctx, port, &filter, &[("WANTED", values)]);
            view::create(&bench, &document).succeeds("create_binding")?;
        }
        view::attach(&bench, &paper::request(ctx, "p2", &ctx.name(1), &[])).succeeds("attach_port")?;
        let body = if n.is_multiple_of(2) { OTHER } else { RULE };
        bench
            .define_filter(&paper::nth(ctx, 1, body))
            .succeeds("define_filter while ports have the filter")?;
        for port in ["p0", "p1"] {
            view::delete(&bench, port).succeeds("delete_binding")?;
        }
        view::detach(&bench, "p2").succeeds("detach_port")
    };
    // The first ports may bring tables that stay for those after them.
    round(0)?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    for n in 1..=20 {
        round(n)?;
    }
    round(0)?;
    view.is_still_so(&bench, "60 bindings that were deleted")?;
    port::is_still(&kernel, format_args!("60 bindings that were deleted"))?;
    Ok(())
}

fn unknown_flags_are_8(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    let view = View::of(&bench)?;
    let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "no nwfilter.binding/1");
    let document = paper::binding(ctx, "p1", &ctx.name(1), &[]);
    for bit in [4, 17, 31] {
        let shown = bench.read("binding_xml", |driver| {
            driver.bindings().ok_or_else(none)?.binding_xml("p0", 1 << bit)
        });
        shown.fails_with(
            &[Code::INVALID_ARG],
            format_args!("binding_xml with flag {:#x}", 1_u32 << bit),
        )?;
        let created = bench.call("create_binding", |driver, call| {
            driver
                .bindings()
                .ok_or_else(none)?
                .create_binding(call, &document, 1 << bit)
        });
        created.fails_with(
            &[Code::INVALID_ARG],
            format_args!("create_binding with flag {:#x}", 1_u32 << bit),
        )?;
    }
    view.is_still_so(&bench, "create_binding with unknown flags")
}
