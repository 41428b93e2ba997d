//! Files of definitions: damaged ones, and those that a killed host was just writing.

use super::{begins_anew, expect_killed, kept, read_note, write_note};
use crate::bench::Bench;
use crate::check::{Ctx, Expect, Failure, Outcome};
use crate::checks::domains::{expect_calm, expect_state, remove};
use crate::{ensure, ensure_eq};
use driver_api::types::domain::State;
use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files that a definition of the first domain made, each with its content.
fn own_files(before: &HashMap<PathBuf, Vec<u8>>, bench: &Bench) -> Vec<(PathBuf, Vec<u8>)> {
    let mut own: Vec<_> = Bench::files(&bench.config().conf_dir)
        .into_iter()
        .filter(|(path, _)| !before.contains_key(path))
        .collect();
    own.sort();
    own
}

/// The ways in which a file can be damaged.
const DAMAGE: [&str; 5] = ["empty", "half", "zeros", "garbage", "a name that is no UTF-8"];

/// Files that somebody else put into the folder.
const STRANGERS: [&str; 2] = ["stranger.xml~", "stranger.new"];

/// Damages a file of the domain of this name.
fn damage(path: &Path, content: &[u8], how: &str, name: &str) -> std::io::Result<()> {
    match how {
        "empty" => std::fs::write(path, b""),
        "half" => std::fs::write(path, &content[..content.len() / 2]),
        "zeros" => std::fs::write(path, vec![0; content.len()]),
        "garbage" => std::fs::write(path, b"\xff\xfe<domain \x00\x01 & nonsense"),
        _ => {
            let mut content = content.to_vec();
            let place = content
                .windows(name.len())
                .position(|part| part == name.as_bytes())
                .unwrap_or(content.len() / 2);
            if let Some(byte) = content.get_mut(place) {
                *byte = 0xff;
            }
            std::fs::write(path, content)
        }
    }
}

pub(super) fn damage_stays_with_one(ctx: &Ctx) -> Outcome {
    match ctx.phase() {
        None => {
            ctx.phase_passes("first", "")?;
            for how in DAMAGE {
                ctx.phase_passes("damage", how)?;
                ctx.phase_passes("look", "").map_err(|failure| {
                    failure.when(format_args!("after the files of one domain were damaged ({how})"))
                })?;
            }
            Ok(())
        }
        Some("first") => {
            let bench = ctx.bench()?;
            bench.define(&ctx.domain(2)).succeeds("define")?;
            write_note(ctx, "2", &kept(&bench, ctx, 2)?)
        }
        Some("damage") => define_and_damage(ctx, ctx.phase_argument()),
        Some(_) => look_at_the_damage(ctx),
    }
}

fn define_and_damage(ctx: &Ctx, how: &str) -> Outcome {
    let failed = |error: std::io::Error| Failure::new(format!("the suite can not damage a file: {error}"));
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.persistent {
        return Ok(());
    }
    remove(&bench, ctx.uuid(1))?;
    let before = Bench::files(&bench.config().conf_dir);
    bench.define(&ctx.domain(1)).succeeds("define")?;
    let own = own_files(&before, &bench);
    ensure!(
        !own.is_empty(),
        "define: expected a file of the domain in 'conf_dir', found none"
    );
    bench.close(ctx.fixtures().timing.close()).succeeds("close")?;
    for (path, content) in &own {
        damage(path, content, how, &ctx.name(1)).map_err(failed)?;
    }
    // Strangers, too: what an editor leaves, and what only looks like a draft of the driver's.
    for (path, name) in own.iter().flat_map(|(path, _)| STRANGERS.map(|name| (path, name))) {
        std::fs::write(path.with_file_name(name), "<domain").map_err(failed)?;
    }
    Ok(())
}

fn look_at_the_damage(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.persistent {
        return begins_anew(ctx, &bench);
    }
    let files = Bench::files(&bench.config().conf_dir);
    for name in STRANGERS {
        ensure!(
            files.keys().any(|path| path.ends_with(name)),
            "bring_up: expected a file that is none of the driver's to be left alone, found '{name}' removed from 'conf_dir'"
        );
    }
    let found = kept(&bench, ctx, 2)?;
    ensure_eq!(found, read_note(ctx, "2")?, "another domain, after the damage");
    for known in bench.list().succeeds("list")? {
        ensure!(
            known.uuid == ctx.uuid(2) || known.uuid == ctx.uuid(1),
            "list after the damage: expected no other domain than those that were defined, found {known:?}"
        );
        bench
            .dump_xml(known.uuid, 0)
            .succeeds("dump_xml of a domain that is listed")?;
    }
    bench
        .define(&ctx.domain(1))
        .succeeds("define of the damaged domain once more")?;
    expect_state(
        &bench,
        ctx.uuid(1),
        State::Shutoff,
        "define of the damaged domain once more",
    )?;
    expect_calm(&bench)
}

