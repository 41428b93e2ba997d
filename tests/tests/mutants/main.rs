//! The suite's own gate: the reference passes every check, each mutant fails exactly those that it names, and there is no
//! check that no mutant fails.
//!
//! To try every mutant in full takes half an hour, which `LOCKSTEP_MUTANTS=all` has; names of mutants there, with commas, have
//! these tried in full: on every check but `COSTLY`, which only those see that the table calls costly, or on the groups that the
//! table has as `only`. Otherwise a mutant is tried on some of the checks that it must fail, so that each check has
//! two mutants that fail it where there are two, and on a part of the others, another one for each mutant: these it must pass.
//!
//! `LOCKSTEP_BLESS=1` tries all, or those that `LOCKSTEP_MUTANTS` names, in full and writes what was found into
//! `tests/mutants.toml`, to be looked at before it is kept.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is a verdict"
)]

mod patch;
mod table;
mod verdict;

use conformance::catalogue;
use conformance::check::Level;
use conformance::host::build_dir;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::btree_set::{BTreeSet, Difference};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use table::{Mutant, Table};
use verdict::Asked;

/// Checks that take as long as all others together; only mutants that are about them are tried on them.
const COSTLY: [&str; 3] = ["CONC-008", "FAULT-004", "LEAK-004"];

/// One of so many checks that a mutant is not to fail is tried all the same.
const SAMPLE: usize = 40;

/// So many of the checks that it must fail a mutant is tried on at least.
const OWN: usize = 3;

/// So many mutants a check must fail are tried on it.
const PROOFS: usize = 2;

/// What mutants were found to fail, for who writes the table anew.
type Found = Arc<Mutex<Vec<(String, Vec<String>)>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let bless = std::env::var_os("LOCKSTEP_BLESS").is_some();
    let table = Table::read();
    let found = Found::default();
    let mut trials = vec![
        Trial::test("reference_passes_every_check", reference_passes),
        Trial::test("every_check_is_failed_by_a_mutant", {
            let table = table.clone();
            move || every_check_is_failed(&table)
        }),
    ];
    let asked = asked_for(&table);
    let all = bless || asked.is_some();
    let named = |mutant: &Mutant| asked.as_ref().is_none_or(|names| names.contains(&mutant.name));
    let mutants = table.mutant.iter().enumerate().filter(|(_, mutant)| named(mutant));
    trials.extend(mutants.map(|(number, mutant)| {
        let (mutant, found) = (mutant.clone(), Arc::clone(&found));
        let name = format!("mutant_{}", mutant.name);
        let checks = if all {
            tried_on_all(&mutant)
        } else {
            tried_on(&table, number)
        };
        Trial::test(name, move || {
            fails_what_it_names(&mutant, &checks, bless.then_some(&found))
        })
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if bless {
        table.write(&found.lock().expect("no thread died with it"));
    }
    conclusion.exit_code()
}

/// The mutants that are to be tried in full; none when nobody asked for that.
fn asked_for(table: &Table) -> Option<Vec<String>> {
    let asked = std::env::var("LOCKSTEP_MUTANTS").ok()?;
    let known = || table.mutant.iter().map(|mutant| mutant.name.clone());
    if asked == "all" {
        return Some(known().collect());
    }
    let names: Vec<String> = asked.split(',').map(str::to_owned).collect();
    let strange: Vec<&String> = names
        .iter()
        .filter(|name| !known().any(|known| known == **name))
        .collect();
    assert!(
        strange.is_empty(),
        "LOCKSTEP_MUTANTS: there are no mutants {strange:?}: tests/mutants.toml lists them"
    );
    Some(names)
}

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/mock/conformance.toml"))
}

fn library(name: &str) -> PathBuf {
    let path = build_dir().join(name);
    assert!(
        path.exists(),
        "'{}' is not built: cargo build --workspace",
        path.display()
    );
    path
}

/// A copy under the name by which a host finds drivers, which those in the build folder have not.
fn found(library: &Path, folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join("libmock_driver.so");
    let _size = std::fs::copy(library, &path)?;
    Ok(path)
}

fn reference_passes() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let run = verdict::run(
        &found(&library("libmock.so"), folder.path())?,
        &fixtures(),
        Asked {
            mutant: "",
            seconds: 120,
            checks: &[],
        },
    );
    let all: Vec<&str> = catalogue::all().map(|check| check.id).collect();
    assert_eq!(run.failed, [""; 0], "{}", run.text);
    assert_eq!(run.warned, [""; 0], "{}", run.text);
    assert_eq!(run.skipped, [""; 0], "{}", run.text);
    assert_eq!(run.passed, all, "{}", run.text);
    Ok(())
}

