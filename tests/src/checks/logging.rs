//! What a driver logs, where, and how much.

use super::{life, steps};
use crate::bench::Bench;
use crate::check::{Check, Ctx, Expect, Failure, Level, Outcome};
use crate::ensure;
use rustix::fs::{Mode, OFlags, open};
use std::fs;
use tracing::Level as LogLevel;

/// How many lines a client may cause with a thousand calls that are refused.
const FLOOD: usize = 200;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "LOG-001",
        title: "what it does is in the host's log",
        clause: "logging.host-log",
        level: Level::Should,
        needs: &[],
        privileged: false,
        why: "When something went wrong in the night, the log is all that there is.",
        fix: "Use `tracing` in the driver; `export_driver!` hands it to the host, below the span of the call.",
        run: logs_to_the_host,
    },
    Check {
        id: "LOG-002",
        title: "it writes nothing to standard output or error",
        clause: "logging.stdout",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "They are the host's: a service manager's journal, or a terminal in the middle of a table.",
        fix: "Replace `println!` and `eprintln!` by `tracing`, and give children their own descriptors.",
        run: writes_no_output,
    },
    Check {
        id: "LOG-003",
        title: "it logs no more than the host asks for",
        clause: "logging.level",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "A level that is not obeyed makes the log useless just when it is turned up for another driver.",
        fix: "Ask `enabled` for each place, and again on `rebuild_log_filters`; the kit does both.",
        run: obeys_the_level,
    },
    Check {
        id: "LOG-004",
        title: "a client can not flood the log",
        clause: "logging.flood",
        level: Level::Must,
        needs: &[],
        privileged: false,
        why: "What anybody can cause at will fills the disk and hides what matters.",
        fix: "Log what a client did wrong at debug level: the client is told anyway.",
        run: is_not_flooded,
    },
    Check {
        id: "LOG-005",
        title: "secrets of a document are in no log and in no open document",
        clause: "logging.secrets",
        level: Level::Must,
        needs: &["virt.lifecycle/1"],
        privileged: false,
        why: "Logs are read and sent around by people who must not know a guest's passwords.",
        fix: "Do not log documents; leave secrets out of `dump_xml` unless XML_SECURE is set.",
        run: keeps_secrets,
    },
];

fn logs_to_the_host(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    life::short(ctx, &bench, 1)?;
    let lines = bench.log();
    ensure!(
        !lines.is_empty(),
        "the log after a short life: expected a line or more, found none"
    );
    let anywhere = lines.iter().find(|line| line.target.is_empty());
    ensure!(
        anywhere.is_none(),
        "a line of the log: expected its module as target, found none: {:?}",
        anywhere.map(crate::bench::Line::text)
    );
    Ok(())
}

/// Runs `work` with both outputs in a file, and answers what was written.
fn captured(ctx: &Ctx, work: impl FnOnce() -> Outcome) -> Outcome<String> {
    let failed =
        |error: rustix::io::Errno| Failure::new(format!("the check can not turn its output into a file: {error}"));
    let path = ctx.root().join("written");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    let file = open(&path, flags, Mode::from_raw_mode(0o644)).map_err(failed)?;
    let out = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(failed)?;
    let error = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).map_err(failed)?;
    rustix::stdio::dup2_stdout(&file).map_err(failed)?;
    rustix::stdio::dup2_stderr(&file).map_err(failed)?;
    let outcome = work();
    rustix::stdio::dup2_stdout(&out).map_err(failed)?;
    rustix::stdio::dup2_stderr(&error).map_err(failed)?;
    outcome?;
    fs::read(&path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| Failure::new(format!("the check can not read what was written: {error}")))
}

