//! `Recipes`: what a port has in the slots of a program, and which other ports may use the program.

use super::binding::{Binding, read, uneven};
use super::place;
use crate::def::kind::Kind;
use crate::def::value::Value;
use crate::def::vars::Parameters;
use crate::expand::Placed;
use crate::expand::missing::accesses;
use crate::expand::tuples::{Source, Together};
use crate::ruleset::{Hook, SlotShape};
use driver_api::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How a value becomes bytes that can be compared with those of a frame.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Encoding {
    /// How many bytes.
    pub width: u8,
    /// Numbers are moved up by so many bits.
    pub shift: u8,
    /// Bits that count; the others are cleared.
    pub mask: Option<Vec<u8>>,
}

impl Encoding {
    /// The bytes in network order; `None` when the value has another kind than such bytes.
    pub(super) fn encode(&self, value: &Value) -> Option<Vec<u8>> {
        let width = usize::from(self.width);
        let mut bytes = match value {
            Value::Number { value, .. } => {
                let bytes = (u64::from(*value) << self.shift).to_be_bytes();
                bytes.get(bytes.len().checked_sub(width)?..)?.to_vec()
            }
            Value::Mac(mac) => mac.0.to_vec(),
            Value::V4(address) => address.octets().to_vec(),
            Value::V6(address) => address.octets().to_vec(),
            _ => return None,
        };
        if bytes.len() != width {
            return None;
        }
        if let Some(mask) = &self.mask {
            for (byte, mask) in bytes.iter_mut().zip(mask) {
                *byte &= mask;
            }
        }
        Some(bytes)
    }
}

/// One part of a slot's key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Part {
    /// The column of the variables that advance together.
    pub column: usize,
    /// What its values must be.
    pub kind: Kind,
    /// The attribute that wants it, for messages.
    pub attribute: &'static str,
    /// How they become bytes.
    pub encoding: Encoding,
}

/// What a slot holds; two rules with equal ones share the slot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Recipe {
    out: bool,
    /// The variables, by their number among all groups.
    group: usize,
    /// Only this combination.
    pick: Option<usize>,
    parts: Vec<Part>,
}

/// The recipes of all slots of a program.
#[derive(Clone, Debug, Default)]
pub(super) struct Recipes {
    /// Each with the place that wants it.
    all: Vec<(Recipe, String)>,
    known: HashMap<Recipe, u32>,
    groups: Vec<Together>,
    known_groups: HashMap<Together, usize>,
}

impl Recipes {
    /// The number of a slot that holds this; a new one if there is none yet.
    pub(super) fn slot(
        &mut self,
        placed: &Placed<'_>,
        hook: Hook,
        together: &Together,
        pick: Option<usize>,
        parts: Vec<Part>,
    ) -> u32 {
        let recipe = Recipe {
            out: hook.is_out(),
            group: self.group(together),
            pick,
            parts,
        };
        if let Some(known) = self.known.get(&recipe) {
            return *known;
        }
        // A program has fewer rules than would fill this number.
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.known.insert(recipe.clone(), number);
        self.all.push((recipe, place(placed)));
        number
    }

    fn group(&mut self, together: &Together) -> usize {
        if let Some(known) = self.known_groups.get(together) {
            return *known;
        }
        let number = self.groups.len();
        self.known_groups.insert(together.clone(), number);
        self.groups.push(together.clone());
        number
    }

    /// The shapes of all slots in order.
    pub(super) fn shapes(&self) -> Vec<SlotShape> {
        let shape = |recipe: &Recipe| SlotShape {
            out: recipe.out,
            widths: recipe.parts.iter().map(|part| part.encoding.width).collect(),
        };
        self.all.iter().map(|(recipe, _)| shape(recipe)).collect()
    }

