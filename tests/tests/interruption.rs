//! A run that is interrupted says what it found and leaves nothing; one that is killed leaves what the next run removes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod suite;

use conformance::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use suite::MARK;

/// A driver that loops for ever when its option says so.
static DRIVER: LazyLock<PathBuf> = LazyLock::new(|| suite::built(&["misbehave-driver"]).join("libmisbehave_driver.so"));

/// A folder of temporary files, which is also the mark of the runs that have it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A run of a check that loops, come to where it loops.
    fn looping(&self, arguments: &[&str]) -> Child {
        self.faulty("loops", arguments, |run| run)
    }

    /// A run of a check that ends by no means of its own, come to where it does not.
    fn faulty(&self, fault: &str, arguments: &[&str], made: fn(Command) -> Command) -> Child {
        let config = self.path().join("fixtures.toml");
        std::fs::write(&config, format!("[options]\nfault = \"{fault}\"\n")).unwrap();
        let before = self.bases();
        let run = made(self.run(&config, arguments)).spawn().unwrap();
        let loops = || {
            let mut bases = self.bases().into_iter().filter(|base| !before.contains(base));
            bases.any(|base| {
                let progress = std::fs::read_to_string(base.join("ABI-006.progress"));
                progress.is_ok_and(|progress| progress.contains("bring_up"))
            })
        };
        wait::until("the check loops", || loops().then_some(()));
        run
    }

    fn run(&self, config: &Path, arguments: &[&str]) -> Command {
        let mut run = Command::new(env!("CARGO_BIN_EXE_conformance"));
        run.arg("run")
            .arg(&*DRIVER)
            .args(["--filter", "ABI-003", "--filter", "ABI-006", "--jobs", "1", "--config"])
            .arg(config)
            .args(arguments)
            .env("TMPDIR", self.path())
            .env(MARK, self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        run
    }

    /// The folders of runs.
    fn bases(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).unwrap().flatten();
        let is_base = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("conformance-")
        };
        entries.map(|entry| entry.path()).filter(is_base).collect()
    }

    /// The cgroups of a run, in every hierarchy.
    fn groups(base: &Path) -> Vec<PathBuf> {
        let beginning = format!("{}-", base.file_name().unwrap().to_string_lossy());
        let (mut found, mut next) = (Vec::new(), vec![PathBuf::from("/sys/fs/cgroup")]);
        while let Some(folder) = next.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    next.push(entry.path());
                    if entry.file_name().to_string_lossy().starts_with(&beginning) {
                        found.push(entry.path());
                    }
                }
            }
        }
        found
    }

    /// The processes of runs.
    fn processes(&self) -> usize {
        self.commands().len()
    }

    /// The command lines of runs' processes.
    fn commands(&self) -> Vec<String> {
        suite::left(&self.path().to_string_lossy())
    }
}

/// A run that finds no control group to put a check into: most users may make none.
fn without_groups(run: Command) -> Command {
    const SCRIPT: &str = "mount -t tmpfs -o ro none /sys/fs/cgroup && exec \"$0\" \"$@\"";
    if !rustix::process::geteuid().is_root() {
        return run;
    }
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c", SCRIPT]).arg(run.get_program());
    shell.args(run.get_args()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in run.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell
}

fn send(run: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(run.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The walls that every machine gives, and the best ones where they are given.
fn walls() -> Vec<&'static str> {
    if rustix::process::geteuid().is_root() {
        vec!["full", "group"]
    } else {
        vec!["group"]
    }
}

fn interrupted(signal: Signal, arguments: &[&str]) -> Output {
    let place = Place::new();
    let run = place.looping(arguments);
    let [base] = &place.bases()[..] else {
        panic!("{:?}", place.bases())
    };
    send(&run, signal);
    let output = run.wait_with_output().unwrap();
    assert_eq!(place.processes(), 0, "processes are left");
    assert_eq!(Place::groups(base), Vec::<PathBuf>::new());
    assert_eq!(place.bases(), Vec::<PathBuf>::new());
    output
}

#[test]
fn a_signal_ends_the_checks_and_the_report_says_so() {
    for (signal, name, code) in [
        (Signal::INT, "SIGINT", 130),
        (Signal::TERM, "SIGTERM", 143),
        (Signal::HUP, "SIGHUP", 129),
    ] {
        for walls in walls() {
            let output = interrupted(signal, &["--walls", walls]);
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(code), "{text}");
            for words in [
                "pass  ABI-003",
                "1 passed, 0 failed, 1 skipped (1 stopped)",
                &format!("interrupted by {name}"),
                "not proven",
            ] {
                assert!(text.contains(words), "{walls}: no '{words}' in: {text}");
            }
        }
    }
}

/// What a plug-in started and let go hangs on nobody: without a namespace it must be looked for.
#[test]
fn a_signal_ends_also_what_a_plug_in_has_let_go() {
    for walls in walls() {
        let place = Place::new();
        let fault = "stops its parent and leaves a daemon";
        let run = place.faulty(fault, &["--walls", walls], without_groups);
        wait::until("the daemon runs", || {
            let commands = place.commands();
            let daemon = commands.iter().filter(|command| command.starts_with("sleep\0"));
            (daemon.count() == 2).then_some(())
        });
        send(&run, Signal::TERM);
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(143), "{walls}");
        assert_eq!(place.commands(), Vec::<String>::new(), "{walls}");
        assert_eq!(place.bases(), Vec::<PathBuf>::new(), "{walls}");
    }
}

