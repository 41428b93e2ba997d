//! Reports of a run, for people and for programs.

pub mod cause;
pub mod human;
pub mod json;
pub mod junit;
pub mod tap;

/// What a plug-in said, as a person may see it: a terminal obeys nothing of it, and no line of it looks like another one.
fn shown(text: &str) -> String {
    let obeyed = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || (c.is_control() && !matches!(c, '\n' | '\t'))
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{junit, shown, tap};
    use crate::catalogue;
    use crate::check::{Level, Reason, Verdict};
    use crate::profile;
    use crate::runner::guard::Walls;
    use crate::runner::outcome::{Outcome, Run, exit};
    use std::time::Duration;

    /// A run in which one check of this level passed and another one did not.
    fn run(level: Level, verdict: Verdict) -> Run {
        let checks = catalogue::all().filter(|check| check.level == level).take(2);
        let outcomes = checks.zip([Verdict::Passed, verdict]).map(|(check, verdict)| Outcome {
            check,
            verdict,
            output: String::new(),
            took: Duration::ZERO,
        });
        let outcomes: Vec<Outcome> = outcomes.collect();
        Run {
            plugin: "libtea_driver.so".into(),
            facts: Err(String::from("none")),
            seed: 1,
            walls: Walls::Group,
            profiles: vec![profile::of(outcomes[1].check)],
            missing: Vec::new(),
            stopped: None,
            outcomes,
            took: Duration::ZERO,
        }
    }

    fn tap(run: &Run, strict: bool) -> String {
        tap::line(2, &run.outcomes[1], strict) + &tap::foot(run, strict)
    }

    #[test]
    fn what_strict_fails_fails_for_programs_too() {
        let text = String::from("it does not");
        let run = run(Level::Should, Verdict::Failed { text });
        assert_eq!((run.exit(false), run.exit(true)), (exit::PASS, exit::FAILURES));
        let (mild, strict) = (junit::document(&run, false), junit::document(&run, true));
        assert!(
            mild.contains("failures='0' errors='0' skipped='1'") && !mild.contains("<failure"),
            "{mild}"
        );
        assert!(
            strict.contains("failures='1' errors='0' skipped='0'") && strict.contains("<failure"),
            "{strict}"
        );
        let (mild, strict) = (tap(&run, false), tap(&run, true));
        assert!(mild.starts_with("not ok 2") && mild.contains("# TODO"), "{mild}");
        assert!(strict.starts_with("not ok 2") && !strict.contains("# TODO"), "{strict}");
        assert!(!mild.contains("Bail out!") && !strict.contains("Bail out!"), "{strict}");
    }

    #[test]
    fn a_run_that_proves_nothing_is_no_success_for_programs_either() {
        let skipped = |reason| Verdict::Skipped {
            reason,
            text: String::from("so it is"),
        };
        let unproven = run(Level::Must, skipped(Reason::Config));
        let missing = Run {
            missing: vec![String::from("nwfilter")],
            ..run(Level::Must, Verdict::Passed)
        };
        let mut untried = run(Level::Must, skipped(Reason::Interface));
        untried.outcomes[0].verdict = skipped(Reason::Interface);
        for (run, code, why) in [
            (&unproven, exit::PROFILE_NOT_MET, "not proven: 1 musts were skipped"),
            (
                &missing,
                exit::PROFILE_NOT_MET,
                "profile nwfilter: the plug-in does not offer it",
            ),
            (
                &untried,
                exit::CANNOT_RUN,
                "every check was skipped: nothing was tested",
            ),
        ] {
            assert_eq!(run.exit(false), code, "{why}");
            let junit = junit::document(run, false);
            assert!(
                junit.contains("errors='1'") && junit.contains("<error") && junit.contains(why),
                "{junit}"
            );
            let tap = tap(run, false);
            assert!(tap.contains("\nBail out! ") && tap.contains(why), "{tap}");
        }
        let well = run(Level::Must, Verdict::Passed);
        assert_eq!(well.exit(true), exit::PASS);
        assert!(!junit::document(&well, true).contains("<error") && !tap(&well, true).contains("Bail"));
        // One that failed needs no other failure.
        let text = String::from("it does not");
        let failed = run(Level::Must, Verdict::Failed { text });
        assert!(!junit::document(&failed, true).contains("<error") && !tap(&failed, true).contains("Bail"));
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_it_is_written() {
        assert_eq!(shown("a\tb\nc\u{e9}"), "a\tb\nc\u{e9}");
        assert_eq!(
            shown("x\rpass\u{1b}[2J\u{9b}1m\u{202e}"),
            "x\\rpass\\u{1b}[2J\\u{9b}1m\\u{202e}"
        );
    }
}
