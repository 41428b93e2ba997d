//! From definitions to a program: which rules a filter tree has at each hook, and what of them depends on the port.
//!
//! ```text
//! Filters, name, parameters -> expand -> [Placed]
//!     binding     what each variable of a rule is: a slot of the port, or a value compiled in
//!     ethernet    conditions of rules for frames       arp, stp: their fields
//!     packet      conditions of rules for packets, and which way with which state
//!     questions   collects the conditions of one rule
//!     order       chains, their rules and the jumps between them
//! -> Program, and the recipes for a port's slots (slot)
//! ```
//!
//! Pure: no kernel, no files, no port that exists.

mod arp;
mod binding;
mod ethernet;
mod order;
mod packet;
mod questions;
mod slot;
mod stp;
mod warning;

pub use crate::expand::missing::{Missing, missing};
pub use warning::{Warning, WarningKind};

use crate::def::Rule;
use crate::def::protocol::Layer;
use crate::def::vars::Parameters;
use crate::expand::missing::of_rules;
use crate::expand::{Placed, expand, names, refuse};
use crate::filters::Filters;
use crate::ruleset::{Hook, Origin, Program};
use binding::Binding;
use driver_api::error::{Code, Error, Result};
use order::Chains;
use slot::{Recipes, Shape};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many combinations of a rule and its variables' values one program may have.
pub const MAX_RULES: usize = 100_000;

/// A filter tree, compiled for one port and all others that use it alike.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The rules.
    pub program: Arc<Program>,
    /// The names of all filters in the tree.
    pub filters: BTreeSet<String>,
    /// What the author of the filter should know, in order and each once.
    pub warnings: Vec<Warning>,
    recipes: Recipes,
    shape: Shape,
}

/// Compiles `top` with all that it refers to for a port with these parameters.
///
/// # Errors
/// 62 when there is no filter `top`; 1 when one is missing that is referred to, when variables have no values (all of
/// them are named), when variables that advance together have not equally many, when a value is not what its attribute
/// wants, or when there are too many rules.
pub fn compile(table: &Filters, top: &str, parameters: &Parameters) -> Result<Compiled> {
    let rules = expand(table, top, parameters)?;
    let without = of_rules(&rules);
    if !without.is_empty() {
        return Err(unresolved(top, &without));
    }
    let mut compiler = Compiler {
        chains: Chains::new(&rules),
        recipes: Recipes::default(),
        shape: Shape::default(),
        warnings: BTreeSet::new(),
        parameters,
        left: MAX_RULES,
    };
    for placed in &rules {
        compiler.rule(placed)?;
    }
    let filters = names(table, top);
    let program = Program {
        chains: compiler.chains.finish(),
        slots: compiler.recipes.shapes(),
    };
    Ok(Compiled {
        program: Arc::new(program),
        filters,
        warnings: compiler.warnings.into_iter().collect(),
        recipes: compiler.recipes,
        shape: compiler.shape,
    })
}

impl Compiled {
    /// What a port with these parameters has in the program's slots: for each slot the parts of each key, one after the
    /// other.
    ///
    /// # Errors
    /// 1 when a variable has no value or one that its attribute does not take, or when variables that advance together
    /// have not equally many.
    pub fn fill(&self, parameters: &Parameters) -> Result<Vec<BTreeSet<Vec<u8>>>> {
        self.recipes.fill(parameters)
    }

    /// Whether a port with these parameters may use this program: it gives the same variables, as many values where the
    /// number of rules depends on that, and the same values where they are compiled in.
    #[must_use]
    pub fn fits(&self, parameters: &Parameters) -> bool {
        self.shape.fits(parameters)
    }
}

struct Compiler<'a> {
    chains: Chains<'a>,
    recipes: Recipes,
    shape: Shape,
    warnings: BTreeSet<Warning>,
    parameters: &'a Parameters,
    left: usize,
}

impl<'a> Compiler<'a> {
    fn rule(&mut self, placed: &Placed<'a>) -> Result<()> {
        let binding = Binding::new(placed, self.parameters)?;
        self.shape.note(placed, &binding);
        warning::look(placed, &binding, &mut self.warnings);
        let origin = Origin {
            filter: placed.def.uuid,
            entry: placed.entry,
        };
        self.left = self.left.checked_sub(binding.count()).ok_or_else(|| too_many(placed))?;
        for choice in binding.choices() {
            for (hook, questions) in questions(placed, &choice)? {
                for conditions in questions.finish(hook, &mut self.recipes) {
                    self.chains.add(placed, hook, conditions, origin);
                }
            }
        }
        Ok(())
    }
}

/// The conditions of a rule at each hook where it stands.
fn questions<'p>(
    placed: &'p Placed<'_>,
    choice: &'p binding::Choice<'p>,
) -> Result<Vec<(Hook, questions::Questions<'p>)>> {
    match layer(placed.rule) {
        Layer::Ethernet => ethernet::questions(placed, choice),
        Layer::V4 | Layer::V6 => packet::questions(placed, choice),
    }
}

/// Where a rule belongs; one without protocol is asked for every frame.
fn layer(rule: &Rule) -> Layer {
    rule.matches
        .as_ref()
        .map_or(Layer::Ethernet, |matches| matches.protocol.layer)
}

/// Names a rule in messages; entries are counted from 1, as people do.
fn place(placed: &Placed<'_>) -> String {
    format!("filter '{}', entry {}", placed.def.name, placed.entry + 1)
}

fn too_many(placed: &Placed<'_>) -> Error {
    let message = format!(
        "more than {MAX_RULES} rules would be made at {}: use fewer values of variables, rules or references",
        place(placed)
    );
    refuse(Code::INTERNAL, message)
}

fn unresolved(top: &str, without: &BTreeSet<Missing>) -> Error {
    const TOLD: usize = 20;
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for missing in without {
        let place = format!("'{}' entry {}", missing.filter, missing.entry + 1);
        places.entry(missing.access.to_string()).or_default().push(place);
    }
    let more = places.len().saturating_sub(TOLD);
    let mut told: Vec<String> = places
        .into_iter()
        .take(TOLD)
        .map(|(access, places)| match places.as_slice() {
            [only] => format!("{access} (wanted by {only})"),
            [first, rest @ ..] => format!("{access} (wanted by {first} and {} more)", rest.len()),
            [] => access,
        })
        .collect();
    if more > 0 {
        told.push(format!("{more} more"));
    }
    let message = format!(
        "filter '{top}' can not be instantiated: no value is given for {}",
        told.join(", ")
    );
    refuse(Code::INTERNAL, message)
}

#[cfg(test)]
mod tests;
