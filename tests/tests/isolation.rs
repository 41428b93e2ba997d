//! The suite never hangs and never lies, whatever a plug-in does to the process that it is in or to others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// The folder of this build's libraries, with the drivers built.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = Path::new(env!("CARGO_BIN_EXE_conformance"))
        .parent()
        .unwrap()
        .to_path_buf();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--target-dir"])
        .arg(built.parent().unwrap());
    cargo.args(["--package", "misbehave-driver", "--package", "hello-driver"]);
    assert!(
        cargo
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap()
            .success()
    );
    built
});

/// The variable by which processes of one run are known again.
const MARK: &str = "CONFORMANCE_TEST_MARK";

/// One run of the suite over the driver that misbehaves as told, behind these walls.
fn run(fault: &str, walls: &str) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("fixtures.toml");
    std::fs::write(&config, format!("[options]\nfault = \"{fault}\"\n")).unwrap();
    let mark = folder.path().to_string_lossy().into_owned();
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(BUILT.join("libmisbehave_driver.so"))
        .arg("--config")
        .arg(&config)
        .args(["--filter", "ABI-006", "--timeout", "3", "--walls", walls])
        .env(MARK, &mark)
        .output()
        .unwrap();
    (output, mark)
}

/// Processes that still carry a run's mark.
fn left(mark: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let carries = |path: &Path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        let wanted = format!("{MARK}={mark}");
        environment
            .split(|byte| *byte == 0)
            .any(|line| line == wanted.as_bytes())
    };
    entries
        .map(|entry| entry.path())
        .filter(|path| carries(path))
        .map(|path| std::fs::read_to_string(path.join("cmdline")).unwrap_or_default())
        .collect()
}

/// The driver's fault is the verdict, told with these words, and nobody is left.
fn assert_told(fault: &str, walls: &str, words: &str) {
    let (output, mark) = run(fault, walls);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{fault}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("FAIL  ABI-006") && text.contains(words),
        "{fault}: {text}"
    );
    let left = left(&mark);
    assert!(left.is_empty(), "{fault}: left behind: {left:?}");
}

/// The walls that every machine gives, and the best ones where they are given.
fn walls() -> Vec<&'static str> {
    if rustix::process::geteuid().is_root() {
        vec!["full", "group"]
    } else {
        vec!["group"]
    }
}

macro_rules! told {
    ($($name:ident: $fault:literal => $words:literal,)+) => {$(
        #[test]
        fn $name() {
            for walls in walls() {
                assert_told($fault, walls, $words);
            }
        }
    )+};
}

told! {
    an_endless_loop_is_a_verdict: "loops" => "did not end within 3 s: it hangs in bring_up",
    a_process_that_stops_itself_is_a_verdict: "stops" => "did not end within 3 s: it hangs in bring_up",
    an_exit_with_success_is_a_verdict: "exits well" => "without a verdict: it exited with 0 in bring_up",
    an_exit_with_a_code_is_a_verdict: "exits badly" => "without a verdict: it exited with 7 in bring_up",
    an_abort_is_a_verdict: "aborts" => "without a verdict: it was killed by SIGABRT in bring_up",
    a_crash_is_a_verdict: "segfaults" => "without a verdict: it was killed by SIGSEGV in bring_up",
    closed_descriptors_are_a_verdict: "closes descriptors" => "the process ",
    a_group_that_is_killed_is_a_verdict: "kills its group" => "without a verdict: it was killed by SIGKILL in bring_up",
    a_fork_bomb_ends_with_its_check: "forks" => "did not end within 3 s: it hangs in bring_up",
    a_verdict_that_was_forged_is_none: "forges" => "without a verdict: it was killed by SIGKILL",
    an_endless_output_is_cut_and_ends: "floods" => "bytes more",
}

#[test]
fn a_daemon_that_is_deaf_goes_with_its_check() {
    for walls in walls() {
        let (output, mark) = run("leaves a daemon", walls);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        let left = left(&mark);
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

#[test]
fn whoever_kills_its_watchers_reaches_only_itself() {
    // Without namespaces a guard can be killed: then that is the verdict.
    for (walls, code) in [("full", 0), ("group", 1)] {
        if !self::walls().contains(&walls) {
            continue;
        }
        let (output, mark) = run("kills its parent", walls);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{walls}: {text}");
        let left = left(&mark);
        assert!(left.is_empty(), "{walls}: left behind: {left:?}");
    }
}

#[test]
fn whoever_kills_everybody_reaches_only_itself() {
    if !walls().contains(&"full") {
        return;
    }
    let (output, mark) = run("kills everybody", "full");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(left(&mark).is_empty());
}

#[test]
fn a_run_of_nothing_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(BUILT.join("libhello_driver.so"))
        .args(["--filter", "no such check"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing was tested"));
}
