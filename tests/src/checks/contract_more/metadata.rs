//! `virt.metadata/1`.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::domains::{BAD_DOCUMENT, Picture, UNKNOWN_FLAG, VIRT, either, expect_calm, running, tree};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE, XML_INACTIVE};
use driver_api::types::metadata::MetadataChange;
use driver_api::types::notice::Notice;
use driver_api::types::uuid::Uuid;

const METADATA: Check = Check {
    needs: &["virt.lifecycle/1", "virt.metadata/1"],
    clause: "metadata.set",
    ..VIRT
};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VIRT-120",
        title: "a note that was set is shown as it is, and one that was removed is gone",
        why: "Other programs keep what they know of a domain there: they must find what they wrote.",
        fix: "Keep the notes in the definition's tree; `Element::into_namespace` keeps one element for each namespace.",
        run: notes_are_shown,
        ..METADATA
    },
    Check {
        id: "VIRT-121",
        title: "a note is set where the flags say: in what runs, in the definition, or in both",
        why: "A note on this run must not be found in the next one, and the other way round.",
        fix: "Decide by flags and state which of the two documents are changed, and change both or neither.",
        run: goes_where_it_belongs,
        ..METADATA
    },
    Check {
        id: "VIRT-122",
        title: "a note that can not be made is refused, and nothing changes",
        why: "A broken element in <metadata> makes the whole document unreadable.",
        fix: "Parse the element before you keep it: 8 for what is none, 42 and 55 as everywhere.",
        run: refuses,
        ..METADATA
    },
    Check {
        id: "VIRT-123",
        title: "every change of a note is told",
        why: "Programs that share a domain's notes learn by it that they should read again.",
        fix: "Raise `Notice::MetadataChanged` with the kind and, for an element, its namespace.",
        run: is_told,
        ..METADATA
    },
];

const URI: &str = "urn:suite:notes";

fn set(bench: &Bench, uuid: Uuid, change: &MetadataChange<'_>, flags: u32) -> Result<()> {
    bench.call("set_metadata", |driver, call| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "virt.metadata/1 is not offered");
        driver
            .metadata()
            .ok_or_else(none)?
            .set_metadata(call, uuid, change, flags)
    })
}

/// Title, description, and how many elements of the suite's namespace there are with their text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Notes {
    title: Option<String>,
    description: Option<String>,
    elements: Vec<String>,
}

fn notes(bench: &Bench, uuid: Uuid, flags: u32) -> Outcome<Notes> {
    let root = tree(&bench.dump_xml(uuid, flags).succeeds("dump_xml")?)?;
    let text = |name: &str| root.child(name).map(driver_api::kit::xml::Element::text);
    let metadata = root.child("metadata").into_iter();
    let elements = metadata.flat_map(|metadata| metadata.elements());
    let ours = elements.filter(|element| element.name.rsplit(':').next() == Some("suite-note"));
    Ok(Notes {
        title: text("title"),
        description: text("description"),
        elements: ours.map(driver_api::kit::xml::Element::text).collect(),
    })
}

fn element(text: &str) -> MetadataChange<'_> {
    MetadataChange::Element {
        uri: URI,
        element: Some((text, "suite")),
    }
}

fn notes_are_shown(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let (title, description) = ("a & b <c>", "one\ntwo \u{6f22} \"three\"");
    for round in 1..=2 {
        set(&bench, uuid, &MetadataChange::Title(Some(title)), 0).succeeds("set_metadata of a title")?;
        let change = MetadataChange::Description(Some(description));
        set(&bench, uuid, &change, 0).succeeds("set_metadata of a description")?;
        set(&bench, uuid, &element("<suite-note>x &amp; y</suite-note>"), 0).succeeds("set_metadata of an element")?;
        let shown = notes(&bench, uuid, 0)?;
        let expected = Notes {
            title: Some(title.to_owned()),
            description: Some(description.to_owned()),
            elements: vec!["x & y".to_owned()],
        };
        ensure_eq!(shown, expected, "dump_xml after notes were set, round {round}");
    }
    let printed = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    bench.define(&printed).succeeds("define of a document with notes")?;
    let again = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
    ensure_eq!(again, printed, "dump_xml after define of a document with notes");
    for change in [
        MetadataChange::Title(None),
        MetadataChange::Description(None),
        MetadataChange::Element {
            uri: URI,
            element: None,
        },
    ] {
        set(&bench, uuid, &change, 0).succeeds("set_metadata that removes a note")?;
    }
    ensure_eq!(
        notes(&bench, uuid, 0)?,
        Notes::default(),
        "dump_xml after notes were removed"
    );
    expect_calm(&bench)
}

fn title(bench: &Bench, uuid: Uuid) -> Outcome<[Option<String>; 2]> {
    Ok([notes(bench, uuid, 0)?.title, notes(bench, uuid, XML_INACTIVE)?.title])
}

