//! The report as TAP: a line a check, with what was found below it as YAML.
//!
//! All of it means the same in versions 13 and 14; it says 13, since consumers in use refuse a newer number.

use crate::check::Verdict;
use crate::runner::outcome::{Outcome, Run};
use std::fmt::Write;

/// What stands above the checks.
#[must_use]
pub fn head(checks: usize, seed: u64) -> String {
    // A plan of nothing is a skip of everything to a consumer, and a suite that ran nothing must fail.
    let plan = match checks {
        0 => String::from("1..1\nnot ok 1 - no check was chosen"),
        count => format!("1..{count}"),
    };
    format!("TAP version 13\n{plan}\n# seed {seed}\n")
}

/// The check with this number, from 1; `strict` makes a failure of what a driver should do.
#[must_use]
pub fn line(number: usize, outcome: &Outcome, strict: bool) -> String {
    let check = outcome.check;
    let ok = if matches!(outcome.verdict, Verdict::Failed { .. }) {
        "not ok"
    } else {
        "ok"
    };
    let mut text = format!("{ok} {number} - {} {}", check.id, escaped(check.title));
    match &outcome.verdict {
        Verdict::Passed => text.push('\n'),
        Verdict::Skipped { reason, text: why } => {
            let _infallible = writeln!(text, " # SKIP {reason}: {}", one_line(why));
        }
        Verdict::Failed { text: found } => {
            if !Run::counts_as_failure(outcome, strict) {
                text.push_str(" # TODO a driver should do this, and need not");
            }
            let _infallible = write!(
                text,
                "\n  ---\n  message: {}\n  severity: {}\n  clause: {}\n  milliseconds: {}\n  ...\n",
                quoted(found),
                check.level,
                quoted(check.clause),
                outcome.took.as_millis()
            );
        }
    }
    text
}

/// What stands below the checks.
#[must_use]
pub fn foot(run: &Run, strict: bool) -> String {
    let mut text = String::new();
    // To a consumer what was skipped is well: this is what fails the whole.
    // What stands in place of a plan of nothing fails by itself.
    if let Some(why) = run.shortfall(strict).filter(|_| !run.outcomes.is_empty()) {
        let _infallible = writeln!(text, "Bail out! {}", one_line(&why));
    }
    for (profile, verdict) in run.verdicts() {
        let _infallible = writeln!(text, "# profile {}: {verdict}", profile.name);
    }
    for name in &run.missing {
        let _infallible = writeln!(text, "# profile {name}: not offered");
    }
    text
}

/// A description: `#` would begin a directive.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}

fn one_line(text: &str) -> String {
    super::shown(&text.split_whitespace().collect::<Vec<&str>>().join(" "))
}

/// A YAML scalar; JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