#[test]
fn reports_for_programs_are_whole_and_no_success() {
    let of = |format: &str| {
        let output = interrupted(Signal::INT, &["--format", format]);
        assert_eq!(output.status.code(), Some(130));
        String::from_utf8(output.stdout).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&of("json")).unwrap();
    assert_eq!(
        (json["stopped"].as_str(), json["exit"].as_u64()),
        (Some("interrupted by SIGINT"), Some(130))
    );
    let tap = of("tap");
    assert!(tap.contains("\nBail out! interrupted by SIGINT\n"), "{tap}");
    let junit = of("junit");
    assert!(
        junit.contains("errors='1'")
            && junit.contains("message='interrupted by SIGINT'")
            && junit.trim_end().ends_with("</testsuites>"),
        "{junit}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("junit.xsd");
    let mut lint = Command::new("xmllint");
    let fits = lint
        .args(["--noout", "--schema"])
        .arg(schema)
        .arg(file("report.xml", &junit));
    assert!(fits.output().unwrap().status.success(), "{junit}");
    let prove = Command::new("prove")
        .args(["-e", "cat"])
        .arg(file("report.tap", &tap))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&prove.stderr);
    assert!(
        !prove.status.success() && said.contains("interrupted by SIGINT"),
        "{said}"
    );
}

#[test]
fn a_run_that_is_killed_takes_its_checks_along_and_the_next_one_removes_its_folder() {
    for walls in walls() {
        let place = Place::new();
        let config = place.path().join("none.toml");
        std::fs::write(&config, "").unwrap();
        let mut dead = place.looping(&["--walls", walls]);
        send(&dead, Signal::KILL);
        dead.wait().unwrap();
        wait::until("its processes are gone", || (place.processes() == 0).then_some(()));
        let [left] = &place.bases()[..] else {
            panic!("{:?}", place.bases())
        };
        // One that lives keeps its own.
        let mut alive = place.looping(&["--walls", walls]);
        let bases = place.bases();
        assert!(!bases.contains(left) && bases.len() == 1, "{bases:?}");
        assert_eq!(Place::groups(left), Vec::<PathBuf>::new());
        let groups = Place::groups(&bases[0]);
        let output = place.run(&config, &["--walls", walls]).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert_eq!(place.bases(), bases);
        assert_eq!(Place::groups(&bases[0]), groups);
        send(&alive, Signal::TERM);
        assert_eq!(alive.wait().unwrap().code(), Some(143));
    }
}

#[test]
fn what_is_kept_is_nobodys_to_remove() {
    let place = Place::new();
    let config = place.path().join("none.toml");
    std::fs::write(&config, "").unwrap();
    let output = place.run(&config, &["--keep"]).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let kept = place.bases();
    assert_eq!(kept.len(), 1);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&*kept[0].to_string_lossy()), "{said}");
    assert!(place.run(&config, &[]).output().unwrap().status.success());
    assert_eq!(place.bases(), kept);
    assert!(kept[0].join("ABI-006").is_dir());
}
