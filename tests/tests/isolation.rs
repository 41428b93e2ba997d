//! The suite never hangs and never lies, whatever a plug-in does to the process that it is in or to others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod suite;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use suite::{MARK, left};

static BUILT: LazyLock<PathBuf> = LazyLock::new(|| suite::built(&["misbehave-driver", "hello-driver"]));

/// One run of the suite over the driver that misbehaves as told, behind these walls.
fn run(fault: &str, walls: &str) -> (Output, String) {
    run_with(fault, walls, &["--filter", "ABI-006", "--timeout", "3"])
}

fn run_with(fault: &str, walls: &str, arguments: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("fixtures.toml");
    std::fs::write(&config, format!("[options]\nfault = \"{fault}\"\n")).unwrap();
    let mark = folder.path().to_string_lossy().into_owned();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(BUILT.join("libmisbehave_driver.so"))
        .arg("--config")
        .arg(&config)
        .args(["--walls", walls])
        .args(arguments)
        .env(MARK, &mark)
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    let left: Vec<_> = std::fs::read_dir(&temporary).unwrap().flatten().collect();
    assert!(left.is_empty(), "{fault}: left behind: {left:?}");
    (output, mark)
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
    a_group_that_is_stopped_is_a_verdict: "stops its group" => "did not end within 3 s: it hangs in bring_up",
    a_destructor_that_ends_the_process_is_a_verdict: "leaves in a destructor" => "exited with 0 before its own end",
    a_destructor_that_crashes_is_a_verdict: "crashes in a destructor" => "killed by SIGSEGV while it ended",
    a_terminal_obeys_nothing_that_a_plug_in_writes: "draws" => "\\rpass  ABI-006  drawn\n      | ok 1",

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
fn a_guard_that_is_stopped_ends_with_all_below_it() {
    // A namespace's first process can not be stopped from inside; without one the cell ends a guard that is overdue.
    for (walls, words) in [("full", "did not end within 3 s"), ("group", "its guard is gone too")] {
        if self::walls().contains(&walls) {
            assert_told("stops its parent and leaves a daemon", walls, words);
        }
    }
}

/// Whether the verdict still comes through is a matter of luck; that the run ends with it is not.
#[test]
fn a_channel_that_is_flooded_holds_nobody_up() {
    for walls in walls() {
        let (output, mark) = run("floods every descriptor", walls);
        let text = String::from_utf8_lossy(&output.stdout);
        let expected = if text.contains("pass  ABI-006") { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(expected), "{walls}: {text}");
        assert!(left(&mark).is_empty());
    }
}

/// Something that ends long before its time, because another limit is met.
#[test]
fn who_takes_all_memory_ends_before_the_machine_does() {
    for walls in walls() {
        let (output, mark) = run_with("eats memory", walls, &["--filter", "ABI-006"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{walls}: {text}");
        assert!(
            text.contains("without a verdict: it was killed by SIG") && !text.contains("hangs"),
            "{walls}: {text}"
        );
        assert!(left(&mark).is_empty());
    }
}

/// Whether this machine lets a group of this process's own limit its memory.
fn limits_memory() -> bool {
    let lent = std::fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control").unwrap_or_default();
    let has = Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() || lent.contains("memory");
    rustix::process::geteuid().is_root() && has
}

#[test]
fn memory_that_no_process_is_charged_for_is_limited_where_there_are_cgroups() {
    if !limits_memory() {
        return;
    }
    for walls in walls() {
        let (output, mark) = run_with("eats memory that is no heap", walls, &["--filter", "ABI-006"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{walls}: {text}");
        assert!(text.contains("it was killed for taking more than"), "{walls}: {text}");
        assert!(left(&mark).is_empty());
    }
}

#[test]
fn who_fills_the_disk_is_ended() {
    for walls in walls() {
        let (output, mark) = run_with("fills its folder", walls, &["--filter", "ABI-006"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{walls}: {text}");
        assert!(
            text.contains("more than 4 GiB into its folder in bring_up"),
            "{walls}: {text}"
        );
        assert!(left(&mark).is_empty());
    }
}

#[test]
fn a_folder_that_was_shut_is_removed_all_the_same() {
    for walls in walls() {
        let (output, _) = run("shuts its folder", walls);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{walls}: {text}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// With its own namespaces a check's mounts are gone with it; without them what they show would be removed for the check's own.
#[test]
fn what_a_check_has_mounted_in_its_folder_is_not_removed() {
    if !walls().contains(&"full") {
        return;
    }
    for (walls, stays) in [("full", false), ("group", true)] {
        let folder = tempfile::tempdir().unwrap();
        let [temporary, treasure] = ["tmp", "treasure"].map(|name| folder.path().join(name));
        for folder in [&temporary, &treasure] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(treasure.join("file"), "dear").unwrap();
        let config = folder.path().join("fixtures.toml");
        std::fs::write(&config, "[options]\nfault = \"mounts what is elsewhere\"\n").unwrap();
        // In a namespace that ends with the run, and the mount with it.
        let output = Command::new("unshare")
            .args(["--mount", env!("CARGO_BIN_EXE_conformance"), "run"])
            .arg(BUILT.join("libmisbehave_driver.so"))
            .args(["--filter", "ABI-006", "--walls", walls, "--config"])
            .arg(&config)
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{walls}: {said}");
        assert!(treasure.join("file").exists(), "{walls}: {said}");
        assert_eq!(said.contains("ABI-006/mounted': 'umount' it"), stays, "{walls}: {said}");
        let left = std::fs::read_dir(&temporary).unwrap().count();
        assert_eq!(left, usize::from(stays), "{walls}: {said}");
    }
}

#[test]
fn what_is_beside_a_checks_folder_and_the_machines_name_stay() {
    if !walls().contains(&"full") {
        return;
    }
    let name = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let before = name();
    for fault in ["wrecks what is beside its folder", "changes the machine's name"] {
        // One after the other, so that what the first did would be the others' misfortune.
        let arguments = [
            "--filter", "ABI-006", "--filter", "ABI-003", "--filter", "ABI-004", "--jobs", "1",
        ];
        let (output, _) = run_with(fault, "full", &arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{fault}: {text}");
        assert!(text.contains("3 passed"), "{fault}: {text}");
    }
    assert_eq!(name(), before);
}

/// With a limit of seconds and hundreds of checks a run would take hours.
#[test]
fn a_plug_in_on_which_everything_hangs_is_given_up() {
    let arguments = ["--timeout", "1", "--jobs", "2", "--give-up", "3", "--format"];
    let (output, _) = run_with("loops", "group", &[&arguments[..], &["json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        json["stopped"]
            .as_str()
            .unwrap()
            .starts_with("given up after 3 checks that hung"),
        "{}",
        json["stopped"]
    );
    let checks = json["checks"].as_array().unwrap();
    let of = |verdict: &str, reason: &str| {
        let fits = |check: &&serde_json::Value| {
            check["verdict"] == verdict && (reason.is_empty() || check["reason"] == reason)
        };
        checks.iter().filter(fits).count()
    };
    assert_eq!(of("failed", ""), 3, "{checks:?}");
    assert!(of("skipped", "stopped") > 20, "{checks:?}");
    assert_eq!(json["profiles"][0]["verdict"], "broken");
}

#[test]
fn a_plan_that_is_through_is_not_given_up() {
    let arguments = ["--filter", "ABI-006", "--timeout", "1", "--give-up", "1"];
    let (output, _) = run_with("loops", "group", &arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("0 passed, 1 failed in") && !text.contains("given up"),
        "{text}"
    );
}

#[test]
fn a_run_that_takes_too_long_is_given_up_and_no_pass() {
    let (output, mark) = run_with("loops", "group", &["--filter", "ABI-006", "--deadline", "1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("given up after 1 s") && text.contains("profile core              not proven"),
        "{text}"
    );
    assert!(left(&mark).is_empty());
}

/// Not even the question who it is comes back.
#[test]
fn a_static_constructor_that_hangs_is_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("trap.c"), folder.path().join("libtrap_driver.so"));
    let text = "__attribute__((constructor)) static void trap(void) { for (;;) __asm__ volatile (\"\"); }\nint LOCKSTEP_DRIVER;\n";
    std::fs::write(&source, text).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    assert!(compiler.status().unwrap().success());
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(&library)
        .args(["--timeout", "1", "--give-up", "2"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("it hangs in a static constructor") && text.contains("given up after 2 checks that hung"),
        "{text}"
    );
}

#[test]
fn a_run_of_nothing_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(BUILT.join("libhello_driver.so"))
        .args(["--filter", "BIND-", "--profile", "core"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing was tested"));
}
