//! Ports of guests: a virt driver that holds Update has them filtered, and no client takes that away.

use super::{furnish, furnished, must};
use crate::bench::Lock;
use crate::check::{Check, Ctx, Expect, Outcome};
use crate::checks::filter::paper::{self, NO_VALUE, OTHER};
use crate::checks::filter::port;
use crate::checks::filter::view::{self, View};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use std::time::Duration;

pub(crate) const CHECKS: &[Check] = &[
    must(
        "BIND-020",
        "a guest's port is filtered, listed and let go",
        "binding.ports",
        "What a virt driver has had filtered must be visible to whoever looks for a lost packet.",
        "Treat a request as a binding whose owner is the guest.",
        is_attached,
    ),
    must(
        "BIND-021",
        "a request that is in force already changes nothing",
        "binding.ports",
        "A guest that restarts, and a host that comes again, ask for the same once more: what was learned of the guest must stay.",
        "Compare the request with the binding; succeed without an effect.",
        same_again_changes_nothing,
    ),
    must(
        "BIND-022",
        "a request that can not be met is refused, and nothing is left of it",
        "binding.ports",
        "The virt driver does not start the guest then; a binding that stays would keep its next start from the port.",
        "Check filter, variables, names and address before anything is changed.",
        bad_requests_are_refused,
    ),
    must(
        "BIND-023",
        "a client can not delete the binding of a running guest's port: error 55",
        "binding.delete",
        "The guest would run on, on an open port.",
        "Ask `ports/1` whether the port is still a guest's.",
        guests_keep_their_ports,
    ),
    must(
        "BIND-024",
        "a port is not bound twice, whoever asks second: error 9",
        "binding.ports",
        "Two owners of one port would each believe in their own rules.",
        "Keep clients' and guests' bindings in one table.",
        nobody_gets_it_twice,
    ),
    must(
        "BIND-025",
        "ports are attached and detached under the caller's Update",
        "binding.ports",
        "The virt driver holds Update; a driver that takes Filter then turns the order round.",
        "Take no lock in `attach_port` and `detach_port`: the token says what is held.",
        takes_no_lock,
    ),
    must(
        "BIND-026",
        "a filter that changes is changed on guests' ports too, and one that has them stays",
        "filter.rebuild",
        "A guest runs for months; its rules must be those that people have defined last.",
        "Rebuild every binding of the filter and of those that refer to it.",
        follows_the_filter,
    ),
    must(
        "BIND-027",
        "a guest's port that was lost is filtered again when its filter is defined",
        "filter.rebuild",
        "The virt drivers know which ports their guests have; a port that they name and nobody filters is open.",
        "Bind the ports that `ports/1` names and that have no binding.",
        lost_ports_are_found,
    ),
];

fn is_attached(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let before = View::of(&bench)?;
    let request = paper::request(ctx, "p0", &ctx.name(3), &[("WANTED", "10.0.0.2")]);
    view::attach(&bench, &request).succeeds("attach_port")?;
    let listed = view::list(&bench).succeeds("bindings")?;
    let found: Vec<_> = listed
        .iter()
        .map(|brief| (brief.port.clone(), brief.filter.clone()))
        .collect();
    ensure_eq!(found, [(String::from("p0"), ctx.name(3))], "bindings after attach_port");
    let xml = view::xml(&bench, "p0").succeeds("binding_xml")?;
    let element = paper::read("binding_xml", &xml)?;
    let owner = element.child("owner");
    let text = |name: &str| {
        owner
            .and_then(|owner| owner.child(name))
            .map(|part| part.text().trim().to_owned())
    };
    ensure_eq!(
        text("name"),
        Some(request.owner_name.clone()),
        "the owner's name in binding_xml"
    );
    ensure_eq!(
        text("uuid"),
        Some(request.owner.to_string()),
        "the owner's UUID in binding_xml"
    );
    ensure!(
        xml.contains("10.0.0.2"),
        "binding_xml: expected the parameter's value, found {xml:?}"
    );
    view::detach(&bench, "p0").succeeds("detach_port")?;
    before.is_still_so(&bench, "attach_port and detach_port")?;
    view::detach(&bench, "p0").fails_with(&[Code::NO_NWFILTER_BINDING], "detach_port once more")?;
    bench.expect_nothing_held()
}

fn same_again_changes_nothing(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    let request = paper::request(ctx, "p0", &ctx.name(3), &[("WANTED", "10.0.0.2"), ("IP", "10.0.0.2")]);
    view::attach(&bench, &request).succeeds("attach_port")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    for _ in 0..3 {
        view::attach(&bench, &request).succeeds("attach_port of what is in force already")?;
    }
    view.is_still_so(&bench, "attach_port of what is in force already")?;
    port::is_still(&kernel, format_args!("attach_port of what is in force already"))?;
    view::detach(&bench, "p0").succeeds("detach_port, once for all of them")?;
    ensure_eq!(
        view::list(&bench).succeeds("bindings")?.len(),
        0,
        "bindings after one detach_port"
    );
    Ok(())
}

