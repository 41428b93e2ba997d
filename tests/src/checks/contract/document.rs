//! `dump_xml`: what goes in comes out again, and what is not understood is not lost in silence.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::checks::domains::{BAD_DOCUMENT, VIRT, either, expect_calm, running, tree, with_attribute, with_child};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::domain::flags::XML_INACTIVE;
use driver_api::types::uuid::Uuid;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-010",
        title: "what is printed can be defined and prints the same bytes again",
        clause: "lifecycle.round-trip",
        why: "`virsh edit` prints, lets a person change something, and defines: everything else must come back as it was.",
        fix: "Print from what you keep; read everything that you print.",
        run: comes_back,
        ..VIRT
    },
    Check {
        id: "VIRT-011",
        title: "the definition can be read while the domain runs, the live document tells its id",
        clause: "lifecycle.round-trip",
        why: "Whoever edits a domain that runs must get the definition, not the state of this run.",
        fix: "With `XML_INACTIVE` print the definition; without it what runs, with `id` at its root element.",
        run: both_can_be_read,
        ..VIRT
    },
    Check {
        id: "VIRT-012",
        title: "an element that the driver does not know is kept, or refused by its name",
        clause: "lifecycle.unknown-elements",
        why: "A user who wrote `<readonly/>` and gets a writable disk was lied to.",
        fix: "Keep what is left of the tree once you took what you understand, or call `Element::refuse_rest`.",
        run: keeps_unknown_elements,
        ..VIRT
    },
    Check {
        id: "VIRT-013",
        title: "an attribute that the driver does not know is kept, or refused by its name",
        clause: "lifecycle.unknown-elements",
        why: "A typing error in an attribute must not pass for the default.",
        fix: "As for elements: keep the rest or call `Element::refuse_rest`, at every element that you read.",
        run: keeps_unknown_attributes,
        ..VIRT
    },
    Check {
        id: "VIRT-014",
        title: "what is printed is one document with the domain's name and UUID, its texts escaped",
        clause: "strings.utf8",
        why: "A text with `&` or `<` in it that is printed as it is makes a document that nobody can read.",
        fix: "Write documents with `kit::xml::Element`, which escapes; never with `format!`.",
        run: is_a_document,
        ..VIRT
    },
];

fn comes_back(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    for (what, document) in [("valid", ctx.domain(1)), ("second", ctx.changed_domain(1))] {
        let defined = bench
            .define(&document)
            .succeeds(format_args!("define of 'domain.{what}'"))?;
        for flags in [0, XML_INACTIVE] {
            let printed = bench.dump_xml(uuid, flags).succeeds("dump_xml")?;
            let again = bench.define(&printed).succeeds("define of what dump_xml printed")?;
            ensure_eq!(again, defined, "the brief after define of what dump_xml printed");
            let once_more = bench.dump_xml(uuid, flags).succeeds("dump_xml")?;
            ensure_eq!(once_more, printed, "dump_xml after define of what it printed before");
            bench.undefine(uuid).succeeds("undefine")?;
            bench
                .define(&printed)
                .succeeds("define of what dump_xml printed, as a new domain")?;
            let new = bench.dump_xml(uuid, flags).succeeds("dump_xml")?;
            ensure_eq!(
                new,
                printed,
                "dump_xml of a new domain, defined by what was printed before"
            );
        }
    }
    expect_calm(&bench)
}

