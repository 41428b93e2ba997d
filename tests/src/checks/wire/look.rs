//! Looking at domains over the wire: look-ups, lists and their flags, documents.

use super::DOMAINS;
use super::daemon::{Daemon, Told};
use crate::check::{Check, Ctx, Outcome, must};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use driver_api::types::uuid::Uuid;
use lockstep::client::Connection;
use lockstep::rpc::codec::domain::{
    ConnectListAllDomains, ConnectListDefinedDomains, ConnectListDomains, ConnectNumOfDefinedDomains,
    DomainCreateWithFlags, DomainDefineXml, DomainDestroy, DomainGetXmlDesc, DomainIsActive, DomainIsPersistent,
    DomainLookupById, DomainLookupByName, DomainLookupByUuid, DomainRef, DomainUndefine, NO_ID,
};
use std::collections::BTreeSet;

/// `virConnectListAllDomainsFlags`, in pairs: each domain is in one half of each.
const HALVES: [(u32, u32, &str); 4] = [
    (1, 2, "active and inactive"),
    (4, 8, "persistent and transient"),
    (1024, 2048, "with and without autostart"),
    (256, 512, "with and without a managed save image"),
];

/// Those by state: each domain is in one of them.
const STATES: [u32; 4] = [16, 32, 64, 128];

pub(crate) const CHECKS: &[Check] = &[
    must(
        "WIRE-001",
        "a domain that is defined is found by its name and UUID, and listed",
        "wire.lifecycle",
        DOMAINS,
        "Every client looks a domain up before it does anything with it.",
        "Publish the domain before `define` returns.",
        is_found,
    ),
    must(
        "WIRE-002",
        "a domain that there is not is error 42, whatever is asked of it",
        "wire.errors",
        DOMAINS,
        "Clients tell 'not there' from every other failure by this number alone.",
        "Answer `Code::NO_DOMAIN` from each method whose domain is unknown.",
        missing_is_42,
    ),
    must(
        "WIRE-003",
        "the flags of a list divide all domains, and the count agrees",
        "wire.lifecycle",
        DOMAINS,
        "`virsh list` and every dashboard ask for parts of the list and add them up.",
        "Tell state, persistence and autostart of each domain truly in its brief.",
        flags_divide,
    ),
    must(
        "WIRE-004",
        "the old calls for lists agree with the new one",
        "wire.lifecycle",
        DOMAINS,
        "Bindings of many languages still use them.",
        "Tell of each domain truly whether it has an id: all these calls are answered from the driver's one list.",
        old_calls_agree,
    ),
    must(
        "WIRE-005",
        "the document that is shown can be defined again and shows the same",
        "wire.lifecycle",
        DOMAINS,
        "`virsh edit` takes what is shown, changes a line and defines it.",
        "Print everything that was read, in a form that is read as the same.",
        goes_round,
    ),
    must(
        "WIRE-006",
        "two connections see the same domains",
        "wire.lifecycle",
        DOMAINS,
        "One client defines, another one starts.",
        "Keep domains in the driver, not with the connection.",
        two_see_the_same,
    ),
    must(
        "WIRE-007",
        "flags that nobody knows are refused with error 8",
        "wire.errors",
        DOMAINS,
        "A client that asks for something new must hear that it is not there.",
        "Refuse each flag bit that is not yours.",
        unknown_flags_are_8,
    ),
];

fn list(connection: &mut Connection, flags: u32) -> Outcome<BTreeSet<Uuid>> {
    let need_results = 1;
    let listed = connection
        .call(&ConnectListAllDomains { need_results, flags })
        .works(format_args!("listing domains with flags {flags:#x}"))?;
    let uuids: BTreeSet<Uuid> = listed.items.0.iter().map(|dom| dom.uuid).collect();
    ensure_eq!(uuids.len(), listed.items.0.len(), "different domains on a list");
    let count = usize::try_from(listed.count).unwrap_or(0);
    ensure_eq!(count, listed.items.0.len(), "the count beside a list");
    Ok(uuids)
}

