//! Every option of `conformance run` does what it says, and what it can not use is told in words with exit code 2.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod suite;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

static BUILT: LazyLock<PathBuf> = LazyLock::new(|| suite::built(&["lockstep", "misbehave-driver", "hello-driver"]));

fn hello() -> PathBuf {
    BUILT.join("libhello_driver.so")
}

fn run(plugin: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(plugin)
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// It can not be run, and these words say why.
#[track_caller]
fn refused(output: &Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(words), "no '{words}' in: {said}{}", stdout(output));
    assert_eq!(output.status.code(), Some(2), "{said}");
}

#[test]
fn values_that_make_no_sense_are_refused_by_name() {
    for (option, value, words) in [
        ("--jobs", "0", "0 is not in 1..=64"),
        ("--jobs", "65", "65 is not in 1..=64"),
        ("--jobs", "two", "invalid digit"),
        ("--timeout", "0", "0 is not in 1..=86400"),
        ("--timeout", "-1", "'-1'"),
        ("--deadline", "0", "0 is not in 1.."),
        ("--give-up", "some", "invalid digit"),
        ("--seed", "x", "invalid digit"),
        ("--walls", "paper", "invalid value 'paper'"),
        ("--format", "html", "invalid value 'html'"),
        (
            "--profile",
            "nonsense",
            "there is no profile 'nonsense'; there are: core, virt",
        ),
        ("--filter", "NONE-001", "--filter 'NONE-001' fits no check"),
        ("--skip", "NONE-001", "--skip 'NONE-001' fits no check"),
        ("--skip", "ABI-00", "--skip 'ABI-00' fits no check"),
        (
            "--lockstep",
            "/nonexistent",
            "--lockstep '/nonexistent': there is no such file",
        ),
        ("--lockstep", "/", "--lockstep '/': there is no such file"),
        ("--config", "/nonexistent", "cannot read the fixtures '/nonexistent'"),
        ("--uri", "test:///default", "cannot be used with"),
    ] {
        refused(&run(&hello(), &[&format!("{option}={value}")]), words);
    }
    let alone = Command::new(env!("CARGO_BIN_EXE_conformance")).arg("run").output();
    refused(&alone.unwrap(), "<PLUGIN>");
    // One word that means something does not make up for one that does not.
    refused(
        &run(&hello(), &["--filter", "ABI-001", "--filter", "ABJ-002"]),
        "--filter 'ABJ-002' fits no check",
    );
}

#[test]
fn fixtures_that_are_wrong_are_told_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    for (text, words) in [
        ("[domain]\nvald = 'x'\n", "unknown field `vald`"),
        ("[domains]\n", "unknown field `domains`"),
        ("[timing]\nopen = 'soon'\n", "invalid type"),
        ("guests = 'imagined'\n", "unknown variant `imagined`"),
        ("[domain\n", "TOML parse error at line 1"),
    ] {
        fs::write(&config, text).unwrap();
        let output = run(&hello(), &["--config", config.to_str().unwrap()]);
        refused(&output, words);
        refused(&output, "c.toml' are wrong");
    }
    // What lies beside the library is read too.
    let plugin = folder.path().join("libhello_driver.so");
    fs::copy(hello(), &plugin).unwrap();
    fs::write(folder.path().join("libhello_driver.conformance.toml"), "[nonsense]\n").unwrap();
    refused(&run(&plugin, &[]), "libhello_driver.conformance.toml' are wrong");
}

#[test]
fn what_is_no_file_is_no_plug_in() {
    let folder = tempfile::tempdir().unwrap();
    refused(
        &run(&folder.path().join("missing.so"), &[]),
        "missing.so': No such file",
    );
    refused(&run(folder.path(), &[]), "it is no file");
    refused(&run(Path::new("/dev/zero"), &[]), "it is no file");
    let pipe = folder.path().join("pipe.so");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    refused(&run(&pipe, &[]), "it is no file");
    let hole = folder.path().join("hole.so");
    fs::File::create(&hole).unwrap().set_len(1 << 40).unwrap();
    refused(&run(&hole, &[]), "1048576 MiB large");
}

