//! One filter with all that it refers to as a flat list of rules, each with the variables it sees.
//!
//! ```text
//! Filters, name, parameters -> expand -> [Placed]      environment   who gives a variable its values
//!                                                      tuples        which values go together
//!                                                      missing       which ones nobody gives
//! ```
//!
//! Nothing here knows what a rule matches; that is `compile`.

pub mod environment;
pub mod missing;
pub mod tuples;

pub use environment::{Environment, Giver};
pub use missing::{Missing, missing};

use crate::def::vars::Parameters;
use crate::def::{Entry, FilterDef, Reference, Rule};
use crate::filters::{Filters, MAX_LEVELS};
use driver_api::error::{Code, Error, Origin, Result};
use std::collections::BTreeSet;

/// So many rules and references one port may have, taken together. A tree of 64 levels can name more of them than there
/// are atoms in a guest, so the walk ends here.
pub const MAX_ENTRIES: usize = 100_000;

/// A rule where it stands in the tree.
#[derive(Clone, Debug)]
pub struct Placed<'a> {
    /// Its filter.
    pub def: &'a FilterDef,
    /// Its number among the filter's entries.
    pub entry: u32,
    /// The rule itself.
    pub rule: &'a Rule,
    /// The variables that it sees.
    pub environment: Environment<'a>,
}

/// An error about a filter in the tree or a place in it.
pub(crate) fn refuse(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, Origin::NWFILTER, message)
}

/// All rules of `top` and of what it refers to, in the order of the documents, depth first. A filter that is referred to
/// twice is there twice.
///
/// # Errors
/// 62 when there is no filter `top`; 1 when a filter refers to one that is missing; 1 when there are more than
/// [`MAX_ENTRIES`] rules and references or more than [`MAX_LEVELS`] levels.
pub fn expand<'a>(table: &'a Filters, top: &str, parameters: &'a Parameters) -> Result<Vec<Placed<'a>>> {
    let mut rules = Vec::new();
    let mut visit = |step: Step<'a>| {
        if let Step::Rule(placed) = step {
            rules.push(placed);
        }
        Ok(true)
    };
    walk(table, top, parameters, &mut visit)?;
    Ok(rules)
}

/// The names of `top` and of all filters that it refers to, over however many others; also of those that do not exist.
#[must_use]
pub fn names(table: &Filters, top: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::from([top.to_owned()]);
    let mut open = vec![top.to_owned()];
    while let Some(name) = open.pop() {
        let Some(filter) = table.by_name(&name) else { continue };
        for reference in filter.def.references() {
            if names.insert(reference.to_owned()) {
                open.push(reference.to_owned());
            }
        }
    }
    names
}

/// What the walk through a tree comes by.
pub(crate) enum Step<'a> {
    /// A filter begins. If the visitor answers `false`, the walk does not go into it.
    Enter(&'a FilterDef, Environment<'a>),
    /// A rule of it.
    Rule(Placed<'a>),
}

/// Goes through the tree, depth first in the order of the documents.
pub(crate) fn walk<'a>(
    table: &'a Filters,
    top: &str,
    parameters: &'a Parameters,
    visit: &mut dyn FnMut(Step<'a>) -> Result<bool>,
) -> Result<()> {
    let Some(filter) = table.by_name(top) else {
        return Err(refuse(Code::NO_NWFILTER, format!("there is no filter '{top}'")));
    };
    let mut walk = Walk {
        table,
        top: &filter.def,
        left: MAX_ENTRIES,
        visit,
    };
    walk.filter(&filter.def, &Environment::port(parameters), 1)
}

struct Walk<'a, 'v> {
    table: &'a Filters,
    top: &'a FilterDef,
    left: usize,
    visit: &'v mut dyn FnMut(Step<'a>) -> Result<bool>,
}

impl<'a> Walk<'a, '_> {
    fn filter(&mut self, def: &'a FilterDef, environment: &Environment<'a>, level: usize) -> Result<()> {
        // A definition is refused when it would go deeper, but a table can also be put together from files.
        if level > MAX_LEVELS {
            let message = format!(
                "references of filter '{}' go through more than {MAX_LEVELS} levels at '{}'",
                self.top.name, def.name
            );
            return Err(refuse(Code::INTERNAL, message));
        }
        if !(self.visit)(Step::Enter(def, environment.clone()))? {
            return Ok(());
        }
        for (entry, what) in (0..).zip(&def.entries) {
            self.left = self.left.checked_sub(1).ok_or_else(|| self.too_many(def))?;
            match what {
                Entry::Rule(rule) => {
                    let environment = environment.clone();
                    (self.visit)(Step::Rule(Placed {
                        def,
                        entry,
                        rule,
                        environment,
                    }))?;
                }
                Entry::Reference(reference) => {
                    let Some(inner) = self.table.by_name(&reference.filter) else {
                        return Err(missing_filter(def, entry, reference));
                    };
                    let environment = environment.within(&reference.parameters);
                    self.filter(&inner.def, &environment, level + 1)?;
                }
            }
        }
        Ok(())
    }

    fn too_many(&self, at: &FilterDef) -> Error {
        let message = format!(
            "filter '{}' with all that it refers to has more than {MAX_ENTRIES} rules and references (reached in '{}'): \
             refer to each filter once",
            self.top.name, at.name
        );
        refuse(Code::INTERNAL, message)
    }
}

fn missing_filter(def: &FilterDef, entry: u32, reference: &Reference) -> Error {
    let message = format!(
        "filter '{}', which '{}' refers to in its entry {}, does not exist: define it first",
        reference.filter,
        def.name,
        entry + 1
    );
    refuse(Code::INTERNAL, message)
}

#[cfg(test)]
mod tests;