fn goes_where_it_belongs(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    running(ctx, &bench, 1)?;
    let change = |text: Option<&str>, flags: u32| {
        let what = format!("set_metadata with flags {flags} of a domain that runs");
        set(&bench, uuid, &MetadataChange::Title(text), flags).succeeds(what)
    };
    let texts = |live: &str, defined: &str| [Some(live.to_owned()), Some(defined.to_owned())];
    change(Some("both"), AFFECT_LIVE | AFFECT_CONFIG)?;
    ensure_eq!(
        title(&bench, uuid)?,
        texts("both", "both"),
        "titles (live, defined) after a change of both"
    );
    change(Some("live"), AFFECT_LIVE)?;
    ensure_eq!(
        title(&bench, uuid)?,
        texts("live", "both"),
        "titles (live, defined) after a change of what runs"
    );
    change(Some("defined"), AFFECT_CONFIG)?;
    ensure_eq!(
        title(&bench, uuid)?,
        texts("live", "defined"),
        "titles (live, defined) after a change of the definition"
    );
    change(Some("now"), 0)?;
    ensure_eq!(
        title(&bench, uuid)?,
        texts("now", "defined"),
        "titles (live, defined) after a change with flags 0"
    );
    bench.destroy(uuid).succeeds("destroy")?;
    ensure_eq!(
        title(&bench, uuid)?,
        texts("defined", "defined"),
        "titles when the domain is off"
    );
    set(&bench, uuid, &MetadataChange::Title(Some("idle")), 0).succeeds("set_metadata of a domain that is off")?;
    ensure_eq!(
        title(&bench, uuid)?,
        texts("idle", "idle"),
        "titles after a change of a domain that is off"
    );
    expect_calm(&bench)
}

fn refuses(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let good = MetadataChange::Title(Some("x"));
    set(&bench, uuid, &good, 0).fails_with(&[Code::NO_DOMAIN], "set_metadata of a domain that there is not")?;
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let before = Picture::of(&bench)?;
    let live = set(&bench, uuid, &good, AFFECT_LIVE);
    live.fails_with(
        &[Code::OPERATION_INVALID],
        "set_metadata with AFFECT_LIVE of a domain that is off",
    )?;
    before.expect_same(&bench, "a refused set_metadata")?;
    let flags = set(&bench, uuid, &good, UNKNOWN_FLAG);
    flags.fails_with(&[Code::INVALID_ARG], "set_metadata with an unknown flag")?;
    before.expect_same(&bench, "a refused set_metadata")?;
    let lines = set(&bench, uuid, &MetadataChange::Title(Some("one\ntwo")), 0);
    lines.fails_with(
        &either(&[Code::INVALID_ARG], BAD_DOCUMENT),
        "set_metadata of a title of two lines",
    )?;
    before.expect_same(&bench, "a refused set_metadata")?;
    for bad in ["", "text", "<a>", "<a/><b/>", "<a>&nobody;</a>", "</metadata><a/>"] {
        let what = format!("set_metadata of the element '{bad}'");
        let codes = either(&[Code::INVALID_ARG], BAD_DOCUMENT);
        set(&bench, uuid, &element(bad), 0).fails_with(&codes, &what)?;
        before.expect_same(&bench, &what)?;
    }
    if ctx.fixtures().domain.transient && ctx.fixtures().domain.startable {
        bench.create(&ctx.domain(2)).succeeds("create")?;
        let config = set(&bench, ctx.uuid(2), &good, AFFECT_CONFIG);
        config.fails_with(
            &[Code::OPERATION_INVALID],
            "set_metadata with AFFECT_CONFIG of a transient domain",
        )?;
        bench.destroy(ctx.uuid(2)).succeeds("destroy")?;
    }
    expect_calm(&bench)
}

fn is_told(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let mut expected = Vec::new();
    let changes = [
        (MetadataChange::Title(Some("x")), 1, None),
        (MetadataChange::Description(Some("y")), 0, None),
        (element("<suite-note/>"), 2, Some(URI.to_owned())),
        (MetadataChange::Title(None), 1, None),
    ];
    for (change, kind, uri) in changes {
        set(&bench, uuid, &change, 0).succeeds("set_metadata")?;
        expected.push(Notice::MetadataChanged { kind, uri });
        let told: Vec<Notice> = bench
            .recording()
            .notices
            .into_iter()
            .map(|notice| notice.notice)
            .collect();
        ensure_eq!(told, expected, "the notices after changes of notes");
    }
    let refused = set(&bench, uuid, &MetadataChange::Title(Some("z")), UNKNOWN_FLAG);
    ensure!(
        refused.is_err(),
        "set_metadata with an unknown flag: expected an error, found success"
    );
    let count = bench.recording().notices.len();
    ensure_eq!(count, expected.len(), "the number of notices after a refused change");
    expect_calm(&bench)
}
