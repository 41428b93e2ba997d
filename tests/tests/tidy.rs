//! House rules that no lint knows: first lines, lengths, where `unsafe` may be, which room may know which.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

use std::fs;
use std::path::{Path, PathBuf};

const ROOMS: [&str; 5] = ["driver-api", "uml-driver", "nwfilter-driver", "host", "tests"];
const MOST_LINES: usize = 450;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != "compile-fail" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn each(mut check: impl FnMut(&str, &str)) {
    let mut found = Vec::new();
    for room in ROOMS {
        sources(&top().join(room), &mut found);
    }
    assert!(found.len() > 100, "only {} sources found", found.len());
    for path in found {
        let name = path.strip_prefix(top()).unwrap().to_string_lossy().into_owned();
        check(&name, &fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn every_file_says_in_its_first_line_what_lives_there() {
    let mut silent = Vec::new();
    each(|name, text| {
        if !text.starts_with("//! ") && !text.starts_with("#![no_main]") {
            silent.push(name.to_owned());
        }
    });
    assert_eq!(silent, Vec::<String>::new());
}

/// Lines of a table of the conformance suite's checks: a list of rules in words, which may be as long as it is.
fn rules(text: &str) -> usize {
    let mut inside = false;
    let counted = |line: &&str| {
        inside |= line.contains("CHECKS: &[Check] = &[");
        let is_rule = inside;
        inside &= *line != "];";
        is_rule
    };
    text.lines().filter(counted).count()
}

#[test]
fn no_file_is_too_long_to_be_one_noun() {
    let mut long = Vec::new();
    each(|name, text| {
        let lines = text.lines().count() - rules(text);
        if lines > MOST_LINES {
            long.push(format!("{name}: {lines}"));
        }
    });
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn unsafe_code_stays_in_the_files_made_for_it() {
    let mut astray = Vec::new();
    each(|name, text| {
        let fenced = name.starts_with("driver-api/src/abi/")
            || name.starts_with("driver-api/src/kit/")
            || name.starts_with("host/src/plugin/")
            || name.starts_with("tests/")
            || name.ends_with("/sys.rs")
            || name.contains("/tests/")
            || name.contains("/testing/");
        let uses = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe impl") || code.contains("unsafe fn")
        });
        if uses && !fenced {
            astray.push(name.to_owned());
        }
    });
    assert_eq!(astray, Vec::<String>::new());
}

#[test]
fn rooms_know_only_the_rooms_they_may() {
    let mut wrong = Vec::new();
    each(|name, text| {
        let forbidden: &[&str] = if name.starts_with("host/src/rpc/") {
            &[
                "crate::server",
                "crate::dispatch",
                "crate::plugin",
                "crate::supervisor",
                "crate::lock",
            ]
        } else if name.starts_with("host/src/server/") {
            &["crate::dispatch", "crate::plugin", "crate::supervisor", "crate::lock"]
        } else if name.starts_with("host/src/lock/") {
            &[
                "crate::rpc",
                "crate::server",
                "crate::dispatch",
                "crate::plugin",
                "crate::supervisor",
            ]
        } else if name.starts_with("host/src/supervisor/") {
            &["crate::rpc", "crate::server", "crate::dispatch", "crate::plugin"]
        } else if name.starts_with("host/src/plugin/") {
            &["crate::rpc", "crate::server", "crate::dispatch"]
        } else if name.starts_with("uml-driver/src/def/") || name.starts_with("uml-driver/src/plan/") {
            &["crate::run", "crate::mconsole", "crate::sys", "crate::state"]
        } else {
            &[]
        };
        wrong.extend(
            forbidden
                .iter()
                .filter(|room| text.contains(**room))
                .map(|room| format!("{name} uses {room}")),
        );
    });
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn drivers_and_host_depend_on_the_interface_and_never_on_each_other() {
    for (room, others) in [
        ("driver-api", &["lockstep", "uml-driver", "nwfilter-driver"][..]),
        ("uml-driver", &["lockstep", "nwfilter-driver"]),
        ("nwfilter-driver", &["lockstep", "uml-driver"]),
        ("host", &["uml-driver", "nwfilter-driver"]),
        // The conformance suite is a host for one driver, made of the real one's rooms.
        ("tests", &["uml-driver", "nwfilter-driver"]),
    ] {
        let manifest = fs::read_to_string(top().join(room).join("Cargo.toml")).unwrap();
        for other in others {
            let depends = manifest
                .lines()
                .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} =")));
            assert!(!depends, "{room} depends on {other}");
        }
    }
}

#[test]
fn every_path_that_the_architecture_names_exists() {
    let text = fs::read_to_string(top().join("ARCHITECTURE.md")).unwrap();
    for path in text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('/') && !word.contains([' ', '$', '*']))
    {
        if ROOMS.iter().any(|room| path.starts_with(&format!("{room}/"))) {
            assert!(
                top().join(path).exists(),
                "ARCHITECTURE.md names '{path}', which is not there"
            );
        }
    }
}

#[test]
fn every_group_of_checks_is_in_the_books_table() {
    let book = fs::read_to_string(top().join("docs/driver-author/conformance.md")).unwrap();
    let is_told = |group: &str| {
        book.lines()
            .any(|line| line.starts_with("| `") && line.contains(&format!("`{group}-`")))
    };
    let groups = conformance::catalogue::all().filter_map(|check| check.id.split('-').next());
    let mut missing: Vec<&str> = groups.filter(|group| !is_told(group)).collect();
    missing.dedup();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_test_that_the_comparison_names_exists() {
    let text = fs::read_to_string(top().join("docs/uml-comparison.md")).unwrap();
    let mut sources = String::new();
    each(|_, text| sources.push_str(text));
    let quoted = text.split('`').skip(1).step_by(2);
    let named: Vec<&str> = quoted
        .filter(|word| word.contains('_') && !word.contains([' ', '/', '.', '*', '<']))
        .collect();
    assert!(named.len() > 80, "only {} tests named", named.len());
    for name in named {
        // One that stands for several ends in an ellipsis.
        let begins = name.trim_end_matches('…');
        let there = [format!("fn {begins}"), format!("\"{begins}")];
        assert!(
            there.iter().any(|there| sources.contains(there)),
            "docs/uml-comparison.md names the test '{name}', which is not there"
        );
    }
}