/// By the table alone: that it is true is what the mutants' own trials say.
fn every_check_is_failed(table: &Table) -> Result<(), Failed> {
    let named: BTreeSet<&str> = table
        .mutant
        .iter()
        .flat_map(|mutant| &mutant.kills)
        .map(String::as_str)
        .collect();
    let musts: BTreeSet<&str> = catalogue::all()
        .filter(|check| check.level == Level::Must)
        .map(|check| check.id)
        .collect();
    let list = |ids: Difference<'_, &str>| ids.copied().collect::<Vec<_>>().join(", ");
    let alive = list(musts.difference(&named));
    let strange = list(named.difference(&musts));
    let mut wrong = Vec::new();
    for (what, ids) in [
        ("no mutant fails these checks", alive),
        ("no musts, or checks that there are not", strange),
    ] {
        if !ids.is_empty() {
            wrong.push(format!("{what}: {ids}"));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n").into()),
    }
}

/// Every check that a mutant is tried on in a whole run.
fn tried_on_all(mutant: &Mutant) -> Vec<&'static str> {
    let wanted = |id: &&str| {
        let costly = COSTLY.contains(id) && !mutant.costly;
        !costly && (mutant.only.is_empty() || mutant.only.iter().any(|group| id.starts_with(group.as_str())))
    };
    catalogue::all().map(|check| check.id).filter(wanted).collect()
}

/// Some of the checks that a mutant must fail, and some of those that it must pass.
fn tried_on(table: &Table, number: usize) -> Vec<&'static str> {
    let Some(mutant) = table.mutant.get(number) else {
        return Vec::new();
    };
    let before = |id: &str| {
        let others = table.mutant.iter().take(number);
        others.filter(|other| other.kills.iter().any(|kill| kill == id)).count()
    };
    let wanted = |(place, id): (usize, &'static str)| match mutant.kills.iter().position(|kill| kill == id) {
        Some(own) => own < OWN || before(id) < PROOFS,
        None => (place + number).is_multiple_of(SAMPLE) && !COSTLY.contains(&id),
    };
    let all = tried_on_all(mutant).into_iter().enumerate();
    all.filter(|entry| wanted(*entry)).map(|(_, id)| id).collect()
}

fn fails_what_it_names(mutant: &Mutant, checks: &[&str], bless: Option<&Found>) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let plugin = match &mutant.patch {
        Some(patch) => patch::patched(&library("libmock.so"), patch, folder.path()),
        None => found(&library("libmock_mutants.so"), folder.path())?,
    };
    let name = if mutant.patch.is_some() {
        ""
    } else {
        mutant.name.as_str()
    };
    let run = verdict::run(
        &plugin,
        &fixtures(),
        Asked {
            mutant: name,
            seconds: mutant.seconds,
            checks,
        },
    );
    if let Some(found) = bless {
        let mut found = found.lock().expect("no thread died with it");
        found.push((mutant.name.clone(), run.failed));
        return Ok(());
    }
    assert!(
        !mutant.kills.is_empty(),
        "no must fails it: it is no mutant\n{}",
        run.text
    );
    let by_chance = |id: &&String| mutant.sometimes.contains(*id);
    let failed: BTreeSet<_> = run.failed.iter().filter(|id| !by_chance(id)).collect();
    let tried = |id: &&String| checks.contains(&id.as_str());
    let named: BTreeSet<_> = mutant.kills.iter().filter(tried).collect();
    if failed == named {
        return Ok(());
    }
    let list = |set: Vec<&&String>| set.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
    let message = format!(
        "passed though named: {}\nfailed though not named: {}\n\n{}",
        list(named.difference(&failed).collect()),
        list(failed.difference(&named).collect()),
        run.text
    );
    Err(message.into())
}
