//! What stock programs make of the suite's reports, and what its exit codes say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod suite;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

static BUILT: LazyLock<PathBuf> = LazyLock::new(|| suite::built(&["misbehave-driver", "hello-driver"]));

fn run(driver: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(BUILT.join(format!("lib{driver}_driver.so")))
        .args(["--config", "../examples/hello-driver/conformance.toml"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

/// A driver that keeps some rules and breaks others, and offers few interfaces: passes, failures and skips.
fn mixed(format: &str) -> String {
    let output = run(
        "misbehave",
        &[
            "--format", format, "--filter", "ABI", "--filter", "LOCK-00", "--filter", "LOG-001", "--seed", "7",
        ],
    );
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What a program prints that is given this text.
fn fed(program: &mut Command, text: &str) -> String {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program:?} ended with {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn count(json: &serde_json::Value, field: &str) -> u64 {
    json[field].as_u64().unwrap()
}

#[test]
fn perls_tap_parser_counts_as_we_do() {
    const SCRIPT: &str = r#"
        my $parser = TAP::Parser->new({ source => \*STDIN });
        $parser->run;
        print join(" ", scalar($parser->parse_errors), $parser->tests_run, scalar($parser->failed),
            scalar($parser->skipped), scalar($parser->todo), $parser->is_good_plan ? 1 : 0), "\n";
    "#;
    let tap = mixed("tap");
    let json: serde_json::Value = serde_json::from_str(&mixed("json")).unwrap();
    let parsed = fed(Command::new("perl").args(["-MTAP::Parser", "-e", SCRIPT]), &tap);
    let numbers: Vec<u64> = parsed.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let checks = json["checks"].as_array().unwrap().len() as u64;
    let expected = [
        0,
        checks,
        count(&json, "failed"),
        count(&json, "skipped"),
        count(&json, "warned"),
        1,
    ];
    assert_eq!(numbers, expected, "{tap}");
    assert!(
        count(&json, "failed") > 0 && count(&json, "skipped") > 0 && count(&json, "passed") > 0,
        "{tap}"
    );
}

#[test]
fn the_junit_report_fits_the_schema_and_counts_as_we_do() {
    let junit = mixed("junit");
    let json: serde_json::Value = serde_json::from_str(&mixed("json")).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("junit.xsd");
    fed(
        Command::new("xmllint")
            .args(["--noout", "--schema"])
            .arg(schema)
            .arg("-"),
        &junit,
    );
    let asked = |path: &str| {
        fed(Command::new("xmllint").args(["--xpath", path, "-"]), &junit)
            .trim()
            .to_owned()
    };
    assert_eq!(
        asked("string(/testsuites/testsuite/@failures)"),
        json["failed"].to_string()
    );
    assert_eq!(asked("count(//failure)"), json["failed"].to_string());
    assert_eq!(
        asked("count(//testcase)"),
        json["checks"].as_array().unwrap().len().to_string()
    );
}

/// Reports on a driver that writes what it should not, and one that says it in an error: one pass and one failure each.
fn coloured(format: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("fixtures.toml");
    let report = |fault: &str| {
        std::fs::write(&config, format!("[options]\nfault = \"{fault}\"\n")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .arg("run")
            .arg(BUILT.join("libmisbehave_driver.so"))
            .args([
                "--filter", "ABI-003", "--filter", "ABI-006", "--format", format, "--config",
            ])
            .arg(&config)
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    ["draws", "bring_up fails in colour"].map(report).into()
}

#[test]
fn tap_of_hostile_texts_is_what_the_parser_and_prove_expect() {
    const SCRIPT: &str = r#"
        my $parser = TAP::Parser->new({ source => \*STDIN });
        $parser->run;
        print join(" ", scalar($parser->parse_errors), $parser->tests_run, join(",", $parser->failed),
            join(",", $parser->skipped, $parser->todo), $parser->is_good_plan ? 1 : 0), "\n";
    "#;
    for tap in coloured("tap") {
        let parsed = fed(Command::new("perl").args(["-MTAP::Parser", "-e", SCRIPT]), &tap);
        assert_eq!(parsed, "0 2 2  1\n", "{tap}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.tap");
        std::fs::write(&file, &tap).unwrap();
        let prove = Command::new("prove").args(["-e", "cat"]).arg(&file).output().unwrap();
        let said = String::from_utf8(prove.stdout).unwrap();
        assert!(!prove.status.success());
        assert!(
            said.contains("Failed 1/2 subtests") && said.contains("Failed test:  2"),
            "{said}"
        );
    }
}

#[test]
fn junit_of_hostile_texts_fits_the_schema_and_json_is_whole() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("junit.xsd");
    for junit in coloured("junit") {
        let mut lint = Command::new("xmllint");
        fed(lint.args(["--noout", "--schema"]).arg(&schema).arg("-"), &junit);
        let asked = |path: &str| fed(Command::new("xmllint").args(["--xpath", path, "-"]), &junit);
        assert_eq!(asked("count(//testcase)").trim(), "2");
        assert_eq!(asked("count(//failure)").trim(), "1");
        let told = asked("string(//system-out)") + &asked("string(//failure/@message)");
        assert!(told.contains("]]>&<!-- 'x' \"y\" \u{fffd}"), "{told}");
    }
    for json in coloured("json") {
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let check = &json["checks"][1];
        let told = format!(
            "{}{}",
            check["output"].as_str().unwrap(),
            check["text"].as_str().unwrap()
        );
        assert!(
            told.contains("\u{1b}[2J") && told.contains("]]>&<!-- 'x' \"y\" \0"),
            "{told}"
        );
    }
}

#[test]
fn a_person_is_shown_hostile_texts_as_they_are_written() {
    for text in coloured("human") {
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
        let passes: Vec<&str> = text.lines().filter(|line| line.starts_with("pass")).collect();
        assert_eq!(passes.len(), 1, "{text}");
        assert!(
            !text
                .lines()
                .any(|line| line.starts_with("ok ") || line.starts_with("Bail")),
            "{text}"
        );
        assert!(text.contains(r"\u{1b}[2J") && text.contains("FAIL  ABI-006"), "{text}");
    }
}

#[test]
fn a_seed_gives_the_same_run_and_is_told() {
    let first: serde_json::Value = serde_json::from_str(&mixed("json")).unwrap();
    let second: serde_json::Value = serde_json::from_str(&mixed("json")).unwrap();
    let verdicts = |json: &serde_json::Value| {
        let checks = json["checks"].as_array().unwrap().iter();
        checks
            .map(|check| (check["id"].clone(), check["verdict"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&first), verdicts(&second));
    assert_eq!(count(&first, "seed"), 7);
}

#[test]
fn exit_codes_tell_pass_failure_impossible_and_not_met() {
    let code = |output: Output| output.status.code().unwrap();
    assert_eq!(code(run("hello", &["--profile", "core", "--filter", "ABI"])), 0);
    assert_eq!(code(run("misbehave", &["--filter", "LOCK-008"])), 1);
    assert_eq!(code(run("missing", &[])), 2);
    assert_eq!(code(run("hello", &["--config", "missing.toml"])), 2);
    assert_eq!(code(run("hello", &["--filter", "ABI", "--skip", "ABI-003"])), 3);
    assert_eq!(code(run("hello", &["--profile", "nwfilter", "--filter", "ABI"])), 3);
    assert_eq!(code(run("hello", &["--profile", "nonsense"])), 2);
}

#[test]
fn a_failure_names_its_clause_what_was_found_and_how_to_learn_more() {
    let output = run("misbehave", &["--filter", "LOCK-008"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in [
        "FAIL  LOCK-008",
        "must locks.reads-take-none",
        "expected success, found error 9",
        "conformance explain LOCK-008",
        "NOT MET",
    ] {
        assert!(text.contains(words), "no '{words}' in: {text}");
    }
}

#[test]
fn every_check_is_explained_and_listed() {
    let conformance = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .args(arguments)
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (_, list) = conformance(&["list"]);
    for check in conformance::catalogue::all() {
        assert!(list.contains(check.id), "{} is not listed", check.id);
    }
    let (code, text) = conformance(&["explain", "lock-001"]);
    assert_eq!(code, 0);
    assert!(text.contains("locks.order") && text.contains("To mend:"), "{text}");
    assert_eq!(conformance(&["explain", "NONE-001"]).0, 2);
}

#[test]
fn a_plug_in_that_the_host_refuses_fails_in_the_hosts_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libother_driver.so");
    std::fs::write(&path, "not a library").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("the host refuses the plug-in: the dynamic linker refuses it: file too short"),
        "{text}"
    );
}
