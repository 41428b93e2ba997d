//! A domain's life over the wire: what changes it, and what it may not do.

use super::DOMAINS;
use super::daemon::{Daemon, Told};
use crate::check::{Check, Ctx, Failure, Outcome, must};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use lockstep::client::Connection;
use lockstep::rpc::codec::domain::{
    ConnectListAllDomains, DomainCreate, DomainCreateXml, DomainDefineXml, DomainDestroy, DomainGetAutostart,
    DomainGetState, DomainIsPersistent, DomainLookupById, DomainLookupByName, DomainLookupByUuid, DomainRef,
    DomainResume, DomainSetAutostart, DomainShutdown, DomainSuspend, DomainUndefine, NO_ID,
};

/// `virDomainState`.
const RUNNING: i32 = 1;
const PAUSED: i32 = 3;
const SHUTOFF: i32 = 5;

/// A document that is none, or that has a part that can not be.
const BAD: &[Code] = &[
    Code::XML_ERROR,
    Code::XML_DETAIL,
    Code::XML_INVALID_SCHEMA,
    Code::PARSE_FAILED,
    Code::CONFIG_UNSUPPORTED,
    Code::INTERNAL,
    Code::INVALID_ARG,
    // `VIR_ERR_NO_NAME`
    Code(21),
];

const INVALID: &[Code] = &[Code::OPERATION_INVALID];

pub(crate) const CHECKS: &[Check] = &[
    must(
        "WIRE-010",
        "a name or UUID that another domain has is refused with error 9, and nothing changes",
        "wire.errors",
        DOMAINS,
        "A domain that could take another one's name would take its disks, too.",
        "Look both up under Virt held exclusively.",
        taken_is_9,
    ),
    must(
        "WIRE-011",
        "a bad document is refused with error 27 or its kin, and nothing is there of it",
        "wire.errors",
        DOMAINS,
        "A client tells a bad document from a broken host by the number.",
        "Map failures of the parser to `Code::XML_ERROR` or its kin.",
        bad_is_27,
    ),
    must(
        "WIRE-012",
        "a domain is started and ended",
        "wire.lifecycle",
        DOMAINS,
        "It is what a host is for.",
        "Publish the state and the id before the call returns.",
        lives,
    ),
    must(
        "WIRE-013",
        "what does not fit a domain's state is refused with error 55",
        "wire.errors",
        DOMAINS,
        "Clients that find a domain running already, or off already, go on: they know the number.",
        "Check the state under Domain.",
        wrong_state_is_55,
    ),
    must(
        "WIRE-014",
        "a domain is paused and goes on",
        "wire.lifecycle",
        DOMAINS,
        "Backups pause a domain and must find it paused.",
        "Publish the state before the call returns.",
        pauses,
    ),
    must(
        "WIRE-015",
        "each step of a domain's life is told by one event, in order",
        "wire.lifecycle",
        DOMAINS,
        "Clients keep their picture of a host by events alone.",
        "Raise the event after the state was published, while the locks of the change are held.",
        super::event::is_told,
    ),
    must(
        "WIRE-016",
        "a transient domain is there while it runs, and gone after it",
        "wire.lifecycle",
        DOMAINS,
        "Tools that make domains for an hour expect that nothing is left of them.",
        "Forget a domain without a definition when its guest ends.",
        transient_goes,
    ),
    must(
        "WIRE-017",
        "a running domain that is undefined is transient from then on",
        "wire.lifecycle",
        DOMAINS,
        "Undefining must not end a guest, nor must the guest's end bring the definition back.",
        "Remove the definition alone.",
        undefined_runs_on,
    ),
    must(
        "WIRE-018",
        "autostart is kept, and refused for a transient domain with error 55",
        "wire.lifecycle",
        DOMAINS,
        "What should come again after a reboot must say so truly.",
        "Store the mark beside the definition.",
        autostart_is_kept,
    ),
];

fn state(connection: &mut Connection, dom: &DomainRef) -> Outcome<i32> {
    let (dom, flags) = (dom.clone(), 0);
    let state = connection.call(&DomainGetState { dom, flags });
    Ok(state.works("asking for a domain's state")?.state)
}

pub(super) fn startable(ctx: &Ctx) -> Outcome {
    let domain = &ctx.fixtures().domain;
    if domain.startable && domain.stays {
        return Ok(());
    }
    Err(Failure::no_fixture("a domain that can be started and stays"))
}

pub(super) fn start(connection: &mut Connection, dom: &DomainRef) -> Outcome {
    let dom = dom.clone();
    connection.call(&DomainCreate { dom }).works("starting a domain")
}

