//! Filters and bindings over the wire.

use super::FILTERS;
use super::daemon::{Daemon, Told};
use crate::check::{Check, Ctx, Outcome, must};
use crate::checks::filter::paper::{self, BAD_PART, NO_DOCUMENT, OTHER, RULE, reference};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use lockstep::client::Connection;
use lockstep::rpc::codec::binding::{
    BindingRef, ConnectListAllNwfilterBindings, NwfilterBindingDelete, NwfilterBindingGetXmlDesc,
    NwfilterBindingLookupByPortDev,
};
use lockstep::rpc::codec::nwfilter::{
    ConnectListAllNwfilters, ConnectListNwfilters, ConnectNumOfNwfilters, NwfilterDefineXml, NwfilterGetXmlDesc,
    NwfilterLookupByName, NwfilterLookupByUuid, NwfilterRef, NwfilterUndefine,
};

pub(crate) const CHECKS: &[Check] = &[
    must(
        "WIRE-040",
        "a filter that is defined is found by its name and UUID, and listed",
        "wire.lifecycle",
        FILTERS,
        "Every client looks a filter up before it does anything with it.",
        "Publish the filter before `define_filter` returns.",
        is_found,
    ),
    must(
        "WIRE-041",
        "a filter that there is not is error 62",
        "wire.errors",
        FILTERS,
        "Clients tell 'not there' from every other failure by this number alone.",
        "Answer `Code::NO_NWFILTER` for an unknown UUID.",
        missing_is_62,
    ),
    must(
        "WIRE-042",
        "a name or UUID that another filter has is refused with error 9",
        "wire.errors",
        FILTERS,
        "Ports are bound to names.",
        "Look both up under Filter.",
        taken_is_9,
    ),
    must(
        "WIRE-043",
        "what is no filter is refused with error 27 or its kin",
        "wire.errors",
        FILTERS,
        "A client tells a bad document from a broken host by the number.",
        "Map failures of the parser to `Code::XML_ERROR` or its kin.",
        no_filter_is_27,
    ),
    must(
        "WIRE-044",
        "a filter's document can be defined again and shows the same",
        "wire.lifecycle",
        FILTERS,
        "`virsh nwfilter-edit` takes what is shown.",
        "Print everything that was read.",
        goes_round,
    ),
    must(
        "WIRE-045",
        "filters that would refer to one another in a ring are refused",
        "wire.errors",
        FILTERS,
        "Whoever follows the references never comes to an end.",
        "Follow the references of the new table before it is published.",
        rings_are_refused,
    ),
    must(
        "WIRE-046",
        "an attribute that is not understood is kept or refused by name",
        "wire.errors",
        FILTERS,
        "A misspelt attribute that is dropped in silence makes a rule match more than was meant.",
        "Refuse what is unknown, and quote it.",
        unknown_is_kept_or_named,
    ),
    must(
        "WIRE-047",
        "a port without a binding is error 101",
        "wire.errors",
        &["nwfilter.define/1", "nwfilter.binding/1"],
        "Clients tell 'not there' from every other failure by this number alone.",
        "Answer `Code::NO_NWFILTER_BINDING` for an unknown port.",
        missing_is_101,
    ),
];

fn document(daemon: &Daemon<'_>, n: usize, body: &str) -> String {
    paper::filter(&daemon.called(n), daemon.uuid(n), body)
}

fn define(connection: &mut Connection, xml: String) -> lockstep::client::Result<NwfilterRef> {
    connection.call(&NwfilterDefineXml { xml })
}

fn shown(connection: &mut Connection, filter: &NwfilterRef) -> Outcome<String> {
    let (filter, flags) = (filter.clone(), 0);
    connection
        .call(&NwfilterGetXmlDesc { filter, flags })
        .works("showing a filter's document")
}

fn is_found(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let before = connection.call(&ConnectNumOfNwfilters {}).works("counting filters")?;
    let defined = define(&mut connection, document(&daemon, 1, RULE)).works("defining a filter")?;
    let (name, uuid) = (daemon.called(1), daemon.uuid(1));
    ensure_eq!(
        (&defined.name, defined.uuid),
        (&name, uuid),
        "what defining a filter answers"
    );
    let found = connection
        .call(&NwfilterLookupByName { name })
        .works("looking a filter up by its name")?;
    ensure_eq!(found, defined, "the filter that was looked up by its name");
    let found = connection
        .call(&NwfilterLookupByUuid { uuid })
        .works("looking a filter up by its UUID")?;
    ensure_eq!(found, defined, "the filter that was looked up by its UUID");
    let (need_results, flags) = (1, 0);
    let listed = connection
        .call(&ConnectListAllNwfilters { need_results, flags })
        .works("listing filters")?;
    ensure_eq!(
        listed.items.0.iter().filter(|other| **other == defined).count(),
        1,
        "how often the filter is on the list"
    );
    let names = connection
        .call(&ConnectListNwfilters { max: 16_384 })
        .works("listing names of filters")?;
    ensure!(
        names.0.contains(&daemon.called(1)),
        "names of filters: expected '{}', found {:?}",
        daemon.called(1),
        names.0
    );
    if ctx.order.uri.is_none() {
        let after = connection.call(&ConnectNumOfNwfilters {}).works("counting filters")?;
        ensure_eq!(after, before + 1, "the count of filters after one was defined");
    }
    let changed = define(&mut connection, document(&daemon, 1, OTHER)).works("defining a filter again")?;
    ensure_eq!(changed, defined, "what defining a filter again answers");
    ensure!(
        shown(&mut connection, &defined)?.contains("53"),
        "a filter's document after it was changed: expected the change"
    );
    Ok(())
}