/// Prints the two definitions of the first domain, for whoever compares later; leaves the first in force.
fn two_definitions(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for (name, document) in [("new", ctx.changed_domain(1)), ("old", ctx.domain(1))] {
        bench.define(&document).succeeds("define")?;
        write_note(ctx, name, &kept(&bench, ctx, 1)?)?;
    }
    let size = Bench::files(&bench.config().conf_dir).values().map(Vec::len).max();
    write_note(ctx, "size", &size.unwrap_or(0).to_string())
}

fn old_or_new(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    if !ctx.fixtures().domain.persistent {
        return begins_anew(ctx, &bench);
    }
    let list = bench.list().succeeds("list")?;
    ensure_eq!(list.len(), 1, "list of the next host: the number of domains");
    let found = kept(&bench, ctx, 1)?;
    let (old, new) = (read_note(ctx, "old")?, read_note(ctx, "new")?);
    ensure!(
        found == old || found == new,
        "the next host: expected the old definition or the new one, found a third: {found}\nthe old one: {old}\nthe new one: {new}"
    );
    // The next round begins with the old one.
    bench.define(&ctx.domain(1)).succeeds("define in the next host")?;
    expect_calm(&bench)
}

pub(super) fn old_or_new_at_each_byte(ctx: &Ctx) -> Outcome {
    match ctx.phase() {
        None => {
            ctx.phase_passes("first", "")?;
            let size: usize = read_note(ctx, "size")?.parse().unwrap_or(0);
            // The suite's own line of progress must fit, whatever the limit.
            let least = 128;
            for place in 0..4 {
                let limit = least + size.saturating_sub(least) * place / 4;
                let ended = ctx.run_phase("cut", limit.to_string())?;
                if let Some(crate::check::Verdict::Failed { text }) = ended.verdict {
                    return Err(Failure::new(text));
                }
                ctx.phase_passes("look", "").map_err(|failure| {
                    failure.when(format_args!("after a define that could write {limit} bytes to a file"))
                })?;
            }
            Ok(())
        }
        Some("first") => two_definitions(ctx),
        Some("cut") => {
            let bench = ctx.bench()?;
            let limit = ctx.phase_argument().parse().ok();
            let maximum = getrlimit(Resource::Fsize).maximum;
            let limit = Rlimit {
                current: limit,
                maximum,
            };
            setrlimit(Resource::Fsize, limit)
                .map_err(|error| Failure::new(format!("the suite can not limit files: {error}")))?;
            // The kernel writes as much as may be, and ends the process with SIGXFSZ at the next byte.
            let _defined = bench.define(&ctx.changed_domain(1));
            Ok(())
        }
        Some(_) => old_or_new(ctx),
    }
}

pub(super) fn old_or_new_at_any_time(ctx: &Ctx) -> Outcome {
    match ctx.phase() {
        None => {
            ctx.phase_passes("first", "")?;
            let mut random = ctx.random();
            for round in 1..=6 {
                let delay = random.u64(200..20_000);
                expect_killed(ctx, "write", delay.to_string())?;
                ctx.phase_passes("look", "").map_err(|failure| {
                    failure.when(format_args!(
                        "round {round}, killed after {delay} us of definitions, seed {}",
                        ctx.seed()
                    ))
                })?;
            }
            Ok(())
        }
        Some("first") => two_definitions(ctx),
        Some("write") => {
            let bench = ctx.bench()?;
            let delay = Duration::from_micros(ctx.phase_argument().parse().unwrap_or(1_000));
            let killer = std::thread::Builder::new()
                .name("suite-killer".to_owned())
                .spawn(move || {
                    std::thread::sleep(delay);
                    let _killed = kill_process(getpid(), Signal::KILL);
                });
            killer.map_err(|error| Failure::new(format!("the suite has no thread: {error}")))?;
            loop {
                bench.define(&ctx.changed_domain(1)).succeeds("define")?;
                bench.define(&ctx.domain(1)).succeeds("define")?;
            }
        }
        Some(_) => old_or_new(ctx),
    }
}
