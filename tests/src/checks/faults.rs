//! A host that fails, is slow, has no disk left, or is killed.

use super::{process, steps};
use crate::bench::{Bench, Counted, FaultPlan};
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome, Reason};
use crate::ensure;
use crate::runner::Status;
use driver_api::error::Code;
use rustix::mount::{MountFlags, mount, unmount};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Of the calls of one step so many are tried in turn; of longer ones as many are drawn from the seed.
const MOST: usize = 12;

/// Of the calls of a step that are killed in turn, where each try is two processes.
const MOST_KILLS: usize = 6;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "FAULT-001",
        title: "a host call that fails is an error of that call, and nothing has changed",
        clause: "faults.host-error",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A process can not be started, a port not be filtered: then the client is told so, and the next try finds \
              everything as it was.",
        fix: "Hand errors on, and undo what was done before: a guest that was started is killed, a job is ended.",
        run: bears_errors,
    },
    Check {
        id: "FAULT-002",
        title: "a slow host makes it slow, and reads answer all the same",
        clause: "faults.slow-host",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A machine under load answers late; a driver that counts on speed fails just then.",
        fix: "Wait for what is to happen, not for a time, and publish snapshots for reads.",
        run: bears_slowness,
    },
    Check {
        id: "FAULT-003",
        title: "a full disk is an error, and nothing has changed",
        clause: "faults.disk",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "Half a file is a definition that is gone with the next start of the host.",
        fix: "Write beside the old file, sync, rename; change what is in memory after that.",
        run: bears_a_full_disk,
    },
    Check {
        id: "FAULT-004",
        title: "killed at any point it comes up again, with the old definitions or the new ones",
        clause: "faults.kill",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A host is killed by the kernel when memory is short, and by people. What was promised to a client must be there \
              afterwards, and what was half done must not stand in the way.",
        fix: "Persist first, then apply, then publish; on `bring_up` look at what is there, not at what should be.",
        run: survives_kill,
    },
];

/// The numbers to be tried of so many: all, or some that the seed chooses.
fn chosen(ctx: &Ctx, count: u64, most: usize) -> Vec<u64> {
    let mut numbers: Vec<u64> = (1..=count).collect();
    if numbers.len() > most {
        ctx.random().shuffle(&mut numbers);
        numbers.truncate(most);
        numbers.sort_unstable();
    }
    numbers
}

fn bears_errors(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for step in steps::of(ctx, &bench) {
        // Once unharmed, to know how many calls there are; then back to where it was.
        bench.set_faults(FaultPlan::default());
        step.go(ctx, &bench).succeeds(step.name)?;
        steps::settled(&bench)?;
        let count = bench.counted();
        step.undo(ctx, &bench)
            .succeeds(format_args!("what undoes {}", step.name))?;
        for nth in chosen(ctx, count, MOST) {
            let before = steps::view(&bench)?;
            let processes = process::others(ctx.privileged());
            bench.set_faults(FaultPlan {
                fail: Some((nth, Code::SYSTEM_ERROR)),
                ..FaultPlan::default()
            });
            let answer = (step.forth)(ctx, &bench);
            bench.set_faults(FaultPlan::default());
            let failed = bench.recording().host_calls;
            let failed = failed.iter().rev().find(|call| call.injected).map(ToString::to_string);
            let failed = failed.unwrap_or_else(|| String::from("a host call"));
            let situation = format!("{} with {failed} refused (its host call {nth})", step.name);
            steps::settled(&bench).map_err(|failure| failure.when(&situation))?;
            match answer {
                // What it lost, like an event, was not worth the step.
                Ok(()) => step
                    .undo(ctx, &bench)
                    .succeeds(format_args!("what undoes {} after {situation}", step.name))?,
                Err(error) => {
                    ensure!(!error.message().is_empty(), "{situation}: expected an error in words");
                    steps::unchanged(&bench, &before).map_err(|failure| failure.when(&situation))?;
                    // A guest that runs starts and ends processes of its own as it likes.
                    let rested = !before.contains(steps::ACTIVE);
                    let more = || process::more(&processes, &process::others(ctx.privileged()));
                    let gone = !rested || bench.wait(Duration::from_secs(10), |_| more().is_empty());
                    ensure!(
                        gone,
                        "{situation}: expected that no process is left, found {}",
                        more().join(", ")
                    );
                }
            }
            bench.forget_recording();
        }
        step.go(ctx, &bench)
            .succeeds(format_args!("{} after all its failures", step.name))?;
    }
    Ok(())
}

