//! Filters: they are defined, shown, changed and undefined as the interface says.

mod document;
pub(crate) mod graph;
pub(crate) mod hostile;
pub(crate) mod keeping;
pub(crate) mod locking;
mod name;
pub(crate) mod paper;
pub(crate) mod port;
pub(crate) mod racing;
pub(crate) mod view;

use crate::bench::Bench;
use crate::check::{self, Check, Ctx, Expect, Outcome};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Error, Origin};
use driver_api::types::uuid::Uuid;
use paper::{OTHER, RULE};
use view::View;

/// What filter checks need.
const NEEDS: &[&str] = &["nwfilter.define/1"];

/// A must of filter drivers.
pub(crate) const fn must(
    id: &'static str,
    title: &'static str,
    clause: &'static str,
    why: &'static str,
    fix: &'static str,
    run: fn(&Ctx) -> Outcome,
) -> Check {
    check::must(id, title, clause, NEEDS, why, fix, run)
}

pub(crate) const CHECKS: &[Check] = &[
    must(
        "FILT-001",
        "a filter that is defined is listed and shown",
        "filter.define",
        "Clients look a filter up as soon as its definition has returned.",
        "Publish the new table of filters before `define_filter` returns, and answer the name and UUID of the document.",
        is_shown,
    ),
    must(
        "FILT-002",
        "every filter is on the list once, with its own document",
        "filter.lookup",
        "A list that forgets or doubles a filter makes clients define it again or take it for unused.",
        "Answer `filters` from the same table that `define_filter` publishes.",
        each_is_listed_once,
    ),
    must(
        "FILT-003",
        "a filter that there is not is error 62",
        "filter.lookup",
        "Clients tell 'not there' from every other failure by this number alone.",
        "Answer `Code::NO_NWFILTER` from `filter_xml` and `undefine_filter` for an unknown UUID.",
        missing_is_62,
    ),
    must(
        "FILT-004",
        "a filter that is defined again has the new document",
        "filter.define",
        "People change a filter by defining it again; an old document would bring the old rules back with the next change.",
        "Replace the definition with the same name and UUID, in the table and on the disk.",
        is_replaced,
    ),
    must(
        "FILT-005",
        "a filter that is defined again as it was stays as it was",
        "filter.define",
        "Tools that define the same filters at every start of theirs must not change anything.",
        "Compare the new definition with the old one; print it in one form.",
        same_again_changes_nothing,
    ),
    must(
        "FILT-006",
        "a name that another filter has is refused with error 9, and nothing changes",
        "filter.define",
        "Ports are bound to names. If a name could change hands, a guest would get somebody else's rules.",
        "Look for the name in the table; the UUID must be the same.",
        taken_name_is_9,
    ),
    must(
        "FILT-007",
        "a UUID that another filter has is refused with error 9, and nothing changes",
        "filter.define",
        "A filter can not be renamed by its UUID: ports are bound to its old name.",
        "Look for the UUID in the table; the name must be the same.",
        taken_uuid_is_9,
    ),
    must(
        "FILT-008",
        "the document that is shown can be defined again and shows the same",
        "filter.round-trip",
        "`virsh nwfilter-edit` takes what is shown, changes a line and defines it.",
        "Print everything that was read, in a form that is read as the same.",
        document::goes_round,
    ),
    must(
        "FILT-009",
        "all that a document says is in the document that is shown",
        "filter.round-trip",
        "A rule that is dropped in silence is a hole in a firewall that somebody believes in.",
        "Keep each rule with each attribute; refuse what can not be kept.",
        document::nothing_is_lost,
    ),
    must(
        "FILT-010",
        "what is not understood is kept or refused by name",
        "filter.round-trip",
        "A misspelt attribute that is dropped in silence makes a rule match more than was meant.",
        "Refuse unknown elements and attributes, and quote the name; `Element::refuse_rest` does both.",
        document::unknown_is_kept_or_named,
    ),
    must(
        "FILT-011",
        "what is no filter is refused with error 27 or its kin, and nothing changes",
        "filter.define",
        "A client tells a bad document from a broken host by the number.",
        "Map every failure of the parser to `Code::XML_ERROR` or one of its kin.",
        document::no_document_is_27,
    ),
    must(
        "FILT-012",
        "a filter with a part that can not be is refused, and nothing changes",
        "filter.define",
        "A rule with a port of 70000 or an unknown action has no meaning that all would agree on.",
        "Validate the whole document before anything is changed.",
        document::bad_parts_are_refused,
    ),
    must(
        "FILT-013",
        "flags that nobody knows are refused with error 8",
        "filter.define",
        "A client that asks for something new must hear that it is not there, not be served something else.",
        "Refuse each flag bit that is not yours in `define_filter` and `filter_xml`.",
        unknown_flags_are_8,
    ),
    must(
        "FILT-014",
        "a filter that is undefined is gone, and its name and UUID are free",
        "filter.undefine",
        "What is still listed would be bound; a name that stays taken can not be used again until the host is restarted.",
        "Remove the file, publish the table without the filter, then answer.",
        is_undefined,
    ),
    must(
        "FILT-015",
        "a filter without a UUID gets one that it keeps",
        "filter.define",
        "Most documents that people write have none; without a lasting one they could not be changed later.",
        "Make a random UUID once and store it with the definition.",
        gets_a_uuid,
    ),
];

