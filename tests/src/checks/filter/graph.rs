//! Filters that refer to filters: rings, references into the void, and what is in use through others.

use super::paper::{self, ASKING, BAD_PART, NO_VALUE, OTHER, RULE, reference};
use super::view::{self, View};
use super::{must, port};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::ensure;
use driver_api::error::Code;

const BOUND: &[&str] = &["nwfilter.define/1", "nwfilter.binding/1"];

pub(crate) const CHECKS: &[Check] = &[
    must(
        "FILT-020",
        "a filter may refer to one that is not there yet, and to one that goes away",
        "filter.undefine",
        "Filters are defined in any order, and undefined in any order, as long as no port needs them.",
        "Look references up when a port is bound, not when a filter is defined or undefined.",
        may_refer_to_nothing,
    ),
    must(
        "FILT-021",
        "filters that would refer to one another in a ring are refused, and nothing changes",
        "filter.define",
        "Whoever follows the references of a ring never comes to an end, or to the end of its stack.",
        "Follow the references of the new table before it is published.",
        rings_are_refused,
    ),
    must(
        "FILT-022",
        "a filter that a guest's driver wants on a port can not be undefined: error 55",
        "filter.in-use",
        "The guest's port would be open, or could not be made again when the host restarts.",
        "Ask `ports/1` for the ports that use the filter or one that refers to it, under Update held exclusively.",
        wanted_ports_keep_it,
    ),
    bound(
        "FILT-023",
        "a filter that a port has can not be undefined, and nothing changes: error 55",
        "filter.in-use",
        "The port would be open, or closed for good.",
        "Look for bindings of the filter under Update held exclusively.",
        bound_ports_keep_it,
    ),
    bound(
        "FILT-024",
        "a filter that a port has through other filters can not be undefined: error 55",
        "filter.in-use",
        "The port's rules could never be made again, not even after a restart.",
        "Follow references from each bound filter.",
        bound_ports_keep_what_is_below,
    ),
    bound(
        "FILT-025",
        "a definition with which one port can not be made again changes nothing at all",
        "filter.rebuild",
        "Half of the ports would have the new rules and half the old ones, and nobody could say which.",
        "Make the rules of all ports first, change the kernel in one step, and publish after it.",
        all_or_nothing,
    ),
    bound(
        "FILT-026",
        "the same when the port has the filter through another one",
        "filter.rebuild",
        "Ports use filters mostly through others: a change reaches them all the same.",
        "Rebuild the ports of every filter that refers to the changed one.",
        all_or_nothing_below,
    ),
    bound(
        "FILT-027",
        "a ring of references is refused while ports have the filters",
        "filter.rebuild",
        "A rebuild that follows a ring hangs with every lock held that guests need to start.",
        "Check for rings before ports are rebuilt.",
        rings_are_refused_in_use,
    ),
];

/// A must about filters on ports.
const fn bound(
    id: &'static str,
    title: &'static str,
    clause: &'static str,
    why: &'static str,
    fix: &'static str,
    run: fn(&Ctx) -> Outcome,
) -> Check {
    Check {
        needs: BOUND,
        privileged: true,
        ..must(id, title, clause, why, fix, run)
    }
}

fn define(bench: &Bench, ctx: &Ctx, n: usize, body: &str) -> Outcome {
    let document = paper::nth(ctx, n, body);
    bench
        .define_filter(&document)
        .succeeds(format_args!("define_filter of {document:?}"))
        .map(drop)
}

fn may_refer_to_nothing(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    define(&bench, ctx, 1, &reference(&ctx.name(2)))?;
    define(&bench, ctx, 2, RULE)?;
    let undefined = bench.undefine_filter(ctx.uuid(2));
    undefined.succeeds("undefine_filter of a filter that another one refers to, with no port bound")?;
    let xml = bench
        .filter_xml(ctx.uuid(1))
        .succeeds("filter_xml of the one that refers to it")?;
    ensure!(
        xml.contains(&ctx.name(2)),
        "filter_xml: expected the reference to '{}', found {xml:?}",
        ctx.name(2)
    );
    define(&bench, ctx, 2, OTHER)
}

fn rings_are_refused(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let empty = View::of(&bench)?;
    let refused = |n: usize, to: usize| -> Outcome {
        let view = View::of(&bench)?;
        let document = paper::nth(ctx, n, &format!("{RULE}{}", reference(&ctx.name(to))));
        let what = format!("define_filter of '{}', which would close a ring", ctx.name(n));
        bench.define_filter(&document).fails_with(BAD_PART, &what)?;
        view.is_still_so(&bench, what)
    };
    refused(1, 1)?;
    empty.is_still_so(&bench, "a filter that refers to itself")?;
    define(&bench, ctx, 1, &reference(&ctx.name(2)))?;
    refused(2, 1)?;
    define(&bench, ctx, 2, &reference(&ctx.name(3)))?;
    refused(3, 1)?;
    refused(3, 2)?;
    define(&bench, ctx, 3, &reference(&ctx.name(4)))?;
    // Two ways to one filter are no ring.
    define(&bench, ctx, 4, RULE)?;
    define(
        &bench,
        ctx,
        1,
        &format!("{}{}", reference(&ctx.name(2)), reference(&ctx.name(4))),
    )?;
    // A filter that is there already closes a ring as well as a new one.
    for n in [4, 2, 1] {
        refused(n, 1)?;
    }
    bench.expect_nothing_held()
}

