//! What outlives the host: definitions, marks and guests, whole or not at all.

mod files;

use super::domains::{VIRT, brief, expect_calm, expect_state, remove, startable};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::{ensure, ensure_eq};
use driver_api::types::domain::State;
use driver_api::types::domain::flags::XML_INACTIVE;
use rustix::process::{Signal, getpid, kill_process};
use std::path::PathBuf;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "KEEP-001",
        title: "definitions and autostart marks are there again after the host was closed and started anew",
        clause: "persistence.restart",
        why: "The host is updated while its users sleep: they must not see a difference, not by a byte.",
        fix: "Store the definition and the mark in `conf_dir` before you publish; read both in `bring_up`.",
        run: outlive_a_close,
        ..VIRT
    },
    Check {
        id: "KEEP-002",
        title: "definitions and autostart marks are there again after the host was killed",
        clause: "persistence.restart",
        why: "A client that was told that its domain is defined must find it after `kill -9`, too.",
        fix: "Write before you answer; leave nothing for `close` to store.",
        run: outlive_a_kill,
        ..VIRT
    },
    Check {
        id: "KEEP-003",
        title: "a guest that runs is found again with its id, and can be ended",
        clause: "persistence.restart",
        why: "A guest that nobody knows can not be stopped, and is started a second time on the same disk.",
        fix: "In `bring_up` ask `Host::survivors`, compare with what `run_dir` says, publish, then watch each. Leave guests alone \
              in `close`.",
        run: guest_is_found_again,
        ..VIRT
    },
    Check {
        id: "KEEP-004",
        title: "a file that is cut off, empty or no document costs no other domain",
        clause: "persistence.half-written",
        why: "One bad sector must not take all guests from their users.",
        fix: "In `bring_up` log what can not be read, set it aside, and go on with the next file.",
        run: files::damage_stays_with_one,
        ..VIRT
    },
    Check {
        id: "KEEP-005",
        title: "a host that is killed in the middle of a write leaves the old definition or the new one",
        clause: "persistence.atomic",
        why: "Half a definition is none: the domain would be gone after a power failure.",
        fix: "Write beside the file, sync, rename, sync the folder; never open the file itself for writing.",
        run: files::old_or_new_at_each_byte,
        ..VIRT
    },
    Check {
        id: "KEEP-006",
        title: "a host that is killed at any moment while it defines leaves the old definition or the new one",
        clause: "persistence.atomic",
        why: "Nobody chooses the moment of a crash.",
        fix: "One rename decides. What is made before it, and not named by it, means nothing at the next start.",
        run: files::old_or_new_at_any_time,
        ..VIRT
    },
    Check {
        id: "KEEP-007",
        title: "what was undefined stays undefined in the next host",
        clause: "lifecycle.undefine",
        why: "A domain that comes back was sold to somebody else meanwhile: its name, its address, its disk.",
        fix: "Remove the file before you publish, and sync its folder.",
        run: undefined_stays_so,
        ..VIRT
    },
    Check {
        id: "KEEP-008",
        title: "an id is not given out again by the next host",
        clause: "lifecycle.ids",
        why: "A script that held the id over an update of the host would act on another guest.",
        fix: "Keep the counter in `run_dir` when guests outlive the host.",
        run: ids_go_on,
        ..VIRT
    },
];

/// What is written down for the next process, beside the host's folders.
fn note(ctx: &Ctx, name: &str) -> PathBuf {
    ctx.root().join(format!("note-{name}"))
}

fn write_note(ctx: &Ctx, name: &str, text: &str) -> Outcome {
    let path = note(ctx, name);
    std::fs::write(&path, text).map_err(|error| Failure::new(format!("the suite: '{}': {error}", path.display())))
}

fn read_note(ctx: &Ctx, name: &str) -> Outcome<String> {
    let path = note(ctx, name);
    std::fs::read_to_string(&path).map_err(|error| Failure::new(format!("the suite: '{}': {error}", path.display())))
}

