//! The report for people: a line a check as it ends, failures in full, then the sum of it all.

use crate::check::{Level, Reason, Verdict};
use crate::runner::outcome::{Outcome, Run};
use crate::runner::report::cause;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::shown;

/// How much of what a check wrote is shown.
const LINES: usize = 20;

/// Bytes of a line of it.
const LONGEST: usize = 400;

/// What stands above the checks.
#[must_use]
pub fn head(plugin: &Path, facts: Result<&crate::bench::Facts, &str>, seed: u64, walls: &str) -> String {
    let line = |text: &str| shown(text).replace('\n', "\\n");
    let file = line(&plugin.file_name().unwrap_or_default().to_string_lossy());
    match facts {
        // A daemon, which was built for nothing of ours.
        Ok(facts) if facts.api.is_empty() => format!(
            "{}: '{}', libvirt {}\nanswers: {}\nseed {seed}, walls: {walls}\n\n",
            line(&plugin.to_string_lossy()),
            line(&facts.name),
            line(&facts.version),
            facts.interfaces.join(" ")
        ),
        Ok(facts) => format!(
            "{file}: driver '{}' {}, built for driver-api {}\noffers: {}\nseed {seed}, walls: {walls}\n\n",
            line(&facts.name),
            line(&facts.version),
            line(&facts.api),
            facts.interfaces.join(" ")
        ),
        Err(refusal) => format!("{file}: {}\nseed {seed}, walls: {walls}\n\n", line(refusal)),
    }
}

/// One check, as it ends.
#[must_use]
pub fn line(outcome: &Outcome) -> String {
    let check = outcome.check;
    let word = match (&outcome.verdict, check.level) {
        (Verdict::Passed, _) => "pass",
        (Verdict::Failed { .. }, Level::Must) => "FAIL",
        (Verdict::Failed { .. }, Level::Should) => "warn",
        (Verdict::Skipped { .. }, _) => "skip",
    };
    let mut text = format!("{word}  {:<9} {}", check.id, check.title);
    match &outcome.verdict {
        Verdict::Passed => {
            let took = outcome.took.as_secs_f64();
            if took >= 1.0 {
                let _infallible = write!(text, " ({took:.1} s)");
            }
        }
        // Of what the driver does not offer the sum is told at the end: whole groups would hide the rest here.
        Verdict::Skipped {
            reason: Reason::Interface | Reason::Stopped,
            ..
        } => return String::new(),
        Verdict::Skipped { reason, text: why } => {
            let _infallible = write!(text, " [{reason}: {}]", shown(why));
        }
        Verdict::Failed { text: found } => {
            let _infallible = write!(
                text,
                "\n      {} {}, {}",
                check.level,
                check.clause,
                indent(&shown(found))
            );
            let written: Vec<&str> = outcome.output.lines().collect();
            if !written.is_empty() {
                let first = written.len().saturating_sub(LINES);
                text.push_str("\n      what its process wrote:");
                for line in &written[first..] {
                    let _infallible = write!(text, "\n      | {}", shown(&short(line)));
                }
            }
            let _infallible = write!(
                text,
                "\n      why, and how to mend it: conformance explain {}",
                check.id
            );
        }
    }
    text.push('\n');
    text
}

/// Why whole groups of checks were not tried, and how many each.
fn not_offered(run: &Run) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for (reason, why) in run.outcomes.iter().filter_map(Outcome::skipped) {
        if matches!(reason, Reason::Interface | Reason::Stopped) {
            *reasons.entry(why.as_str()).or_default() += 1;
        }
    }
    reasons
}

fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n      ")
}

/// The beginning of a line that is longer than anybody reads.
fn short(line: &str) -> String {
    match line.len() {
        ..=LONGEST => line.to_owned(),
        length => format!("{} ... ({length} bytes)", &line[..line.floor_char_boundary(LONGEST)]),
    }
}

/// What stands below the checks.
#[must_use]
pub fn summary(run: &Run) -> String {
    let counts = run.counts();
    let mut text = format!("\n{} passed, {} failed", counts.passed, counts.failed);
    if counts.warned > 0 {
        let _infallible = write!(text, ", {} warnings", counts.warned);
    }
    let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
    for (reason, _) in run.outcomes.iter().filter_map(Outcome::skipped) {
        *reasons.entry(reason).or_default() += 1;
    }
    if counts.skipped > 0 {
        let parts: Vec<String> = reasons
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let _infallible = write!(text, ", {} skipped ({})", counts.skipped, parts.join(", "));
    }
    let _infallible = writeln!(text, " in {:.1} s", run.took.as_secs_f64());
    for (why, count) in not_offered(run) {
        let _infallible = writeln!(text, "not tried: {count} checks, {why}");
    }
    if let Some(cause) = cause::shared(&run.outcomes) {
        text.push_str(&cause.told());
    }
    for (profile, verdict) in run.verdicts() {
        let _infallible = writeln!(text, "profile {:<17} {verdict}", profile.name);
    }
    for name in &run.missing {
        let _infallible = writeln!(text, "profile {name:<17} NOT MET: the plug-in does not offer it");
    }
    if let Some(stop) = run.stopped {
        let _infallible = writeln!(text, "{stop}: this is no verdict on the checks that were not tried");
    }
    if run.outcomes.is_empty() {
        text.push_str("no check was chosen: nothing was tested\n");
    }
    let _infallible = writeln!(text, "again with the same seed: --seed {}", run.seed);
    text
}
