//! Hostile names, UUIDs and arguments.

use super::{expect_service, paths, refusals, try_define};
use crate::check::{Ctx, Expect, Outcome};
use crate::checks::domains::{expect_calm, tree, with_text};
use crate::{ensure, ensure_eq};
use driver_api::types::domain::State;
use driver_api::types::uuid::Uuid;

/// Names as they stand in a document, and as they are meant.
fn hostile(ctx: &Ctx) -> Vec<(String, String)> {
    let root = ctx.root().display().to_string();
    let plain = [
        "../escape".to_owned(),
        "../../escape".to_owned(),
        "../../../../../../../../../../tmp/escape".to_owned(),
        format!("{root}/escape"),
        "/escape".to_owned(),
        "a/b".to_owned(),
        "a/../../b".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        ".hidden".to_owned(),
        "-rf".to_owned(),
        "--help".to_owned(),
        "a b".to_owned(),
        "a\\b".to_owned(),
        "$(touch escape)".to_owned(),
        "`touch escape`".to_owned(),
        "a;b|c".to_owned(),
        "a'b\"c".to_owned(),
        "{ drop }".to_owned(),
        "%s%n%d".to_owned(),
        "con:1".to_owned(),
        "n".repeat(255),
        "n".repeat(300),
        "n".repeat(5_000),
        "\u{e9}\u{6f22}\u{1f980}".to_owned(),
        "\u{202e}txt".to_owned(),
        "stranger.xml".to_owned(),
        "escape.new".to_owned(),
        "autostart".to_owned(),
        "NULL".to_owned(),
        "0".to_owned(),
    ];
    let mut names: Vec<(String, String)> = plain
        .into_iter()
        .map(|name| (name.replace('&', "&amp;").replace('<', "&lt;"), name))
        .collect();
    let written = [
        ("&lt;name&gt;&amp;", "<name>&"),
        ("a&#10;b", "a\nb"),
        ("a&#13;b", "a\rb"),
        ("a&#9;b", "a\tb"),
        ("a&#27;[31mb", "a\u{1b}[31mb"),
        ("a&#0;b", "a\u{0}b"),
        ("a&#127;b", "a\u{7f}b"),
        ("", ""),
        (" ", " "),
    ];
    names.extend(written.map(|(text, name)| (text.to_owned(), name.to_owned())));
    names
}

fn document(ctx: &Ctx, text: &str) -> String {
    with_text(&ctx.domain(1), "name", text).unwrap_or_default()
}

pub(super) fn stay_inside(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let config = bench.config().clone();
    let own = [
        config.conf_dir.as_path(),
        config.state_dir.as_path(),
        config.run_dir.as_path(),
        config.log_dir.as_path(),
    ];
    // The suite's own notes lie beside the driver's folders.
    let before = paths(ctx.root(), &own)?;
    let is_startable = ctx.fixtures().domain.startable && ctx.fixtures().guests == crate::fixture::Room::Memory;
    let outside = ["/tmp/escape", "/escape"];
    for (text, name) in hostile(ctx) {
        let Ok(brief) = bench.define(&document(ctx, &text)) else {
            continue;
        };
        // Every way that may make a file by the name.
        bench.set_autostart(brief.uuid, true).succeeds("set_autostart")?;
        if is_startable && bench.start(brief.uuid).is_ok() {
            bench.destroy(brief.uuid).succeeds("destroy")?;
        }
        let after = paths(ctx.root(), &own)?;
        let mut new: Vec<String> = after
            .difference(&before)
            .map(|path| path.display().to_string())
            .collect();
        new.extend(
            outside
                .iter()
                .filter(|path| std::path::Path::new(path).exists())
                .map(ToString::to_string),
        );
        ensure!(
            new.is_empty(),
            "define of a domain with the name {name:?}: expected no file outside of the driver's folders, found {}",
            new.join(", ")
        );
        bench.undefine(brief.uuid).succeeds("undefine")?;
    }
    expect_service(ctx, &bench)
}

pub(super) fn found_as_given(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let files = crate::bench::Bench::files(&bench.config().conf_dir);
    for (text, name) in hostile(ctx) {
        let what = format!(
            "define of a domain with the name {:?}",
            name.chars().take(60).collect::<String>()
        );
        let answer = bench.define(&document(ctx, &text));
        if let Ok(brief) = &answer {
            let has_control = name
                .chars()
                .any(|character| character.is_control() && character != '\t');
            ensure!(
                !has_control && !name.trim().is_empty(),
                "{what}: expected a refusal of an empty name and of control characters, found {:?}",
                brief.name
            );
            ensure_eq!(brief.name.trim(), name.trim(), "{what}: the name of the brief");
            let found = bench.by_name(&brief.name).succeeds("by_name")?;
            ensure_eq!(found.map(|found| found.uuid), Some(brief.uuid), "{what}: by_name");
        }
        super::judge(&bench, &what, answer)?;
        let left = crate::bench::Bench::files(&bench.config().conf_dir);
        ensure!(
            left == files,
            "{what}, and undefine: expected 'conf_dir' as before, found {:?}",
            left.keys()
        );
    }
    expect_service(ctx, &bench)
}

