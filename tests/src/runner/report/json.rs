//! The report as one JSON document.

use crate::check::Verdict;
use crate::profile;
use crate::runner::outcome::{ProfileVerdict, Run};
use serde_json::{Value, json};

/// The version of this document's shape: raised when a field changes its meaning or goes.
const FORMAT: u32 = 1;

/// The whole report.
#[must_use]
pub fn document(run: &Run, strict: bool) -> Value {
    let counts = run.counts();
    let checks: Vec<Value> = run
        .outcomes
        .iter()
        .map(|outcome| {
            let check = outcome.check;
            let (verdict, reason, text) = match &outcome.verdict {
                Verdict::Passed => ("passed", None, None),
                Verdict::Failed { text } => ("failed", None, Some(text)),
                Verdict::Skipped { reason, text } => ("skipped", Some(reason), Some(text)),
            };
            json!({
                "id": check.id,
                "title": check.title,
                "clause": check.clause,
                "level": check.level,
                "profile": profile::of(check).name,
                "verdict": verdict,
                "reason": reason,
                "text": text,
                "output": outcome.output,
                "milliseconds": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    let profiles: Vec<Value> = run
        .verdicts()
        .into_iter()
        .map(|(profile, verdict)| {
            let word = match verdict {
                ProfileVerdict::Met => "met",
                ProfileVerdict::Broken(_) => "broken",
                ProfileVerdict::Unproven(_) => "unproven",
                ProfileVerdict::Untried => "untried",
            };
            json!({ "name": profile.name, "interface": profile.interface, "verdict": word })
        })
        .collect();
    json!({
        "format": FORMAT,
        "plugin": run.plugin,
        "driver": run.facts.as_ref().ok(),
        "refusal": run.facts.as_ref().err(),
        "seed": run.seed,
        "walls": run.walls.name(),
        "stopped": run.stopped.map(|stop| stop.to_string()),
        "checks": checks,
        "profiles": profiles,
        "profiles_not_offered": run.missing,
        "passed": counts.passed,
        "failed": counts.failed,
        "warned": counts.warned,
        "skipped": counts.skipped,
        "exit": run.exit(strict),
    })
}
