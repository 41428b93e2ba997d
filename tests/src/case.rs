//! A case: one behaviour, tried in a process of its own, with three outcomes.
//!
//! Each case runs in a fresh child that adopts orphans (`PR_SET_CHILD_SUBREAPER`), so that a supervisor, guest or
//! host which a case forgets is still a descendant when the case ends, is seen, and fails it.

use crate::need::Need;
use crate::process;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::{Command, ExitCode};

/// One behaviour and what the machine must have for it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// `subject_condition_result`.
    pub name: &'static str,
    /// What the machine must have; a case whose needs are not met is skipped, with the reason in its line.
    pub needs: &'static [Need],
    /// Panics when the behaviour is broken.
    pub run: fn(),
}

/// The variable that names the case in the child.
const CASE: &str = "LOCKSTEP_E2E_CASE";

/// Runs all cases, or the one case that this process was started for.
#[must_use]
pub fn run_all(cases: &[Case]) -> ExitCode {
    if let Ok(name) = std::env::var(CASE) {
        return run_one(cases, &name);
    }
    let trials = cases.iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(case: &Case) -> Trial {
    let (name, missing) = (case.name, case.needs.iter().find_map(|need| need.missing()));
    let trial = Trial::test(name, move || in_child(name)).with_ignored_flag(missing.is_some());
    match missing {
        Some(reason) => trial.with_kind(format!("skipped: {reason}")),
        None => trial,
    }
}

fn in_child(name: &str) -> Result<(), Failed> {
    let output = Command::new(std::env::current_exe()?).env(CASE, name).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(text.into())
}

fn run_one(cases: &[Case], name: &str) -> ExitCode {
    let Some(case) = cases.iter().find(|case| case.name == name) else {
        eprintln!("no case is called '{name}'");
        return ExitCode::from(2);
    };
    process::adopt_orphans();
    let result = std::panic::catch_unwind(case.run);
    let left = process::end_descendants();
    if !left.is_empty() {
        eprintln!("left behind by '{name}':\n{}", left.join("\n"));
    }
    if result.is_ok() && left.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
