//! The book's clauses have one place each, its links lead somewhere, and its code is compiled.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/driver-author")
}

/// Every chapter's text by its file's name.
fn chapters() -> BTreeMap<String, String> {
    let mut chapters = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        chapters.insert(name, fs::read_to_string(entry.path()).unwrap());
    }
    chapters
}

fn between<'t>(text: &'t str, begin: &'static str, end: char) -> impl Iterator<Item = &'t str> {
    text.split(begin).skip(1).filter_map(move |rest| rest.split(end).next())
}

fn anchors(text: &str) -> Vec<&str> {
    between(text, "<a id=\"", '"').collect()
}

#[test]
fn every_anchor_stands_once_and_every_clause_under_its_own() {
    let chapters = chapters();
    let mut places = BTreeMap::new();
    for (file, text) in &chapters {
        for anchor in anchors(text) {
            assert_eq!(places.insert(anchor, file), None, "'{anchor}' stands twice");
        }
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(id) = between(line, "<a id=\"", '"').next().filter(|id| id.contains('.')) else {
                continue;
            };
            let clause = lines.peek().copied().unwrap_or_default();
            let said = [format!("**{id}** (must). "), format!("**{id}** (should). ")];
            assert!(said.iter().any(|said| clause.starts_with(said)), "{file}: {clause}");
        }
    }
    let clauses = places.keys().filter(|id| id.contains('.')).count();
    assert!(clauses > 70, "only {clauses} clauses found");
}

#[test]
fn every_clause_says_why_and_how() {
    for (file, text) in chapters() {
        for (place, _) in text
            .match_indices("** (must). ")
            .chain(text.match_indices("** (should). "))
        {
            let end = text[place..].find("\n\n").map_or(text.len(), |end| place + end);
            let clause = &text[place..end];
            // What must not be left over has one reason, which stands above the list.
            let id = text[..place].rsplit("**").next().unwrap_or_default();
            assert!(
                id.starts_with("leaks.") || clause.contains("*Why:*"),
                "{file}: {clause}"
            );
            assert!(clause.contains("*How:*"), "{file}: {clause}");
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let chapters = chapters();
    for (file, text) in &chapters {
        for link in between(text, "](", ')').filter(|link| !link.starts_with("http")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { file } else { target };
            match chapters.get(target) {
                Some(there) => {
                    let found = anchor.is_empty() || anchors(there).contains(&anchor);
                    assert!(found, "{file} links to '{link}'");
                }
                None => assert!(folder().join(target).exists(), "{file} links to '{link}'"),
            }
        }
    }
}

#[test]
fn every_chapter_is_in_the_contents_and_compiled() {
    let chapters = chapters();
    for file in chapters.keys().filter(|file| *file != "README.md") {
        assert!(chapters["README.md"].contains(&format!("]({file})")), "{file}");
        let name = file.trim_end_matches(".md");
        assert!(author_book::CHAPTERS.contains(&name), "{file} is not compiled");
    }
}