/// Everything of a domain that must be the same in the next host, as text.
fn kept(bench: &Bench, ctx: &Ctx, n: usize) -> Outcome<String> {
    let found = brief(bench, ctx.uuid(n))?;
    let printed = bench
        .dump_xml(found.uuid, XML_INACTIVE)
        .succeeds("dump_xml with XML_INACTIVE")?;
    Ok(format!(
        "name '{}', autostart {}, persistent {}, {} of {} KiB, {} processors\n{printed}",
        found.name, found.autostart, found.persistent, found.memory_kib, found.max_memory_kib, found.vcpus
    ))
}

fn die() -> Failure {
    // It can not fail for the process itself.
    let _killed = kill_process(getpid(), Signal::KILL);
    Failure::new("the suite: this process outlived SIGKILL")
}

/// A phase must end by SIGKILL; one that failed says why.
fn expect_killed(ctx: &Ctx, phase: &str, argument: impl Into<String>) -> Outcome {
    let ended = ctx.run_phase(phase, argument)?;
    if ended.was_killed() {
        return Ok(());
    }
    match ended.verdict {
        Some(crate::check::Verdict::Failed { text }) => Err(Failure::new(text)),
        _ => Err(Failure::new(format!(
            "the first host: expected it to be killed, found that it {}",
            ended.status
        ))),
    }
}

/// For a driver that keeps definitions in memory: the next host is empty and works.
fn begins_anew(ctx: &Ctx, bench: &Bench) -> Outcome {
    let list = bench.list().succeeds("list")?;
    ensure!(
        list.is_empty(),
        "list of the next host, and the fixtures say that definitions are not kept: expected none, found {list:?}"
    );
    bench.define(&ctx.domain(1)).succeeds("define in the next host")?;
    remove(bench, ctx.uuid(1))?;
    expect_calm(bench)
}

fn define_some(ctx: &Ctx) -> Outcome<Bench> {
    let bench = ctx.bench()?;
    for n in 1..=3 {
        bench.define(&ctx.domain(n)).succeeds("define")?;
    }
    bench
        .define(&ctx.changed_domain(2))
        .succeeds("define of a domain that there is")?;
    bench.set_autostart(ctx.uuid(1), true).succeeds("set_autostart")?;
    bench.set_autostart(ctx.uuid(3), true).succeeds("set_autostart")?;
    bench.set_autostart(ctx.uuid(3), false).succeeds("set_autostart")?;
    for n in 1..=3 {
        write_note(ctx, &n.to_string(), &kept(&bench, ctx, n)?)?;
    }
    Ok(bench)
}

fn find_all(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.persistent {
        return begins_anew(ctx, &bench);
    }
    let list = bench.list().succeeds("list")?;
    ensure_eq!(list.len(), 3, "list of the next host: the number of domains");
    for n in 1..=3 {
        expect_state(&bench, ctx.uuid(n), State::Shutoff, "a restart of the host")?;
        ensure_eq!(
            kept(&bench, ctx, n)?,
            read_note(ctx, &n.to_string())?,
            "domain {n} in the next host"
        );
    }
    for n in 1..=3 {
        bench.undefine(ctx.uuid(n)).succeeds("undefine in the next host")?;
    }
    expect_calm(&bench)
}

fn outlive_a_close(ctx: &Ctx) -> Outcome {
    match ctx.phase() {
        None => {
            ctx.phase_passes("first", "")?;
            ctx.phase_passes("second", "")
        }
        Some("first") => {
            let bench = define_some(ctx)?;
            bench.close(ctx.fixtures().timing.close()).succeeds("close")
        }
        Some(_) => find_all(ctx),
    }
}

fn outlive_a_kill(ctx: &Ctx) -> Outcome {
    match ctx.phase() {
        None => {
            expect_killed(ctx, "first", "")?;
            ctx.phase_passes("second", "")
        }
        Some("first") => {
            define_some(ctx)?;
            Err(die())
        }
        Some(_) => find_all(ctx),
    }
}

