//! `Image`: all objects of a rule set, or those of a part of it.

use super::failure::{Failure, Outcome};
use super::frame::{self, Needs};
use super::lower::{self, Place};
use super::names::{self, Map};
use super::object::{ChainObject, Plan, SetObject, TableObjects};
use super::predicate::{self, Asks, IpSets};
use super::slot;
use crate::nft::{Family, Verdict};
use crate::ruleset::{ChainName, Desired, Hook, PortRules, Program, Rule};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What our tables should hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Image {
    pub(super) tables: BTreeMap<Family, TableObjects>,
}

/// The programs and ports in which two rule sets differ: all else has the same objects on both sides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Part<'a> {
    programs: BTreeSet<&'a str>,
    ports: BTreeSet<&'a str>,
    /// Chains of these programs that say the same on both sides.
    alike: BTreeSet<(&'a str, &'a ChainName)>,
    /// Programs whose sets may get other elements, or be others.
    slots: BTreeSet<&'a str>,
}

impl<'a> Part<'a> {
    /// What differs.
    pub(super) fn between(from: &'a Desired, to: &'a Desired) -> Self {
        let mut part = Self::default();
        // Programs whose ports have other elements although nothing about the ports themselves changed.
        let mut reshaped = BTreeSet::new();
        let moved = Asks::of(from) != Asks::of(to);
        for (name, old, new) in side_by_side(&from.programs, &to.programs) {
            if same(old, new) {
                // Its answers may come by other bits of the mark.
                if moved && new.is_some_and(|program| has_predicates(program)) {
                    part.programs.insert(name);
                }
                continue;
            }
            part.programs.insert(name);
            let shape =
                |program: Option<&'a Arc<Program>>| program.map(|program| (hooks(program), program.slots.as_slice()));
            if shape(old) != shape(new) {
                reshaped.insert(name.as_str());
            } else if let (Some(old), Some(new), false) = (old, new, moved) {
                let alike = old
                    .chains
                    .iter()
                    .filter(|(chain, rules)| new.chains.get(chain) == Some(rules));
                part.alike.extend(alike.map(|(chain, _)| (name.as_str(), chain)));
            }
        }
        for (name, old, new) in side_by_side(&from.ports, &to.ports) {
            let touched =
                |port: Option<&Arc<PortRules>>| port.is_some_and(|port| reshaped.contains(port.program.as_str()));
            if !same(old, new) || touched(old) || touched(new) {
                part.ports.insert(name);
                // On both sides: a set that one of them does not mention would be taken for one that comes or goes.
                part.slots
                    .extend(old.into_iter().chain(new).map(|port| port.program.as_str()));
            }
        }
        part.slots.extend(&part.programs);
        part
    }

    /// Whether there is a port before and after whose rules change.
    fn rejudges(&self, from: &Desired, to: &Desired) -> bool {
        from.ports.iter().any(|(name, rules)| {
            let touched = self.ports.contains(name.as_str()) || self.programs.contains(rules.program.as_str());
            touched && to.ports.contains_key(name)
        })
    }
}

/// Every key of two maps once, in order, with what each has; one walk, since there may be a thousand ports and one change.
fn side_by_side<'a, T>(
    one: &'a BTreeMap<String, T>,
    other: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, Option<&'a T>, Option<&'a T>)> {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some((left, _)), Some((right, _))) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => left.next().map(|(name, value)| (name, Some(value), None)),
            Ordering::Greater => right.next().map(|(name, value)| (name, None, Some(value))),
            Ordering::Equal => {
                let (name, value) = left.next()?;
                Some((name, Some(value), right.next().map(|(_, value)| value)))
            }
        }
    })
}

/// Equal, and at once where both are the same thing.
fn same<T: PartialEq>(old: Option<&Arc<T>>, new: Option<&Arc<T>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old == new,
        (None, None) => true,
        _ => false,
    }
}

fn has_predicates(program: &Program) -> bool {
    let mut rules = program.chains.values().flatten();
    rules.any(|rule| predicate::predicates(rule).next().is_some())
}

/// The hooks that have something to ask.
fn hooks(program: &Program) -> [bool; 4] {
    Hook::ALL.map(|hook| program.chains.contains_key(&ChainName::first(hook)))
}

impl Image {
    /// The objects of a rule set; with a `part`, only of that and what surrounds it.
    pub(super) fn of(desired: &Desired, part: Option<&Part<'_>>, plan: Plan, sets: &IpSets) -> Outcome<Self> {
        Self::with(desired, part, plan, sets, Needs::of(desired, plan))
    }