fn bears_slowness(ctx: &Ctx) -> Outcome {
    const LATE: Duration = Duration::from_millis(40);
    const AT_ONCE: Duration = Duration::from_secs(2);
    let bench = ctx
        .builder()
        .faults(FaultPlan {
            slow: Some(LATE),
            ..FaultPlan::default()
        })
        .open()?;
    for step in steps::of(ctx, &bench) {
        let situation = format!("{} in a host whose calls take {} ms more", step.name, LATE.as_millis());
        let slowest = std::thread::scope(|scope| -> Outcome<Duration> {
            let changing = scope.spawn(|| step.go(ctx, &bench));
            let mut slowest = Duration::ZERO;
            while !changing.is_finished() {
                let began = Instant::now();
                steps_read(&bench)?;
                slowest = slowest.max(began.elapsed());
                std::thread::sleep(Duration::from_millis(2));
            }
            let died = || {
                Err(driver_api::error::Error::new(
                    Code::INTERNAL,
                    driver_api::error::Origin::NONE,
                    "its thread died",
                ))
            };
            changing.join().unwrap_or_else(|_| died()).succeeds(&situation)?;
            Ok(slowest)
        })?;
        ensure!(
            slowest < AT_ONCE,
            "{situation}: expected reads to answer at once meanwhile, found one that took {} ms",
            slowest.as_millis()
        );
    }
    steps::settled(&bench)
}

fn steps_read(bench: &Bench) -> Outcome {
    if bench.offers("virt.lifecycle/1") {
        bench.list().succeeds("list while a change is under way")?;
    }
    if bench.offers("nwfilter.define/1") {
        bench.filters().succeeds("filters while a change is under way")?;
    }
    Ok(())
}

/// A disk that can be full: a small file system as root, else a folder that can not be written.
#[derive(Debug)]
struct Disk<'a> {
    folder: &'a Path,
    mounted: bool,
}

impl<'a> Disk<'a> {
    fn new(folder: &'a Path, privileged: bool) -> Outcome<Self> {
        if privileged {
            let none = MountFlags::empty();
            mount("disk", folder, "tmpfs", none, Some(c"size=2m,mode=0755"))
                .map_err(|errno| Failure::new(format!("the check can not mount a small disk: {errno}")))?;
        }
        Ok(Self {
            folder,
            mounted: privileged,
        })
    }

    fn fill(&self) -> Outcome {
        let failed = |error: std::io::Error| Failure::new(format!("the check can not fill its disk: {error}"));
        let mut file = fs::File::create(self.folder.join("filler")).map_err(failed)?;
        let block = [0_u8; 4096];
        // Ends when nothing fits any more, which is what it is for.
        while file.write_all(&block).is_ok() {}
        Ok(())
    }

    fn free(&self) -> Outcome {
        fs::remove_file(self.folder.join("filler"))
            .map_err(|error| Failure::new(format!("the check can not free its disk: {error}")))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        if self.mounted {
            // The namespace ends with the check anyway.
            let _gone = unmount(self.folder, rustix::mount::UnmountFlags::DETACH);
        }
    }
}