fn is_found(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let defined = daemon.define(&mut connection, 1)?;
    let (name, uuid) = (daemon.called(1), daemon.uuid(1));
    ensure_eq!(
        (&defined.name, defined.uuid, defined.id),
        (&name, uuid, NO_ID),
        "what defining a domain answers"
    );
    let found = connection
        .call(&DomainLookupByName { name })
        .works("looking a domain up by its name")?;
    ensure_eq!(found, defined, "the domain that was looked up by its name");
    let found = connection
        .call(&DomainLookupByUuid { uuid })
        .works("looking a domain up by its UUID")?;
    ensure_eq!(found, defined, "the domain that was looked up by its UUID");
    for (flags, there) in [
        (0, true),
        (2, true),
        (4, true),
        (2 | 64, true),
        (1, false),
        (8, false),
        (16, false),
    ] {
        let listed = list(&mut connection, flags)?.contains(&uuid);
        ensure_eq!(
            listed,
            there,
            "whether a defined domain is on the list with flags {flags:#x}"
        );
    }
    let dom = defined;
    let active = connection
        .call(&DomainIsActive { dom: dom.clone() })
        .works("asking whether it is active")?;
    let persistent = connection
        .call(&DomainIsPersistent { dom })
        .works("asking whether it is persistent")?;
    ensure_eq!(
        (active, persistent),
        (0, 1),
        "whether a defined domain is active and persistent"
    );
    Ok(())
}

fn missing_is_42(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let none = [Code::NO_DOMAIN];
    let (name, uuid) = (daemon.called(1), daemon.uuid(1));
    connection
        .call(&DomainLookupByName { name })
        .fails_with(&none, "looking up a name that there is not")?;
    connection
        .call(&DomainLookupByUuid { uuid })
        .fails_with(&none, "looking up a UUID that there is not")?;
    connection
        .call(&DomainLookupById { id: 2_000_000_000 })
        .fails_with(&none, "looking up an id that there is not")?;
    let dom = daemon.define(&mut connection, 1)?;
    connection
        .call(&DomainUndefine { dom: dom.clone() })
        .works("undefining a domain")?;
    let (flags, what) = (0, "of a domain that was undefined");
    let name = daemon.called(1);
    connection
        .call(&DomainLookupByName { name })
        .fails_with(&none, format_args!("the look-up {what}"))?;
    connection
        .call(&DomainGetXmlDesc {
            dom: dom.clone(),
            flags,
        })
        .fails_with(&none, format_args!("the document {what}"))?;
    connection
        .call(&DomainCreateWithFlags {
            dom: dom.clone(),
            flags,
        })
        .fails_with(&none, format_args!("the start {what}"))?;
    connection
        .call(&DomainDestroy { dom: dom.clone() })
        .fails_with(&none, format_args!("the end {what}"))?;
    connection
        .call(&DomainUndefine { dom })
        .fails_with(&none, format_args!("the undefinition {what}"))
}

fn flags_divide(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    for n in 1..=3 {
        daemon.define(&mut connection, n)?;
    }
    if ctx.fixtures().domain.startable && ctx.fixtures().domain.stays {
        let (dom, flags) = (daemon.reference(2), 0);
        connection
            .call(&DomainCreateWithFlags { dom, flags })
            .works("starting a domain")?;
    }
    let own: BTreeSet<Uuid> = (1..=3).map(|n| daemon.uuid(n)).collect();
    // Others may use the daemon meanwhile: only what is known is counted.
    let mut part =
        |flags| -> Outcome<BTreeSet<Uuid>> { Ok(list(&mut connection, flags)?.intersection(&own).copied().collect()) };
    ensure_eq!(part(0)?, own, "our domains on the list of all");
    for (one, other, what) in HALVES {
        let (one, other, both) = (part(one)?, part(other)?, part(one | other)?);
        ensure!(
            one.is_disjoint(&other),
            "lists of domains {what}: expected none on both, found {one:?} and {other:?}"
        );
        ensure_eq!(&one | &other, own, "the lists of domains {what} together");
        ensure_eq!(both, own, "the list of domains {what} in one call");
    }
    let mut states = BTreeSet::new();
    for flag in STATES {
        let with = part(flag)?;
        ensure!(
            states.is_disjoint(&with),
            "lists by state: expected each domain on one, found {with:?} on two"
        );
        states.extend(with);
    }
    ensure_eq!(states, own, "the lists by state together");
    Ok(())
}