fn both_can_be_read(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let idle = bench.dump_xml(uuid, XML_INACTIVE).succeeds("dump_xml")?;
    let started = running(ctx, &bench, 1)?;
    let defined = bench
        .dump_xml(uuid, XML_INACTIVE)
        .succeeds("dump_xml with XML_INACTIVE of what runs")?;
    ensure_eq!(
        defined,
        idle,
        "dump_xml with XML_INACTIVE while the domain runs, beside that from before its start"
    );
    let live = bench.dump_xml(uuid, 0).succeeds("dump_xml of what runs")?;
    let id = tree(&live)?.attr("id").map(str::to_owned);
    ensure_eq!(
        id,
        started.id.map(|id| id.to_string()),
        "dump_xml of what runs: attribute 'id' of its root"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    bench.define(&live).succeeds("define of the live document")?;
    let back = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    ensure!(
        tree(&back)?.attr("id").is_none(),
        "dump_xml of a domain that is off, defined by its live document: expected no 'id', found one: {back}"
    );
    expect_calm(&bench)
}

/// Defines the document; `name` must come out again, with all of `texts`, or be in the refusal.
fn kept_or_refused(bench: &Bench, uuid: Uuid, document: &str, name: &str, texts: &[&str]) -> Outcome {
    match bench.define(document) {
        Ok(_) => {
            let printed = bench.dump_xml(uuid, XML_INACTIVE).succeeds("dump_xml")?;
            for text in texts {
                ensure!(
                    printed.contains(text),
                    "dump_xml after a definition with '{name}', which was not refused: expected '{text}' in it, found {printed}"
                );
            }
            tree(&printed)?;
            bench.undefine(uuid).succeeds("undefine")
        }
        Err(error) => {
            let text = error.to_string();
            let codes = either(BAD_DOCUMENT, &[Code::INVALID_ARG]);
            let what = format!("define of a document with '{name}'");
            Err::<(), _>(error).fails_with(&codes, &what)?;
            ensure!(
                text.contains(name),
                "{what}: expected it to be kept, or refused by its name, found a refusal that does not name it: {text}"
            );
            Ok(())
        }
    }
}

fn keeps_unknown_elements(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let (uuid, good) = (ctx.uuid(1), ctx.domain(1));
    let name = "suite-unknown";
    let element = "<suite-unknown colour='deep blue'>one &amp; only</suite-unknown>";
    let texts = ["<suite-unknown", "deep blue", "one &amp; only"];
    kept_or_refused(&bench, uuid, &with_child(&good, element), name, &texts)?;
    for place in ["</os>", "</devices>"] {
        if good.contains(place) {
            let document = good.replacen(place, &format!("{element}{place}"), 1);
            let told = |failure: Failure| failure.when(format_args!("before {place}"));
            kept_or_refused(&bench, uuid, &document, name, &texts).map_err(told)?;
        }
    }
    expect_calm(&bench)
}

fn keeps_unknown_attributes(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let (uuid, good) = (ctx.uuid(1), ctx.domain(1));
    let attribute = "suite-mood='a &lt; b'";
    let texts = ["suite-mood", "a &lt; b"];
    kept_or_refused(&bench, uuid, &with_attribute(&good, attribute), "suite-mood", &texts)?;
    for element in ["<name", "<memory", "<vcpu", "<type"] {
        if good.contains(element) {
            let document = good.replacen(element, &format!("{element} {attribute}"), 1);
            let told = |failure: Failure| failure.when(format_args!("at {element}>"));
            kept_or_refused(&bench, uuid, &document, "suite-mood", &texts).map_err(told)?;
        }
    }
    expect_calm(&bench)
}

fn is_a_document(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let (uuid, good) = (ctx.uuid(1), ctx.domain(1));
    bench.define(&good).succeeds("define")?;
    let root = tree(&bench.dump_xml(uuid, 0).succeeds("dump_xml")?)?;
    ensure_eq!(root.name, "domain", "dump_xml: the root element");
    let text = |name: &str| root.child(name).map(|child| child.text().trim().to_owned());
    ensure_eq!(text("name"), Some(ctx.name(1)), "dump_xml: <name>");
    ensure_eq!(text("uuid"), Some(uuid.to_string()), "dump_xml: <uuid>");
    let hard = "a & b < c > d \" e ' f \u{e9} \u{6f22} \u{1f980}";
    let escaped = "a &amp; b &lt; c &gt; d &quot; e &apos; f &#233; \u{6f22} \u{1f980}";
    let document = with_child(&good, &format!("<description>{escaped}</description>"));
    match bench.define(&document) {
        Ok(_) => {
            let root = tree(&bench.dump_xml(uuid, 0).succeeds("dump_xml")?)?;
            let text = root.child("description").map(driver_api::kit::xml::Element::text);
            ensure_eq!(text.as_deref(), Some(hard), "dump_xml: <description>");
        }
        Err(error) => {
            let text = error.to_string();
            ensure!(
                text.contains("description"),
                "define with a <description>: expected it to be kept, or refused by its name, found {text}"
            );
        }
    }
    expect_calm(&bench)
}
