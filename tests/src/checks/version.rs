//! Old and new hosts: which services a plug-in finds, and what it does without one.

use super::life;
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome};
use crate::ensure;
use lockstep::plugin::SERVICES;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "VER-001",
        title: "every interface that a driver of its kind must offer is there",
        clause: "versions.required",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A virt driver without domains, or a filter driver without filters, serves nobody.",
        fix: "Name the trait in `export_driver!`.",
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
