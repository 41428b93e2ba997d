//! Old and new hosts: which services a plug-in finds, and what it does without one.

use super::life;
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome};
use crate::ensure;
use driver_api::abi::manifest::{KIND_NWFILTER, KIND_VIRT};
use driver_api::error::Code;
use lockstep::plugin::SERVICES;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VER-001",
        title: "every interface that a driver of its kind must offer is there, and its kind is what it offers",
        clause: "versions.required",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A virt driver without domains, or a filter driver without filters, serves nobody. The host brings drivers up by \
              the kind in the manifest, filters before the guests that need them.",
        fix: "Name the trait in `export_driver!`; a manifest by hand has a bit of `kind` for each of both.",
        run: offers_what_it_must,
    },
    Check {
        id: "VER-002",
        title: "without an optional service it works, or says by name what it needs",
        clause: "versions.hidden-service",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "An older host has fewer services. A driver that takes one for granted fails there in the middle of its work.",
        fix: "List what the driver can not do without in `DriverInfo::needs`, and ask before using what is optional.",
        run: works_without_each_service,
    },
    Check {
        id: "VER-003",
        title: "asked for an interface that it does not know it answers that it has none",
        clause: "versions.unknown",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A newer host asks for interfaces that did not exist when the driver was built; whatever is answered is called.",
        fix: "Answer `query` for the ids that you export and for no other; the macro does so.",
        run: knows_nothing_of_the_future,
    },
    Check {
        id: "VER-004",
        title: "in the oldest host it works, or says by name what it needs",
        clause: "versions.older-host",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The first host had locks, and the other services came one by one; a driver must not fail there half way.",
        fix: "List what the driver can not do without in `DriverInfo::needs`; do without the rest.",
        run: works_in_the_oldest_host,
    },
    Check {
        id: "VER-005",
        title: "what a newer host asks in addition is refused by name and breaks nothing",
        clause: "versions.newer-host",
        level: Level::Must,
        needs: &["virt.lifecycle/1"],
        privileged: false,
        why: "A newer client sets flags that this driver has never heard of. If it ignores them, it does something else than \
              what was asked.",
        fix: "Refuse unknown bits of every `flags` argument with code 8 and name them.",
        run: refuses_new_flags,
    },
];

fn offers_what_it_must(ctx: &Ctx) -> Outcome {
    let candidate = ctx.builder().candidate()?;
    let offered = candidate.interfaces();
    ensure!(
        offered.contains(&"driver.core/1"),
        "interfaces: expected 'driver.core/1', found {offered:?}"
    );
    ensure!(
        offered.contains(&"virt.lifecycle/1") || offered.contains(&"nwfilter.define/1"),
        "interfaces: expected 'virt.lifecycle/1' or 'nwfilter.define/1', found {offered:?}"
    );
    for (kind, id) in [(KIND_VIRT, "virt.lifecycle/1"), (KIND_NWFILTER, "nwfilter.define/1")] {
        let (said, there) = (candidate.kind() & kind != 0, offered.contains(&id));
        ensure!(
            said == there,
            "kind {} in the manifest: expected bit {kind} to be set just when '{id}' is offered, found it set: {said}, \
             offered: {there}",
            candidate.kind()
        );
    }
    Ok(())
}

fn works_without_each_service(ctx: &Ctx) -> Outcome {
    if ctx.phase().is_some() {
        return works_without(ctx, ctx.phase_argument());
    }
    for service in SERVICES.iter().filter(|service| **service != "lock/1") {
        ctx.phase_passes("without", *service)
            .map_err(|failure| failure.when(format_args!("in a host without '{service}'")))?;
    }
    Ok(())
}