fn bears_a_full_disk(ctx: &Ctx) -> Outcome {
    if !ctx.fixtures().domain.persistent {
        return Err(Failure::Skip(
            Reason::Config,
            String::from("the fixtures say that this driver keeps nothing on disk"),
        ));
    }
    if !ctx.privileged() {
        return bears_a_folder_that_is_read_only(ctx);
    }
    let root = ctx.folder("host")?;
    let disk = Disk::new(&root, true)?;
    let bench = ctx.builder().root(root.clone()).open()?;
    for step in steps::of(ctx, &bench) {
        // A guest may live on a full disk or not: that is its driver's to say.
        let on_disk = step.name.contains("define") || step.name == "set_autostart";
        if on_disk {
            let before = steps::view(&bench)?;
            let files = Bench::files(&bench.config().conf_dir);
            disk.fill()?;
            let answer = (step.forth)(ctx, &bench);
            let situation = format!("{} on a full disk", step.name);
            let settled = steps::settled(&bench).map_err(|failure| failure.when(&situation));
            match answer {
                // What takes space from nobody can be done.
                Ok(()) => {
                    disk.free()?;
                    step.undo(ctx, &bench)
                        .succeeds(format_args!("what undoes {situation}"))?;
                }
                Err(_) => {
                    let same = steps::unchanged(&bench, &before).map_err(|failure| failure.when(&situation));
                    let kept = Bench::files(&bench.config().conf_dir);
                    disk.free()?;
                    same?;
                    let lost = files.iter().find(|(path, bytes)| kept.get(*path) != Some(bytes));
                    if let Some((path, _)) = lost {
                        return Err(Failure::new(format!(
                            "{situation}: expected that files stay as they were, found '{}' changed or gone",
                            path.display()
                        )));
                    }
                }
            }
            settled?;
        }
        step.go(ctx, &bench)
            .succeeds(format_args!("{} once there is room again", step.name))?;
    }
    Ok(())
}

/// What an ordinary user can play of it.
fn bears_a_folder_that_is_read_only(ctx: &Ctx) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let bench = ctx.bench()?;
    let folder = bench.config().conf_dir.clone();
    let mode = |mode| {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode))
            .map_err(|error| Failure::new(format!("the check can not change a folder's mode: {error}")))
    };
    mode(0o555)?;
    let before = steps::view(&bench)?;
    let answer = if bench.offers("virt.lifecycle/1") {
        bench.define(&ctx.domain(1)).map(drop)
    } else {
        bench.define_filter(&ctx.filter(1)).map(drop)
    };
    let same = steps::unchanged(&bench, &before);
    mode(0o755)?;
    steps::settled(&bench)?;
    match answer {
        // It keeps its definitions elsewhere.
        Ok(()) => Ok(()),
        Err(_) => same.map_err(|failure| failure.when("a definition in a folder that can not be written")),
    }
}

fn survives_kill(ctx: &Ctx) -> Outcome {
    match ctx.phase() {
        None => {}
        Some("learn") => return learn(ctx),
        Some("work") => return work(ctx),
        Some("look") => return look(ctx),
        Some(other) => return Err(Failure::new(format!("there is no phase '{other}'"))),
    }
    if !ctx.fixtures().domain.persistent {
        return Err(Failure::Skip(
            Reason::Config,
            String::from("the fixtures say that this driver keeps nothing on disk"),
        ));
    }
    ctx.phase_passes("learn", "")?;
    let learnt = fs::read_to_string(ctx.root().join("steps"))
        .map_err(|error| Failure::new(format!("the check lost what it learnt: {error}")))?;
    for (index, line) in learnt.lines().enumerate() {
        let (name, count) = line.split_once('\t').unwrap_or((line, "0"));
        let count = count.parse().unwrap_or(0);
        // Odd ones before a call is served, even ones after it; fewer where each try boots a guest.
        let most = if name.contains("define") {
            MOST_KILLS
        } else {
            MOST_KILLS / 2
        };
        for point in chosen(ctx, 2 * count, most) {
            let (nth, when) = (point.div_ceil(2), if point % 2 == 1 { "before" } else { "after" });
            let situation = format!("{name}, killed {when} its host call {nth} was served");
            let ended = ctx.run_phase("work", format!("{index} {nth} {when}"))?;
            if !ended.was_killed() {
                // It went another way this time and made fewer calls: then it must have passed.
                let passed = ended.passed() || ended.status == Status::Signalled(9);
                ensure!(
                    passed,
                    "{situation}: expected the process to be killed, found {ended:?}"
                );
            }
            ctx.phase_passes("look", index.to_string())
                .map_err(|failure| failure.when(format_args!("after {situation}, in the next host")))?;
        }
    }
    Ok(())
}

