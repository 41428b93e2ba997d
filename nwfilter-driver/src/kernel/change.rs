//! Two images to one transaction.

use super::image::Image;
use super::names::{COMMENT, TABLE, port_of};
use super::object::{ChainObject, SetObject, TableObjects, What};
use crate::nft::{Batch, Chain, Element, Expression, Family, Table, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be read back after a transaction.
#[derive(Debug, Default)]
pub(super) struct Check<'a> {
    pub(super) chains: Vec<(Family, &'a str, &'a ChainObject)>,
    pub(super) elements: Vec<(Family, &'a str, Vec<Element>)>,
}

/// The transaction that makes `new` of `old`. Objects that are in neither stay as they are.
pub(super) fn batch<'a>(old: &Image, new: &'a Image) -> (Batch<What>, Check<'a>) {
    let mut batch = Batch::default();
    let mut check = Check::default();
    let none = TableObjects::default();
    for (family, objects) in &new.tables {
        let before = old.tables.get(family);
        if before.is_none() {
            add_table(&mut batch, *family);
        }
        let difference = Difference::of(*family, before.unwrap_or(&none), objects);
        difference.write(&mut batch);
        difference.note(&mut check);
    }
    for family in old.tables.keys() {
        if !new.tables.contains_key(family) {
            batch.delete_table(*family, TABLE, What::Table(*family));
        }
    }
    (batch, check)
}

/// The transaction that makes `new` of whatever is there, which has tables of these families.
pub(super) fn replacement(new: &Image, there: &[Family]) -> Batch<What> {
    let mut batch = Batch::default();
    let none = TableObjects::default();
    for family in Family::ALL {
        // Not every kernel knows every family.
        if !there.contains(&family) && !new.tables.contains_key(&family) {
            continue;
        }
        // A table can only be deleted without fail if it is there.
        add_table(&mut batch, family);
        batch.delete_table(family, TABLE, What::Table(family));
        if let Some(objects) = new.tables.get(&family) {
            add_table(&mut batch, family);
            Difference::of(family, &none, objects).write(&mut batch);
        }
    }
    batch
}

fn add_table(batch: &mut Batch<What>, family: Family) {
    let table = Table {
        name: TABLE.to_owned(),
        comment: Some(COMMENT.to_owned()),
        owned: false,
        dormant: false,
    };
    batch.add_table(family, &table, What::Table(family));
}

/// What is to be done to one table.
struct Difference<'o, 'a> {
    family: Family,
    old: &'o TableObjects,
    new: &'a TableObjects,
    /// Sets that are made anew, so that rules that ask them have to be made anew as well.
    renewed: BTreeSet<&'a str>,
}

impl<'o, 'a> Difference<'o, 'a> {
    fn of(family: Family, old: &'o TableObjects, new: &'a TableObjects) -> Self {
        let renewed = new.sets.iter().filter(|(name, object)| {
            let before = old.sets.get(*name);
            before.is_some_and(|before| before.set != object.set)
        });
        Self {
            family,
            old,
            new,
            renewed: renewed.map(|(name, _)| name.as_str()).collect(),
        }
    }

    /// An object may only go when nothing refers to it, and only be referred to when it is there.
    fn write(&self, batch: &mut Batch<What>) {
        self.delete_elements(batch);
        let gone: Vec<_> = self.chains_gone().collect();
        for (name, object) in &self.old.chains {
            let kept = self.new.chains.get(name);
            if !object.rules.is_empty() && !kept.is_some_and(|kept| self.stays(object, kept)) {
                let label = What::Chain(name.clone());
                batch.flush_chain(self.family, TABLE, name, label);
            }
        }
        for name in self.old.sets.keys() {
            if !self.new.sets.contains_key(name) || self.renewed.contains(name.as_str()) {
                batch.delete_set(self.family, TABLE, name, What::Set(name.clone()));
            }
        }
        for name in gone {
            batch.delete_chain(self.family, TABLE, name, What::Chain(name.to_owned()));
        }
        for (name, object) in &self.new.sets {
            if !self.old.sets.contains_key(name) || self.renewed.contains(name.as_str()) {
                batch.add_set(self.family, &object.set, What::Set(name.clone()));
            }
        }
        for (name, object) in &self.new.chains {
            if self
                .old
                .chains
                .get(name)
                .is_none_or(|before| before.base != object.base)
            {
                let chain = Chain {
                    table: TABLE.to_owned(),
                    name: name.clone(),
                    base: object.base,
                };
                batch.add_chain(self.family, &chain, What::Chain(name.clone()));
            }
        }
        self.add_rules(batch);
        self.add_elements(batch);
    }

