//! `Deviation`: where the kernel does not hold what should be in force.

use super::image::Image;
use super::object::TableObjects;
use crate::nft::Family;
use std::collections::BTreeMap;
use std::fmt;

/// How an object differs from what it should be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Difference {
    /// It is not there.
    Missing,
    /// It is there, and should not be.
    Foreign,
    /// It says something else.
    Changed,
}

/// One object of our tables that is not as it should be.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Deviation {
    /// The family of the table.
    pub family: Family,
    /// What it is, for people.
    pub object: String,
    /// How it differs.
    pub difference: Difference,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.difference {
            Difference::Missing => "is missing",
            Difference::Foreign => "is not ours",
            Difference::Changed => "was changed",
        };
        write!(f, "{} of the {} table {how}", self.object, self.family.name())
    }
}

/// Compares object by object.
pub(super) fn between(wanted: &Image, found: &Image) -> Vec<Deviation> {
    let mut deviations = Vec::new();
    for family in Family::ALL {
        let (wanted, found) = (wanted.tables.get(&family), found.tables.get(&family));
        let mut note = |object: String, difference| {
            deviations.push(Deviation {
                family,
                object,
                difference,
            });
        };
        match (wanted, found) {
            (None, None) => {}
            (Some(_), None) => note("all".to_owned(), Difference::Missing),
            (None, Some(_)) => note("all".to_owned(), Difference::Foreign),
            (Some(wanted), Some(found)) => tables(wanted, found, &mut note),
        }
    }
    deviations
}

fn tables(wanted: &TableObjects, found: &TableObjects, note: &mut impl FnMut(String, Difference)) {
    pairs(&wanted.chains, &found.chains, |name, difference| {
        note(format!("chain '{name}'"), difference);
    });
    pairs(&wanted.sets, &found.sets, |name, difference| {
        note(format!("set '{name}'"), difference);
    });
}

fn pairs<T: PartialEq>(
    wanted: &BTreeMap<String, T>,
    found: &BTreeMap<String, T>,
    mut note: impl FnMut(&str, Difference),
) {
    for (name, object) in wanted {
        match found.get(name) {
            None => note(name, Difference::Missing),
            Some(other) if other != object => note(name, Difference::Changed),
            Some(_) => {}
        }
    }
    for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
        note(name, Difference::Foreign);
    }
}
