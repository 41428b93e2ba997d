//! `Missing`: variables of a tree of filters that nobody gives a value, all of them at once.

use super::{Placed, Step, walk};
use crate::def::vars::{Access, Parameters};
use crate::def::{Rule, Term};
use crate::filters::Filters;
use driver_api::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A variable without a value, or a list without the element that a rule names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Missing {
    /// The variable as the rule writes it.
    pub access: Access,
    /// The filter that wants it.
    pub filter: String,
    /// The rule that wants it, by its number among the filter's entries, from 0.
    pub entry: u32,
}

/// The variables of a rule, each once.
pub(crate) fn accesses(rule: &Rule) -> impl Iterator<Item = &Access> {
    let fields = rule.matches.iter().flat_map(|matches| &matches.fields);
    fields.filter_map(|field| match &field.term {
        Term::Variable(access) => Some(access),
        Term::Value(_) => None,
    })
}

/// All variables that have no value in the tree of `top`, in order and each place once.
///
/// # Errors
/// As [`super::expand`].
pub fn missing(table: &Filters, top: &str, parameters: &Parameters) -> Result<Vec<Missing>> {
    let mut found = BTreeSet::new();
    // What a filter misses depends on its name and on what it sees, so a second way to the same is not gone: a tree can
    // name a filter more often than could ever be walked.
    let mut seen: HashSet<(String, BTreeMap<String, Vec<String>>)> = HashSet::new();
    let mut visit = |step: Step<'_>| {
        match step {
            Step::Enter(def, environment) => return Ok(seen.insert((def.name.clone(), environment.all()))),
            Step::Rule(placed) => found.extend(of_rule(&placed)),
        }
        Ok(true)
    };
    walk(table, top, parameters, &mut visit)?;
    Ok(found.into_iter().collect())
}

/// The same, of rules that are expanded already.
pub(crate) fn of_rules(rules: &[Placed<'_>]) -> BTreeSet<Missing> {
    rules.iter().flat_map(of_rule).collect()
}

fn of_rule<'p>(placed: &'p Placed<'_>) -> impl Iterator<Item = Missing> + 'p {
    let without = accesses(placed.rule).filter(|access| placed.environment.resolve(access).is_none());
    without.map(|access| Missing {
        access: access.clone(),
        filter: placed.def.name.clone(),
        entry: placed.entry,
    })
}
