//! `Filters`: every filter and binding as everybody sees them, and what may be among them.

use super::binding::Binding;
use super::def::FilterDef;
use crate::fault::{Part, fault};
use driver_api::error::{Code, Error, Result};
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// Filters may refer to one another through at most this many levels.
const MOST_LEVELS: usize = 64;

/// Every filter by name. Who changes it makes another one.
pub(crate) type Set = BTreeMap<String, Arc<FilterDef>>;
/// Every binding by port.
pub(crate) type Ports = BTreeMap<String, Arc<Binding>>;

/// The table. Who changes a filter holds Filter, and Update exclusively; who changes a binding holds Update.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    // A leaf: held for a look or an exchange, never while the host is called.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    filters: Arc<Set>,
    ports: Arc<Ports>,
    /// Ports whose binding somebody is just changing.
    busy: BTreeSet<String>,
    /// Traces that run, each with its port and when it was asked last.
    traces: BTreeMap<u64, (String, Instant)>,
}

/// A port that nobody else changes as long as this is kept.
#[derive(Debug)]
pub(crate) struct Busy<'a> {
    table: &'a Filters,
    port: String,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.table.inner.lock().busy.remove(&self.port);
    }
}

impl Filters {
    pub(crate) fn set(&self) -> Arc<Set> {
        Arc::clone(&self.inner.lock().filters)
    }

    pub(crate) fn ports(&self) -> Arc<Ports> {
        Arc::clone(&self.inner.lock().ports)
    }

    pub(crate) fn publish_set(&self, set: Set) {
        self.inner.lock().filters = Arc::new(set);
    }

    pub(crate) fn publish_port(&self, binding: Binding) {
        let mut inner = self.inner.lock();
        Arc::make_mut(&mut inner.ports).insert(binding.port.clone(), Arc::new(binding));
    }

    pub(crate) fn publish_ports(&self, ports: Ports) {
        self.inner.lock().ports = Arc::new(ports);
    }

    pub(crate) fn remove_port(&self, port: &str) {
        let mut inner = self.inner.lock();
        Arc::make_mut(&mut inner.ports).remove(port);
        inner.traces.retain(|_, (traced, _)| traced != port);
    }

    /// Keeps others from changing a port's binding.
    ///
    /// # Errors
    /// 9 when somebody else is at it.
    pub(crate) fn busy(&self, port: &str) -> Result<Busy<'_>> {
        if !self.inner.lock().busy.insert(port.to_owned()) {
            let message = format!("the binding of port '{port}' is just being changed by somebody else: try again");
            return Err(fault(Part::Filter, Code::OPERATION_FAILED, message));
        }
        Ok(Busy {
            table: self,
            port: port.to_owned(),
        })
    }

    /// Looks at or changes the traces that run.
    pub(crate) fn traces<T>(&self, work: impl FnOnce(&mut BTreeMap<u64, (String, Instant)>) -> T) -> T {
        work(&mut self.inner.lock().traces)
    }

    /// One filter.
    ///
    /// # Errors
    /// 62.
    pub(crate) fn by_uuid(&self, uuid: Uuid) -> Result<Arc<FilterDef>> {
        let set = self.set();
        let found = set.values().find(|filter| filter.uuid == uuid).cloned();
        found.ok_or_else(|| {
            fault(
                Part::Filter,
                Code::NO_NWFILTER,
                format!("there is no filter with UUID {uuid}"),
            )
        })
    }

    /// One binding.
    ///
    /// # Errors
    /// 101.
    pub(crate) fn port(&self, port: &str) -> Result<Arc<Binding>> {
        let found = self.inner.lock().ports.get(port).cloned();
        found.ok_or_else(|| {
            let message = format!("port '{}' has no filter bound to it", port.escape_debug());
            fault(Part::Filter, Code::NO_NWFILTER_BINDING, message)
        })
    }
}

