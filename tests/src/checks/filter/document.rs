//! What a filter's document must keep on its way through a driver, and what makes it none.

use super::names;
use super::paper::{self, BAD_PART, NO_DOCUMENT, OTHER, RULE};
use super::view::View;
use crate::check::{Ctx, Expect, Failure, Outcome};
use crate::ensure;

pub(super) fn goes_round(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let documents = [
        ctx.filter(1),
        ctx.changed_filter(2),
        paper::nth(ctx, 3, &format!("{RULE}{OTHER}")),
    ];
    for (n, document) in (1..).zip(&documents) {
        bench
            .define_filter(document)
            .succeeds(format_args!("define_filter number {n}"))?;
    }
    let view = View::of(&bench)?;
    for n in 1..=documents.len() {
        let xml = bench.filter_xml(ctx.uuid(n)).succeeds("filter_xml")?;
        bench
            .define_filter(&xml)
            .succeeds("define_filter of what filter_xml has shown")?;
    }
    view.is_still_so(&bench, "define_filter of what filter_xml has shown")?;
    let xml = bench.filter_xml(ctx.uuid(1)).succeeds("filter_xml")?;
    bench.undefine_filter(ctx.uuid(1)).succeeds("undefine_filter")?;
    bench
        .define_filter(&xml)
        .succeeds("define_filter of what filter_xml has shown, after undefine_filter")?;
    view.is_still_so(&bench, "undefine_filter and define_filter of what filter_xml has shown")
}

pub(super) fn nothing_is_lost(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let rich = "<filterref filter='not-there-yet'><parameter name='DHCPSERVER' value='10.0.0.1'/></filterref>\
                <rule action='drop' direction='inout' priority='-10' statematch='false'>\
                <tcp srcipaddr='10.1.2.3' srcipmask='24' dstportstart='20' dstportend='25' comment='mail &amp; more'/></rule>\
                <rule action='reject' direction='out' priority='700'><icmp type='8' code='0'/></rule>\
                <rule action='accept' direction='in' priority='1000'><all/></rule>";
    for (n, document) in [
        (1, ctx.filter(1)),
        (2, ctx.changed_filter(2)),
        (3, paper::nth(ctx, 3, rich)),
    ] {
        bench
            .define_filter(&document)
            .succeeds(format_args!("define_filter number {n}"))?;
        let xml = bench.filter_xml(ctx.uuid(n)).succeeds("filter_xml")?;
        let lost = paper::lost(
            &paper::read("the document", &document)?,
            &paper::read("filter_xml", &xml)?,
        );
        if let Some(lost) = lost {
            return Err(Failure::new(format!(
                "filter_xml: expected all that was defined, found no {lost} in {xml:?}"
            )));
        }
    }
    Ok(())
}

pub(super) fn unknown_is_kept_or_named(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let documents = [
        paper::nth(ctx, 1, &format!("{RULE}<strangething/>")),
        paper::nth(ctx, 1, &RULE.replace("<tcp ", "<tcp strangething='22' ")),
        paper::nth(ctx, 1, &RULE.replace("<rule ", "<rule strangething='1' ")),
        paper::nth(ctx, 1, &RULE.replace("<tcp ", "<strangething ")),
        paper::nth(ctx, 1, RULE).replace("<filter ", "<filter strangething='1' "),
    ];
    let before = View::of(&bench)?;
    for document in documents {
        match bench.define_filter(&document) {
            Ok(_) => {
                let xml = bench.filter_xml(ctx.uuid(1)).succeeds("filter_xml")?;
                ensure!(
                    xml.contains("strangething"),
                    "define_filter of {document:?}: expected that 'strangething' is kept or refused, found that it was dropped"
                );
                bench.undefine_filter(ctx.uuid(1)).succeeds("undefine_filter")?;
            }
            Err(error) => {
                names(&error, "strangething")
                    .map_err(|failure| failure.when(format_args!("define_filter of {document:?}")))?;
            }
        }
        before.is_still_so(&bench, "a filter with 'strangething' in it, refused or undefined")?;
    }
    Ok(())
}

pub(super) fn no_document_is_27(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let view = View::of(&bench)?;
    let valid = ctx.filter(2);
    let half = &valid[..valid.len() / 2];
    let documents = [
        "",
        " ",
        "filter",
        "<filter",
        half,
        "<domain><name>x</name></domain>",
        "<filterbinding/>",
        "<a/><b/>",
    ];
    for document in documents {
        let what = format!("define_filter of {document:?}");
        let error = bench.define_filter(document).fails_with(NO_DOCUMENT, &what)?;
        ensure!(
            !error.message().is_empty(),
            "{what}: expected an error in words, found an empty one"
        );
        view.is_still_so(&bench, what)?;
    }
    bench.expect_nothing_held()
}

pub(super) fn bad_parts_are_refused(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let view = View::of(&bench)?;
    let rule = |from: &str, to: &str| paper::nth(ctx, 2, &RULE.replace(from, to));
    let mut documents = vec![
        paper::nth(ctx, 2, RULE).replace(&format!("name='{}'", ctx.name(2)), ""),
        paper::nth(ctx, 2, RULE).replace(&ctx.name(2), ""),
        paper::nth(ctx, 2, RULE).replace(&ctx.uuid(2).to_string(), "not-a-uuid"),
        rule("action='drop'", "action='dorp'"),
        rule("action='drop'", ""),
        rule("direction='in'", "direction='sideways'"),
        rule("priority='500'", "priority='much'"),
        paper::nth(ctx, 2, "<filterref/>"),
    ];
    let invalid = &ctx.fixtures().filter.invalid;
    documents.extend(invalid.iter().map(|template| {
        let (name, uuid) = (ctx.name(2), ctx.uuid(2).to_string());
        template.replace("@NAME@", &name).replace("@UUID@", &uuid)
    }));
    for document in documents {
        let what = format!("define_filter of {document:?}");
        bench.define_filter(&document).fails_with(BAD_PART, &what)?;
        view.is_still_so(&bench, what)?;
    }
    bench.expect_nothing_held()
}
