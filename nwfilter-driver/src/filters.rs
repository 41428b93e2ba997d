//! `Filters`: all definitions as one immutable table; what may be defined and undefined is decided here.

use crate::def::FilterDef;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::filter::FilterBrief;
use driver_api::types::uuid::Uuid;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Filters may refer to one another through at most this many levels, the first one counted.
pub const MAX_LEVELS: usize = 64;

/// One filter in force.
#[derive(Debug)]
pub struct Filter {
    /// The definition.
    pub def: FilterDef,
    /// The definition as clients see it.
    pub xml: String,
}

/// Every filter, by name and by UUID. Never changes: a change makes a new table, and who reads goes on with the old one.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    by_name: BTreeMap<String, Arc<Filter>>,
    by_uuid: HashMap<Uuid, Arc<Filter>>,
}

impl Filters {
    /// What lists show, in the order of the names.
    #[must_use]
    pub fn briefs(&self) -> Vec<FilterBrief> {
        self.by_name.values().map(|filter| brief(&filter.def)).collect()
    }

    /// One filter by UUID.
    ///
    /// # Errors
    /// 62 when there is none.
    pub fn by_uuid(&self, uuid: Uuid) -> Result<&Arc<Filter>> {
        let none = || {
            Error::new(
                Code::NO_NWFILTER,
                Origin::NWFILTER,
                format!("there is no filter with uuid {uuid}"),
            )
        };
        self.by_uuid.get(&uuid).ok_or_else(none)
    }

    /// One filter by name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Filter>> {
        self.by_name.get(name)
    }

    /// The table with this definition in it, or `None` if it is there already and says the same.
    ///
    /// # Errors
    /// 9 when the name or UUID is another filter's, or when filters would refer to one another in a ring or through too
    /// many levels.
    pub fn with(&self, def: FilterDef) -> Result<Option<Self>> {
        let refuse = |message: String| Err(Error::new(Code::OPERATION_FAILED, Origin::NWFILTER, message));
        let (name, uuid) = (&def.name, def.uuid);
        if let Some(known) = self.by_uuid.get(&uuid).filter(|known| known.def.name != *name) {
            return refuse(format!(
                "uuid {uuid} is taken by filter '{}': give '{name}' another one",
                known.def.name
            ));
        }
        if let Some(known) = self.by_name.get(name) {
            let known = &known.def;
            if known.uuid != uuid {
                let known = known.uuid;
                return refuse(format!(
                    "filter '{name}' already exists with uuid {known}: to change it give <uuid>{known}</uuid>"
                ));
            }
            if *known == def {
                return Ok(None);
            }
        }
        let mut next = self.clone();
        let filter = Arc::new(Filter {
            xml: def.to_string(),
            def,
        });
        next.by_uuid.insert(filter.def.uuid, Arc::clone(&filter));
        next.by_name.insert(filter.def.name.clone(), Arc::clone(&filter));
        let users = next.users();
        let below = levels(&filter.def, |of| next.references(of));
        let above = levels(&filter.def, |of| {
            users.get(of.name.as_str()).cloned().unwrap_or_default()
        });
        let name = &filter.def.name;
        match (below, above) {
            (Some(below), Some(above)) if below + above - 1 <= MAX_LEVELS => Ok(Some(next)),
            (Some(_), Some(_)) => refuse(format!(
                "filter '{name}' would make references go through more than {MAX_LEVELS} levels"
            )),
            _ => refuse(format!("filter '{name}' would introduce a loop of references")),
        }
    }

    /// The table without a filter, and its definition. Others may go on referring to it: they can then not be bound.
    ///
    /// # Errors
    /// 62 when there is no such filter.
    pub fn without(&self, uuid: Uuid) -> Result<(Self, FilterDef)> {
        let def = self.by_uuid(uuid)?.def.clone();
        let mut next = self.clone();
        next.by_uuid.remove(&uuid);
        next.by_name.remove(&def.name);
        Ok((next, def))
    }

    /// The filters that refer to this one, directly or through others, and itself.
    #[must_use]
    pub fn dependents(&self, name: &str) -> BTreeSet<String> {
        let users = self.users();
        let (mut found, mut next) = (BTreeSet::new(), vec![name]);
        while let Some(name) = next.pop() {
            if found.insert(name.to_owned()) {
                let above = users.get(name).into_iter().flatten();
                next.extend(above.map(|user| user.name.as_str()));
            }
        }
        found
    }

    fn references<'a>(&'a self, def: &'a FilterDef) -> Vec<&'a FilterDef> {
        let mut seen = HashSet::new();
        def.references()
            .filter(|name| seen.insert(*name))
            .filter_map(|name| self.by_name.get(name))
            .map(|filter| &filter.def)
            .collect()
    }

    /// Who refers to whom, turned around.
    fn users(&self) -> HashMap<&str, Vec<&FilterDef>> {
        let mut users: HashMap<&str, Vec<&FilterDef>> = HashMap::new();
        for user in self.by_name.values() {
            for name in user.def.references() {
                users.entry(name).or_default().push(&user.def);
            }
        }
        users
    }
}

