//! What the checks of virt drivers share: a base for their entries, pictures of all that is visible, steps to a state.

use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome, Reason};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Error};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::domain::flags::XML_INACTIVE;
use driver_api::types::domain::{DomainBrief, DomainEventKind, Lifecycle, State};
use driver_api::types::uuid::Uuid;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// What most checks of virt drivers have in common.
pub(crate) const VIRT: Check = Check {
    id: "",
    title: "",
    clause: "",
    level: Level::Must,
    needs: &["virt.lifecycle/1"],
    privileged: false,
    why: "",
    fix: "",
    run: without_steps,
};

fn without_steps(_ctx: &Ctx) -> Outcome {
    Err(Failure::new("this check was entered without its steps"))
}

/// A document that is none, or asks for what can not be.
pub(crate) const BAD_DOCUMENT: &[Code] = &[
    Code::XML_ERROR,
    Code::PARSE_FAILED,
    Code::XML_DETAIL,
    Code::CONFIG_UNSUPPORTED,
    Code::XML_INVALID_SCHEMA,
];

/// What a driver says that can not do a thing at all.
pub(crate) const CAN_NOT: &[Code] = &[
    Code::NO_SUPPORT,
    Code::ARGUMENT_UNSUPPORTED,
    Code::OPERATION_UNSUPPORTED,
];

/// A bit that no flag has.
pub(crate) const UNKNOWN_FLAG: u32 = 1 << 30;

/// Codes of two lists.
pub(crate) fn either(first: &[Code], second: &[Code]) -> Vec<Code> {
    first.iter().chain(second).copied().collect()
}

/// Everything that clients can see and what is stored: for "nothing has changed".
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Picture {
    briefs: BTreeMap<Uuid, DomainBrief>,
    documents: BTreeMap<Uuid, [std::result::Result<String, u32>; 2]>,
    files: HashMap<PathBuf, Vec<u8>>,
    events: usize,
}

impl Picture {
    /// As things are now.
    pub(crate) fn of(bench: &Bench) -> Outcome<Self> {
        let list = bench.list().succeeds("list")?;
        let mut briefs = BTreeMap::new();
        let mut documents = BTreeMap::new();
        for brief in list {
            let uuid = brief.uuid;
            let show = |flags| bench.dump_xml(uuid, flags).map_err(|error| error.code().0);
            documents.insert(uuid, [show(0), show(XML_INACTIVE)]);
            let twice = briefs.insert(uuid, brief).is_some();
            ensure!(!twice, "list: expected every domain once, found '{uuid}' twice");
        }
        Ok(Self {
            briefs,
            documents,
            files: Bench::files(&bench.config().conf_dir),
            events: bench.recording().events.len(),
        })
    }

    /// Nothing may differ from this picture.
    pub(crate) fn expect_same(&self, bench: &Bench, after: &str) -> Outcome {
        let now = Self::of(bench)?;
        ensure_eq!(
            now.briefs,
            self.briefs,
            "after {after}, which changes nothing: the domains that 'list' shows"
        );
        ensure_eq!(
            now.documents,
            self.documents,
            "after {after}, which changes nothing: what 'dump_xml' shows"
        );
        if now.files != self.files {
            let text = differing(&self.files, &now.files);
            return Err(Failure::new(format!(
                "after {after}, which changes nothing: expected the files of 'conf_dir' to be as before, found {text}"
            )));
        }
        ensure_eq!(
            now.events,
            self.events,
            "after {after}, which changes nothing: the number of events so far"
        );
        Ok(())
    }
}

