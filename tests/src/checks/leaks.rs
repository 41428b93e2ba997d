//! What a driver leaves behind.

use super::{life, process};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Failure, Level, Outcome};
use crate::ensure;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// Lives of a domain before the count begins: what is made once is no leak.
const WARM: usize = 2;
/// Lives while it is counted.
const LIVES: usize = 4;
/// Definitions while memory is looked at.
const DEFINITIONS: usize = 200;
/// What memory may grow over these.
const GROWTH_KIB: u64 = 1_024;
/// How long things may take to go away.
const SOON: Duration = Duration::from_secs(5);

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "LEAK-001",
        title: "no descriptor is left open",
        clause: "leaks.descriptors",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A host runs for months; when its descriptors are used up, it can not even accept a client.",
        fix: "Own each descriptor by one value (`OwnedFd`, `File`) that goes with the guest.",
        run: leaves_no_descriptor,
    },
    Check {
        id: "LEAK-002",
        title: "no thread is left",
        clause: "leaks.threads",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "Each thread costs memory, and one that waits for ever holds what it has.",
        fix: "Tell a domain's thread to end with the domain, and join it.",
        run: leaves_no_thread,
    },
    Check {
        id: "LEAK-003",
        title: "no process is left, not even a dead one",
        clause: "leaks.processes",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A process that nobody knows of uses the machine, and a dead one its table of processes.",
        fix: "Start processes by the host's `spawn` service, which ends and reaps them.",
        run: leaves_no_process,
    },
    Check {
        id: "LEAK-004",
        title: "memory does not grow with use",
        clause: "leaks.memory",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A host runs for months.",
        fix: "Remove what belongs to a domain from every table when it is undefined.",
        run: does_not_grow,
    },
    Check {
        id: "LEAK-005",
        title: "no file is left of what is gone",
        clause: "leaks.files",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A file of a domain that is gone is found again by the next one of that name.",
        fix: "Remove a domain's files with it, temporary ones on every path; logs may stay.",
        run: leaves_no_file,
    },
    Check {
        id: "LEAK-006",
        title: "no network interface and no table of rules is left",
        clause: "leaks.network",
        level: Level::Must,
        needs: &[],
        privileged: true,
        why: "An interface that is left can not be made again, and rules that are left drop somebody else's packets.",
        fix: "Remove interfaces when their domain stops, and rules when their last user goes.",
        run: leaves_no_link,
    },
    Check {
        id: "LEAK-007",
        title: "what the whole process shares is left alone",
        clause: "leaks.environment",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "Variables, working folder, umask, signal handlers and limits belong to the host; a change of them breaks other \
              drivers, some of them by a data race.",
        fix: "Give children their own environment and folder by the order for them; set no signal handler.",
        run: leaves_the_process_alone,
    },
];

fn lives(ctx: &Ctx, bench: &Bench, from: usize, count: usize) -> Outcome {
    for n in from..from + count {
        // The same few domains over and over: a table that grows with their number is found by memory.
        // What its calls answer is for the checks of the contract.
        let _any = life::short(ctx, bench, 1 + n % 2)?;
    }
    Ok(())
}

/// What is more after a few lives than before them, once it had time to go away.
fn grown<K: Ord>(ctx: &Ctx, look: impl Fn() -> BTreeMap<K, String>) -> Outcome<Vec<String>> {
    let bench = ctx.bench()?;
    lives(ctx, &bench, 0, WARM)?;
    let before = look();
    lives(ctx, &bench, WARM, LIVES)?;
    // One thing more may be a pool that grows to its size; as many as there were lives are none.
    let few = |after: &BTreeMap<K, String>| after.len() < before.len() + LIVES;
    if bench.wait(SOON, |_| few(&look())) {
        return Ok(Vec::new());
    }
    Ok(process::more(&before, &look()))
}

fn expect_none(what: &str, more: &[String]) -> Outcome {
    ensure!(
        more.is_empty(),
        "{what} after {LIVES} lives of domains and filters: expected as many as before, found {} more: {}",
        more.len(),
        more.iter().take(5).cloned().collect::<Vec<String>>().join(", ")
    );
    Ok(())
}

fn leaves_no_descriptor(ctx: &Ctx) -> Outcome {
    expect_none("open descriptors", &grown(ctx, process::descriptors)?)
}

fn leaves_no_thread(ctx: &Ctx) -> Outcome {
    expect_none("threads", &grown(ctx, process::threads)?)
}