fn guest_is_found_again(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    match ctx.phase() {
        None => {
            for how in ["killed", "closed"] {
                expect_killed(ctx, "first", how)?;
                ctx.phase_passes("second", "")
                    .map_err(|failure| failure.when(format_args!("after the first host was {how}")))?;
            }
            Ok(())
        }
        Some("first") => {
            let bench = ctx.bench()?;
            bench.define(&ctx.domain(1)).succeeds("define")?;
            let started = bench.start(ctx.uuid(1)).succeeds("start")?;
            write_note(ctx, "id", &format!("{:?}", started.id))?;
            if ctx.phase_argument() == "closed" {
                bench.close(ctx.fixtures().timing.close()).succeeds("close")?;
            }
            Err(die())
        }
        Some(_) => {
            let bench = ctx.bench()?;
            let domain = &ctx.fixtures().domain;
            if !domain.persistent {
                return begins_anew(ctx, &bench);
            }
            if domain.survives {
                let found = expect_state(&bench, ctx.uuid(1), State::Running, "a restart of the host")?;
                ensure_eq!(
                    format!("{:?}", found.id),
                    read_note(ctx, "id")?,
                    "the next host: the id of a guest that runs"
                );
                bench
                    .destroy(ctx.uuid(1))
                    .succeeds("destroy of a guest that was found again")?;
            }
            expect_state(
                &bench,
                ctx.uuid(1),
                State::Shutoff,
                "a restart of the host, and the end of its guest",
            )?;
            let left = bench
                .guests()?
                .survivors(&bench.facts().name)
                .succeeds("the bench: its guests")?;
            ensure!(
                left.is_empty(),
                "the next host: expected no guest process, found {left:?}"
            );
            bench.start(ctx.uuid(1)).succeeds("start in the next host")?;
            remove(&bench, ctx.uuid(1))?;
            expect_calm(&bench)
        }
    }
}

fn undefined_stays_so(ctx: &Ctx) -> Outcome {
    match ctx.phase() {
        None => {
            expect_killed(ctx, "first", "")?;
            ctx.phase_passes("second", "")
        }
        Some("first") => {
            let bench = ctx.bench()?;
            for n in 1..=2 {
                bench.define(&ctx.domain(n)).succeeds("define")?;
                bench.set_autostart(ctx.uuid(n), true).succeeds("set_autostart")?;
            }
            bench.undefine(ctx.uuid(1)).succeeds("undefine")?;
            Err(die())
        }
        Some(_) => {
            let bench = ctx.bench()?;
            if !ctx.fixtures().domain.persistent {
                return begins_anew(ctx, &bench);
            }
            let list = bench.list().succeeds("list")?;
            let uuids: Vec<_> = list.iter().map(|brief| brief.uuid).collect();
            ensure_eq!(
                uuids,
                vec![ctx.uuid(2)],
                "list of the next host, after one of two domains was undefined"
            );
            let again = bench.define(&ctx.domain(1)).succeeds("define once more")?;
            ensure!(
                !again.autostart,
                "define in the next host of what was undefined: expected no mark, found it set"
            );
            expect_calm(&bench)
        }
    }
}

fn ids_go_on(ctx: &Ctx) -> Outcome {
    startable(ctx)?;
    match ctx.phase() {
        None => {
            expect_killed(ctx, "first", "")?;
            ctx.phase_passes("second", "")
        }
        Some("first") => {
            let bench = ctx.bench()?;
            bench.define(&ctx.domain(1)).succeeds("define")?;
            let started = bench.start(ctx.uuid(1)).succeeds("start")?;
            write_note(ctx, "id", &started.id.unwrap_or_default().to_string())?;
            bench.destroy(ctx.uuid(1)).succeeds("destroy")?;
            Err(die())
        }
        Some(_) => {
            let bench = ctx.bench()?;
            if !ctx.fixtures().domain.survives {
                // Whose guests end with the host begins to count anew.
                return expect_calm(&bench);
            }
            bench.define(&ctx.domain(1)).succeeds("define")?;
            let started = bench.start(ctx.uuid(1)).succeeds("start in the next host")?;
            let old: i32 = read_note(ctx, "id")?.parse().unwrap_or(0);
            ensure!(
                started.id.is_some_and(|id| id != old && id > 0),
                "start in the next host: expected an id that was not given out before, found {:?} again",
                started.id
            );
            remove(&bench, ctx.uuid(1))?;
            expect_calm(&bench)
        }
    }
}
