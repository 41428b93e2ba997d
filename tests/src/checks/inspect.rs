//! What is in force, and why: ports, counters, verdicts without the kernel.

pub(crate) mod trace;
mod verdict;

use super::binding::furnished;
use super::filter::paper::{self, OTHER, RULE};
use super::filter::port;
use super::filter::view::{self, View, look};
use crate::bench::Lock;
use crate::check::{self, Check, Ctx, Expect, Outcome};
use crate::{ensure, ensure_eq};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::inspect::RulePlace;
use lockstep::lock::rank::Mode;
use std::collections::BTreeSet;

/// What inspection checks need.
const NEEDS: &[&str] = &["nwfilter.define/1", "nwfilter.binding/1", "nwfilter.inspect/1"];

/// A must of drivers that tell what is in force.
pub(crate) const fn must(
    id: &'static str,
    title: &'static str,
    why: &'static str,
    fix: &'static str,
    run: fn(&Ctx) -> Outcome,
) -> Check {
    Check {
        privileged: true,
        ..check::must(id, title, "inspect.reads", NEEDS, why, fix, run)
    }
}

pub(crate) const CHECKS: &[Check] = &[
    Check {
        privileged: false,
        ..must(
            "INSP-001",
            "facts have names and values",
            "They are the first thing that somebody looks at who does not know why a packet is lost.",
            "Say what the driver knows of the kernel and of itself: at least that it has no kernel.",
            facts_are_told,
        )
    },
    must(
        "INSP-002",
        "a port is shown with its binding, its tree of filters and its rules",
        "Who looks for a lost packet must see every filter that may have dropped it.",
        "Walk the tree of filters from the bound one, each before those that it refers to.",
        ports_are_shown,
    ),
    must(
        "INSP-003",
        "a port without a binding is error 101",
        "A port that is not there must not look like one without rules.",
        "Answer `Code::NO_NWFILTER_BINDING` from `show_port`, `counters` and `start_trace`.",
        missing_is_101,
    ),
    must(
        "INSP-004",
        "a rule leads to the line of the document that it comes from",
        "People know lines of their XML, not rules of the kernel.",
        "Number the entries of a filter and find their lines in what `filter_xml` prints.",
        places_are_true,
    ),
    must(
        "INSP-005",
        "what is shown is what was defined last",
        "A view of old rules sends people looking in the wrong place.",
        "Answer from the tables that `define_filter` publishes.",
        changes_are_seen,
    ),
    must(
        "INSP-006",
        "counters are told for the port that was asked for",
        "Ports may share rules; whoever reads the numbers must know whose they are.",
        "Name all ports that share the counters, the asked one among them.",
        counters_are_told,
    ),
    must(
        "INSP-007",
        "looking at what is in force takes no lock and waits for nobody",
        "It is asked when something hangs.",
        "Answer from published tables and from the kernel.",
        looks_wait_for_nobody,
    ),
    Check {
        privileged: false,
        ..must(
            "INSP-008",
            "a test answers for each packet, in their order, what the rules say",
            "People try a filter before they put it on a port; what the test says must be what the kernel does.",
            "Send each packet past the filter's rules, one outcome for each.",
            verdict::tests_are_answered,
        )
    },
    Check {
        privileged: false,
        ..must(
            "INSP-009",
            "a test of what there is not, or of what is no packet, is refused",
            "62 for an unknown filter, 8 for packets that can not be read, 1 for a variable without a value.",
            "Look the filter up first, then read every packet, then expand the rules.",
            verdict::bad_tests_are_refused,
        )
    },
    must(
        "INSP-010",
        "reading everything anew changes nothing when nothing has changed",
        "An administrator who reloads must not lose a binding, nor an address that was learned.",
        "Read, compare, and touch only what differs.",
        reload_changes_nothing,
    ),
    must(
        "INSP-011",
        "everything is read anew under Filter and Update",
        "It replaces all filters and the rules of all ports.",
        "`cx.filters()`, then `filters.update_write()`.",
        reload_takes_both,
    ),
];

fn reload(bench: &crate::bench::Bench) -> Result<()> {
    bench.call("reload", |driver, call| {
        let none = || Error::new(Code::NO_SUPPORT, Origin::NONE, "no nwfilter.inspect/1");
        driver.inspect().ok_or_else(none)?.reload(call)
    })
}

fn facts_are_told(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let facts = look(&bench, "facts", |inspect| inspect.facts()).succeeds("facts")?;
    ensure!(!facts.is_empty(), "facts: expected some, found none");
    let named = facts
        .iter()
        .all(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty());
    ensure!(
        named,
        "facts: expected names and values, found an empty one in {facts:?}"
    );
    let names: BTreeSet<&str> = facts.iter().map(|(name, _)| name.as_str()).collect();
    ensure_eq!(names.len(), facts.len(), "different names among the facts");
    Ok(())
}