fn taken_is_9(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    daemon.define(&mut connection, 1)?;
    let template = &ctx.fixtures().domain.valid;
    let taken = [Code::OPERATION_FAILED];
    let xml = ctx.domain_as(template, &daemon.called(1), daemon.uuid(2));
    connection
        .call(&DomainDefineXml { xml })
        .fails_with(&taken, "defining a taken name with another UUID")?;
    let xml = ctx.domain_as(template, &daemon.called(2), daemon.uuid(1));
    connection
        .call(&DomainDefineXml { xml })
        .fails_with(&taken, "defining another name with a taken UUID")?;
    let none = [Code::NO_DOMAIN];
    let (name, uuid) = (daemon.called(2), daemon.uuid(2));
    connection
        .call(&DomainLookupByName { name })
        .fails_with(&none, "looking up the name that was refused")?;
    connection
        .call(&DomainLookupByUuid { uuid })
        .fails_with(&none, "looking up the UUID that was refused")
}

fn bad_is_27(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let valid = daemon.document(1);
    let invalid = ctx.fixtures().domain.invalid.iter();
    let invalid = invalid.map(|template| ctx.domain_as(template, &daemon.called(1), daemon.uuid(1)));
    let documents = [
        String::new(),
        String::from("<domain"),
        valid[..valid.len() / 2].to_owned(),
        String::from("<network><name>x</name></network>"),
        valid.replace(&format!("<name>{}</name>", daemon.called(1)), ""),
        valid.replace(&daemon.uuid(1).to_string(), "no-uuid"),
    ];
    for xml in documents.into_iter().chain(invalid) {
        let what = format!("defining {xml:?}");
        connection.call(&DomainDefineXml { xml }).fails_with(BAD, &what)?;
        let name = daemon.called(1);
        let none = [Code::NO_DOMAIN];
        connection
            .call(&DomainLookupByName { name })
            .fails_with(&none, format_args!("the look-up after {what}"))?;
    }
    Ok(())
}

fn lives(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let dom = daemon.define(&mut connection, 1)?;
    ensure_eq!(state(&mut connection, &dom)?, SHUTOFF, "the state of a defined domain");
    let mut ids = Vec::new();
    for _ in 0..2 {
        start(&mut connection, &dom)?;
        ensure_eq!(state(&mut connection, &dom)?, RUNNING, "the state of a started domain");
        let name = daemon.called(1);
        let running = connection
            .call(&DomainLookupByName { name })
            .works("looking up a running domain")?;
        ensure!(
            running.id > 0,
            "the id of a running domain: expected one above 0, found {}",
            running.id
        );
        let id = running.id;
        let found = connection
            .call(&DomainLookupById { id })
            .works("looking up a domain by its id")?;
        ensure_eq!(found.uuid, daemon.uuid(1), "the UUID of the domain with that id");
        connection
            .call(&DomainDestroy { dom: dom.clone() })
            .works("ending a domain")?;
        ensure_eq!(
            state(&mut connection, &dom)?,
            SHUTOFF,
            "the state of a domain that was ended"
        );
        let none = [Code::NO_DOMAIN];
        connection
            .call(&DomainLookupById { id })
            .fails_with(&none, "looking up the id of a domain that was ended")?;
        let name = daemon.called(1);
        let off = connection
            .call(&DomainLookupByName { name })
            .works("looking up a domain that was ended")?;
        ensure_eq!(off.id, NO_ID, "the id of a domain that was ended");
        ids.push(id);
    }
    ensure!(
        ids[0] != ids[1],
        "the ids of two lives of one domain: expected two, found {} twice",
        ids[0]
    );
    connection.call(&DomainUndefine { dom }).works("undefining a domain")
}

fn wrong_state_is_55(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let dom = daemon.define(&mut connection, 1)?;
    let of = || dom.clone();
    connection
        .call(&DomainDestroy { dom: of() })
        .fails_with(INVALID, "ending a domain that is off")?;
    connection
        .call(&DomainShutdown { dom: of() })
        .fails_with(INVALID, "shutting down a domain that is off")?;
    connection
        .call(&DomainSuspend { dom: of() })
        .fails_with(INVALID, "pausing a domain that is off")?;
    connection
        .call(&DomainResume { dom: of() })
        .fails_with(INVALID, "letting a domain go on that is off")?;
    ensure_eq!(
        state(&mut connection, &dom)?,
        SHUTOFF,
        "the state after all that was refused"
    );
    start(&mut connection, &dom)?;
    connection
        .call(&DomainCreate { dom: of() })
        .fails_with(INVALID, "starting a domain that runs")?;
    ensure_eq!(
        state(&mut connection, &dom)?,
        RUNNING,
        "the state after a start that was refused"
    );
    connection.call(&DomainDestroy { dom: of() }).works("ending a domain")
}