fn works_without(ctx: &Ctx, service: &str) -> Outcome {
    let root = ctx.root().join(service.replace('/', "-"));
    let builder = ctx.builder().hide(service).root(root);
    let bench = match builder.open() {
        Ok(bench) => bench,
        // The manifest named it, or `open` did: either way an administrator reads which service is missing.
        Err(Failure::Broken(text)) if text.contains(service) => return Ok(()),
        Err(failure) => return Err(failure),
    };
    ensure!(
        !bench.facts().needs.iter().any(|need| need == service),
        "the manifest says that it needs '{service}': expected a refusal, found a driver that was made"
    );
    let refused = life::short(ctx, &bench, 1)?;
    if let Some(error) = refused {
        ensure!(
            !error.message().is_empty(),
            "a call that can not be done without it: expected an error in words, found an empty one"
        );
    }
    let panics = bench.recording().panics;
    ensure!(
        panics.is_empty(),
        "expected errors at most, found a panic: {}",
        panics.join("; ")
    );
    bench.expect_nothing_held()?;
    bench.close(ctx.fixtures().timing.close()).succeeds("close")
}

fn knows_nothing_of_the_future(ctx: &Ctx) -> Outcome {
    let candidate = ctx.builder().candidate()?;
    let offered = candidate.interfaces().to_vec();
    let longer: Vec<String> = offered.iter().map(|id| format!("{id}0")).collect();
    let cut: Vec<String> = offered.iter().map(|id| id.trim_end_matches("/1").to_owned()).collect();
    let strange = [
        "",
        "/",
        "virt.teleport/1",
        "driver.core/2",
        "DRIVER.CORE/1",
        "driver.core/1\0",
        "\u{fffd}",
    ];
    let strange = strange
        .into_iter()
        .map(str::to_owned)
        .chain(longer)
        .chain(cut)
        .chain(["x".repeat(100_000)]);
    for id in strange {
        let shown: String = id.chars().take(40).collect();
        ensure!(
            !candidate.answers(&id),
            "query for '{shown}': expected nothing, found an interface"
        );
    }
    for id in offered {
        ensure!(
            candidate.answers(id),
            "query for '{id}', again: expected the interface, found nothing"
        );
    }
    Ok(())
}

fn works_in_the_oldest_host(ctx: &Ctx) -> Outcome {
    let mut builder = ctx.builder();
    for service in SERVICES.iter().filter(|service| **service != "lock/1") {
        builder = builder.hide(service);
    }
    let bench = match builder.open() {
        Ok(bench) => bench,
        Err(Failure::Broken(text)) if SERVICES.iter().any(|service| text.contains(service)) => return Ok(()),
        Err(failure) => return Err(failure),
    };
    // Refusals in words are as good as doing it.
    let _any = life::short(ctx, &bench, 1)?;
    let panics = bench.recording().panics;
    ensure!(
        panics.is_empty(),
        "in a host with 'lock/1' alone: expected errors at most, found a panic: {}",
        panics.join("; ")
    );
    bench.expect_nothing_held()?;
    bench.close(ctx.fixtures().timing.close()).succeeds("close")
}

fn refuses_new_flags(ctx: &Ctx) -> Outcome {
    const NEW: u32 = 1 << 30;
    let bench = ctx.bench()?;
    let uuid = ctx.uuid(1);
    let xml = ctx.domain(1);
    let refused = [Code::INVALID_ARG];
    bench
        .virt("define", |virt, call| virt.define(call, &xml, NEW))
        .fails_with(&refused, "define with flags 0x40000000")?;
    let there = bench.by_uuid(uuid).succeeds("by_uuid")?;
    ensure!(
        there.is_none(),
        "define with flags 0x40000000: expected that nothing is defined, found the domain"
    );
    bench.define(&xml).succeeds("define")?;
    bench
        .dump_xml(uuid, NEW)
        .fails_with(&refused, "dump_xml with flags 0x40000000")?;
    bench
        .virt("start", |virt, call| virt.start(call, uuid, NEW))
        .fails_with(&refused, "start with flags 0x40000000")?;
    bench
        .virt("undefine", |virt, call| virt.undefine(call, uuid, NEW))
        .fails_with(&refused, "undefine with flags 0x40000000")?;
    let there = bench.by_uuid(uuid).succeeds("by_uuid")?;
    ensure!(
        there.is_some_and(|brief| brief.id.is_none()),
        "start and undefine with flags 0x40000000: expected that nothing has changed, found that one of them was done"
    );
    Ok(())
}
