//! `Table`: `tests/mutants.toml`, which names each mutant, the clause that it breaks and the checks that it must fail.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/mutants.toml");

/// Every mutant, in the order of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) mutant: Vec<Mutant>,
}

/// One mutant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// What `LOCKSTEP_MUTANT` is set to.
    pub(crate) name: String,
    /// The clause of the book that it breaks.
    pub(crate) breaks: String,
    /// A change of the reference's file in the place of a switch in its source.
    pub(crate) patch: Option<String>,
    /// How many seconds a check may take: few for a mutant that hangs.
    #[serde(default = "patience")]
    pub(crate) seconds: u64,
    /// Groups of checks that it is tried on, where all of them would take too long.
    #[serde(default)]
    pub(crate) only: Vec<String>,
    /// Whether it is tried on the checks that take as long as all others together (`COSTLY`).
    #[serde(default)]
    pub(crate) costly: bool,
    /// Musts that it may fail or pass, as its threads happen to meet.
    #[serde(default)]
    pub(crate) sometimes: Vec<String>,
    /// The musts that it fails: these and no others.
    pub(crate) kills: Vec<String>,
}

const fn patience() -> u64 {
    60
}

impl Table {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(FILE).expect("tests/mutants.toml can be read");
        toml::from_str(&text).unwrap_or_else(|error| panic!("tests/mutants.toml: {error}"))
    }

    /// Writes the table with what was found to fail.
    pub(crate) fn write(mut self, found: &[(String, Vec<String>)]) {
        let old = fs::read_to_string(FILE).expect("tests/mutants.toml can be read");
        let head: Vec<&str> = old.lines().take_while(|line| line.starts_with('#')).collect();
        let mut text = head.join("\n");
        text.push('\n');
        for mutant in &mut self.mutant {
            if let Some((_, kills)) = found.iter().find(|(name, _)| *name == mutant.name) {
                let chance = |id: &&String| mutant.sometimes.contains(*id);
                mutant.kills = kills.iter().filter(|id| !chance(id)).cloned().collect();
            }
            text.push_str(&mutant.entry());
        }
        fs::write(Path::new(FILE), text).expect("tests/mutants.toml can be written");
    }
}

impl Mutant {
    fn entry(&self) -> String {
        let mut text = format!("\n[[mutant]]\nname = \"{}\"\nbreaks = \"{}\"\n", self.name, self.breaks);
        if let Some(patch) = &self.patch {
            text.push_str(&format!("patch = \"{patch}\"\n"));
        }
        if self.seconds != patience() {
            text.push_str(&format!("seconds = {}\n", self.seconds));
        }
        if !self.only.is_empty() {
            text.push_str(&format!("only = [{}]\n", quoted(&self.only)));
        }
        if self.costly {
            text.push_str("costly = true\n");
        }
        if !self.sometimes.is_empty() {
            text.push_str(&format!("sometimes = [{}]\n", quoted(&self.sometimes)));
        }
        text.push_str(&format!("kills = [{}]\n", quoted(&self.kills)));
        text
    }
}

fn quoted(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|text| format!("\"{text}\"")).collect();
    quoted.join(", ")
}
