//! Hostile documents.

use super::{PATIENCE, expect_service, refusals, try_define};
use crate::bench::Bench;
use crate::check::{Ctx, Expect, Outcome};
use crate::checks::domains::{
    BAD_DOCUMENT, Picture, either, expect_calm, expect_words, running, with_child, with_text,
};
use crate::ensure;
use driver_api::error::{Code, Error, Origin, Result};
use std::time::Instant;

pub(super) fn cut_off(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let document = ctx.domain(1);
    // What comes after the last element may be cut without harm.
    let end = document.trim_end().len();
    for length in (0..end).filter(|length| document.is_char_boundary(*length)) {
        let what = format!("define of the first {length} of {end} bytes of a document");
        let error = bench.define(&document[..length]).fails_with(BAD_DOCUMENT, &what)?;
        expect_words(&error, &what)?;
    }
    expect_service(ctx, &bench)
}

pub(super) fn changed_at_random(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let mut random = ctx.random();
    let pieces = [
        "<",
        ">",
        "/",
        "&",
        ";",
        "'",
        "\"",
        "=",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x ?>",
        "&#x41;",
        "&#0;",
        "&lt;",
        "\u{0}",
        "\u{1}",
        "\n",
        "\u{feff}",
        "\u{202e}",
        "\u{ffff}",
        "\u{10ffff}",
        "%n%s",
        "$(id)",
        "`id`",
        "../",
        "-1",
        "18446744073709551616",
        "xmlns:a='urn:b'",
        "a:b",
        "<name>",
        "</domain>",
        "<domain type='x'>",
    ];
    for round in 0..250 {
        let mut characters: Vec<char> = if random.bool() {
            ctx.domain(1)
        } else {
            ctx.changed_domain(1)
        }
        .chars()
        .collect();
        for _ in 0..random.usize(1..=4) {
            let place = random.usize(0..characters.len());
            match random.u8(0..4) {
                0 => drop(characters.remove(place)),
                1 => characters[place] = char::from(random.u8(0x20..0x7f)),
                2 => {
                    let piece = pieces[random.usize(..pieces.len())];
                    characters.splice(place..place, piece.chars());
                }
                _ => {
                    let end = (place + random.usize(1..40)).min(characters.len());
                    let copy: Vec<char> = characters[place..end].to_vec();
                    let other = random.usize(0..characters.len());
                    characters.splice(other..other, copy);
                }
            }
        }
        let document: String = characters.into_iter().collect();
        let told = format!("define of document {round} of seed {}: {document:?}", ctx.seed());
        try_define(&bench, &told, &document)?;
    }
    expect_service(ctx, &bench)
}

pub(super) fn nested(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for depth in [1_000, 100_000, 1_000_000] {
        let (open, close) = ("<a>".repeat(depth), "</a>".repeat(depth));
        let whole = with_child(&ctx.domain(1), &format!("{open}{close}"));
        let half = with_child(&ctx.domain(1), &open);
        for (how, document) in [("", whole), (" and never closed", half), (" alone", open)] {
            try_define(
                &bench,
                &format!("define of {depth} elements in one another{how}"),
                &document,
            )?;
        }
    }
    expect_service(ctx, &bench)
}

pub(super) fn entities(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let secret = ctx.root().join("secret");
    let marker = "suite-secret-marker";
    let written = std::fs::write(&secret, marker);
    written.map_err(|error| crate::check::Failure::new(format!("the suite: '{}': {error}", secret.display())))?;
    let file = secret.display();
    let laughs: String = (1..=12)
        .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
        .collect();
    let types = [
        (
            "an internal entity",
            "<!DOCTYPE domain [<!ENTITY e \"text\">]>".to_owned(),
        ),
        (
            "an external entity",
            format!("<!DOCTYPE domain [<!ENTITY e SYSTEM \"file://{file}\">]>"),
        ),
        (
            "an external document type",
            format!("<!DOCTYPE domain SYSTEM \"file://{file}\">"),
        ),
        (
            "a parameter entity",
            format!("<!DOCTYPE domain [<!ENTITY % p SYSTEM \"file://{file}\"> %p; <!ENTITY e \"x\">]>"),
        ),
        (
            "entities of entities of entities",
            format!("<!DOCTYPE domain [<!ENTITY l0 \"ha\">{laughs}<!ENTITY e \"&l12;\">]>"),
        ),
        (
            "an entity of itself",
            "<!DOCTYPE domain [<!ENTITY e \"&f;\"><!ENTITY f \"&e;\">]>".to_owned(),
        ),
    ];
    let used = with_child(&ctx.domain(1), "<description>&e;</description>");
    for (what, kind) in types {
        let what = format!("define of a document with {what}");
        let began = Instant::now();
        let error = bench
            .define(&format!("{kind}\n{used}"))
            .fails_with(BAD_DOCUMENT, &what)?;
        ensure!(
            began.elapsed() < PATIENCE,
            "{what}: expected an answer within {PATIENCE:?}"
        );
        expect_words(&error, &what)?;
        let text = error.to_string();
        ensure!(
            !text.contains(marker),
            "{what}: expected that no file is read, found its content in the error: {text}"
        );
    }
    expect_service(ctx, &bench)
}