fn listed(bench: &Bench, uuid: Uuid) -> Outcome<usize> {
    let filters = bench.filters().succeeds("filters")?;
    Ok(filters.iter().filter(|filter| filter.uuid == uuid).count())
}

fn is_shown(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let brief = bench
        .define_filter(&ctx.filter(1))
        .succeeds("define_filter of a valid document")?;
    ensure_eq!(brief.name, ctx.name(1), "the name that define_filter answers");
    ensure_eq!(brief.uuid, ctx.uuid(1), "the UUID that define_filter answers");
    ensure_eq!(listed(&bench, ctx.uuid(1))?, 1, "how often the filter is on the list");
    let xml = bench
        .filter_xml(ctx.uuid(1))
        .succeeds("filter_xml of a filter that was defined")?;
    let element = paper::read("filter_xml", &xml)?;
    ensure_eq!(element.name, "filter", "the root element of filter_xml");
    ensure_eq!(
        element.attr("name").map(str::to_owned),
        Some(ctx.name(1)),
        "the name in filter_xml"
    );
    let uuid = element.child("uuid").map(|uuid| uuid.text().trim().to_owned());
    ensure_eq!(uuid, Some(ctx.uuid(1).to_string()), "the UUID in filter_xml");
    bench.expect_nothing_held()
}

fn each_is_listed_once(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let before = View::of(&bench)?.names().count();
    for n in 1..=20 {
        bench
            .define_filter(&ctx.filter(n))
            .succeeds(format_args!("define_filter number {n}"))?;
    }
    let view = View::of(&bench)?;
    ensure_eq!(
        view.names().count(),
        before + 20,
        "filters on the list after 20 definitions"
    );
    for n in 1..=20 {
        ensure_eq!(listed(&bench, ctx.uuid(n))?, 1, "how often filter {n} is on the list");
        let xml = bench.filter_xml(ctx.uuid(n)).succeeds("filter_xml")?;
        let element = paper::read("filter_xml", &xml)?;
        ensure_eq!(
            element.attr("name").map(str::to_owned),
            Some(ctx.name(n)),
            "the name in filter_xml of filter {n}"
        );
    }
    Ok(())
}

fn missing_is_62(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let none = [Code::NO_NWFILTER];
    bench
        .filter_xml(ctx.uuid(1))
        .fails_with(&none, "filter_xml of a filter that there is not")?;
    bench
        .undefine_filter(ctx.uuid(1))
        .fails_with(&none, "undefine_filter of a filter that there is not")?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    bench
        .filter_xml(ctx.uuid(2))
        .fails_with(&none, "filter_xml of another UUID than the defined one")?;
    bench
        .undefine_filter(ctx.uuid(2))
        .fails_with(&none, "undefine_filter of another UUID than the defined one")?;
    ensure_eq!(
        listed(&bench, ctx.uuid(1))?,
        1,
        "how often the defined filter is on the list"
    );
    bench.expect_nothing_held()
}

fn is_replaced(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let before = bench.filter_xml(ctx.uuid(1)).succeeds("filter_xml")?;
    let brief = bench
        .define_filter(&ctx.changed_filter(1))
        .succeeds("define_filter with other rules")?;
    ensure_eq!(
        brief.uuid,
        ctx.uuid(1),
        "the UUID that the second define_filter answers"
    );
    let after = bench.filter_xml(ctx.uuid(1)).succeeds("filter_xml")?;
    ensure!(
        before != after,
        "filter_xml after define_filter with other rules: expected them, found the old document"
    );
    let lost = paper::lost(
        &paper::read("the document of the fixtures", &ctx.changed_filter(1))?,
        &paper::read("filter_xml", &after)?,
    );
    ensure_eq!(lost, None, "what filter_xml lacks of the second document");
    ensure_eq!(listed(&bench, ctx.uuid(1))?, 1, "how often the filter is on the list");
    Ok(())
}