/// How many levels lie on the longest way from `start` along `next`; `None` if a way leads back to it.
///
/// Level by level, each a set: a filter costs once per level however many ways lead to it.
fn levels<'a>(start: &'a FilterDef, next: impl Fn(&'a FilterDef) -> Vec<&'a FilterDef>) -> Option<usize> {
    let mut level = BTreeMap::from([(start.name.as_str(), start)]);
    for count in 1..=MAX_LEVELS {
        let following = level.values().flat_map(|def| next(def));
        level = following.map(|def| (def.name.as_str(), def)).collect();
        if level.contains_key(start.name.as_str()) {
            return None;
        }
        if level.is_empty() {
            return Some(count);
        }
    }
    Some(MAX_LEVELS + 1)
}

/// A filter as lists show it.
#[must_use]
pub fn brief(def: &FilterDef) -> FilterBrief {
    FilterBrief {
        uuid: def.uuid,
        name: def.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::def::Entry;
    use crate::def::Reference;

    fn def(name: &str, id: u8, references: &[&str]) -> FilterDef {
        let reference = |name: &&str| {
            Entry::Reference(Reference {
                filter: (*name).to_owned(),
                parameters: BTreeMap::default(),
            })
        };
        FilterDef {
            name: name.to_owned(),
            uuid: Uuid::from_bytes([id; 16]),
            chain: "root".to_owned(),
            chain_priority: 0,
            entries: references.iter().map(reference).collect(),
        }
    }

    fn table(defs: &[FilterDef]) -> Filters {
        let add = |table: Filters, def: &FilterDef| table.with(def.clone()).unwrap().unwrap();
        defs.iter().fold(Filters::default(), add)
    }

    #[test]
    fn names_and_uuids_belong_together_for_ever() {
        let filters = table(&[def("a", 1, &[])]);
        let error = filters.with(def("b", 1, &[])).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_FAILED);
        assert!(error.to_string().contains("taken by filter 'a'"), "{error}");
        let error = filters.with(def("a", 2, &[])).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_FAILED);
        assert!(
            error.to_string().contains("'a' already exists with uuid 01010101-"),
            "{error}"
        );
        assert!(filters.with(def("a", 1, &[])).unwrap().is_none());
        let changed = filters.with(def("a", 1, &["x"])).unwrap().unwrap();
        assert!(
            changed
                .by_uuid(Uuid::from_bytes([1; 16]))
                .unwrap()
                .xml
                .contains("<filterref filter='x'/>")
        );
        assert_eq!(changed.briefs().len(), 1);
    }

    #[test]
    fn rings_are_refused_however_long() {
        let filters = table(&[
            def("a", 1, &["b", "missing"]),
            def("b", 2, &["c"]),
            def("d", 4, &["d2"]),
        ]);
        for (name, id, references) in [("a", 1, ["a"]), ("c", 3, ["a"]), ("c", 3, ["c"]), ("b", 2, ["a"])] {
            let error = filters.with(def(name, id, &references)).unwrap_err();
            assert_eq!(error.code(), Code::OPERATION_FAILED);
            assert!(error.to_string().contains("loop"), "{error}");
        }
        assert!(filters.with(def("c", 3, &["d"])).unwrap().is_some());
    }

    #[test]
    fn sixty_four_levels_are_allowed_and_one_more_is_refused_from_either_end() {
        let name = |i: u8| format!("f{i}");
        let chain: Vec<FilterDef> = (1..=63).map(|i| def(&name(i), i, &[&name(i + 1)])).collect();
        let filters = table(&chain);
        let filters = filters.with(def("f64", 64, &["f65"])).unwrap().unwrap();
        let error = filters.with(def("f65", 65, &[])).unwrap_err();
        assert!(error.to_string().contains("more than 64 levels"), "{error}");
        let error = filters.with(def("top", 66, &["f65", "f1"])).unwrap_err();
        assert!(error.to_string().contains("more than 64 levels"), "{error}");
        assert!(filters.with(def("top", 66, &["f2", "f3"])).unwrap().is_some());
    }

    #[test]
    fn many_ways_to_one_filter_cost_no_more_than_one() {
        let both = |i: u8| [format!("l{}", i + 1), format!("r{}", i + 1)];
        let mut filters = Filters::default();
        for i in (1..60).rev() {
            let [l, r] = both(i);
            filters = filters.with(def(&format!("l{i}"), i, &[&l, &r])).unwrap().unwrap();
            filters = filters
                .with(def(&format!("r{i}"), i + 100, &[&l, &r]))
                .unwrap()
                .unwrap();
        }
        assert!(filters.with(def("l60", 60, &["l1"])).is_err());
    }

    #[test]
    fn an_unknown_filter_is_named_and_one_that_is_referred_to_can_go() {
        let filters = table(&[def("a", 1, &["b"]), def("b", 2, &[])]);
        let error = filters.without(Uuid::from_bytes([9; 16])).unwrap_err();
        assert_eq!((error.code(), error.origin()), (Code::NO_NWFILTER, Origin::NWFILTER));
        let (rest, def) = filters.without(Uuid::from_bytes([2; 16])).unwrap();
        assert_eq!(def.name, "b");
        assert!(rest.by_name("b").is_none() && rest.by_uuid(Uuid::from_bytes([2; 16])).is_err());
        assert!(rest.by_name("a").is_some() && filters.by_name("b").is_some());
    }
}
