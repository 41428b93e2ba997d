//! Definitions and bindings outlive the host: killed at any moment, started on damaged files.

use super::paper::{self, OTHER, RULE, reference};
use super::view::{self, View};
use super::{must, port};
use crate::bench::{Bench, FaultPlan};
use crate::check::{Check, Ctx, Expect, Failure, Outcome};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use rustix::process::{Signal, getpid, kill_process};
use std::path::Path;

const BOUND: &[&str] = &["nwfilter.define/1", "nwfilter.binding/1"];

pub(crate) const CHECKS: &[Check] = &[
    must(
        "FILT-040",
        "definitions outlive a host that is killed",
        "persistence.restart",
        "A host that was updated, or that crashed, must come up with the rules that people believe in.",
        "Write a definition to the disk before it is published, and load all in `bring_up`.",
        filters_outlive,
    ),
    must(
        "FILT-041",
        "a definition that was cut off is the old one or the new one",
        "persistence.atomic",
        "A file of which half is written is neither, and the filter is lost.",
        "Write beside the old file, sync, rename.",
        cut_off_is_old_or_new,
    ),
    must(
        "FILT-042",
        "a damaged file keeps the driver from nothing else",
        "persistence.half-written",
        "One bad sector must not take the whole host down.",
        "Set aside what can not be read, say so in the log, go on with the rest.",
        damage_is_survived,
    ),
    Check {
        needs: BOUND,
        privileged: true,
        ..must(
            "FILT-043",
            "bindings and what is in force outlive a host that is killed",
            "persistence.restart",
            "Guests outlive the host. Their ports must not be open when it comes again, nor must anybody have to bind them anew.",
            "Store bindings for the running time of the machine, and bring the kernel to what they say in `bring_up`.",
            bindings_outlive,
        )
    },
];

/// The end of a host that nobody asked.
fn die() -> Outcome {
    // It can not fail for the process itself.
    let _killed = kill_process(getpid(), Signal::KILL);
    Err(Failure::new("the process outlived SIGKILL"))
}

fn killed(ctx: &Ctx, phase: &str, argument: &str) -> Outcome {
    let ended = ctx.run_phase(phase, argument)?;
    if ended.was_killed() {
        return Ok(());
    }
    match ended.judge(None, 0) {
        crate::check::Verdict::Failed { text } => Err(Failure::Broken(text)),
        crate::check::Verdict::Skipped { reason, text } => Err(Failure::Skip(reason, text)),
        crate::check::Verdict::Passed => Err(Failure::new(format!(
            "phase '{phase}' was to be killed and ended by itself"
        ))),
    }
}

fn filters_outlive(ctx: &Ctx) -> Outcome {
    if ctx.phase().is_some() {
        let bench = ctx.bench()?;
        for n in 1..=4 {
            bench.define_filter(&ctx.filter(n)).succeeds("define_filter")?;
        }
        bench
            .define_filter(&ctx.changed_filter(2))
            .succeeds("define_filter with other rules")?;
        bench
            .define_filter(&paper::nth(ctx, 5, &reference(&ctx.name(1))))
            .succeeds("define_filter")?;
        bench.undefine_filter(ctx.uuid(3)).succeeds("undefine_filter")?;
        let shown: Vec<String> = (1..=5)
            .map(|n| bench.filter_xml(ctx.uuid(n)).unwrap_or_default())
            .collect();
        let path = ctx.root().join("shown");
        let stored = serde_json::to_vec(&shown).map_err(std::io::Error::from);
        let stored = stored.and_then(|bytes| std::fs::write(path, bytes));
        stored.map_err(|error| Failure::new(format!("the check can not write down what it saw: {error}")))?;
        return die();
    }
    killed(ctx, "define", "")?;
    let shown = std::fs::read(ctx.root().join("shown")).unwrap_or_default();
    let shown: Vec<String> = serde_json::from_slice(&shown)
        .map_err(|error| Failure::new(format!("what the killed host showed can not be read: {error}")))?;
    let bench = ctx.bench()?;
    for (n, before) in (1..).zip(&shown) {
        let now = bench.filter_xml(ctx.uuid(n)).unwrap_or_default();
        ensure_eq!(
            now,
            *before,
            "filter_xml of filter {n} after the host was killed and started again"
        );
    }
    let listed = bench.filters().succeeds("filters")?;
    ensure!(
        !listed.iter().any(|filter| filter.uuid == ctx.uuid(3)),
        "filters after a restart: expected that the undefined filter stays away, found it"
    );
    bench
        .define_filter(&ctx.changed_filter(1))
        .succeeds("define_filter after a restart")
        .map(drop)
}