fn old_calls_agree(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    daemon.define(&mut connection, 1)?;
    let names = connection
        .call(&ConnectListDefinedDomains { max: 16_384 })
        .works("listing names of defined domains")?;
    ensure!(
        names.0.contains(&daemon.called(1)),
        "names of defined domains: expected '{}', found {:?}",
        daemon.called(1),
        names.0
    );
    let count = connection
        .call(&ConnectNumOfDefinedDomains {})
        .works("counting defined domains")?;
    ensure!(
        count >= 1,
        "the count of defined domains: expected at least 1, found {count}"
    );
    let cut = connection
        .call(&ConnectListDefinedDomains { max: 0 })
        .works("listing no names at all")?;
    ensure!(
        cut.0.is_empty(),
        "names of at most 0 domains: expected none, found {:?}",
        cut.0
    );
    if !ctx.fixtures().domain.startable || !ctx.fixtures().domain.stays {
        return Ok(());
    }
    let dom = daemon.define(&mut connection, 2)?;
    let flags = 0;
    let started = connection
        .call(&DomainCreateWithFlags { dom, flags })
        .works("starting a domain")?;
    for ended in [false, true] {
        if ended {
            let dom = started.clone();
            connection.call(&DomainDestroy { dom }).works("ending a domain")?;
        }
        let what = if ended { "ended" } else { "runs" };
        let ids = connection
            .call(&ConnectListDomains { max: 16_384 })
            .works("listing ids of running domains")?;
        ensure_eq!(
            ids.0.contains(&started.id),
            !ended,
            "whether the id of a domain that {what} is among those of running domains"
        );
        let names = connection
            .call(&ConnectListDefinedDomains { max: 16_384 })
            .works("listing names of defined domains")?;
        ensure_eq!(
            names.0.contains(&daemon.called(2)),
            ended,
            "whether the name of a domain that {what} is among those of domains that do not run"
        );
    }
    Ok(())
}

fn shown(connection: &mut Connection, dom: &DomainRef) -> Outcome<String> {
    let (dom, flags) = (dom.clone(), 2);
    connection
        .call(&DomainGetXmlDesc { dom, flags })
        .works("showing a domain's document")
}

fn goes_round(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let dom = daemon.define(&mut connection, 1)?;
    let first = shown(&mut connection, &dom)?;
    ensure!(
        first.contains(&daemon.called(1)),
        "a domain's document: expected its name, found {first:?}"
    );
    let xml = first.clone();
    connection
        .call(&DomainDefineXml { xml })
        .works("defining what is shown")?;
    ensure_eq!(
        shown(&mut connection, &dom)?,
        first,
        "the document of a domain that was defined as it was shown"
    );
    let xml = daemon.changed(1);
    connection
        .call(&DomainDefineXml { xml })
        .works("defining something else")?;
    let second = shown(&mut connection, &dom)?;
    ensure!(
        second != first,
        "a domain's document after defining something else: expected that, found the old one"
    );
    connection
        .call(&DomainUndefine { dom: dom.clone() })
        .works("undefining a domain")?;
    let xml = first.clone();
    connection
        .call(&DomainDefineXml { xml })
        .works("defining what was shown, after undefining")?;
    ensure_eq!(
        shown(&mut connection, &dom)?,
        first,
        "the document of a domain that was defined anew"
    );
    Ok(())
}

fn two_see_the_same(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let (mut one, mut other) = (daemon.connect()?, daemon.connect()?);
    let dom = daemon.define(&mut one, 1)?;
    let uuid = daemon.uuid(1);
    ensure!(
        list(&mut other, 0)?.contains(&uuid),
        "another connection's list: expected the domain, found it not"
    );
    ensure_eq!(
        shown(&mut other, &dom)?,
        shown(&mut one, &dom)?,
        "another connection's document"
    );
    other
        .call(&DomainUndefine { dom })
        .works("undefining on another connection")?;
    ensure!(
        !list(&mut one, 0)?.contains(&uuid),
        "the first connection's list: expected that the domain is gone, found it"
    );
    Ok(())
}

fn unknown_flags_are_8(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let dom = daemon.define(&mut connection, 1)?;
    let (need_results, flags, bad) = (1, 1 << 30, [Code::INVALID_ARG]);
    connection
        .call(&ConnectListAllDomains { need_results, flags })
        .fails_with(&bad, "listing with an unknown flag")?;
    let dom = || dom.clone();
    connection
        .call(&DomainGetXmlDesc { dom: dom(), flags })
        .fails_with(&bad, "a document with an unknown flag")?;
    connection
        .call(&DomainCreateWithFlags { dom: dom(), flags })
        .fails_with(&bad, "a start with an unknown flag")?;
    let active = connection
        .call(&DomainIsActive { dom: dom() })
        .works("asking whether it is active")?;
    ensure_eq!(active, 0, "whether the domain is active after a start that was refused");
    Ok(())
}