fn pauses(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    if !ctx.fixtures().domain.suspendable {
        return Err(Failure::no_fixture("a domain that can be paused"));
    }
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let dom = daemon.define(&mut connection, 1)?;
    start(&mut connection, &dom)?;
    connection
        .call(&DomainSuspend { dom: dom.clone() })
        .works("pausing a domain")?;
    ensure_eq!(state(&mut connection, &dom)?, PAUSED, "the state of a paused domain");
    connection
        .call(&DomainResume { dom: dom.clone() })
        .works("letting a domain go on")?;
    ensure_eq!(
        state(&mut connection, &dom)?,
        RUNNING,
        "the state of a domain that goes on"
    );
    connection
        .call(&DomainResume { dom: dom.clone() })
        .fails_with(INVALID, "letting a domain go on that does")?;
    connection.call(&DomainDestroy { dom }).works("ending a domain")
}

fn transient_goes(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    if !ctx.fixtures().domain.transient {
        return Err(Failure::no_fixture("a transient domain"));
    }
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let (xml, flags) = (daemon.document(1), 0);
    let dom = connection
        .call(&DomainCreateXml { xml, flags })
        .works("making a transient domain")?;
    ensure!(
        dom.id > 0,
        "the id of a transient domain: expected one above 0, found {}",
        dom.id
    );
    let persistent = connection
        .call(&DomainIsPersistent { dom: dom.clone() })
        .works("asking whether it is persistent")?;
    ensure_eq!(persistent, 0, "whether a transient domain is persistent");
    let (need_results, flags) = (1, 8);
    let listed = connection
        .call(&ConnectListAllDomains { need_results, flags })
        .works("listing transient domains")?;
    ensure!(
        listed.items.0.iter().any(|other| other.uuid == dom.uuid),
        "transient domains: expected ours, found it not"
    );
    let autostart = 1;
    let on = connection.call(&DomainSetAutostart {
        dom: dom.clone(),
        autostart,
    });
    on.fails_with(INVALID, "setting autostart of a transient domain")?;
    connection
        .call(&DomainDestroy { dom: dom.clone() })
        .works("ending a transient domain")?;
    let uuid = dom.uuid;
    let gone = connection.call(&DomainLookupByUuid { uuid });
    gone.fails_with(&[Code::NO_DOMAIN], "looking up a transient domain that was ended")
}

fn undefined_runs_on(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    if !ctx.fixtures().domain.transient {
        return Err(Failure::no_fixture("a transient domain"));
    }
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let dom = daemon.define(&mut connection, 1)?;
    start(&mut connection, &dom)?;
    connection
        .call(&DomainUndefine { dom: dom.clone() })
        .works("undefining a running domain")?;
    ensure_eq!(
        state(&mut connection, &dom)?,
        RUNNING,
        "the state of a running domain that was undefined"
    );
    let persistent = connection
        .call(&DomainIsPersistent { dom: dom.clone() })
        .works("asking whether it is persistent")?;
    ensure_eq!(
        persistent,
        0,
        "whether a running domain that was undefined is persistent"
    );
    connection
        .call(&DomainDestroy { dom: dom.clone() })
        .works("ending it")?;
    let uuid = dom.uuid;
    let gone = connection.call(&DomainLookupByUuid { uuid });
    gone.fails_with(&[Code::NO_DOMAIN], "looking up an undefined domain that was ended")
}

fn autostart_is_kept(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let dom = daemon.define(&mut connection, 1)?;
    let is = |connection: &mut Connection| -> Outcome<i32> {
        let dom = dom.clone();
        connection
            .call(&DomainGetAutostart { dom })
            .works("asking for autostart")
    };
    ensure_eq!(is(&mut connection)?, 0, "autostart of a new domain");
    for autostart in [1, 1, 0] {
        let dom = daemon.reference(1);
        connection
            .call(&DomainSetAutostart { dom, autostart })
            .works("setting autostart")?;
        ensure_eq!(is(&mut connection)?, autostart, "autostart after it was set");
        let (need_results, flags) = (1, if autostart == 1 { 1024 } else { 2048 });
        let listed = connection
            .call(&ConnectListAllDomains { need_results, flags })
            .works("listing by autostart")?;
        let there = listed.items.0.iter().any(|other| other.uuid == daemon.uuid(1));
        ensure!(there, "the list with flags {flags}: expected the domain, found it not");
    }
    Ok(())
}