fn cut_off_is_old_or_new(ctx: &Ctx) -> Outcome {
    let [old, new] = ["old", "new"].map(|name| ctx.root().join(name));
    if let Some(phase) = ctx.phase() {
        let k: u64 = ctx.phase_argument().parse().unwrap_or(1);
        return match phase {
            "model" => model(ctx, &old, &new),
            "look" => look(ctx, &old, &new, k),
            phase => cut_off(ctx, phase == "before", k),
        };
    }
    ctx.phase_passes("model", "")?;
    for phase in ["before", "after"] {
        for k in 1..=12 {
            // Makes the old definition anew, too.
            ctx.phase_passes("look", k.to_string())?;
            let ended = ctx.run_phase(phase, k.to_string())?;
            if ended.passed() {
                break;
            }
            ensure!(
                ended.was_killed(),
                "define_filter with a kill at call {k}: expected SIGKILL, found {ended:?}"
            );
        }
    }
    ctx.phase_passes("look", "13")
}

/// Writes down how the old and the new definition are shown.
fn model(ctx: &Ctx, old: &Path, new: &Path) -> Outcome {
    let bench = ctx.builder().root(ctx.root().join("model")).open()?;
    for (path, body) in [(old, RULE), (new, OTHER)] {
        bench
            .define_filter(&paper::nth(ctx, 1, body))
            .succeeds("define_filter")?;
        let xml = bench.filter_xml(ctx.uuid(1)).succeeds("filter_xml")?;
        let written = std::fs::write(path, xml);
        written.map_err(|error| Failure::new(format!("the check can not write down what it saw: {error}")))?;
    }
    Ok(())
}

fn look(ctx: &Ctx, old: &Path, new: &Path, k: u64) -> Outcome {
    let [old, new] = [old, new].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let bench = ctx.bench()?;
    match bench.filter_xml(ctx.uuid(1)) {
        Ok(found) => ensure!(
            found == old || found == new,
            "filter_xml after a kill in define_filter: expected the old or the new document, found {found:?}"
        ),
        // Nothing was defined yet.
        Err(error) if k <= 1 && error.code() == Code::NO_NWFILTER => {}
        Err(error) => {
            return Err(Failure::new(format!(
                "filter_xml after a kill in define_filter: {error}"
            )));
        }
    }
    let defined = bench.define_filter(&paper::nth(ctx, 1, RULE));
    defined
        .succeeds("define_filter after a kill in define_filter")
        .map(drop)
}

fn cut_off(ctx: &Ctx, before: bool, k: u64) -> Outcome {
    let bench = ctx.bench()?;
    let plan = FaultPlan::default();
    bench.set_faults(if before {
        FaultPlan {
            kill_before: Some(k),
            ..plan
        }
    } else {
        FaultPlan {
            kill_after: Some(k),
            ..plan
        }
    });
    bench
        .define_filter(&paper::nth(ctx, 1, OTHER))
        .succeeds("define_filter")?;
    bench.set_faults(FaultPlan::default());
    Ok(())
}

/// What happens to a file's bytes.
type Damage = fn(&[u8]) -> Vec<u8>;

fn damage_is_survived(ctx: &Ctx) -> Outcome {
    if let Some(phase) = ctx.phase() {
        return if phase == "define" { define(ctx) } else { go_on(ctx) };
    }
    ctx.phase_passes("define", "")?;
    let folder = std::fs::read_to_string(ctx.root().join("folder")).unwrap_or_default();
    let files = Bench::files(Path::new(&folder));
    let mine: Vec<_> = files.iter().filter(|(_, bytes)| names_one(ctx, bytes)).collect();
    let Some((path, whole)) = mine.first() else {
        return Err(Failure::new(
            "files in the driver's folder for definitions after define_filter: expected some that name the filters, \
             found none",
        ));
    };
    let damages: [Damage; 5] = [
        |whole| whole[..whole.len() / 2].to_vec(),
        |_| Vec::new(),
        |_| b"\0\xff\xfe<filter".to_vec(),
        |whole| whole.iter().map(|byte| byte ^ 0x20).collect(),
        // A name that is no UTF-8, in a document that is whole.
        |whole| {
            let mut bytes = whole.to_vec();
            let name = bytes.windows(5).position(|part| part == b"name=").unwrap_or(0) + 6;
            if let Some(byte) = bytes.get_mut(name) {
                *byte = 0xff;
            }
            bytes
        },
    ];
    for damage in damages {
        let stranger = path.with_file_name("stranger.new");
        let written = std::fs::write(path, damage(whole)).and_then(|()| std::fs::write(&stranger, "<filter"));
        written.map_err(|error| Failure::new(format!("'{}' can not be damaged: {error}", path.display())))?;
        // A driver that keeps all in one file has lost all.
        let left = if mine.len() >= 3 { "2" } else { "0" };
        ctx.phase_passes("go on", left)
            .map_err(|failure| failure.when(format_args!("with '{}' damaged", path.display())))?;
        ensure!(
            stranger.exists(),
            "bring_up: expected a file that is none of the driver's to be left alone, found '{}' removed",
            stranger.display()
        );
    }
    Ok(())
}