fn learnt_file(ctx: &Ctx, index: usize) -> std::path::PathBuf {
    ctx.root().join(format!("kept-{index}"))
}

fn lost(error: std::io::Error) -> Failure {
    Failure::new(format!("the check can not keep what it learnt: {error}"))
}

/// Walks all steps unharmed; keeps how many host calls each makes and what is kept after each.
fn learn(ctx: &Ctx) -> Outcome {
    let bench = ctx.builder().root(ctx.root().join("learn")).open()?;
    let mut lines = String::new();
    fs::write(learnt_file(ctx, 0), steps::kept(&bench)?).map_err(lost)?;
    for (index, step) in steps::of(ctx, &bench).into_iter().enumerate() {
        bench.set_faults(FaultPlan::default());
        step.go(ctx, &bench).succeeds(step.name)?;
        lines.push_str(&format!("{}\t{}\n", step.name, bench.counted()));
        fs::write(learnt_file(ctx, index + 1), steps::kept(&bench)?).map_err(lost)?;
    }
    fs::write(ctx.root().join("steps"), lines).map_err(lost)
}

fn work(ctx: &Ctx) -> Outcome {
    let mut words = ctx.phase_argument().split(' ');
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    let (index, nth) = (number(), number());
    let after = ctx.phase_argument().ends_with("after");
    let bench = ctx.bench()?;
    let steps = steps::of(ctx, &bench);
    let index = usize::try_from(index).unwrap_or(0);
    for step in &steps[..index] {
        step.go(ctx, &bench).succeeds(step.name)?;
    }
    bench.set_faults(FaultPlan {
        counted: Counted::Fallible,
        kill_before: (!after).then_some(nth),
        kill_after: after.then_some(nth),
        ..FaultPlan::default()
    });
    (steps[index].forth)(ctx, &bench).succeeds(steps[index].name)
}

/// The next host: what was defined is as before the step or as after it, and can be used and removed.
fn look(ctx: &Ctx) -> Outcome {
    let index: usize = ctx.phase_argument().parse().unwrap_or(0);
    let bench = ctx.bench()?;
    let found = steps::kept(&bench)?;
    let read = |index| fs::read_to_string(learnt_file(ctx, index)).map_err(lost);
    let (old, new) = (read(index)?, read(index + 1)?);
    ensure!(
        found == old || found == new,
        "expected the definitions from before the call or from after it\nbefore: {}\nafter: {}\nfound: {}",
        steps::or_nothing(&old),
        steps::or_nothing(&new),
        steps::or_nothing(&found)
    );
    // Cleared away by ordinary calls, which must work: the next try begins here.
    if bench.offers("virt.lifecycle/1") {
        for brief in bench.list().succeeds("list")? {
            if !steps::is_ours(&brief.name) {
                continue;
            }
            if brief.id.is_some() {
                let answer = bench.destroy(brief.uuid);
                // The last host may have ended it, and the word of that arrived just now.
                let now = bench.by_uuid(brief.uuid).succeeds("by_uuid")?;
                if now.is_none_or(|brief| brief.id.is_some()) {
                    answer.succeeds("destroy of a domain that was found running")?;
                }
            }
            bench.undefine(brief.uuid).succeeds("undefine")?;
        }
    }
    if bench.offers("nwfilter.define/1") {
        for brief in bench.filters().succeeds("filters")? {
            if steps::is_ours(&brief.name) {
                bench.undefine_filter(brief.uuid).succeeds("undefine_filter")?;
            }
        }
    }
    let left = steps::view(&bench)?;
    ensure!(left.is_empty(), "expected that nothing is left, found {left}");
    Ok(())
}