fn same_again_changes_nothing(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let view = View::of(&bench)?;
    let brief = bench
        .define_filter(&ctx.filter(1))
        .succeeds("define_filter of the same document")?;
    ensure_eq!(
        brief.uuid,
        ctx.uuid(1),
        "the UUID that the second define_filter answers"
    );
    view.is_still_so(&bench, "define_filter of the same document")
}

fn taken_name_is_9(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let view = View::of(&bench)?;
    let other = paper::filter(&ctx.name(1), ctx.uuid(2), OTHER);
    let refused = bench.define_filter(&other);
    let error = refused.fails_with(
        &[Code::OPERATION_FAILED],
        "define_filter of a taken name with another UUID",
    )?;
    names(&error, &ctx.name(1))?;
    view.is_still_so(&bench, "define_filter of a taken name")
}

fn taken_uuid_is_9(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let view = View::of(&bench)?;
    let other = paper::filter(&ctx.name(2), ctx.uuid(1), OTHER);
    let refused = bench.define_filter(&other);
    refused.fails_with(
        &[Code::OPERATION_FAILED],
        "define_filter of another name with a taken UUID",
    )?;
    view.is_still_so(&bench, "define_filter of a taken UUID")
}

fn unknown_flags_are_8(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let view = View::of(&bench)?;
    let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "no nwfilter.define/1");
    for bit in [4, 17, 31] {
        let (uuid, document) = (ctx.uuid(1), ctx.filter(2));
        let shown = bench.read("filter_xml", |driver| {
            driver.filters().ok_or_else(none)?.filter_xml(uuid, 1 << bit)
        });
        shown.fails_with(
            &[Code::INVALID_ARG],
            format_args!("filter_xml with flag {:#x}", 1_u32 << bit),
        )?;
        let defined = bench.call("define_filter", |driver, call| {
            driver
                .filters()
                .ok_or_else(none)?
                .define_filter(call, &document, 1 << bit)
        });
        defined.fails_with(
            &[Code::INVALID_ARG],
            format_args!("define_filter with flag {:#x}", 1_u32 << bit),
        )?;
    }
    view.is_still_so(&bench, "define_filter with unknown flags")
}

fn names(error: &Error, what: &str) -> Outcome {
    ensure!(
        error.to_string().contains(what),
        "the error's text: expected that it names '{what}', found: {error}"
    );
    Ok(())
}

fn is_undefined(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let before = View::of(&bench)?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    bench.undefine_filter(ctx.uuid(1)).succeeds("undefine_filter")?;
    before.is_still_so(&bench, "define_filter and undefine_filter")?;
    let none = [Code::NO_NWFILTER];
    bench
        .filter_xml(ctx.uuid(1))
        .fails_with(&none, "filter_xml after undefine_filter")?;
    bench
        .undefine_filter(ctx.uuid(1))
        .fails_with(&none, "undefine_filter once more")?;
    let other = paper::filter(&ctx.name(1), ctx.uuid(2), RULE);
    bench
        .define_filter(&other)
        .succeeds("define_filter of a name that is free again")?;
    let other = paper::filter(&ctx.name(2), ctx.uuid(1), RULE);
    bench
        .define_filter(&other)
        .succeeds("define_filter of a UUID that is free again")?;
    bench.expect_nothing_held()
}

fn gets_a_uuid(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let bare = |n: usize| {
        let document = paper::nth(ctx, n, RULE);
        document.replace(&format!("<uuid>{}</uuid>", ctx.uuid(n)), "")
    };
    let first = bench
        .define_filter(&bare(1))
        .succeeds("define_filter of a document without a UUID")?
        .uuid;
    let second = bench
        .define_filter(&bare(2))
        .succeeds("define_filter of another one")?
        .uuid;
    ensure!(
        first != second,
        "UUIDs that were made up: expected two, found '{first}' twice"
    );
    ensure!(
        first != Uuid::default(),
        "a UUID that was made up: expected a random one, found '{first}'"
    );
    let xml = bench
        .filter_xml(first)
        .succeeds("filter_xml by the UUID that define_filter answered")?;
    ensure!(
        xml.contains(&first.to_string()),
        "filter_xml: expected the UUID '{first}' in it, found {xml:?}"
    );
    Ok(())
}