fn names_one(ctx: &Ctx, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    (1..=3).any(|n| text.contains(&ctx.uuid(n).to_string()))
}

fn define(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    for n in 1..=3 {
        bench.define_filter(&ctx.filter(n)).succeeds("define_filter")?;
    }
    let folder = bench.config().conf_dir.to_string_lossy().into_owned();
    let written = std::fs::write(ctx.root().join("folder"), folder);
    written.map_err(|error| Failure::new(format!("the check can not write down a folder: {error}")))
}

/// Comes up with a damaged file and makes all anew.
fn go_on(ctx: &Ctx) -> Outcome {
    let least: usize = ctx.phase_argument().parse().unwrap_or(0);
    let bench = ctx.bench()?;
    let found = bench.filters().succeeds("filters")?;
    let left = (1..=3).filter(|n| found.iter().any(|filter| filter.uuid == ctx.uuid(*n)));
    ensure!(
        left.count() >= least,
        "filters with one file of three damaged: expected the two others, found {found:?}"
    );
    for n in 1..=3 {
        let defined = bench.define_filter(&ctx.filter(n));
        defined.succeeds("define_filter with a damaged file beside")?;
    }
    Ok(())
}

fn bindings_outlive(ctx: &Ctx) -> Outcome {
    let wanted = || paper::request(ctx, "p1", &ctx.name(2), &[("IP", "10.0.0.2")]);
    if ctx.phase().is_some() {
        let bench = ctx.bench()?;
        bench
            .define_filter(&paper::nth(ctx, 1, RULE))
            .succeeds("define_filter")?;
        bench
            .define_filter(&paper::nth(ctx, 2, &reference(&ctx.name(1))))
            .succeeds("define_filter")?;
        let document = paper::binding(ctx, "p0", &ctx.name(2), &[("IP", "10.0.0.1")]);
        view::create(&bench, &document).succeeds("create_binding")?;
        view::attach(&bench, &wanted()).succeeds("attach_port")?;
        let document = paper::binding(ctx, "p2", &ctx.name(1), &[]);
        view::create(&bench, &document).succeeds("create_binding")?;
        view::delete(&bench, "p2").succeeds("delete_binding")?;
        let seen = format!("{:?}\n{}", View::of(&bench)?.shown(), port::everything()?);
        let written = std::fs::write(ctx.root().join("seen"), seen);
        written.map_err(|error| Failure::new(format!("the check can not write down what it saw: {error}")))?;
        return die();
    }
    for name in ["p0", "p1", "p2"] {
        port::make(name)?;
    }
    killed(ctx, "bind", "")?;
    let before = std::fs::read_to_string(ctx.root().join("seen")).unwrap_or_default();
    let bench = ctx.bench()?;
    bench.set_wanted_ports(vec![wanted()]);
    let now = format!("{:?}\n{}", View::of(&bench)?.shown(), port::everything()?);
    ensure_eq!(
        now,
        before,
        "bindings and the kernel's rules after the host was killed and started again"
    );
    let refused = bench.undefine_filter(ctx.uuid(1));
    refused.fails_with(
        &[Code::OPERATION_INVALID],
        "undefine_filter of a filter that a port has since before the restart",
    )?;
    view::delete(&bench, "p0").succeeds("delete_binding after a restart")?;
    view::detach(&bench, "p1").succeeds("detach_port after a restart")?;
    bench.set_wanted_ports(Vec::new());
    bench
        .undefine_filter(ctx.uuid(2))
        .succeeds("undefine_filter when no port has it any more")
}