fn leaves_no_process(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    lives(ctx, &bench, 0, WARM)?;
    let walled = ctx.privileged();
    let left = |_: &Bench| {
        process::others(walled)
            .into_values()
            .map(|command| format!("'{command}'"))
            .collect::<Vec<String>>()
    };
    if !bench.wait(SOON, |bench| left(bench).is_empty()) {
        return Err(Failure::new(format!(
            "processes after {WARM} lives of domains and filters: expected none, found {}",
            left(&bench).join(", ")
        )));
    }
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let dead = crate::process::all()
        .into_iter()
        .filter(|process| process.parent == own && process.is_dead())
        .count();
    ensure!(
        dead == 0,
        "children that have ended: expected that the driver has waited for them, found {dead} that nobody has"
    );
    Ok(())
}

fn does_not_grow(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    let define = |count: usize| -> Outcome {
        for n in 0..count {
            let n = n + 1;
            let done = (|| {
                if bench.offers("virt.lifecycle/1") {
                    bench.define(&ctx.domain(n))?;
                    bench.dump_xml(ctx.uuid(n), 0)?;
                    bench.undefine(ctx.uuid(n))?;
                }
                if bench.offers("nwfilter.define/1") {
                    bench.define_filter(&ctx.filter(n))?;
                    bench.undefine_filter(ctx.uuid(n))?;
                }
                Ok::<(), driver_api::error::Error>(())
            })();
            if let Err(error) = done {
                let code = error.code().0;
                return Err(Failure::new(format!(
                    "definition {n} of many: expected success, found error {code}: {error}"
                )));
            }
            bench.forget_recording();
            bench.forget_log();
        }
        Ok(())
    };
    define(DEFINITIONS)?;
    let mut growth = Vec::new();
    // Three times in a row: an allocator that takes a step once is no leak.
    for _ in 0..3 {
        let before = process::memory_kib();
        define(DEFINITIONS)?;
        growth.push(process::memory_kib().saturating_sub(before));
    }
    ensure!(
        growth.iter().any(|kib| *kib < GROWTH_KIB),
        "memory over {DEFINITIONS} definitions that were undefined again: expected it to grow by less than {GROWTH_KIB} KiB, \
         found {growth:?} KiB in three rounds"
    );
    Ok(())
}

fn leaves_no_file(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    lives(ctx, &bench, 0, WARM)?;
    let config = bench.config().clone();
    // Logs of guests are kept for people.
    let folders = [config.conf_dir, config.state_dir, config.run_dir];
    let look = |_: &Bench| {
        let files = folders.iter().flat_map(|folder| process::files(folder));
        files.map(|path| path.display().to_string()).collect::<Vec<String>>()
    };
    let names = [
        ctx.name(1),
        ctx.name(2),
        ctx.uuid(1).to_string(),
        ctx.uuid(2).to_string(),
    ];
    let of_gone = |bench: &Bench| {
        let mut left = look(bench);
        left.retain(|path| names.iter().any(|name| path.contains(name.as_str())));
        left
    };
    if !bench.wait(SOON, |bench| of_gone(bench).is_empty()) {
        return Err(Failure::new(format!(
            "files of domains and filters that are gone: expected none, found {}",
            of_gone(&bench).join(", ")
        )));
    }
    let before = look(&bench).len();
    lives(ctx, &bench, WARM, LIVES)?;
    if !bench.wait(SOON, |bench| look(bench).len() < before + LIVES) {
        return Err(Failure::new(format!(
            "files in the driver's folders: expected {before} as before {LIVES} more lives, found {}: {}",
            look(&bench).len(),
            look(&bench).join(", ")
        )));
    }
    Ok(())
}

/// The tables of rules in this network namespace, if there is somebody to tell them.
fn tables() -> String {
    let told = Command::new("nft").args(["list", "ruleset"]).output();
    told.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

fn leaves_no_link(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    lives(ctx, &bench, 0, WARM)?;
    let (links, rules) = (process::links(), tables());
    lives(ctx, &bench, WARM, LIVES)?;
    if !bench.wait(SOON, |_| process::links() == links) {
        return Err(Failure::new(format!(
            "network interfaces: expected {links:?} as before {LIVES} more lives, found {:?}",
            process::links()
        )));
    }
    let after = tables();
    ensure!(
        after == rules,
        "rules in the kernel: expected those from before {LIVES} more lives\n{rules}\nfound\n{after}"
    );
    Ok(())
}

fn leaves_the_process_alone(ctx: &Ctx) -> Outcome {
    let before = process::surroundings();
    let bench = ctx.bench()?;
    lives(ctx, &bench, 0, WARM)?;
    let after = process::surroundings();
    for (name, value) in &after {
        let was = before.get(name);
        ensure!(
            was == Some(value),
            "{name} of the process: expected {}, found '{value}'",
            was.map_or_else(|| String::from("that there is none"), |was| format!("'{was}'"))
        );
    }
    let gone = before.keys().find(|name| !after.contains_key(*name));
    ensure!(
        gone.is_none(),
        "{} of the process: expected it to stay, found it gone",
        gone.map_or("", String::as_str)
    );
    Ok(())
}