/// A file that the host refuses is a verdict on the file: its ABI is what fails.
#[test]
fn a_library_of_another_machine_or_half_of_one_fails_its_abi() {
    let folder = tempfile::tempdir().unwrap();
    let library = fs::read(hello()).unwrap();
    let mut other = library.clone();
    // e_machine: AArch64, or where this is one, x86-64.
    let machine = if cfg!(target_arch = "aarch64") { 62_u16 } else { 183 };
    other[18..20].copy_from_slice(&machine.to_le_bytes());
    for (name, bytes) in [
        ("other.so", &other[..]),
        // Its beginning promises what its end does not hold.
        ("page.so", &library[..4096]),
        ("header.so", &library[..64]),
        ("empty.so", &[]),
        ("script.so", b"#!/bin/sh\nexit 0\n"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let output = run(&path, &["--filter", "ABI-001"]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        let refused = text.contains(&format!("{name}: the host refuses the plug-in: "));
        assert!(refused || name == "page.so", "{text}");
        assert!(text.contains("FAIL  ABI-001"), "{name}: {text}");
    }
}

#[test]
fn what_is_chosen_is_what_runs() {
    let ids = |arguments: &[&str]| -> Vec<String> {
        let output = run(&hello(), &[arguments, &["--format", "json"]].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = json["checks"].as_array().unwrap().iter();
        checks
            .map(|check| {
                format!(
                    "{} {}",
                    check["id"].as_str().unwrap(),
                    check["reason"].as_str().unwrap_or("-")
                )
            })
            .collect()
    };
    assert_eq!(
        ids(&["--filter", "abi-001", "--filter", "ABI-006"]),
        ["ABI-001 -", "ABI-006 -"]
    );
    assert_eq!(ids(&["--filter", "abi.open-time"]), ["ABI-006 -"]);
    assert_eq!(
        ids(&["--filter", "ABI-001", "--filter", "ABI-006", "--skip", "ABI-006"]),
        ["ABI-001 -", "ABI-006 asked"]
    );
    assert!(
        ids(&["--filter", "ABI-00", "--skip", "ABI"])
            .iter()
            .all(|id| id.ends_with(" asked"))
    );
    let core = ids(&["--filter=-001", "--profile", "core"]);
    assert!(
        core.contains(&String::from("ABI-001 -")) && !core.iter().any(|id| id.starts_with("VIRT")),
        "{core:?}"
    );
}

#[test]
fn a_should_is_a_warning_and_with_strict_a_failure() {
    let arguments = ["--filter", "LOG-001", "--filter", "ABI-001", "--filter", "STOP-004"];
    let plugin = BUILT.join("libmisbehave_driver.so");
    let lenient = run(&plugin, &arguments);
    assert!(stdout(&lenient).contains("warn  STOP-004"), "{}", stdout(&lenient));
    assert_eq!(lenient.status.code(), Some(0), "{}", stdout(&lenient));
    let strict = run(&plugin, &[&arguments[..], &["--strict"]].concat());
    assert_eq!(strict.status.code(), Some(1), "{}", stdout(&strict));
}

#[test]
fn walls_and_seed_are_those_that_were_asked_for() {
    let text = stdout(&run(
        &hello(),
        &["--filter", "ABI-001", "--walls", "group", "--seed", "4711"],
    ));
    assert!(text.contains("seed 4711, walls: group"), "{text}");
}

/// The host that the wire's checks start is the one that was named.
#[test]
fn the_wire_is_tried_on_the_host_that_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let (host, seen) = (folder.path().join("host"), folder.path().join("seen"));
    let script = |text: &str| {
        fs::write(&host, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&host, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let try_on = || {
        let named = ["--filter", "WIRE-001", "--lockstep", host.to_str().unwrap()];
        run(&hello(), &named)
    };
    let real = BUILT.join("lockstep");
    script(&format!(
        "echo \"$1\" >>'{}'\nexec '{}' \"$@\"",
        seen.display(),
        real.display()
    ));
    let output = try_on();
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("pass  WIRE-001"), "{}", stdout(&output));
    assert!(fs::read_to_string(&seen).unwrap().lines().all(|line| line == "serve"));
    // One that does not come up is told with its own words.
    script("echo 'no such luck' >&2; exit 3");
    let output = try_on();
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("FAIL  WIRE-001") && text.contains("exit status: 3") && text.contains("no such luck"),
        "{text}"
    );
}

#[test]
fn a_daemon_that_is_not_there_or_says_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let uri = format!("test+unix:///default?socket={}", socket.display());
    let ask = || {
        Command::new(env!("CARGO_BIN_EXE_conformance"))
            .args(["run", "--timeout", "1", "--uri", &uri])
            .output()
            .unwrap()
    };
    refused(&ask(), "cannot speak to 'test+unix:");
    let _listens = UnixListener::bind(&socket).unwrap();
    refused(&ask(), "does not answer within 1 s");
}
