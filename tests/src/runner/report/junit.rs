//! The report as JUnit's XML, as build servers read it.

use crate::check::Verdict;
use crate::profile;
use crate::runner::outcome::{Outcome, Run};
use driver_api::kit::xml::Element;
use std::time::Duration;

/// The whole report; `strict` makes a failure of what a driver should do.
#[must_use]
pub fn document(run: &Run, strict: bool) -> String {
    let failed = |outcome: &&Outcome| Run::counts_as_failure(outcome, strict);
    let failures = run.outcomes.iter().filter(failed).count();
    let counts = run.counts();
    let skipped = counts.skipped + counts.failed + counts.warned - failures;
    let property = |name: &str, value: &str| {
        Element::new("property")
            .with_attr("name", name)
            .with_attr("value", clean(value))
    };
    let mut properties = Element::new("properties")
        .with_child(property("seed", &run.seed.to_string()))
        .with_child(property("walls", run.walls.name()));
    for (profile, verdict) in run.verdicts() {
        properties = properties.with_child(property(&format!("profile {}", profile.name), &verdict.to_string()));
    }
    // What a driver should do and does not is no failure unless it was asked for: build servers know nothing in between.
    let cases = run.outcomes.iter().map(|outcome| {
        let check = outcome.check;
        let case = Element::new("testcase")
            .with_attr("name", format!("{} {}", check.id, check.title))
            .with_attr("classname", format!("conformance.{}", profile::of(check).name))
            .with_attr("time", seconds(outcome.took));
        let case = match &outcome.verdict {
            Verdict::Passed => case,
            Verdict::Skipped { reason, text } => {
                let message = clean(&format!("{reason}: {text}"));
                case.with_child(Element::new("skipped").with_attr("message", message))
            }
            Verdict::Failed { text } if failed(&outcome) => {
                let failure = Element::new("failure")
                    .with_attr("message", clean(text))
                    .with_attr("type", check.clause);
                case.with_child(failure.with_text(clean(check.fix)))
            }
            Verdict::Failed { text } => {
                let message = clean(&format!("should, and does not: {text}"));
                case.with_child(Element::new("skipped").with_attr("message", message))
            }
        };
        match outcome.output.as_str() {
            "" => case,
            output => case.with_child(Element::new("system-out").with_text(clean(output))),
        }
    });
    // A suite of skips would be well to a build server.
    let shortfall = run.shortfall(strict).map(|why| {
        let (name, kind) = match run.stopped {
            Some(_) => ("the run comes to its end", "stopped"),
            None => ("what is judged was tested", "unproven"),
        };
        let error = Element::new("error")
            .with_attr("message", clean(&why))
            .with_attr("type", kind);
        Element::new("testcase")
            .with_attr("name", name)
            .with_attr("classname", "conformance")
            .with_attr("time", seconds(run.took))
            .with_child(error)
    });
    let (errors, tests) = match shortfall {
        Some(_) => (1, run.outcomes.len() + 1),
        None => (0, run.outcomes.len()),
    };
    let driver = run.facts.as_ref().map_or("refused", |facts| facts.name.as_str());
    let mut suite = Element::new("testsuite")
        .with_attr("name", clean(&format!("conformance of {driver}")))
        .with_attr("tests", tests)
        .with_attr("failures", failures)
        .with_attr("errors", errors)
        .with_attr("skipped", skipped)
        .with_attr("time", seconds(run.took))
        .with_child(properties);
    for case in cases.chain(shortfall) {
        suite = suite.with_child(case);
    }
    let suites = Element::new("testsuites")
        .with_attr("tests", tests)
        .with_attr("failures", failures)
        .with_attr("time", seconds(run.took))
        .with_child(suite);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{suites}\n")
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Without what XML can not hold at all.
fn clean(text: &str) -> String {
    let held = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if held(&c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plug_in_wrote_can_not_break_the_document() {
        assert_eq!(clean("a\u{0}b\u{1b}[0m\tc\n"), "a\u{fffd}b\u{fffd}[0m\tc\n");
    }
}