pub(super) fn huge(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    const BYTES: usize = 10 << 20;
    let good = ctx.domain(1);
    let elements = "<suite-element/>".repeat(BYTES / 16);
    let attributes: String = (0..BYTES / 20).map(|n| format!(" suite{n}='{n}'")).collect();
    let documents = [
        (
            "a text of 10 MB",
            with_child(&good, &format!("<description>{}</description>", "x".repeat(BYTES))),
        ),
        (
            "a name of 10 MB",
            with_text(&good, "name", &"n".repeat(BYTES)).unwrap_or_default(),
        ),
        ("10 MB of elements", with_child(&good, &elements)),
        (
            "10 MB of attributes",
            with_child(&good, &format!("<suite-element{attributes}/>")),
        ),
        (
            "a comment of 10 MB",
            with_child(&good, &format!("<!--{}-->", "c".repeat(BYTES))),
        ),
        ("10 MB of blanks", format!("{}{good}", " ".repeat(BYTES))),
        (
            "10 MB of references",
            with_child(
                &good,
                &format!("<description>{}</description>", "&amp;".repeat(BYTES / 5)),
            ),
        ),
        ("10 MB that are no XML", "<".repeat(BYTES)),
    ];
    for (what, document) in documents {
        let what = format!("define of {what}");
        let began = Instant::now();
        let answer = bench.define(&document);
        let taken = began.elapsed();
        ensure!(
            taken < PATIENCE,
            "{what}: expected an answer within {PATIENCE:?}, found one after {taken:?}"
        );
        match answer {
            Ok(brief) => bench
                .undefine(brief.uuid)
                .succeeds(format_args!("undefine after {what}"))?,
            Err(error) => {
                expect_words(&error, &what)?;
                Err::<(), _>(error).fails_with(&refusals(), &what)?;
            }
        }
    }
    expect_service(ctx, &bench)
}

pub(super) fn numbers(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let hostile = [
        "",
        " ",
        "0",
        "-1",
        "-0",
        "+1",
        "1.5",
        "1e9",
        "0x40",
        "NaN",
        "one",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18014398509481985",
        "17592186044417",
        "99999999999999999999999999999999999999",
        "4294967296",
        "4294967295",
        "2147483648",
        "1 2",
        "\u{0661}",
    ];
    for element in ["memory", "currentMemory", "vcpu"] {
        for number in hostile {
            let base = ctx.domain(1);
            let placed = with_text(&base, element, number);
            let document = placed.unwrap_or_else(|| with_child(&base, &format!("<{element}>{number}</{element}>")));
            let what = format!("define with <{element}>{number}</{element}>");
            let Ok(brief) = bench.define(&document) else {
                try_define(&bench, &what, &document)?;
                continue;
            };
            // Taken: then it must not have become another number on the way.
            ensure!(
                brief.memory_kib <= brief.max_memory_kib && brief.max_memory_kib > 0 && brief.vcpus > 0,
                "{what}, which was not refused: expected memory and processors that there can be, found {brief:?}"
            );
            let given = number.trim().parse::<u128>().unwrap_or(0);
            if given > u128::from(u32::MAX) {
                let kept = match element {
                    "memory" => u128::from(brief.max_memory_kib) >= given / 1024,
                    "currentMemory" => brief.memory_kib == brief.max_memory_kib,
                    _ => false,
                };
                ensure!(
                    kept,
                    "{what}, which was not refused: expected it to be kept as it is, found {brief:?}"
                );
            }
            bench.undefine(brief.uuid).succeeds("undefine")?;
        }
    }
    expect_service(ctx, &bench)
}

pub(super) fn twice(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let good = ctx.domain(1);
    let more = [
        ("<name>", format!("<name>{}</name>", ctx.name(2))),
        ("<uuid>", format!("<uuid>{}</uuid>", ctx.uuid(2))),
        ("<memory>", "<memory unit='KiB'>1048576</memory>".to_owned()),
        ("<vcpu>", "<vcpu>2</vcpu>".to_owned()),
        ("<os>", "<os><type>other</type></os>".to_owned()),
        ("<devices>", "<devices/><devices/>".to_owned()),
    ];
    for (what, element) in more {
        let what = format!("define with a second {what}");
        // By its own brief the domain must be found, printed, and defined again as the same one.
        try_define(&bench, &what, &with_child(&good, &element))?;
    }
    expect_service(ctx, &bench)
}

pub(super) fn devices(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    running(ctx, &bench, 1)?;
    let uuid = ctx.uuid(1);
    let before = Picture::of(&bench)?;
    let attach = |bench: &Bench, xml: &str| -> Result<()> {
        bench.call("attach_device", |driver, call| {
            let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.devices/1 is not offered");
            driver.devices().ok_or_else(none)?.attach_device(call, uuid, xml, 0)
        })
    };
    let codes = either(BAD_DOCUMENT, &[Code::INVALID_ARG]);
    let elements = [
        ("elements in one another", "<disk>".repeat(100_000)),
        (
            "an entity",
            "<!DOCTYPE disk [<!ENTITY e 'x'>]><disk><target dev='&e;'/></disk>".to_owned(),
        ),
        ("a control character", "<disk><target dev='a&#1;b'/></disk>".to_owned()),
        ("NUL", "<disk><target dev='a\u{0}b'/></disk>".to_owned()),
        ("two roots", "<disk/><disk/>".to_owned()),
        ("10 MB that are no XML", "<disk ".repeat(2 << 20)),
    ];
    for (what, element) in elements {
        let what = format!("attach_device of {what}");
        let error = attach(&bench, &element).fails_with(&codes, &what)?;
        expect_words(&error, &what)?;
        before.expect_same(&bench, &what)?;
    }
    bench.destroy(uuid).succeeds("destroy")?;
    expect_calm(&bench)
}
