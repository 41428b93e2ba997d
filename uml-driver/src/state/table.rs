//! The table of all domains: readers load published snapshots and never wait; writers prove that they hold the lock.

use super::record::Record;
use arc_swap::{ArcSwap, ArcSwapOption};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{Domain, Virt, W};
use driver_api::types::domain::DomainBrief;
use driver_api::types::uuid::Uuid;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// A domain's place in the table. It is there from before the domain's first record to after its last, or until the
/// domain gets another name, and with it another place.
#[derive(Debug)]
pub struct Entry {
    /// The domain.
    pub uuid: Uuid,
    /// Its name, which never changes: a renamed domain has another place.
    pub name: String,
    record: ArcSwapOption<Record>,
    /// Signals a new record to those few who wait for one; guards nothing.
    published: (Mutex<()>, Condvar),
    /// Where the domain is now that got another name.
    successor: OnceLock<Arc<Self>>,
}

impl Entry {
    fn new(uuid: Uuid, name: &str) -> Self {
        Self {
            uuid,
            name: name.to_owned(),
            record: ArcSwapOption::empty(),
            published: (Mutex::new(()), Condvar::new()),
            successor: OnceLock::new(),
        }
    }

    /// The domain at this moment; `None` when it is not yet or no longer there.
    #[must_use]
    pub fn load(&self) -> Option<Arc<Record>> {
        self.record.load_full()
    }

    /// The domain at this moment, wherever it is: for readers whose index is a moment old. Writers find nothing at the old
    /// place and so can not change what is no longer there.
    fn shown(&self) -> Option<Arc<Record>> {
        self.load().or_else(|| self.successor.get()?.shown())
    }

    /// The domain at this moment.
    ///
    /// # Errors
    /// 42.
    pub fn record(&self) -> Result<Arc<Record>> {
        self.load().ok_or_else(|| no_domain(&self.uuid))
    }

    /// Makes `record` what everybody sees; the guard proves that nobody else does the same.
    pub fn publish(&self, _held: &mut Guard<'_, Domain, W>, record: Option<Record>) {
        self.record.store(record.map(Arc::new));
        let _signal = self.published.0.lock();
        self.published.1.notify_all();
    }

    /// Waits until the domain is as `wanted`, or until the deadline; whether it is.
    pub fn wait_until(&self, deadline: Instant, wanted: impl Fn(Option<&Record>) -> bool) -> bool {
        let mut signal = self.published.0.lock();
        loop {
            if wanted(self.load().as_deref()) {
                return true;
            }
            if self.published.1.wait_until(&mut signal, deadline).timed_out() {
                return wanted(self.load().as_deref());
            }
        }
    }
}

/// "There is no such domain", by whatever it was looked for.
pub fn no_domain(what: &dyn std::fmt::Display) -> Error {
    Error::new(Code::NO_DOMAIN, Origin::UML, format!("there is no domain '{what}'"))
}

#[derive(Clone, Default, Debug)]
struct Index {
    by_uuid: BTreeMap<Uuid, Arc<Entry>>,
    by_name: HashMap<String, Uuid>,
}

/// All domains of the driver.
#[derive(Default, Debug)]
pub struct Table {
    index: ArcSwap<Index>,
}

impl Table {
    /// The place of a domain.
    ///
    /// # Errors
    /// 42 when there is none, or none with a domain in it.
    pub fn entry(&self, uuid: Uuid) -> Result<Arc<Entry>> {
        let entry = self.index.load().by_uuid.get(&uuid).cloned();
        let entry = entry.map(|entry| match (entry.load(), entry.successor.get()) {
            (None, Some(successor)) => Arc::clone(successor),
            _ => entry,
        });
        entry.filter(|e| e.load().is_some()).ok_or_else(|| no_domain(&uuid))
    }

    /// A domain at this moment, for reading: also while it is being renamed.
    ///
    /// # Errors
    /// 42 when there is none.
    pub fn record(&self, uuid: Uuid) -> Result<Arc<Record>> {
        let entry = self.index.load().by_uuid.get(&uuid).cloned();
        entry.and_then(|entry| entry.shown()).ok_or_else(|| no_domain(&uuid))
    }

    /// Whether this is the place that is in the table now.
    #[must_use]
    pub fn holds(&self, entry: &Arc<Entry>) -> bool {
        self.index
            .load()
            .by_uuid
            .get(&entry.uuid)
            .is_some_and(|e| Arc::ptr_eq(e, entry))
    }