/// The set with this definition in it.
///
/// # Errors
/// 9 when the name or UUID is another filter's, and for references that lead in a ring or too far.
pub(crate) fn with(set: &Set, def: FilterDef) -> Result<Set> {
    let refuse = |message: String| Err(fault(Part::Filter, Code::OPERATION_FAILED, message));
    let (name, uuid) = (def.name.clone(), def.uuid);
    if let Some(known) = set.values().find(|known| known.uuid == uuid && known.name != name) {
        let message = format!(
            "UUID {uuid} belongs to filter '{}': give '{name}' another one",
            known.name
        );
        return refuse(message);
    }
    if let Some(known) = set.get(&name).filter(|known| known.uuid != uuid) {
        let known = known.uuid;
        return refuse(format!(
            "filter '{name}' already exists with UUID {known}: to change it give <uuid>{known}</uuid>"
        ));
    }
    let mut next = set.clone();
    next.insert(name.clone(), Arc::new(def));
    for root in dependents(&next, &name) {
        if levels(&next, &root, &mut Vec::new()).is_none() {
            return refuse(format!(
                "filter '{name}' would make references go in a ring, or through more than {MOST_LEVELS} levels"
            ));
        }
    }
    Ok(next)
}

/// How many levels of references there are below a filter, itself counted; none for a ring and for too many.
fn levels<'a>(set: &'a Set, name: &'a str, path: &mut Vec<&'a str>) -> Option<usize> {
    if path.contains(&name) || path.len() == MOST_LEVELS {
        return None;
    }
    path.push(name);
    let mut deepest = 0;
    for reference in set.get(name).into_iter().flat_map(|filter| filter.references()) {
        deepest = deepest.max(levels(set, &reference.filter, path)?);
    }
    path.pop();
    Some(deepest + 1)
}

/// The filters that refer to this one, directly or through others, and itself.
pub(crate) fn dependents(set: &Set, name: &str) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(name) = next.pop() {
        let users = set
            .values()
            .filter(|filter| filter.references().any(|reference| reference.filter == name));
        next.extend(users.map(|user| user.name.clone()).filter(|user| !found.contains(user)));
        found.insert(name);
    }
    found
}

/// One filter of a tree: how deep it is, the name, the filter if it exists, and the values that its reference gives.
pub(crate) type TreeEntry = (u32, String, Option<Arc<FilterDef>>, Vec<(String, String)>);

/// A filter with everything that it refers to, each one before those.
pub(crate) fn tree(set: &Set, root: &str) -> Vec<TreeEntry> {
    let mut found = Vec::new();
    let mut next = vec![(0_u32, root.to_owned(), Vec::new())];
    while let Some((level, name, parameters)) = next.pop() {
        let filter = set.get(&name).cloned();
        let references = filter.iter().flat_map(|filter| filter.references());
        let below: Vec<_> = references
            .map(|reference| (level + 1, reference.filter.clone(), reference.parameters.clone()))
            .collect();
        next.extend(below.into_iter().rev());
        found.push((level, name, filter, parameters));
        // A set that was read is free of rings, but a file may have been changed by hand.
        if found.len() > 4096 {
            break;
        }
    }
    found
}

/// Whether a binding can be in force with these filters.
///
/// # Errors
/// 62 for a filter that there is not, 1 for a variable without a value.
pub(crate) fn check(set: &Set, binding: &Binding) -> Result<()> {
    let missing = |name: &str| -> Error {
        let message = format!("port '{}' can not be bound: there is no filter '{name}'", binding.port);
        fault(Part::Filter, Code::NO_NWFILTER, message)
    };
    for (_, name, filter, parameters) in tree(set, &binding.reference.filter) {
        let filter = filter.ok_or_else(|| missing(&name))?;
        for variable in filter
            .rules()
            .flat_map(|(_, rule)| rule.matches.iter().flat_map(variables))
        {
            let given = parameters
                .iter()
                .chain(&binding.reference.parameters)
                .any(|(name, _)| *name == variable);
            // A guest's addresses would be learned from what it sends.
            if !given && variable != "MAC" && variable != "IP" {
                let message = format!(
                    "port '{}' can not be bound: variable '{variable}' of filter '{name}' has no value",
                    binding.port
                );
                return Err(fault(Part::Filter, Code::INTERNAL, message));
            }
        }
    }
    Ok(())
}

fn variables(protocol: &driver_api::kit::xml::Element) -> Vec<String> {
    let values = protocol
        .attributes
        .iter()
        .filter_map(|attribute| attribute.value.strip_prefix('$'));
    let name = |value: &str| value.split(['[', '@']).next().unwrap_or_default().to_owned();
    values.map(name).collect()
}
