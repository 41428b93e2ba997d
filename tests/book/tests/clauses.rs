//! Every clause that a check enforces is in the book, and as strict there as the check is.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

use conformance::catalogue;
use conformance::check::Level;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[test]
fn every_check_names_a_clause_that_the_book_has() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/driver-author");
    let texts = fs::read_dir(folder).unwrap();
    let book: String = texts
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let mut strict = BTreeMap::new();
    for check in catalogue::all() {
        *strict.entry(check.clause).or_insert(false) |= check.level == Level::Must;
    }
    for (clause, must) in strict {
        let mark = if must { "must" } else { "should" };
        let says = format!("**{clause}** ({mark}). ");
        assert!(book.contains(&says), "docs/driver-author has no '{says}'");
    }
}

#[test]
fn the_fixtures_that_the_book_shows_are_fixtures() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/driver-author/conformance.md");
    let page = fs::read_to_string(page).unwrap();
    let shown = page.split("```toml\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let fixtures: conformance::fixture::Fixtures = toml::from_str(shown).unwrap();
    let own = conformance::fixture::Fixtures::default();
    // All that is not documents is shown with what it is when it is left out, but for one.
    assert_eq!(fixtures.timing, own.timing);
    assert_eq!(fixtures.guests, own.guests);
    assert!(!fixtures.domain.survives && own.domain.survives);
}

#[test]
fn every_clause_has_a_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/driver-author");
    let mut unchecked = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let anchors = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        unchecked.extend(anchors.filter(|id| id.contains('.')).map(str::to_owned));
    }
    for check in catalogue::all() {
        unchecked.remove(check.clause);
    }
    assert!(unchecked.is_empty(), "no check enforces {unchecked:?}");
}