pub(super) fn uuids(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let plain = uuid.to_string();
    let bare: String = plain.chars().filter(|character| *character != '-').collect();
    let same = [
        plain.to_uppercase(),
        bare.clone(),
        format!(" {plain} "),
        format!("\n  {plain}\n"),
    ];
    for text in same {
        let document = with_text(&ctx.domain(1), "uuid", &text).unwrap_or_default();
        let what = format!("define with the UUID {text:?}");
        match bench.define(&document) {
            Ok(brief) => {
                ensure_eq!(brief.uuid, uuid, "{what}, which was not refused: the UUID of the brief");
                let printed = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
                let shown = tree(&printed)?
                    .child("uuid")
                    .and_then(|shown| shown.text().parse::<Uuid>().ok());
                ensure_eq!(shown, Some(uuid), "{what}: the UUID in dump_xml");
                bench.undefine(uuid).succeeds("undefine")?;
            }
            Err(error) => {
                Err::<(), _>(error).fails_with(&refusals(), &what)?;
            }
        }
    }
    let none = [
        Uuid::default().to_string(),
        bare[..31].to_owned(),
        format!("{bare}0"),
        format!("{plain}-"),
        plain.replacen(|character: char| character.is_ascii_hexdigit(), "g", 1),
        format!("{{{plain}}}"),
        format!("urn:uuid:{plain}"),
        "\u{ff10}".repeat(32),
        "-".repeat(36),
        "0".repeat(100_000),
        "../../escape".to_owned(),
    ];
    for text in none {
        let document = with_text(&ctx.domain(1), "uuid", &text).unwrap_or_default();
        let shown: String = text.chars().take(60).collect();
        let what = format!("define with the UUID {shown:?}");
        if let Ok(brief) = bench.define(&document) {
            // Taken: then as what the interface's own reader makes of it.
            let meant = text.parse::<Uuid>().ok();
            ensure!(
                meant == Some(brief.uuid),
                "{what}: expected a refusal, found a domain with the UUID '{}'",
                brief.uuid
            );
            bench.undefine(brief.uuid).succeeds("undefine")?;
        } else {
            try_define(&bench, &what, &document)?;
        }
    }
    expect_service(ctx, &bench)
}

pub(super) fn arguments(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let uuid = ctx.uuid(1);
    let mut random = ctx.random();
    for name in hostile(ctx)
        .into_iter()
        .map(|(_, name)| name)
        .chain(["n".repeat(10 << 20)])
    {
        let found = bench.by_name(&name).succeeds("by_name")?;
        ensure!(
            found.is_none(),
            "by_name of a hostile name: expected nothing, found {found:?}"
        );
    }
    for _ in 0..200 {
        let id = random.i32(..);
        let found = bench.by_id(id).succeeds("by_id")?;
        ensure!(
            found.is_none(),
            "by_id({id}), and nothing runs: expected nothing, found {found:?}"
        );
        let other = Uuid::from_bytes(std::array::from_fn(|_| random.u8(..)));
        let found = bench.by_uuid(other).succeeds("by_uuid")?;
        ensure!(found.is_none(), "by_uuid('{other}'): expected nothing, found {found:?}");
        // Whatever the bits: an answer, and the domain stays as it is.
        let flags = random.u32(..) | (1 << 31);
        let answers = [
            bench.dump_xml(uuid, flags).is_err(),
            bench.virt("start", |virt, call| virt.start(call, uuid, flags)).is_err(),
            bench
                .virt("destroy", |virt, call| virt.destroy(call, uuid, flags))
                .is_err(),
            bench
                .virt("undefine", |virt, call| virt.undefine(call, uuid, flags))
                .is_err(),
        ];
        ensure_eq!(
            answers,
            [true; 4],
            "dump_xml, start, destroy, undefine with flags {flags:#x}: whether each is refused"
        );
    }
    let found = crate::checks::domains::expect_state(&bench, uuid, State::Shutoff, "hostile arguments")?;
    ensure!(
        found.persistent,
        "after hostile arguments: expected the definition to stay, found it gone"
    );
    expect_calm(&bench)
}
