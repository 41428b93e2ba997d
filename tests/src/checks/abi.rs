//! What a plug-in is from the outside: its manifest, its symbols, its tables, and how its driver is made.

use super::elf::Elf;
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome};
use crate::ensure;
use driver_api::abi::manifest::{KIND_NWFILTER, KIND_VIRT, SYMBOL};
use std::time::{Duration, Instant};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "ABI-001",
        title: "the host loads the plug-in",
        clause: "abi.manifest",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The host reads the manifest before anything else of a plug-in and sets aside what it can not trust: another \
              major version, another layout, a service that it has not.",
        fix: "Export the manifest with `export_driver!` and nothing else; build against the driver-api that the host speaks. \
              The host's own sentence says what it found.",
        run: is_loaded,
    },
    Check {
        id: "ABI-002",
        title: "the manifest says who this is",
        clause: "abi.manifest",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The driver's name is a URI scheme and a folder, its version and licence are shown to people.",
        fix: "Fill in `DriverInfo` with a title and a version, and `license` in Cargo.toml.",
        run: says_who_it_is,
    },
    Check {
        id: "ABI-003",
        title: "nothing but the manifest is exported",
        clause: "abi.symbols",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "Every symbol that a library exports can shadow another one's in the same process.",
        fix: "Build as `crate-type = [\"cdylib\"]`, without `#[no_mangle]` of your own.",
        run: exports_one_symbol,
    },
    Check {
        id: "ABI-004",
        title: "it is linked with the system's libraries only",
        clause: "abi.symbols",
        level: Level::Should,
        needs: &[],
        privileged: false,
        why: "A library that the host's machine has not keeps the plug-in from loading, and a path of the builder's machine \
              in it decides whose code is loaded.",
        fix: "Link others statically, and set no `-rpath`.",
        run: is_linked_with_the_system,
    },
    Check {
        id: "ABI-005",
        title: "every table has the host's layout",
        clause: "abi.layout",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A table with another layout than the host's would make it call the wrong function.",
        fix: "Use the released driver-api unchanged; an interface that changed has another number.",
        run: has_the_layouts,
    },
    Check {
        id: "ABI-006",
        title: "opening the driver takes no time",
        clause: "abi.open-time",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "The host serves nobody until every driver is open: one that waits keeps all others waiting.",
        fix: "Do in `open` only what can not fail slowly; look for guests in `bring_up`, and wait for nobody there either.",
        run: opens_in_time,
    },
    Check {
        id: "ABI-007",
        title: "a driver that can not open says so with an error",
        clause: "abi.open-error",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A panic or an exit in `open` tells the administrator nothing about what to mend.",
        fix: "Answer an `Error` that names the folder or option and what is wrong with it.",
        run: fails_to_open_with_words,
    },
    Check {
        id: "ABI-008",
        title: "a panic in the plug-in unwinds",
        clause: "abi.panic-strategy",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "Built with panic=abort, one wrong index ends the host and everything that it serves.",
        fix: "Remove `panic = \"abort\"` from the profile with which the plug-in is built.",
        run: unwinds,
    },
    Check {
        id: "ABI-009",
        title: "a second driver can be made in one process",
        clause: "abi.load-twice",
        level: Level::Should,
        needs: &[],
        privileged: false,
        why: "Tests and tools load a driver next to another one of the same file; state in statics makes the two one.",
        fix: "Keep state in the driver's own struct, not in statics.",
        run: loads_twice,
    },
];

fn is_loaded(ctx: &Ctx) -> Outcome {
    ctx.builder().candidate().map(drop)
}

fn says_who_it_is(ctx: &Ctx) -> Outcome {
    let candidate = ctx.builder().candidate()?;
    for (what, text) in [
        ("title", candidate.title()),
        ("version", candidate.version()),
        ("licence", candidate.licence()),
    ] {
        ensure!(
            !text.trim().is_empty(),
            "the manifest's {what}: expected a text, found an empty one"
        );
    }
    let version = candidate.version();
    ensure!(
        version.starts_with(|c: char| c.is_ascii_digit()),
        "the manifest's version: expected one that begins with a number, found '{version}'"
    );
    ensure!(
        candidate.kind() & (KIND_VIRT | KIND_NWFILTER) != 0,
        "the manifest's kind: expected a virt driver, a filter driver or both, found {:#x}",
        candidate.kind()
    );
    Ok(())
}