    /// What a port has in each slot.
    ///
    /// # Errors
    /// See [`super::Compiled::fill`].
    pub(super) fn fill(&self, parameters: &Parameters) -> Result<Vec<BTreeSet<Vec<u8>>>> {
        // Thousands of slots may each hold one combination of the same variables.
        let mut groups: Vec<Option<Vec<Vec<&str>>>> = self.groups.iter().map(|_| None).collect();
        let mut slots = Vec::with_capacity(self.all.len());
        for (recipe, place) in &self.all {
            let (together, tuples) = (&self.groups[recipe.group], &mut groups[recipe.group]);
            let tuples = match tuples {
                Some(tuples) => tuples,
                None => tuples.insert(together.tuples(parameters).map_err(|why| uneven(&why, place))?),
            };
            let picked = match recipe.pick {
                None => tuples.as_slice(),
                Some(pick) => tuples.get(pick..=pick).unwrap_or_default(),
            };
            let keys = picked.iter().map(|tuple| recipe.key(together, place, tuple));
            slots.push(keys.collect::<Result<_>>()?);
        }
        Ok(slots)
    }
}

impl Recipe {
    fn key(&self, together: &Together, place: &str, tuple: &[&str]) -> Result<Vec<u8>> {
        let mut key = Vec::new();
        for part in &self.parts {
            let (text, access) = (tuple[part.column], together.columns[part.column].access());
            let value = read(&part.kind, text, access, place, part.attribute)?;
            key.extend(part.encoding.encode(&value).unwrap_or_default());
        }
        Ok(key)
    }
}

/// What a program took over from the port that it was compiled for.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Variables that rules name, and whether the port gave them: what it gives hides what references give.
    variables: BTreeMap<String, bool>,
    /// Variables whose combinations made rules of their own: how many, and the columns that were compiled in.
    spread: BTreeSet<Spread>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Spread {
    together: Vec<(crate::def::vars::Access, Option<Vec<String>>)>,
    count: usize,
    literal: Vec<Option<Vec<String>>>,
}

impl Shape {
    /// Remembers what a rule took over.
    pub(super) fn note(&mut self, placed: &Placed<'_>, binding: &Binding) {
        for access in accesses(placed.rule) {
            let of_port = matches!(
                placed.environment.values(&access.name),
                Some((_, crate::expand::Giver::Port))
            );
            match self.variables.get_mut(&access.name) {
                Some(known) => *known |= of_port,
                None => drop(self.variables.insert(access.name.clone(), of_port)),
            }
        }
        for group in &binding.groups {
            let columns = &group.together.columns;
            if group.whole || columns.iter().all(|column| matches!(column, Source::Values(..))) {
                continue;
            }
            let literal = |(column, literal): (usize, &bool)| {
                literal.then(|| group.tuples.iter().map(|tuple| tuple[column].clone()).collect())
            };
            self.spread.insert(Spread {
                together: columns.iter().map(parts).collect(),
                count: group.tuples.len(),
                literal: group.literal.iter().enumerate().map(literal).collect(),
            });
        }
    }

    /// See [`super::Compiled::fits`].
    pub(super) fn fits(&self, parameters: &Parameters) -> bool {
        let gives = |name: &str| parameters.get(name).is_some_and(|values| !values.is_empty());
        self.variables.iter().all(|(name, given)| gives(name) == *given)
            && self.spread.iter().all(|spread| spread.fits(parameters))
    }
}

impl Spread {
    fn fits(&self, parameters: &Parameters) -> bool {
        let columns = self.together.iter().cloned().map(|(access, values)| match values {
            None => Source::Port(access),
            Some(values) => Source::Values(access, values),
        });
        let together = Together {
            columns: columns.collect(),
        };
        let Ok(tuples) = together.tuples(parameters) else {
            return false;
        };
        let same = |(column, values): (usize, &Option<Vec<String>>)| {
            values
                .as_ref()
                .is_none_or(|values| tuples.iter().map(|tuple| tuple[column]).eq(values))
        };
        tuples.len() == self.count && self.literal.iter().enumerate().all(same)
    }
}

fn parts(source: &Source) -> (crate::def::vars::Access, Option<Vec<String>>) {
    match source {
        Source::Port(access) => (access.clone(), None),
        Source::Values(access, values) => (access.clone(), Some(values.clone())),
    }
}