fn wanted_ports_keep_it(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    define(&bench, ctx, 1, RULE)?;
    define(&bench, ctx, 2, &reference(&ctx.name(1)))?;
    bench.set_wanted_ports(vec![paper::request(ctx, "guest0", &ctx.name(2), &[])]);
    let view = View::of(&bench)?;
    for n in [2, 1] {
        let what = format!(
            "undefine_filter of '{}' while a guest's port has '{}'",
            ctx.name(n),
            ctx.name(2)
        );
        bench
            .undefine_filter(ctx.uuid(n))
            .fails_with(&[Code::OPERATION_INVALID], &what)?;
        view.is_still_so(&bench, what)?;
    }
    bench.set_wanted_ports(Vec::new());
    bench
        .undefine_filter(ctx.uuid(2))
        .succeeds("undefine_filter when the guest is gone")?;
    bench
        .undefine_filter(ctx.uuid(1))
        .succeeds("undefine_filter of the other one")
}

fn bound_ports_keep_it(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    port::make("p0")?;
    define(&bench, ctx, 1, RULE)?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    let view = View::of(&bench)?;
    let refused = bench.undefine_filter(ctx.uuid(1));
    let error = refused.fails_with(
        &[Code::OPERATION_INVALID],
        "undefine_filter of a filter that a port has",
    )?;
    ensure!(
        error.to_string().contains("p0"),
        "undefine_filter: expected that the error names the port 'p0', found: {error}"
    );
    view.is_still_so(&bench, "undefine_filter of a filter that a port has")?;
    view::delete(&bench, "p0").succeeds("delete_binding")?;
    bench
        .undefine_filter(ctx.uuid(1))
        .succeeds("undefine_filter after delete_binding")
}

fn bound_ports_keep_what_is_below(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    port::make("p0")?;
    define(&bench, ctx, 1, RULE)?;
    define(&bench, ctx, 2, &reference(&ctx.name(1)))?;
    define(&bench, ctx, 3, &reference(&ctx.name(2)))?;
    define(&bench, ctx, 4, &reference(&ctx.name(3)))?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(3), &[])).succeeds("create_binding")?;
    for n in 1..=3 {
        let view = View::of(&bench)?;
        let what = format!("undefine_filter of a filter {} references below a bound one", 3 - n);
        bench
            .undefine_filter(ctx.uuid(n))
            .fails_with(&[Code::OPERATION_INVALID], &what)?;
        view.is_still_so(&bench, what)?;
    }
    bench
        .undefine_filter(ctx.uuid(4))
        .succeeds("undefine_filter of a filter that only refers to the bound one")
}

fn all_or_nothing(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    define(&bench, ctx, 1, RULE)?;
    for (name, values) in [
        ("p0", &[("WANTED", "10.0.0.2")][..]),
        ("p1", &[]),
        ("p2", &[("WANTED", "10.0.0.3")]),
    ] {
        port::make(name)?;
        let document = paper::binding(ctx, name, &ctx.name(1), values);
        view::create(&bench, &document).succeeds(format_args!("create_binding of '{name}'"))?;
    }
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    let changed = paper::nth(ctx, 1, &format!("{RULE}{ASKING}"));
    let what = "define_filter with a variable for which one of three ports has no value";
    bench.define_filter(&changed).fails_with(NO_VALUE, what)?;
    view.is_still_so(&bench, what)?;
    port::is_still(&kernel, format_args!("{what}"))?;
    view::delete(&bench, "p1").succeeds("delete_binding")?;
    bench
        .define_filter(&changed)
        .succeeds("define_filter when that port is not bound any more")?;
    bench.expect_nothing_held()
}

fn all_or_nothing_below(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    port::make("p0")?;
    define(&bench, ctx, 1, RULE)?;
    define(&bench, ctx, 2, &reference(&ctx.name(1)))?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(2), &[])).succeeds("create_binding")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    let what = "define_filter, below a bound filter, with a variable that has no value";
    bench
        .define_filter(&paper::nth(ctx, 1, ASKING))
        .fails_with(NO_VALUE, what)?;
    view.is_still_so(&bench, what)?;
    let what = "define_filter, below a bound filter, with a reference to a filter that there is not";
    let codes = [NO_VALUE, &[Code::NO_NWFILTER]].concat();
    bench
        .define_filter(&paper::nth(ctx, 1, &reference("not-there")))
        .fails_with(&codes, what)?;
    view.is_still_so(&bench, what)?;
    port::is_still(&kernel, format_args!("{what}"))?;
    Ok(())
}

fn rings_are_refused_in_use(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    port::make("p0")?;
    define(&bench, ctx, 1, RULE)?;
    define(&bench, ctx, 2, &reference(&ctx.name(1)))?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(2), &[])).succeeds("create_binding")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    let ring = paper::nth(ctx, 1, &format!("{OTHER}{}", reference(&ctx.name(2))));
    bench
        .define_filter(&ring)
        .fails_with(BAD_PART, "define_filter that closes a ring below a bound filter")?;
    view.is_still_so(&bench, "define_filter that closes a ring")?;
    port::is_still(&kernel, format_args!("that"))?;
    bench.expect_nothing_held()
}