fn bad_requests_are_refused(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    let refused = |request, codes: &[Code], what: &str| -> Outcome {
        view::attach(&bench, &request).fails_with(codes, format_args!("attach_port with {what}"))?;
        view.is_still_so(&bench, format_args!("attach_port with {what}"))?;
        port::is_still(&kernel, format_args!("attach_port with {what}"))?;
        Ok(())
    };
    let request = |filter: &str| paper::request(ctx, "p0", filter, &[]);
    refused(request("not-there"), &[Code::NO_NWFILTER], "an unknown filter")?;
    refused(request(&ctx.name(3)), NO_VALUE, "a variable without a value")?;
    let mut bad = request(&ctx.name(1));
    bad.mac = String::from("52:54:00");
    refused(bad, paper::BAD_PART, "half a hardware address")?;
    for port in ["", "..", "a/b", "sixteen-bytes-xx"] {
        let bad = paper::request(ctx, port, &ctx.name(1), &[]);
        refused(bad, paper::BAD_PART, &format!("the port '{port}'"))?;
    }
    bench.expect_nothing_held()
}

fn guests_keep_their_ports(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let request = paper::request(ctx, "p0", &ctx.name(1), &[]);
    view::attach(&bench, &request).succeeds("attach_port")?;
    bench.set_wanted_ports(vec![request]);
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    let refused = view::delete(&bench, "p0");
    refused.fails_with(&[Code::OPERATION_INVALID], "delete_binding of a running guest's port")?;
    view.is_still_so(&bench, "delete_binding of a running guest's port")?;
    port::is_still(&kernel, format_args!("delete_binding of a running guest's port"))?;
    bench.set_wanted_ports(Vec::new());
    view::detach(&bench, "p0").succeeds("detach_port")
}

fn nobody_gets_it_twice(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0", "p1"])?;
    view::attach(&bench, &paper::request(ctx, "p0", &ctx.name(1), &[])).succeeds("attach_port")?;
    view::create(&bench, &paper::binding(ctx, "p1", &ctx.name(1), &[])).succeeds("create_binding")?;
    let (view, kernel) = (View::of(&bench)?, port::everything()?);
    let taken = [Code::OPERATION_FAILED];
    let created = view::create(&bench, &paper::binding(ctx, "p0", &ctx.name(2), &[]));
    created.fails_with(&taken, "create_binding of a guest's port")?;
    let attached = view::attach(&bench, &paper::request(ctx, "p1", &ctx.name(2), &[]));
    attached.fails_with(&taken, "attach_port of a port that a client has bound")?;
    view.is_still_so(&bench, "second bindings of two ports")?;
    port::is_still(&kernel, format_args!("second bindings of two ports"))?;
    Ok(())
}

fn takes_no_lock(ctx: &Ctx) -> Outcome {
    let bench = ctx.builder().patience(Duration::from_secs(1)).open()?;
    furnish(ctx, &bench, &["p0"])?;
    bench.forget_recording();
    view::attach(&bench, &paper::request(ctx, "p0", &ctx.name(1), &[])).succeeds("attach_port")?;
    view::detach(&bench, "p0").succeeds("detach_port")?;
    let seen = bench.recording();
    ensure!(
        seen.breaches.is_empty(),
        "attach_port and detach_port: expected no broken rule of the locks, found: {}",
        seen.breaches[0]
    );
    let filter = seen.holds.iter().any(|hold| hold.lock == Lock::FILTER);
    ensure!(
        !filter,
        "attach_port and detach_port: expected that they do not take Filter, found that they do"
    );
    bench.expect_nothing_held()
}

fn follows_the_filter(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    let request = paper::request(ctx, "p0", &ctx.name(2), &[]);
    view::attach(&bench, &request).succeeds("attach_port")?;
    bench.set_wanted_ports(vec![request]);
    for n in [1, 2] {
        let undefined = bench.undefine_filter(ctx.uuid(n));
        undefined.fails_with(
            &[Code::OPERATION_INVALID],
            "undefine_filter of a filter that a guest's port has",
        )?;
    }
    let before = View::of(&bench)?;
    let refused = bench.define_filter(&paper::nth(ctx, 1, paper::ASKING));
    refused.fails_with(
        NO_VALUE,
        "define_filter with a variable for which a guest's port has no value",
    )?;
    before.is_still_so(
        &bench,
        "define_filter with a variable for which a guest's port has no value",
    )?;
    bench
        .define_filter(&paper::nth(ctx, 1, OTHER))
        .succeeds("define_filter of what a guest's port has")?;
    let listed = view::list(&bench).succeeds("bindings")?;
    ensure_eq!(listed.len(), 1, "bindings after define_filter");
    bench.expect_nothing_held()
}

fn lost_ports_are_found(ctx: &Ctx) -> Outcome {
    let bench = furnished(ctx, &["p0"])?;
    bench.set_wanted_ports(vec![paper::request(ctx, "p0", &ctx.name(2), &[])]);
    bench
        .define_filter(&paper::nth(ctx, 1, OTHER))
        .succeeds("define_filter of what a guest's port should have")?;
    let asked: Vec<String> = bench
        .recording()
        .of("ports/1")
        .map(|call| call.detail.clone())
        .collect();
    ensure!(
        asked
            .iter()
            .any(|filters| filters.contains(&ctx.name(1)) && filters.contains(&ctx.name(2))),
        "define_filter of '{}': expected that ports/1 is asked for it and for '{}', which refers to it, found {asked:?}",
        ctx.name(1),
        ctx.name(2)
    );
    let listed = view::list(&bench).succeeds("bindings")?;
    let found: Vec<_> = listed
        .iter()
        .map(|brief| (brief.port.clone(), brief.filter.clone()))
        .collect();
    ensure_eq!(
        found,
        [(String::from("p0"), ctx.name(2))],
        "bindings after define_filter of what a guest's port should have"
    );
    Ok(())
}