    fn chains_gone(&self) -> impl Iterator<Item = &'o str> {
        let chains = self.old.chains.iter().filter(|(name, object)| {
            let kept = self.new.chains.get(*name);
            kept.is_none_or(|kept| kept.base != object.base)
        });
        chains.map(|(name, _)| name.as_str())
    }

    /// Whether a chain's rules can stay as they are.
    fn stays(&self, old: &ChainObject, new: &ChainObject) -> bool {
        let asks_renewed = |expression: &Expression| match expression {
            Expression::Lookup { set, .. } | Expression::CountConnections { set, .. } => {
                self.renewed.contains(set.as_str())
            }
            _ => false,
        };
        old == new
            && !new
                .rules
                .iter()
                .any(|rule| rule.rule.expressions.iter().any(asks_renewed))
    }

    /// Chains whose rules are made anew.
    fn rewritten(&self) -> impl Iterator<Item = (&'a str, &'a ChainObject)> {
        let chains = self.new.chains.iter().filter(|(name, object)| {
            let before = self.old.chains.get(*name);
            !before.is_some_and(|before| self.stays(before, object))
        });
        chains.map(|(name, object)| (name.as_str(), object))
    }

    fn note(&self, check: &mut Check<'a>) {
        let chains = self.rewritten().map(|(name, object)| (self.family, name, object));
        check.chains.extend(chains);
        let elements = self.added().map(|(name, fresh)| (self.family, name, fresh));
        check.elements.extend(elements);
    }

    fn add_rules(&self, batch: &mut Batch<What>) {
        for (name, object) in self.rewritten() {
            for rule in &object.rules {
                let label = What::Rule {
                    chain: name.to_owned(),
                    origin: rule.origin,
                };
                batch.add_rule(self.family, TABLE, name, &rule.rule, label);
            }
        }
    }

    fn delete_elements(&self, batch: &mut Batch<What>) {
        for (name, object) in &self.old.sets {
            let Some(kept) = self.new.sets.get(name) else { continue };
            if self.renewed.contains(name.as_str()) {
                continue;
            }
            let gone = missing(&object.elements, &kept.elements);
            batch.delete_elements(self.family, TABLE, name, &gone, &elements(name, &gone));
        }
    }

    fn add_elements(&self, batch: &mut Batch<What>) {
        for (name, fresh) in self.added() {
            batch.add_elements(self.family, TABLE, name, &fresh, &elements(name, &fresh));
        }
    }

    /// Elements that were not there before, by their set.
    fn added(&self) -> impl Iterator<Item = (&'a str, Vec<Element>)> {
        self.new.sets.iter().filter_map(|(name, object)| {
            let none = BTreeMap::new();
            let before = self
                .old
                .sets
                .get(name)
                .filter(|_| !self.renewed.contains(name.as_str()));
            let before = before.map_or(&none, |SetObject { elements, .. }| elements);
            let fresh = missing(&object.elements, before);
            (!fresh.is_empty()).then_some((name.as_str(), fresh))
        })
    }
}

/// What a message about these elements is about; keys begin with the name of the port's device.
fn elements(set: &str, elements: &[Element]) -> What {
    let port = |element: &Element| port_of(&element.key);
    let first = elements.first().and_then(port);
    What::Elements {
        set: set.to_owned(),
        port: first.filter(|first| elements.iter().all(|element| port(element).as_ref() == Some(first))),
    }
}

/// Elements of the one that the other has not, or with another verdict.
fn missing(elements: &BTreeMap<Vec<u8>, Option<Verdict>>, others: &BTreeMap<Vec<u8>, Option<Verdict>>) -> Vec<Element> {
    let differ = elements
        .iter()
        .filter(|(key, verdict)| others.get(*key) != Some(*verdict));
    differ
        .map(|(key, verdict)| Element {
            key: key.clone(),
            verdict: verdict.clone(),
        })
        .collect()
}