fn exports_one_symbol(ctx: &Ctx) -> Outcome {
    let elf = Elf::read(ctx.plugin())?;
    let others: Vec<&String> = elf.exports.iter().filter(|name| *name != SYMBOL).collect();
    ensure!(
        others.is_empty(),
        "exported symbols: expected '{SYMBOL}' alone, found {} more: {}",
        others.len(),
        others
            .iter()
            .take(5)
            .map(|name| format!("'{name}'"))
            .collect::<Vec<String>>()
            .join(", ")
    );
    Ok(())
}

fn is_linked_with_the_system(ctx: &Ctx) -> Outcome {
    const USUAL: [&str; 8] = [
        "libc.so",
        "libm.so",
        "libgcc_s.so",
        "libdl.so",
        "libpthread.so",
        "librt.so",
        "ld-linux",
        "libutil.so",
    ];
    let elf = Elf::read(ctx.plugin())?;
    let strange = elf
        .needed
        .iter()
        .find(|name| !USUAL.iter().any(|usual| name.starts_with(usual)));
    if let Some(name) = strange {
        return Err(Failure::new(format!(
            "libraries that it needs: expected the C library and its kin, found '{name}'"
        )));
    }
    if let Some(path) = elf.run_paths.first() {
        return Err(Failure::new(format!(
            "paths in which it looks for libraries: expected none, found '{path}'"
        )));
    }
    Ok(())
}

fn has_the_layouts(ctx: &Ctx) -> Outcome {
    let candidate = ctx.builder().candidate()?;
    if let Some(refused) = candidate.refused().first() {
        return Err(Failure::new(format!(
            "tables: expected the host's layouts, found another: {refused}"
        )));
    }
    Ok(())
}

fn opens_in_time(ctx: &Ctx) -> Outcome {
    let limit = Duration::from_millis(ctx.fixtures().timing.open);
    let began = Instant::now();
    ctx.bench()?;
    let took = began.elapsed();
    ensure!(
        took <= limit,
        "open and bring_up: expected {} ms at most, found {} ms",
        limit.as_millis(),
        took.as_millis()
    );
    Ok(())
}

fn fails_to_open_with_words(ctx: &Ctx) -> Outcome {
    // The folders exist in every host; with files in their place nothing can be read or written below them. A driver that
    // needs no folder opens all the same, which is as well.
    let bench = match ctx.builder().in_the_way().not_up().open() {
        Ok(bench) => bench,
        Err(failure) => return words(failure),
    };
    match bench.bring_up() {
        Ok(()) => {}
        Err(error) => ensure!(
            !error.message().is_empty(),
            "bring_up over folders that are none: expected an error in words, found an empty one"
        ),
    }
    let panics = bench.recording().panics;
    ensure!(
        panics.is_empty(),
        "bring_up over folders that are none: expected an error, found a panic: {}",
        panics.join("; ")
    );
    Ok(())
}

fn words(failure: Failure) -> Outcome {
    match failure {
        Failure::Broken(text) if text.contains("panicked") => Err(Failure::new(format!(
            "open over folders that are none: expected an error, found a panic: {text}"
        ))),
        Failure::Broken(text) if text.contains("fails to open") => Ok(()),
        other => Err(other),
    }
}

fn unwinds(ctx: &Ctx) -> Outcome {
    // The host's loader reads the manifest's mark and refuses the other strategy in these words.
    match ctx.builder().candidate() {
        Err(Failure::Broken(text)) if text.contains("panic=abort") => Err(Failure::new(text)),
        _ => Ok(()),
    }
}

fn loads_twice(ctx: &Ctx) -> Outcome {
    let first = ctx.bench()?;
    let second = ctx.builder().root(ctx.root().join("second")).open()?;
    ensure!(
        second.facts() == first.facts(),
        "the second driver: expected the first one's manifest, found {:?}",
        second.facts()
    );
    if first.offers("virt.lifecycle/1") {
        first.define(&ctx.domain(1)).succeeds("define in the first driver")?;
        let there = second.list().succeeds("list in the second driver")?;
        ensure!(
            there.is_empty(),
            "list in the second driver: expected nothing of what the first one was told, found '{}'",
            there[0].name
        );
    }
    second
        .close(ctx.fixtures().timing.close())
        .succeeds("close of the second driver")?;
    if first.offers("virt.lifecycle/1") {
        first
            .list()
            .succeeds("list in the first driver after the second one was closed")?;
    }
    Ok(())
}
