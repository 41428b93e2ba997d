//! What nobody should define: documents made to break a parser, a kernel's rules or a folder.

use super::paper::{self, RULE};
use super::view::{self, View};
use super::{must, port};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::ensure;

const BOUND: &[&str] = &["nwfilter.define/1", "nwfilter.binding/1"];

pub(crate) const CHECKS: &[Check] = &[
    must(
        "FILT-060",
        "no document makes the driver panic, hang or forget itself",
        "input.hostile",
        "Any client of a host may send any bytes; one that stops the host stops everybody's.",
        "Bound depth, size and numbers in the parser; answer errors.",
        documents_are_survived,
    ),
    must(
        "FILT-061",
        "a document that was cut or changed at random is refused or defined whole",
        "input.hostile",
        "What slips through half understood is a filter that somebody believes in.",
        "Validate everything before anything is changed.",
        mutations_are_survived,
    ),
    must(
        "FILT-062",
        "entities are not resolved from files, and do not multiply",
        "input.hostile",
        "An external entity shows a client the host's files; nested ones fill its memory.",
        "Refuse document type declarations; `kit::xml` does.",
        entities_are_refused,
    ),
    must(
        "FILT-063",
        "a filter's name leads to no other file",
        "input.names",
        "A name that is a path would write where the host may write: anywhere.",
        "Refuse what can not be a file's name, or do not name files after filters.",
        super::name::names_stay_at_home,
    ),
    Check {
        needs: BOUND,
        privileged: true,
        ..must(
            "FILT-064",
            "names, values and ports are no commands for the kernel's rules",
            "input.names",
            "Rules that are put together as text let a parameter flush every other guest's filter.",
            "Speak netlink, or refuse every character that a rule can do without.",
            nothing_is_a_command,
        )
    },
    Check {
        needs: BOUND,
        privileged: true,
        ..must(
            "FILT-065",
            "no document of a binding makes the driver panic, hang or forget itself",
            "input.hostile",
            "Bindings come from any client, too.",
            "Bound depth, size and numbers in the parser; answer errors.",
            bindings_are_survived,
        )
    },
];

/// Ends what a document may have brought, and sees that the driver is as it was.
pub(super) fn settle(bench: &Bench, before: &View, what: &str) -> Outcome {
    let panics = bench.recording().panics;
    ensure!(
        panics.is_empty(),
        "{what}: expected an error at most, found a panic: {}",
        panics[0]
    );
    bench.expect_nothing_held()?;
    if bench.offers("nwfilter.binding/1") {
        for binding in view::list(bench).succeeds("bindings")? {
            view::delete(bench, &binding.port).succeeds(format_args!("delete_binding of what came of {what}"))?;
        }
    }
    let known: Vec<&str> = before.names().collect();
    for filter in bench.filters().succeeds("filters")? {
        let xml = bench
            .filter_xml(filter.uuid)
            .succeeds(format_args!("filter_xml of what came of {what}"))?;
        if known.contains(&filter.name.as_str()) {
            continue;
        }
        paper::read("filter_xml", &xml)?;
        let again = bench.define_filter(&xml);
        again.succeeds(format_args!(
            "define_filter of what filter_xml shows of what came of {what}"
        ))?;
        bench
            .undefine_filter(filter.uuid)
            .succeeds(format_args!("undefine_filter of what came of {what}"))?;
    }
    before.is_still_so(bench, what)
}

fn short(document: &str) -> String {
    let cut = &document[..document.floor_char_boundary(160)];
    format!("{cut:?} ({} bytes)", document.len())
}

fn documents_are_survived(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let before = View::of(&bench)?;
    let rule = |from: &str, to: &str| paper::nth(ctx, 2, &RULE.replace(from, to));
    let long = "x".repeat(1 << 20);
    let documents = [
        "<".repeat(1 << 20),
        "<a>".repeat(100_000),
        format!("{}{}", "<filter>".repeat(100_000), "</filter>".repeat(100_000)),
        format!("<filter {}/>", "a='1' ".repeat(50_000)),
        paper::nth(ctx, 2, &format!("<rule>{}</rule>", "<tcp/>".repeat(100_000))),
        paper::filter(&long, ctx.uuid(2), RULE),
        paper::nth(ctx, 2, RULE).replace("chain='root'", &format!("chain='{long}'")),
        rule("'500'", "'99999999999999999999999999999'"),
        rule("'500'", "'-9223372036854775809'"),
        rule("'500'", "'1e9'"),
        rule("'22'", "'65536'"),
        rule("'22'", "'-1'"),
        rule("'22'", "'0x10000000000000000'"),
        rule("'22'", "''"),
        rule("'22'", "'$'"),
        rule("'22'", "'$A[4294967296]'"),
        rule("'22'", "'$A[@99999999999]'"),
        rule("dstportstart='22'", "srcipaddr='1.2.3.4.5' srcipmask='33'"),
        rule("dstportstart='22'", "srcipaddr='::ffff:1.2.3.4'"),
        rule("<tcp dstportstart='22'/>", "<mac srcmacaddr='52:54:00:00:00:0g'/>"),
        rule("<tcp dstportstart='22'/>", "<vlan vlanid='4096'/>"),
        paper::nth(ctx, 2, "<!-- -- --->"),
        paper::nth(ctx, 2, "<![CDATA[<rule/>]]>"),
        paper::nth(ctx, 2, "<?xml version='1.0'?>"),
        String::from("\u{feff}\u{202e}\u{0}<filter name='x'/>"),
        paper::nth(ctx, 2, "&#0;&#x110000;&#xd800;"),
        paper::nth(ctx, 2, &format!("{}{RULE}", paper::reference(&long))),
    ];
    for document in documents {
        let what = format!("define_filter of {}", short(&document));
        let _answer = bench.define_filter(&document);
        settle(&bench, &before, &what)?;
    }
    Ok(())
}

