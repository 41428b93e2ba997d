//! `define`: what is kept, what takes whose place, what is refused.

use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::checks::domains::{
    BAD_DOCUMENT, Picture, VIRT, brief, either, expect_calm, expect_state, expect_words, running, told, tree,
    with_text, without,
};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::kit::xml::Element;
use driver_api::types::domain::flags::XML_INACTIVE;
use driver_api::types::domain::{Lifecycle, State, detail};
use driver_api::types::uuid::Uuid;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-001",
        title: "a definition is found as it was answered, and as its document says",
        clause: "lifecycle.define",
        why: "Clients go on with what `define` answers: its UUID, its name, how much memory it may have.",
        fix: "Make the brief from the definition that you keep, publish it before you return, answer the same.",
        run: is_found,
        ..VIRT
    },
    Check {
        id: "VIRT-002",
        title: "a document without a UUID is given one of its own",
        clause: "lifecycle.define",
        why: "Most documents that people write have none.",
        fix: "Make up a random UUID (`Uuid::random`) and keep it in the definition.",
        run: is_given_a_uuid,
        ..VIRT
    },
    Check {
        id: "VIRT-003",
        title: "a second definition of a domain takes the place of the first",
        clause: "lifecycle.define",
        why: "`virsh edit` defines what a person changed. A driver that goes on with the old one loses that in silence.",
        fix: "Replace the whole definition of the UUID; keep nothing of the old one but marks like autostart.",
        run: takes_the_place,
        ..VIRT
    },
    Check {
        id: "VIRT-004",
        title: "the same definition twice is the same domain",
        clause: "lifecycle.idempotence",
        why: "Clients repeat what they do not know to be done.",
        fix: "Look the UUID up before you add a domain.",
        run: twice_is_once,
        ..VIRT
    },
    Check {
        id: "VIRT-005",
        title: "a domain that runs goes on as it is and takes a new definition at its next start",
        clause: "lifecycle.define",
        why: "What runs can not be changed by words; what is shown of it must be true.",
        fix: "Keep two definitions of a domain that runs: the one it was started with and the one for the next start.",
        run: takes_it_at_the_next_start,
        ..VIRT
    },
    Check {
        id: "VIRT-006",
        title: "a name that belongs to another domain is refused with 9",
        clause: "lifecycle.define",
        why: "Two domains with one name can not be told apart by anybody who uses names.",
        fix: "Compare names where nobody else can add one (under Virt, exclusively), before anything is stored.",
        run: name_is_taken,
        ..VIRT
    },
    Check {
        id: "VIRT-007",
        title: "a UUID that belongs to a domain with another name is refused with 9",
        clause: "lifecycle.define",
        why: "A copied document in which only the name was changed would take the other domain's place.",
        fix: "A definition of a known UUID must have its name; names are changed by `rename`.",
        run: uuid_is_taken,
        ..VIRT
    },
    Check {
        id: "VIRT-008",
        title: "documents that are none are refused with 27 or its kin",
        clause: "errors.codes",
        why: "By the code a client tells a mistake in the document from a host that is broken.",
        fix: "Give what the parser says the code 27; `kit::xml` does.",
        run: refuses_what_is_none,
        ..VIRT
    },
    Check {
        id: "VIRT-009",
        title: "a definition that is refused changes nothing",
        clause: "lifecycle.no-change-on-failure",
        why: "The client was told that nothing happened; the old definition is the only one that there is.",
        fix: "Parse and check the whole document before the first effect.",
        run: refused_is_unchanged,
        ..VIRT
    },
];

fn kib(element: &Element) -> Option<u64> {
    let factor = match element.attr("unit").unwrap_or("KiB") {
        "KiB" | "k" => 1,
        "MiB" | "M" => 1024,
        "GiB" | "G" => 1024 * 1024,
        _ => return None,
    };
    element.text().trim().parse::<u64>().ok()?.checked_mul(factor)
}