fn missing_is_62(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let none = [Code::NO_NWFILTER];
    let (name, uuid) = (daemon.called(1), daemon.uuid(1));
    connection
        .call(&NwfilterLookupByName { name })
        .fails_with(&none, "looking up a name that there is not")?;
    connection
        .call(&NwfilterLookupByUuid { uuid })
        .fails_with(&none, "looking up a UUID that there is not")?;
    let filter = define(&mut connection, document(&daemon, 1, RULE)).works("defining a filter")?;
    let of = || filter.clone();
    connection
        .call(&NwfilterUndefine { filter: of() })
        .works("undefining a filter")?;
    connection
        .call(&NwfilterUndefine { filter: of() })
        .fails_with(&none, "undefining it once more")?;
    let flags = 0;
    let document = connection.call(&NwfilterGetXmlDesc { filter: of(), flags });
    document.fails_with(&none, "the document of a filter that was undefined")
}

fn taken_is_9(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let filter = define(&mut connection, document(&daemon, 1, RULE)).works("defining a filter")?;
    let before = shown(&mut connection, &filter)?;
    let taken = [Code::OPERATION_FAILED];
    let xml = paper::filter(&daemon.called(1), daemon.uuid(2), OTHER);
    define(&mut connection, xml).fails_with(&taken, "defining a taken name with another UUID")?;
    let xml = paper::filter(&daemon.called(2), daemon.uuid(1), OTHER);
    define(&mut connection, xml).fails_with(&taken, "defining another name with a taken UUID")?;
    ensure_eq!(
        shown(&mut connection, &filter)?,
        before,
        "the document of the filter that was there"
    );
    Ok(())
}

fn no_filter_is_27(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let whole = document(&daemon, 1, RULE);
    for xml in [
        "",
        "<filter",
        &whole[..whole.len() / 2],
        "<domain><name>x</name></domain>",
    ] {
        let what = format!("defining {xml:?}");
        define(&mut connection, xml.to_owned()).fails_with(NO_DOCUMENT, what)?;
    }
    let bad = [
        whole.replace(&format!("name='{}'", daemon.called(1)), ""),
        whole.replace(&daemon.uuid(1).to_string(), "no-uuid"),
        whole.replace("action='drop'", "action='dorp'"),
        whole.replace("direction='in'", "direction='sideways'"),
    ];
    for xml in bad {
        let what = format!("defining {xml:?}");
        define(&mut connection, xml).fails_with(BAD_PART, what)?;
    }
    let name = daemon.called(1);
    connection
        .call(&NwfilterLookupByName { name })
        .fails_with(&[Code::NO_NWFILTER], "looking up what was refused")
}

fn goes_round(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let xml = document(&daemon, 1, &format!("{RULE}{OTHER}"));
    let filter = define(&mut connection, xml.clone()).works("defining a filter")?;
    let first = shown(&mut connection, &filter)?;
    let lost = paper::lost(
        &paper::read("the document", &xml)?,
        &paper::read("what is shown", &first)?,
    );
    ensure_eq!(lost, None, "what a filter's document lacks of what was defined");
    define(&mut connection, first.clone()).works("defining what is shown")?;
    ensure_eq!(
        shown(&mut connection, &filter)?,
        first,
        "the document of a filter that was defined as it was shown"
    );
    Ok(())
}

fn rings_are_refused(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let to = |n: usize| reference(&daemon.called(n));
    let own = document(&daemon, 3, &to(3));
    define(&mut connection, own).fails_with(BAD_PART, "defining a filter that refers to itself")?;
    define(&mut connection, document(&daemon, 1, &to(2)))
        .works("defining a filter that refers to one that is not there")?;
    define(&mut connection, document(&daemon, 2, &to(1)))
        .fails_with(BAD_PART, "defining a filter that closes a ring")?;
    define(&mut connection, document(&daemon, 2, RULE))
        .works("defining it without the reference")
        .map(drop)
}

fn unknown_is_kept_or_named(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    for body in [
        RULE.replace("<tcp ", "<tcp strangething='22' "),
        format!("{RULE}<strangething/>"),
    ] {
        let xml = document(&daemon, 1, &body);
        match define(&mut connection, xml.clone()) {
            Ok(filter) => {
                let kept = shown(&mut connection, &filter)?;
                ensure!(
                    kept.contains("strangething"),
                    "defining {xml:?}: expected that 'strangething' is kept or refused, found that it was dropped"
                );
            }
            Err(error) => ensure!(
                error.to_string().contains("strangething"),
                "defining {xml:?}: expected that the error names 'strangething', found: {error}"
            ),
        }
    }
    Ok(())
}

fn missing_is_101(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    let none = [Code::NO_NWFILTER_BINDING];
    let name = String::from("nobodys-port");
    let lookup = connection.call(&NwfilterBindingLookupByPortDev { name: name.clone() });
    lookup.fails_with(&none, "looking up a port that is not bound")?;
    let binding = BindingRef {
        port: name,
        filter: String::from("none"),
    };
    let flags = 0;
    let document = connection.call(&NwfilterBindingGetXmlDesc {
        binding: binding.clone(),
        flags,
    });
    document.fails_with(&none, "the document of a port that is not bound")?;
    connection
        .call(&NwfilterBindingDelete { binding })
        .fails_with(&none, "deleting a binding that there is not")?;
    let need_results = 1;
    let all = connection
        .call(&ConnectListAllNwfilterBindings { need_results, flags })
        .works("listing bindings")?;
    ensure_eq!(
        usize::try_from(all.count).unwrap_or(0),
        all.items.0.len(),
        "the count beside the list of bindings"
    );
    Ok(())
}