fn mutated(random: &mut fastrand::Rng, document: &str, other: &[&str]) -> String {
    let mut bytes = document.as_bytes().to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..bytes.len().max(1)).min(bytes.len());
        match random.u8(..6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.insert(at, *random.choice(b"<>&'\"/$;{}\n\0 ").unwrap_or(&b'<')),
            4 => {
                let piece = random.choice(other).copied().unwrap_or_default();
                bytes.splice(at..at, piece.bytes());
            }
            _ => {
                let end = random.usize(at..=bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const PIECES: [&str; 8] = [
    "<rule action='accept' direction='in'/>",
    "<uuid/>",
    " priority='-1' ",
    "</rule>",
    "<filterref filter='x'><parameter name='A' value='1'/></filterref>",
    "&lt;&amp;&#65;",
    "<!DOCTYPE a>",
    "$IP",
];

fn mutations_are_survived(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define_filter(&ctx.filter(1)).succeeds("define_filter")?;
    let before = View::of(&bench)?;
    let mut random = ctx.random();
    let documents = [
        ctx.filter(2),
        ctx.changed_filter(2),
        paper::nth(ctx, 2, &format!("{RULE}{}", PIECES[4])),
    ];
    let whole = documents[0].trim_end();
    for cut in (0..whole.len()).step_by(7) {
        let half = whole.get(..cut).unwrap_or_default();
        let answer = bench.define_filter(half);
        ensure!(
            answer.is_err(),
            "define_filter of {half:?}, which was cut: expected an error, found success"
        );
    }
    settle(&bench, &before, "define_filter of documents that were cut")?;
    for _ in 0..400 {
        let document = random.choice(&documents).map_or("", String::as_str);
        let document = mutated(&mut random, document, &PIECES);
        let what = format!("define_filter of {}", short(&document));
        if bench.define_filter(&document).is_ok() {
            settle(&bench, &before, &what)?;
        }
        let panics = bench.recording().panics;
        ensure!(
            panics.is_empty(),
            "{what}: expected an error at most, found a panic: {}",
            panics[0]
        );
        bench.forget_recording();
    }
    settle(
        &bench,
        &before,
        "define_filter of documents that were changed at random",
    )
}

fn entities_are_refused(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let before = View::of(&bench)?;
    let secret = ctx.root().join("secret");
    let written = std::fs::write(&secret, "conformance-secret");
    written.map_err(|error| Failure::new(format!("the check can not write its secret: {error}")))?;
    let external = format!(
        "<!DOCTYPE filter [<!ENTITY e SYSTEM 'file://{}'>]>\n{}",
        secret.display(),
        paper::nth(ctx, 1, RULE).replace("'22'/>", "'22' comment='&e;'/>")
    );
    let mut bomb = String::from("<!DOCTYPE filter [<!ENTITY e0 'conformance'>");
    for n in 1..30 {
        bomb.push_str(&format!(
            "<!ENTITY e{n} '&e{};&e{};&e{};&e{};'>",
            n - 1,
            n - 1,
            n - 1,
            n - 1
        ));
    }
    bomb.push_str(&format!(
        "]>\n{}",
        paper::nth(ctx, 1, RULE).replace("'22'/>", "'22' comment='&e29;'/>")
    ));
    for document in [external, bomb] {
        let what = format!("define_filter of {}", short(&document));
        match bench.define_filter(&document) {
            Ok(brief) => {
                let xml = bench.filter_xml(brief.uuid).succeeds("filter_xml")?;
                ensure!(
                    !xml.contains("conformance-secret"),
                    "{what}: expected that no file is read, found its content in filter_xml"
                );
                ensure!(
                    xml.len() < 1 << 20,
                    "{what}: expected no more than was sent, found {} bytes",
                    xml.len()
                );
            }
            Err(error) => ensure!(
                !error.to_string().contains("conformance-secret"),
                "{what}: expected that no file is read, found its content in the error"
            ),
        }
        settle(&bench, &before, &what)?;
    }
    Ok(())
}

fn nothing_is_a_command(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    port::make("p0")?;
    port::post_sentinel()?;
    let before = View::of(&bench)?;
    let guard = |what: &str| -> Outcome {
        let rules = port::everything()?;
        ensure!(
            rules.contains(port::SENTINEL),
            "{what}: expected that the kernel's other rules stay, found that they are gone"
        );
        Ok(())
    };
    let commands = [
        "1.2.3.4; flush ruleset",
        "1.2.3.4 } ; delete table inet conformance_sentinel; {",
        "1.2.3.4&#10;flush ruleset",
        "$(nft flush ruleset)",
        "`nft flush ruleset`",
        "1.2.3.4 accept; flush ruleset #",
        "&quot;; flush ruleset; #",
    ];
    for command in commands {
        // The name of a filter, a comment, a chain, an ipset, a literal.
        let documents = [
            paper::filter(command, ctx.uuid(1), RULE),
            paper::nth(ctx, 1, &RULE.replace("'22'/>", &format!("'22' comment='{command}'/>"))),
            paper::nth(ctx, 1, RULE).replace("chain='root'", &format!("chain='mac-{command}'")),
            paper::nth(
                ctx,
                1,
                &RULE.replace("'22'/>", &format!("'22' ipset='{command}' ipsetflags='src'/>")),
            ),
            paper::nth(ctx, 1, &RULE.replace("'22'", &format!("'{command}'"))),
        ];
        for document in documents {
            let what = format!("define_filter of {} and create_binding", short(&document));
            if let Ok(brief) = bench.define_filter(&document) {
                let name = brief
                    .name
                    .replace('&', "&amp;")
                    .replace('"', "&quot;")
                    .replace('\n', "&#10;");
                let _answer = view::create(&bench, &paper::binding(ctx, "p0", &name, &[]));
            }
            guard(&what)?;
            settle(&bench, &before, &what)?;
        }
        // The value and the name of a parameter, the port, the owner.
        bench
            .define_filter(&paper::nth(ctx, 1, paper::ASKING))
            .succeeds("define_filter")?;
        let sound = paper::binding(ctx, "p0", &ctx.name(1), &[("WANTED", "10.0.0.2")]);
        let documents = [
            paper::binding(ctx, "p0", &ctx.name(1), &[("WANTED", command)]),
            paper::binding(ctx, "p0", &ctx.name(1), &[("WANTED", "10.0.0.2"), (command, "1")]),
            sound.replace("'p0'", &format!("'{command}'")),
            sound.replace("somebody", command),
            sound.replace(paper::MAC, command),
        ];
        for document in documents {
            let what = format!("create_binding of {}", short(&document));
            let _answer = view::create(&bench, &document);
            guard(&what)?;
            for binding in view::list(&bench).succeeds("bindings")? {
                view::delete(&bench, &binding.port).succeeds("delete_binding")?;
            }
        }
        settle(&bench, &before, "bindings with commands in them")?;
    }
    guard("all of that")
}

fn bindings_are_survived(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    port::make("p0")?;
    bench
        .define_filter(&paper::nth(ctx, 1, RULE))
        .succeeds("define_filter")?;
    let before = View::of(&bench)?;
    let sound = paper::binding(ctx, "p0", &ctx.name(1), &[("IP", "10.0.0.2")]);
    let long = "x".repeat(1 << 20);
    let documents = [
        "<filterbinding>".repeat(100_000),
        sound.replace("'p0'", "'../../p0'"),
        sound.replace("'p0'", "'..'"),
        sound.replace("'p0'", "''"),
        sound.replace("'p0'", &format!("'{long}'")),
        sound.replace("10.0.0.2", &long),
        sound.replace("somebody", &long),
        sound.replace(
            "<parameter ",
            &"<parameter name='A' value='1'/><parameter ".repeat(20_000),
        ),
        sound.replace(paper::MAC, "ff:ff:ff:ff:ff:ff:ff"),
    ];
    for document in documents {
        let what = format!("create_binding of {}", short(&document));
        let _answer = view::create(&bench, &document);
        settle(&bench, &before, &what)?;
    }
    let mut random = ctx.random();
    for _ in 0..300 {
        let document = mutated(&mut random, &sound, &PIECES);
        let what = format!("create_binding of {}", short(&document));
        let _answer = view::create(&bench, &document);
        for binding in view::list(&bench).succeeds("bindings")? {
            view::delete(&bench, &binding.port).succeeds(format_args!("delete_binding of what came of {what}"))?;
        }
        let panics = bench.recording().panics;
        ensure!(
            panics.is_empty(),
            "{what}: expected an error at most, found a panic: {}",
            panics[0]
        );
        bench.forget_recording();
    }
    settle(
        &bench,
        &before,
        "create_binding of documents that were changed at random",
    )
}