fn is_found(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let (uuid, document) = (ctx.uuid(1), ctx.domain(1));
    let defined = bench.define(&document).succeeds("define of 'domain.valid'")?;
    ensure_eq!(defined.uuid, uuid, "define: the UUID of the brief");
    ensure_eq!(defined.name, ctx.name(1), "define: the name of the brief");
    ensure!(
        defined.persistent,
        "define: the brief: expected a persistent domain, found one that is not"
    );
    ensure!(
        !defined.autostart,
        "define: the brief: expected no autostart, found it set"
    );
    ensure_eq!(defined.id, None, "define: the id of the brief");
    ensure!(
        defined.vcpus > 0,
        "define: the brief: expected at least one processor, found none"
    );
    ensure!(
        defined.memory_kib <= defined.max_memory_kib,
        "define: the brief: expected no more memory than its limit {} KiB, found {} KiB",
        defined.max_memory_kib,
        defined.memory_kib
    );
    let found = expect_state(&bench, uuid, State::Shutoff, "define")?;
    ensure_eq!(found, defined, "by_uuid after define, beside what define answered");
    let root = tree(&document)?;
    if let Some(memory) = root.child("memory").and_then(kib) {
        ensure_eq!(defined.max_memory_kib, memory, "define: KiB of memory of the brief");
    }
    if let Some(count) = root
        .child("vcpu")
        .and_then(|vcpu| vcpu.text().trim().parse::<u32>().ok())
    {
        ensure_eq!(defined.vcpus, count, "define: processors of the brief");
    }
    if let Some(kind) = root.child("os").and_then(|os| os.child("type")) {
        ensure_eq!(
            defined.os_type,
            kind.text().trim().to_owned(),
            "define: the type of system of the brief"
        );
    }
    let events = vec![(Lifecycle::Defined, detail::DEFINED_ADDED, None)];
    ensure_eq!(told(&bench, uuid), events, "define: the events");
    expect_calm(&bench)
}

fn is_given_a_uuid(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let mut seen = vec![Uuid::default()];
    for n in 1..=2 {
        let document =
            without(&ctx.domain(n), "uuid").ok_or_else(|| Failure::no_fixture("a <uuid> in 'domain.valid'"))?;
        let defined = bench
            .define(&document)
            .succeeds("define of a document without <uuid>")?;
        let uuid = defined.uuid;
        ensure!(
            !seen.contains(&uuid),
            "define without <uuid>: expected a UUID of its own, found '{uuid}'"
        );
        seen.push(uuid);
        ensure_eq!(defined.name, ctx.name(n), "define without <uuid>: the name");
        let shown = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
        let text = tree(&shown)?.child("uuid").map(|uuid| uuid.text().trim().to_owned());
        ensure_eq!(
            text,
            Some(uuid.to_string()),
            "dump_xml of a domain that was given a UUID: its <uuid>"
        );
        expect_state(&bench, uuid, State::Shutoff, "define")?;
    }
    expect_calm(&bench)
}

fn takes_the_place(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define of 'domain.valid'")?;
    let first = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    let second = bench
        .define(&ctx.changed_domain(1))
        .succeeds("define of 'domain.second'")?;
    let shown = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    ensure!(
        shown != first,
        "dump_xml after a second definition: expected what 'domain.second' says, found the first still: {shown}"
    );
    ensure_eq!(
        brief(&bench, uuid)?,
        second,
        "by_uuid after a second definition, beside what it answered"
    );
    expect_state(&bench, uuid, State::Shutoff, "a second definition")?;
    let events = vec![
        (Lifecycle::Defined, detail::DEFINED_ADDED, None),
        (Lifecycle::Defined, detail::DEFINED_UPDATED, None),
    ];
    ensure_eq!(told(&bench, uuid), events, "the events of two definitions");
    // What is shown is what a domain shows that was never anything else.
    bench.undefine(uuid).succeeds("undefine")?;
    bench
        .define(&ctx.changed_domain(1))
        .succeeds("define of 'domain.second'")?;
    let fresh = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    ensure_eq!(
        shown,
        fresh,
        "dump_xml after a second definition, beside a domain defined so at once"
    );
    expect_calm(&bench)
}

fn twice_is_once(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let once = bench.define(&ctx.domain(1)).succeeds("define")?;
    let shown = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    bench.set_autostart(uuid, true).succeeds("set_autostart")?;
    let twice = bench.define(&ctx.domain(1)).succeeds("define once more")?;
    ensure_eq!(
        (twice.uuid, &twice.name),
        (once.uuid, &once.name),
        "the same definition twice: who it is"
    );
    ensure!(
        twice.autostart,
        "the same definition twice: expected the autostart mark to stay, found it gone"
    );
    let again = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    ensure_eq!(again, shown, "the same definition twice: what 'dump_xml' shows");
    expect_state(&bench, uuid, State::Shutoff, "the same definition twice")?;
    expect_calm(&bench)
}

fn takes_it_at_the_next_start(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench
        .define(&ctx.changed_domain(1))
        .succeeds("define of 'domain.second'")?;
    let next = bench.dump_xml(uuid, XML_INACTIVE).succeeds("dump_xml")?;
    let before = running(ctx, &bench, 1)?;
    let live = bench.dump_xml(uuid, 0).succeeds("dump_xml of what runs")?;
    let answered = bench.define(&ctx.changed_domain(1)).succeeds("define while it runs")?;
    ensure_eq!(
        (answered.id, answered.state),
        (before.id, before.state),
        "define while it runs: id and state"
    );
    ensure!(
        answered.updated && answered.persistent,
        "define while it runs: expected the brief to say 'updated' and 'persistent', found {answered:?}"
    );
    let now = bench.dump_xml(uuid, 0).succeeds("dump_xml of what runs")?;
    ensure_eq!(now, live, "dump_xml of what runs, after a new definition");
    let defined = bench
        .dump_xml(uuid, XML_INACTIVE)
        .succeeds("dump_xml with XML_INACTIVE")?;
    ensure_eq!(defined, next, "dump_xml with XML_INACTIVE, after a new definition");
    bench.destroy(uuid).succeeds("destroy")?;
    let after = expect_state(&bench, uuid, State::Shutoff, "destroy")?;
    ensure!(
        !after.updated,
        "after destroy: expected no definition that waits ('updated'), found one"
    );
    let idle = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    ensure_eq!(idle, next, "dump_xml when it no longer runs, after a new definition");
    expect_calm(&bench)
}