fn differing(before: &HashMap<PathBuf, Vec<u8>>, now: &HashMap<PathBuf, Vec<u8>>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for (path, content) in now {
        match before.get(path) {
            None => texts.push(format!("'{}' new", path.display())),
            Some(old) if old != content => texts.push(format!("'{}' changed", path.display())),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    texts.extend(gone.map(|path| format!("'{}' gone", path.display())));
    texts.sort();
    texts.join(", ")
}

/// The domain, which must be there.
pub(crate) fn brief(bench: &Bench, uuid: Uuid) -> Outcome<DomainBrief> {
    let found = bench.by_uuid(uuid).succeeds("by_uuid")?;
    found.ok_or_else(|| Failure::new(format!("by_uuid: expected domain '{uuid}', found nothing")))
}

/// The domain must be there in this state, and every way to look must show it alike.
pub(crate) fn expect_state(bench: &Bench, uuid: Uuid, state: State, after: &str) -> Outcome<DomainBrief> {
    let found = brief(bench, uuid).map_err(|failure| failure.when(format_args!("after {after}")))?;
    ensure_eq!(found.state, state, "after {after}: the state");
    ensure_eq!(
        found.id.is_some(),
        state.is_active(),
        "after {after}: whether the domain, which is {state:?}, has an id"
    );
    if let Some(id) = found.id {
        ensure!(id > 0, "after {after}: the id: expected a positive number, found {id}");
        let by_id = bench.by_id(id).succeeds("by_id")?;
        ensure_eq!(by_id.as_ref(), Some(&found), "after {after}: by_id({id})");
    }
    let by_name = bench.by_name(&found.name).succeeds("by_name")?;
    ensure_eq!(
        by_name.as_ref(),
        Some(&found),
        "after {after}: by_name('{}')",
        found.name
    );
    let mut list = bench.list().succeeds("list")?;
    list.retain(|other| other.uuid == uuid);
    ensure_eq!(
        list,
        vec![found.clone()],
        "after {after}: what 'list' shows of the domain"
    );
    Ok(found)
}

/// The domain must be nowhere to be found.
pub(crate) fn expect_gone(bench: &Bench, uuid: Uuid, name: &str, after: &str) -> Outcome {
    let by_uuid = bench.by_uuid(uuid).succeeds("by_uuid")?;
    ensure!(
        by_uuid.is_none(),
        "after {after}: by_uuid: expected nothing, found {by_uuid:?}"
    );
    let by_name = bench.by_name(name).succeeds("by_name")?;
    ensure!(
        by_name.is_none(),
        "after {after}: by_name: expected nothing, found {by_name:?}"
    );
    let list = bench.list().succeeds("list")?;
    let listed = list.iter().any(|brief| brief.uuid == uuid || brief.name == name);
    ensure!(!listed, "after {after}: list: expected the domain to be gone, found it");
    bench
        .dump_xml(uuid, 0)
        .fails_with(&[Code::NO_DOMAIN], format_args!("dump_xml after {after}"))?;
    Ok(())
}

/// Ends the check with a skip unless its domains can be started and stay.
pub(crate) fn startable(ctx: &Ctx) -> Outcome {
    let domain = &ctx.fixtures().domain;
    if domain.startable && domain.stays {
        return Ok(());
    }
    let text = "the fixtures say that 'domain.valid' can not be started, or does not stay";
    Err(Failure::Skip(Reason::Config, text.to_owned()))
}

/// Defines and starts the `n`th domain.
pub(crate) fn running(ctx: &Ctx, bench: &Bench, n: usize) -> Outcome<DomainBrief> {
    startable(ctx)?;
    bench.define(&ctx.domain(n)).succeeds("define of 'domain.valid'")?;
    bench.start(ctx.uuid(n)).succeeds("start of 'domain.valid'")?;
    brief(bench, ctx.uuid(n))
}

/// Ends and undefines a domain, as far as it is there.
pub(crate) fn remove(bench: &Bench, uuid: Uuid) -> Outcome {
    let found = bench.by_uuid(uuid).succeeds("by_uuid")?;
    if found.is_some_and(|brief| brief.id.is_some()) {
        bench.destroy(uuid).succeeds("destroy")?;
    }
    if bench.by_uuid(uuid).succeeds("by_uuid")?.is_some() {
        bench.undefine(uuid).succeeds("undefine")?;
    }
    Ok(())
}

/// Nothing is held, nothing panicked, no rule of the locks was broken.
pub(crate) fn expect_calm(bench: &Bench) -> Outcome {
    let seen = bench.recording();
    if let Some(panic) = seen.panics.first() {
        return Err(Failure::new(format!("expected no panic, found: {panic}")));
    }
    if let Some(breach) = seen.breaches.first() {
        return Err(Failure::new(format!(
            "expected the rules of locks to be kept, found {breach}"
        )));
    }
    bench.expect_nothing_held()
}

/// A lifecycle event as checks compare it: what happened, the detail, the id afterwards.
pub(crate) type Told = (Lifecycle, u32, Option<i32>);

/// The lifecycle events of a domain so far. `Shutdown`, which tells that a guest is about to stop, may come or not.
pub(crate) fn told(bench: &Bench, uuid: Uuid) -> Vec<Told> {
    let events = bench.events(uuid).into_iter();
    let told = events.filter_map(|event| match event.kind {
        DomainEventKind::Lifecycle(Lifecycle::Shutdown, _) | DomainEventKind::Reboot => None,
        DomainEventKind::Lifecycle(kind, detail) => Some((kind, detail, event.id)),
    });
    told.collect()
}

/// How often a domain was said to have rebooted.
pub(crate) fn reboots(bench: &Bench, uuid: Uuid) -> usize {
    let events = bench.events(uuid);
    let reboots = events.iter().filter(|event| event.kind == DomainEventKind::Reboot);
    reboots.count()
}

/// A refusal must say something that a person can read, and not repeat a whole document.
pub(crate) fn expect_words(error: &Error, what: &str) -> Outcome {
    let text = error.to_string();
    ensure!(
        !text.trim().is_empty(),
        "{what}: expected an error in words, found an empty one"
    );
    let length = text.len();
    ensure!(
        length <= 16 * 1024,
        "{what}: expected an error that a person can read, found one of {length} bytes"
    );
    Ok(())
}

/// A document of the driver's, read.
pub(crate) fn tree(xml: &str) -> Outcome<Element> {
    let read = parse(xml.as_bytes(), driver_api::error::Origin::XML, &Limits::default());
    read.map_err(|error| {
        Failure::new(format!(
            "expected a document of XML, found one that is none ({error}): {xml}"
        ))
    })
}

/// The document with `more` as the last child of its root element.
pub(crate) fn with_child(xml: &str, more: &str) -> String {
    match xml.rfind("</domain>") {
        Some(place) => format!("{}{more}{}", &xml[..place], &xml[place..]),
        None => xml.to_owned(),
    }
}

/// The document with one more attribute of its root element.
pub(crate) fn with_attribute(xml: &str, attribute: &str) -> String {
    xml.replacen("<domain", &format!("<domain {attribute}"), 1)
}

/// The document with another text in the first element of this name.
pub(crate) fn with_text(xml: &str, element: &str, text: &str) -> Option<String> {
    let open = xml.find(&format!("<{element}"))?;
    let begin = open + xml[open..].find('>')? + 1;
    let end = begin + xml[begin..].find(&format!("</{element}>"))?;
    Some(format!("{}{text}{}", &xml[..begin], &xml[end..]))
}

/// The document without the first element of this name.
pub(crate) fn without(xml: &str, element: &str) -> Option<String> {
    let open = xml.find(&format!("<{element}"))?;
    let close = format!("</{element}>");
    let end = open + xml[open..].find(&close)? + close.len();
    Some(format!("{}{}", &xml[..open], &xml[end..]))
}