fn ports_are_shown(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let document = paper::binding(ctx, "p0", &ctx.name(2), &[("WANTED", "10.0.0.2")]);
    view::create(&bench, &document).succeeds("create_binding")?;
    let shown = look(&bench, "show_port", |inspect| inspect.show_port("p0")).succeeds("show_port")?;
    ensure_eq!(shown.port, "p0", "the port of show_port");
    ensure_eq!(shown.filter, ctx.name(2), "the filter of show_port");
    ensure_eq!(
        shown.mac.to_lowercase(),
        paper::MAC,
        "the hardware address of show_port"
    );
    ensure_eq!(shown.owner, "somebody", "the owner of show_port");
    ensure!(
        !shown.state.is_empty(),
        "show_port: expected a state in words, found an empty one"
    );
    let value = (String::from("WANTED"), String::from("10.0.0.2"));
    ensure!(
        shown.parameters.contains(&value),
        "the parameters of show_port: expected {value:?} among them, found {:?}",
        shown.parameters
    );
    let tree: Vec<_> = shown
        .tree
        .iter()
        .map(|node| (node.level, node.filter.clone(), node.exists))
        .collect();
    ensure_eq!(
        tree,
        [(0, ctx.name(2), true), (1, ctx.name(1), true)],
        "the tree of show_port"
    );
    let of: BTreeSet<&str> = shown
        .rules
        .iter()
        .filter_map(|rule| rule.place.as_ref().map(|place| place.filter.as_str()))
        .collect();
    let both = [ctx.name(1), ctx.name(2)];
    ensure_eq!(
        of,
        both.iter().map(String::as_str).collect(),
        "the filters that the rules of show_port come from"
    );
    let silent = shown
        .rules
        .iter()
        .find(|rule| rule.text.trim().is_empty() || rule.chain.is_empty());
    ensure!(
        silent.is_none(),
        "the rules of show_port: expected words and a chain for each, found {silent:?}"
    );
    Ok(())
}

fn missing_is_101(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    let none = [Code::NO_NWFILTER_BINDING];
    view::create(&bench, &paper::binding(ctx, "p1", &ctx.name(1), &[])).succeeds("create_binding")?;
    for port in ["p0", "not-there", "", "../p1"] {
        let what = |method: &str| format!("{method} of '{port}', which is not bound");
        look(&bench, "show_port", |inspect| inspect.show_port(port)).fails_with(&none, what("show_port"))?;
        look(&bench, "counters", |inspect| inspect.counters(port)).fails_with(&none, what("counters"))?;
        look(&bench, "start_trace", |inspect| inspect.start_trace(port)).fails_with(&none, what("start_trace"))?;
    }
    Ok(())
}

fn is_true(bench: &crate::bench::Bench, place: &RulePlace, what: &str) -> Outcome {
    let xml = bench
        .filter_xml(place.uuid)
        .succeeds(format_args!("filter_xml of the filter that {what} names"))?;
    let first = place.text.lines().next().unwrap_or_default().trim().to_owned();
    let line = usize::try_from(place.line).unwrap_or(0);
    let found = xml.lines().nth(line.wrapping_sub(1)).unwrap_or_default();
    ensure!(
        !first.is_empty() && found.contains(&first),
        "{what}: expected {first:?} on line {line} of filter_xml, found {found:?}"
    );
    Ok(())
}

fn places_are_true(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let long = format!("{RULE}\n  {OTHER}\n  {}", RULE.replace("'22'", "'25'"));
    bench
        .define_filter(&paper::nth(ctx, 1, &long))
        .succeeds("define_filter")?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(2), &[])).succeeds("create_binding")?;
    let shown = look(&bench, "show_port", |inspect| inspect.show_port("p0")).succeeds("show_port")?;
    let places: Vec<_> = shown.rules.iter().filter_map(|rule| rule.place.as_ref()).collect();
    for place in &places {
        is_true(&bench, place, "a rule of show_port")?;
    }
    let of_one: BTreeSet<u32> = places
        .iter()
        .filter(|place| place.filter == ctx.name(1))
        .map(|place| place.entry)
        .collect();
    ensure_eq!(
        of_one,
        BTreeSet::from([0, 1, 2]),
        "the entries of a filter with three rules that show_port names"
    );
    let counted = look(&bench, "counters", |inspect| inspect.counters("p0")).succeeds("counters")?;
    for place in counted.rules.iter().filter_map(|rule| rule.place.as_ref()) {
        is_true(&bench, place, "a rule of counters")?;
    }
    Ok(())
}