fn name_is_taken(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    let thief = ctx.domain_as(&ctx.fixtures().domain.valid, &ctx.name(1), ctx.uuid(2));
    let refused = bench.define(&thief);
    let error = refused.fails_with(&[Code::OPERATION_FAILED], "define with the name of another domain")?;
    expect_words(&error, "define with the name of another domain")?;
    before.expect_same(&bench, "a definition whose name was taken")?;
    // It is not the UUID that is barred.
    bench
        .define(&ctx.domain(2))
        .succeeds("define of the other UUID under its own name")?;
    expect_calm(&bench)
}

fn uuid_is_taken(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    let thief = ctx.domain_as(&ctx.fixtures().domain.valid, &ctx.name(2), ctx.uuid(1));
    let refused = bench.define(&thief);
    refused.fails_with(&[Code::OPERATION_FAILED], "define with the UUID of another domain")?;
    before.expect_same(&bench, "a definition whose UUID was taken")?;
    bench
        .define(&ctx.domain(2))
        .succeeds("define of the other name with its own UUID")?;
    expect_calm(&bench)
}

/// Documents that are none, each with what is wrong.
fn bad(ctx: &Ctx) -> Vec<(String, String)> {
    let good = ctx.domain(1);
    let half = good[..good.floor_char_boundary(good.len() / 2)].to_owned();
    let mut bad = vec![
        ("an empty document", String::new()),
        ("a document of blanks", "  \n ".to_owned()),
        ("a document that is no XML", "this is not XML".to_owned()),
        ("half a document", half),
        (
            "a document with another root",
            "<network><name>x</name></network>".to_owned(),
        ),
        ("two documents in one", format!("{good}{good}")),
        (
            "a document with an entity that there is not",
            good.replacen("</name>", "&nobody;</name>", 1),
        ),
    ];
    let changed = [
        ("a document without a name", without(&good, "name")),
        ("a document with an empty name", with_text(&good, "name", "")),
        (
            "a document with a UUID that is none",
            with_text(&good, "uuid", "not-a-uuid"),
        ),
    ];
    bad.extend(
        changed
            .into_iter()
            .filter_map(|(what, document)| Some((what, document?))),
    );
    bad.into_iter()
        .map(|(what, document)| (what.to_owned(), document))
        .collect()
}

fn refuses_what_is_none(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for (what, document) in bad(ctx) {
        let what = format!("define of {what}");
        let error = bench.define(&document).fails_with(BAD_DOCUMENT, &what)?;
        expect_words(&error, &what)?;
    }
    for (number, template) in ctx.fixtures().domain.invalid.iter().enumerate() {
        let what = format!("define of entry {number} of 'domain.invalid'");
        let document = ctx.domain_as(template, &ctx.name(1), ctx.uuid(1));
        // The author's documents may be wrong in other ways than the suite's own.
        let codes = either(BAD_DOCUMENT, &[Code::INVALID_ARG, Code::OPERATION_FAILED]);
        let error = bench.define(&document).fails_with(&codes, &what)?;
        expect_words(&error, &what)?;
    }
    let left = bench.list().succeeds("list")?;
    ensure!(
        left.is_empty(),
        "list after refused definitions: expected no domain, found {left:?}"
    );
    expect_calm(&bench)
}

fn refused_is_unchanged(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    bench.define(&ctx.domain(2)).succeeds("define")?;
    bench.set_autostart(ctx.uuid(1), true).succeeds("set_autostart")?;
    let before = Picture::of(&bench)?;
    let invalid = ctx.fixtures().domain.invalid.iter();
    let invalid = invalid.map(|template| {
        let document = ctx.domain_as(template, &ctx.name(1), ctx.uuid(1));
        ("an entry of 'domain.invalid'".to_owned(), document)
    });
    for (what, document) in bad(ctx).into_iter().chain(invalid) {
        let refused = bench.define(&document);
        ensure!(refused.is_err(), "define of {what}: expected an error, found success");
        before.expect_same(&bench, &format!("the refused define of {what}"))?;
    }
    expect_calm(&bench)
}
