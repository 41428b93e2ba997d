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

/// How the suite is run on a plug-in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The mutant that is on; none for the reference.
    pub(crate) mutant: &'a str,
    /// How many seconds a check may take.
    pub(crate) seconds: u64,
    /// The checks; all when there is none.
    pub(crate) checks: &'a [&'a str],
}

/// A folder in memory, where syncing a file takes no time; none where programs can not be mapped from there.
fn memory() -> Option<&'static Path> {
    const FOLDER: &str = "/dev/shm";
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some(FOLDER))?;
    let options = mount.split(' ').nth(3)?;
    (!options.split(',').any(|option| option == "noexec" || option == "ro")).then_some(Path::new(FOLDER))
}

/// Runs checks on a plug-in.
pub(crate) fn run(plugin: &Path, fixtures: &Path, asked: Asked<'_>) -> Verdicts {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    // Checks wait for each other and for the time that they have more than they work.
    command.arg("run").arg(plugin).args(["--jobs", "2", "--seed", "7"]);
    command
        .arg("--config")
        .arg(fixtures)
        .args(["--timeout", &asked.seconds.to_string()])
        // What it names must all be tried, however much of it hangs.
        .args(["--give-up", "0"]);
    command.args(asked.checks.iter().flat_map(|id| ["--filter", id]));
    if let Some(folder) = memory() {
        command.env("TMPDIR", folder);
    }
    command.env("LOCKSTEP_MUTANT", asked.mutant);
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