fn changes_are_seen(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(2), &[])).succeeds("create_binding")?;
    let of_one = || -> Outcome<Vec<String>> {
        let shown = look(&bench, "show_port", |inspect| inspect.show_port("p0")).succeeds("show_port")?;
        let texts = shown.rules.into_iter().filter_map(|rule| rule.place);
        Ok(texts
            .filter(|place| place.filter == ctx.name(1))
            .map(|place| place.text)
            .collect())
    };
    let before = of_one()?;
    ensure!(
        before.iter().any(|text| text.contains("22")),
        "show_port: expected the rule for port 22, found {before:?}"
    );
    let kernel = port::everything()?;
    let changed = RULE.replace("'22'", "'2222'");
    bench
        .define_filter(&paper::nth(ctx, 1, &changed))
        .succeeds("define_filter below a bound filter")?;
    let after = of_one()?;
    ensure!(
        after.iter().all(|text| text.contains("2222")) && !after.is_empty(),
        "show_port after define_filter below a bound filter: expected the rule for port 2222, found {after:?}"
    );
    bench
        .define_filter(&paper::nth(ctx, 1, RULE))
        .succeeds("define_filter below a bound filter")?;
    ensure_eq!(of_one()?, before, "show_port after the old rules were defined again");
    port::is_still(&kernel, format_args!("the old rules were defined again"))?;
    Ok(())
}

fn counters_are_told(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    for port in ["p0", "p1"] {
        view::create(&bench, &paper::binding(ctx, port, &ctx.name(1), &[])).succeeds("create_binding")?;
    }
    for port in ["p0", "p1"] {
        let counted = look(&bench, "counters", |inspect| inspect.counters(port)).succeeds("counters")?;
        ensure!(
            counted.ports.iter().any(|other| other == port),
            "the ports of counters of '{port}': expected it among them, found {:?}",
            counted.ports
        );
        let own = counted.rules.iter().filter_map(|rule| rule.place.as_ref());
        ensure!(
            own.clone().any(|place| place.filter == ctx.name(1)),
            "the rules of counters of '{port}': expected the rule of '{}', found {:?}",
            ctx.name(1),
            counted.rules
        );
    }
    Ok(())
}

fn looks_wait_for_nobody(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(1), &[])).succeeds("create_binding")?;
    bench.forget_recording();
    for lock in [Lock::FILTER, Lock::UPDATE] {
        bench.while_held(lock, Mode::Exclusive, || -> Outcome {
            let what = |method: &str| format!("{method} while {lock} is held");
            look(&bench, "facts", |inspect| inspect.facts()).succeeds(what("facts"))?;
            look(&bench, "show_port", |inspect| inspect.show_port("p0")).succeeds(what("show_port"))?;
            look(&bench, "counters", |inspect| inspect.counters("p0")).succeeds(what("counters"))?;
            let test = verdict::request(ctx, 1, &[]);
            look(&bench, "test", |inspect| inspect.test(test)).succeeds(what("test"))?;
            let trace =
                look(&bench, "start_trace", |inspect| inspect.start_trace("p0")).succeeds(what("start_trace"))?;
            look(&bench, "next_trace", |inspect| inspect.next_trace(trace)).succeeds(what("next_trace"))?;
            look(&bench, "stop_trace", |inspect| inspect.stop_trace(trace)).succeeds(what("stop_trace"))
        })??;
    }
    let taken: Vec<String> = bench.recording().of("lock/1").map(ToString::to_string).collect();
    ensure_eq!(
        taken,
        Vec::<String>::new(),
        "calls of lock/1 in calls that look at what is in force"
    );
    Ok(())
}

fn reload_changes_nothing(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(2), &[])).succeeds("create_binding")?;
    let wanted = paper::request(ctx, "p1", &ctx.name(1), &[("IP", "10.0.0.2")]);
    view::attach(&bench, &wanted).succeeds("attach_port")?;
    bench.set_wanted_ports(vec![wanted]);
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    for _ in 0..2 {
        reload(&bench).succeeds("reload")?;
        view.is_still_so(&bench, "reload")?;
        port::is_still(&kernel, format_args!("reload"))?;
    }
    bench.expect_nothing_held()
}

fn reload_takes_both(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    bench.forget_recording();
    reload(&bench).succeeds("reload")?;
    let seen = bench.recording();
    for lock in [Lock::FILTER, Lock::UPDATE] {
        let held = seen.holds.iter().any(|hold| hold.lock == lock && hold.exclusive);
        ensure!(
            held,
            "reload: expected that it takes {lock} exclusively, found that it does not"
        );
    }
    ensure!(
        seen.breaches.is_empty(),
        "reload: expected no broken rule of the locks, found: {}",
        seen.breaches[0]
    );
    bench.expect_nothing_held()
}
