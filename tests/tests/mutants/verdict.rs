//! One run of the suite as its users start it, and what it said of each check.

use std::path::Path;
use std::process::Command;

/// What became of the checks, by id, in the order of the catalogue.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) passed: Vec<String>,
    /// Musts.
    pub(crate) failed: Vec<String>,
    /// Shoulds.
    pub(crate) warned: Vec<String>,
    pub(crate) skipped: Vec<String>,
    /// The report.
    pub(crate) text: String,
}

/// Runs every check, or those of some groups, on a plug-in, with the mutant of that name on if it has one.
pub(crate) fn run(plugin: &Path, mutant: &str, fixtures: &Path, seconds: u64, only: &[String]) -> Verdicts {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    // As many trials run at once as there are processors; each takes its checks one by one.
    command.arg("run").arg(plugin).args(["--jobs", "1", "--seed", "7"]);
    command
        .arg("--config")
        .arg(fixtures)
        .args(["--timeout", &seconds.to_string()]);
    for group in only {
        command.args(["--filter", group]);
    }
    command.env("LOCKSTEP_MUTANT", mutant);
    let output = command.output().expect("the suite can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        matches!(output.status.code(), Some(0 | 1 | 3)),
        "the suite did not run ({}):\n{text}",
        output.status
    );
    let mut verdicts = Verdicts::default();
    for line in text.lines() {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let (Some(word), Some(id)) = (words.next(), words.next()) else {
            continue;
        };
        let list = match word {
            "pass" => &mut verdicts.passed,
            "FAIL" => &mut verdicts.failed,
            "warn" => &mut verdicts.warned,
            "skip" => &mut verdicts.skipped,
            _ => continue,
        };
        if line.starts_with(word) && id.contains('-') {
            list.push(id.to_owned());
        }
    }
    verdicts.text = text;
    verdicts
}
