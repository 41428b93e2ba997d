//! Two images to one transaction.

use super::image::Image;
use super::names::{COMMENT, TABLE};
use super::object::{ChainObject, SetObject, TableObjects, What};
use crate::nft::{Batch, Chain, Element, Expression, Family, Table, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// The transaction that makes `new` of `old`. Objects that are in neither stay as they are.
pub(super) fn batch(old: &Image, new: &Image) -> Batch<What> {
    let mut batch = Batch::default();
    let none = TableObjects::default();
    for (family, objects) in &new.tables {
        match old.tables.get(family) {
            Some(before) => Difference::of(*family, before, objects).write(&mut batch),
            None => {
                add_table(&mut batch, *family);
                Difference::of(*family, &none, objects).write(&mut batch);
            }
        }
    }
    for family in old.tables.keys() {
        if !new.tables.contains_key(family) {
            batch.delete_table(*family, TABLE, What::Table(*family));
        }
    }
    batch
}

/// The transaction that makes `new` of whatever is there.
pub(super) fn replacement(new: &Image) -> Batch<What> {
    let mut batch = Batch::default();
    let none = TableObjects::default();
    for family in Family::ALL {
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
    };
    batch.add_table(family, &table, What::Table(family));
}

/// What is to be done to one table.
struct Difference<'a> {
    family: Family,
    old: &'a TableObjects,
    new: &'a TableObjects,
    /// Sets that are made anew, so that rules that ask them have to be made anew as well.
    renewed: BTreeSet<&'a str>,
}

impl<'a> Difference<'a> {
    fn of(family: Family, old: &'a TableObjects, new: &'a TableObjects) -> Self {
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

    fn chains_gone(&self) -> impl Iterator<Item = &'a str> {
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

    fn add_rules(&self, batch: &mut Batch<What>) {
        for (name, object) in &self.new.chains {
            let before = self.old.chains.get(name);
            if before.is_some_and(|before| self.stays(before, object)) {
                continue;
            }
            for rule in &object.rules {
                let label = What::Rule {
                    chain: name.clone(),
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
            batch.delete_elements(self.family, TABLE, name, &gone, &What::Elements(name.clone()));
        }
    }

    fn add_elements(&self, batch: &mut Batch<What>) {
        let none = BTreeMap::new();
        for (name, object) in &self.new.sets {
            let before = self
                .old
                .sets
                .get(name)
                .filter(|_| !self.renewed.contains(name.as_str()));
            let before = before.map_or(&none, |SetObject { elements, .. }| elements);
            let fresh = missing(&object.elements, before);
            batch.add_elements(self.family, TABLE, name, &fresh, &What::Elements(name.clone()));
        }
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