    /// Every place, in UUID order.
    #[must_use]
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.index.load().by_uuid.values().cloned().collect()
    }

    /// Every domain, in UUID order.
    #[must_use]
    pub fn briefs(&self) -> Vec<DomainBrief> {
        let index = self.index.load();
        index
            .by_uuid
            .values()
            .filter_map(|e| Some(e.shown()?.brief()))
            .collect()
    }

    /// A domain by UUID.
    #[must_use]
    pub fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        Some(self.index.load().by_uuid.get(&uuid)?.shown()?.brief())
    }

    /// A domain by name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<DomainBrief> {
        let index = self.index.load();
        let brief = index.by_uuid.get(index.by_name.get(name)?)?.shown()?.brief();
        (brief.name == name).then_some(brief)
    }

    /// An active domain by id.
    #[must_use]
    pub fn by_id(&self, id: i32) -> Option<DomainBrief> {
        let index = self.index.load();
        let records = index.by_uuid.values().filter_map(|e| e.shown());
        records
            .into_iter()
            .find(|r| r.shown_id() == Some(id))
            .map(|r| r.brief())
    }

    /// The place for a domain, made when there is none; the name is taken from now on, but nobody sees a domain yet.
    ///
    /// # Errors
    /// 9 when the name or the UUID belongs to another domain.
    pub fn reserve(&self, _held: &mut Guard<'_, Virt, W>, uuid: Uuid, name: &str) -> Result<Arc<Entry>> {
        let index = self.index.load_full();
        let taken = |message: String| Err(Error::new(Code::OPERATION_FAILED, Origin::UML, message));
        if let Some(entry) = index.by_uuid.get(&uuid) {
            if entry.name == name {
                return Ok(Arc::clone(entry));
            }
            return taken(format!(
                "cannot use uuid '{uuid}' for domain '{name}': it belongs to domain '{}'",
                entry.name
            ));
        }
        if let Some(owner) = index.by_name.get(name) {
            return taken(format!(
                "cannot use the name '{name}' for uuid '{uuid}': it belongs to the domain with uuid '{owner}'"
            ));
        }
        let entry = Arc::new(Entry::new(uuid, name));
        let mut index = Index::clone(&index);
        index.by_uuid.insert(uuid, Arc::clone(&entry));
        index.by_name.insert(name.to_owned(), uuid);
        self.index.store(Arc::new(index));
        Ok(entry)
    }

    /// Gives a domain another place, under another name, with the record that `store` makes of the present one.
    ///
    /// # Errors
    /// 9 when the name belongs to another domain, 42 when the domain is gone, and what `store` says; nothing has changed
    /// then.
    pub fn rename(
        &self,
        held: &mut Guard<'_, Virt, W>,
        entry: &Arc<Entry>,
        name: &str,
        store: impl FnOnce(&Record) -> Result<Record>,
    ) -> Result<Arc<Entry>> {
        let index = self.index.load_full();
        let mut domain: Guard<'_, Domain, W> = held.domain_write(entry.uuid)?;
        if !self.holds(entry) {
            return Err(no_domain(&entry.name));
        }
        let record = entry.record()?;
        if let Some(owner) = index.by_name.get(name).filter(|owner| **owner != entry.uuid) {
            let message = format!(
                "domain '{}' can not be called '{name}': so is the domain with uuid '{owner}'",
                entry.name
            );
            return Err(Error::new(Code::OPERATION_FAILED, Origin::UML, message));
        }
        let renamed = store(&record)?;
        let successor = Arc::new(Entry::new(entry.uuid, name));
        successor.publish(&mut domain, Some(renamed));
        let mut index = Index::clone(&index);
        index.by_uuid.insert(entry.uuid, Arc::clone(&successor));
        index.by_name.remove(&entry.name);
        index.by_name.insert(name.to_owned(), entry.uuid);
        self.index.store(Arc::new(index));
        // Set before the old place is empty: whoever finds it empty finds this.
        if entry.successor.set(Arc::clone(&successor)).is_ok() {
            entry.publish(&mut domain, None);
        }
        Ok(successor)
    }

    /// Removes a place that has no domain in it any more.
    ///
    /// Takes the domain's lock below the table's, so that nobody who found the place meanwhile and is about to fill it
    /// loses it.
    ///
    /// # Errors
    /// As the lock.
    pub fn sweep(&self, held: &mut Guard<'_, Virt, W>, entry: &Arc<Entry>) -> Result<()> {
        let _domain: Guard<'_, Domain, W> = held.domain_write(entry.uuid)?;
        if entry.load().is_none() && self.holds(entry) {
            let mut index = Index::clone(&self.index.load());
            index.by_uuid.remove(&entry.uuid);
            index.by_name.remove(&entry.name);
            self.index.store(Arc::new(index));
        }
        Ok(())
    }
}