    /// The step that must be taken before some ports of `from` may have their rules of `to`: the rules stay, but what
    /// knows the state of connections is there. `None` if it is there already, or no port needs to wait for it.
    ///
    /// A packet that passed the first hook before would come to rules that ask for a state which nobody noted.
    pub(super) fn ahead(
        from: &Desired,
        to: &Desired,
        part: &Part<'_>,
        plan: Plan,
        sets: &IpSets,
    ) -> Outcome<Option<Self>> {
        let (before, after) = (Needs::of(from, plan), Needs::of(to, plan));
        let both = before.with_state_of(after);
        if both == before || !part.rejudges(from, to) {
            return Ok(None);
        }
        Self::with(from, Some(part), plan, sets, both).map(Some)
    }

    fn with(desired: &Desired, part: Option<&Part<'_>>, plan: Plan, sets: &IpSets, needs: Needs) -> Outcome<Self> {
        let asks = Asks::of(desired);
        let mut tables = frame::tables(needs, &asks, plan, sets)?;
        let frames = tables.entry(names::FRAMES).or_default();
        for (name, program) in &desired.programs {
            if part.is_none_or(|part| part.programs.contains(name.as_str())) {
                let alike = |chain| part.is_some_and(|part| part.alike.contains(&(name.as_str(), chain)));
                let chains = program.chains.iter().filter(|(chain, _)| !alike(chain));
                add_chains(frames, name, chains, plan, &asks)?;
            }
        }
        let ports = desired.ports.iter();
        let ports: Vec<_> = ports
            .filter(|(name, _)| part.is_none_or(|part| part.ports.contains(name.as_str())))
            .collect();
        for (name, program) in &desired.programs {
            if part.is_none_or(|part| part.slots.contains(name.as_str())) {
                add_sets(frames, name, program);
            }
        }
        for (port, rules) in ports {
            let Some(program) = desired.programs.get(&rules.program) else {
                let message = format!("port '{port}' uses program '{}', which is not there", rules.program);
                return Err(Failure::unsupported(message, None));
            };
            add_port(frames, port, rules, program)?;
        }
        Ok(Self { tables })
    }
}

fn add_chains<'a>(
    frames: &mut TableObjects,
    name: &str,
    chains: impl Iterator<Item = (&'a ChainName, &'a Vec<Rule>)>,
    plan: Plan,
    asks: &Asks,
) -> Outcome<()> {
    for (chain, rules) in chains {
        let place = Place {
            program: name,
            hook: chain.hook,
            plan,
            asks,
        };
        let mut object = ChainObject::default();
        for rule in rules {
            object.rules.extend(lower::rules(place, rule)?);
        }
        frames.chains.insert(names::chain(name, chain), object);
    }
    Ok(())
}

fn add_sets(frames: &mut TableObjects, name: &str, program: &Program) {
    for (number, shape) in program.slots.iter().enumerate() {
        let set = slot::set(names::slot(name, number), shape);
        let object = SetObject {
            set,
            elements: BTreeMap::new(),
        };
        frames.sets.insert(object.set.name.clone(), object);
    }
}

fn add_port(frames: &mut TableObjects, port: &str, rules: &PortRules, program: &Program) -> Outcome<()> {
    let Some(device) = names::device_key(port) else {
        let message = format!("no device can have the name '{port}': it has 1 to 15 bytes");
        return Err(Failure::unsupported(message, None));
    };
    for map in Map::ALL {
        let first = ChainName::first(map.0);
        if !program.chains.contains_key(&first) {
            continue;
        }
        if let Some(object) = frames.sets.get_mut(map.name()) {
            let verdict = Verdict::Jump(names::chain(&rules.program, &first));
            object.elements.insert(device.clone(), Some(verdict));
        }
    }
    if rules.slots.len() != program.slots.len() {
        let message = format!(
            "port '{port}' has {} lists of values, its program '{}' wants {}",
            rules.slots.len(),
            rules.program,
            program.slots.len()
        );
        return Err(Failure::unsupported(message, None));
    }
    for (number, (values, shape)) in rules.slots.iter().zip(&program.slots).enumerate() {
        let Some(object) = frames.sets.get_mut(&names::slot(&rules.program, number)) else {
            continue;
        };
        for value in values {
            let Some(key) = slot::key(&device, &shape.widths, value) else {
                let message = format!(
                    "a value of port '{port}' has {} bytes where slot {number} of program '{}' has others",
                    value.len(),
                    rules.program
                );
                return Err(Failure::unsupported(message, None));
            };
            object.elements.insert(key, None);
        }
    }
    Ok(())
}