fn writes_no_output(ctx: &Ctx) -> Outcome {
    let written = captured(ctx, || {
        let bench = ctx.bench()?;
        for step in steps::of(ctx, &bench) {
            step.go(ctx, &bench).succeeds(step.name)?;
            steps::view(&bench)?;
        }
        refuse_everything(ctx, &bench, 1);
        bench.close(ctx.fixtures().timing.close()).succeeds("close")
    })?;
    ensure!(
        written.is_empty(),
        "standard output and error over a whole life: expected nothing, found {} bytes: '{}'",
        written.len(),
        written.lines().next().unwrap_or_default()
    );
    Ok(())
}

/// Calls that a client may make as often as it likes, and that are refused.
fn refuse_everything(ctx: &Ctx, bench: &Bench, times: usize) {
    for round in 0..times {
        let uuid = ctx.uuid(1_000 + round);
        if bench.offers("virt.lifecycle/1") {
            let _refused = (bench.start(uuid), bench.destroy(uuid), bench.dump_xml(uuid, 0));
            let _refused = (bench.define("<domain"), bench.define("<domain type='none'/>"));
        }
        if bench.offers("nwfilter.define/1") {
            let _refused = (
                bench.undefine_filter(uuid),
                bench.filter_xml(uuid),
                bench.define_filter("<filter/>"),
            );
        }
    }
}

fn obeys_the_level(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.set_log_level(LogLevel::ERROR).succeeds("rebuild_log_filters")?;
    bench.forget_log();
    life::short(ctx, &bench, 1)?;
    let lines = bench.log();
    match lines.iter().find(|line| line.level > LogLevel::ERROR) {
        None => {}
        Some(line) => {
            return Err(Failure::new(format!(
                "the log with level ERROR: expected errors alone, found a line of level {}: '{}'",
                line.level,
                line.text()
            )));
        }
    }
    bench.set_log_level(LogLevel::TRACE).succeeds("rebuild_log_filters")?;
    // That lines come again is for drivers that log at all, which is another check.
    life::short(ctx, &bench, 2)?;
    Ok(())
}

fn is_not_flooded(ctx: &Ctx) -> Outcome {
    let bench = ctx.bench()?;
    bench.set_log_level(LogLevel::INFO).succeeds("rebuild_log_filters")?;
    bench.forget_log();
    refuse_everything(ctx, &bench, 1_000);
    let lines = bench.log();
    ensure!(
        lines.len() <= FLOOD,
        "the log at level INFO after a thousand rounds of calls that are refused: expected {FLOOD} lines at most, found {}, \
         the last '{}'",
        lines.len(),
        lines.last().map(crate::bench::Line::text).unwrap_or_default()
    );
    Ok(())
}

fn keeps_secrets(ctx: &Ctx) -> Outcome {
    const SECRET: &str = "xyzzy-4711-secret";
    let bench = ctx.bench()?;
    let graphics = format!("<graphics type='vnc' port='-1' passwd='{SECRET}'/>");
    let plain = ctx.domain(1);
    let document = if plain.contains("</devices>") {
        plain.replacen("</devices>", &format!("{graphics}</devices>"), 1)
    } else {
        plain.replacen("</domain>", &format!("<devices>{graphics}</devices></domain>"), 1)
    };
    let uuid = ctx.uuid(1);
    // Refused by many drivers, which is as well: what is refused must not be quoted either.
    if bench.define(&document).is_ok() {
        let open = bench.dump_xml(uuid, 0).succeeds("dump_xml")?;
        ensure!(
            !open.contains(SECRET),
            "dump_xml without XML_SECURE: expected no password, found it"
        );
        if ctx.fixtures().domain.startable && bench.start(uuid).is_ok() {
            bench.destroy(uuid).succeeds("destroy")?;
        }
        bench.undefine(uuid).succeeds("undefine")?;
    }
    let lines = bench.log();
    match lines.iter().find(|line| line.text().contains(SECRET)) {
        None => Ok(()),
        Some(line) => Err(Failure::new(format!(
            "the log: expected no password of a document, found it in a line of level {} of '{}'",
            line.level, line.target
        ))),
    }
}
