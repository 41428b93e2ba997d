//! Changing what is defined: on disk first, then for everybody to see; a failure changes neither.

use super::machine::{Phase, Verb};
use super::record::Record;
use super::table::Entry;
use crate::core::{Core, refused, seize};
use crate::def::DomainDef;
use crate::run::start::Wish;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, DomainEventKind, Lifecycle, detail};
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

impl Core {
    /// Stores a definition, new or in the place of an older one; a running domain takes it at its next start.
    pub(crate) fn define(self: &Arc<Self>, cx: &mut Cx<'_, Unlocked>, def: DomainDef) -> Result<DomainBrief> {
        let def = Arc::new(def);
        let (entry, stored) = self.with_place(cx, &def, |core, cx, entry| core.store_definition(cx, entry, &def))?;
        let (brief, event) = stored.inspect_err(|_| self.sweep_if_empty(cx, &entry))?;
        self.emit(
            &entry,
            brief.id,
            &[DomainEventKind::Lifecycle(Lifecycle::Defined, event)],
        );
        Ok(brief)
    }

    /// Starts a domain that is kept no longer than it runs; one that is defined and idle runs with `def` this once.
    pub(crate) fn create(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        def: DomainDef,
        wish: Wish,
    ) -> Result<DomainBrief> {
        let def = Arc::new(def);
        let wish = Wish {
            transient: Some(Arc::clone(&def)),
            ..wish
        };
        let (entry, started) = self.with_place(cx, &def, |core, cx, entry| {
            let started = core.start(cx, entry, &wish);
            let lost_its_place = started.as_ref().is_err_and(|error| error.code() == Code::NO_DOMAIN);
            (!lost_its_place).then_some(started)
        })?;
        started.inspect_err(|_| self.sweep_if_empty(cx, &entry))
    }

    /// Does `work` with the place of a domain, again with a new place when `work` finds that the place was removed
    /// between its look-up and its lock, and so answers `None`.
    fn with_place<T>(
        self: &Arc<Self>,
        cx: &mut Cx<'_, Unlocked>,
        def: &DomainDef,
        mut work: impl FnMut(&Arc<Self>, &mut Cx<'_, Unlocked>, &Arc<Entry>) -> Option<T>,
    ) -> Result<(Arc<Entry>, T)> {
        loop {
            let entry = self.reserve(cx, def.uuid, &def.name)?;
            if let Some(done) = work(self, cx, &entry) {
                return Ok((entry, done));
            }
        }
    }

    fn store_definition(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Arc<Entry>,
        def: &Arc<DomainDef>,
    ) -> Option<Result<(DomainBrief, u32)>> {
        let mut domain = match seize(cx, entry.uuid) {
            Ok(domain) => domain,
            Err(error) => return Some(Err(error)),
        };
        if !self.table.holds(entry) {
            return None;
        }
        if let Err(error) = self.store.save_definition(&def.name, &def.to_xml(None)) {
            return Some(Err(error.within(format!("cannot define domain '{}'", def.name))));
        }
        let old = entry.load();
        let event = match &old {
            Some(record) if record.next.is_some() => detail::DEFINED_UPDATED,
            _ => detail::DEFINED_ADDED,
        };
        let mut record = old.map_or_else(|| Record::idle(Arc::clone(def), None), |r| Record::clone(&r));
        if matches!(record.phase, Phase::Off | Phase::Crashed) {
            record.current = Arc::clone(def);
        } else {
            record.updated = true;
        }
        record.next = Some(Arc::clone(def));
        let brief = record.brief();
        entry.publish(&mut domain, Some(record));
        Some(Ok((brief, event)))
    }

    fn sweep_if_empty(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>) {
        if entry.load().is_none() {
            self.sweep(cx, entry);
        }
    }

    /// Removes a definition; a running domain becomes transient, an idle one is gone.
    pub(crate) fn undefine(&self, cx: &mut Cx<'_, Unlocked>, entry: &Arc<Entry>) -> Result<()> {
        let id = {
            let mut domain = seize(cx, entry.uuid)?;
            let record = entry.record()?;
            if record.next.is_none() {
                return Err(refused(entry, "is transient and has no definition to remove"));
            }
            self.store
                .remove_definition(&entry.name)
                .map_err(|error| error.within(format!("cannot undefine domain '{}'", entry.name)))?;
            let mut after = Record::clone(&record);
            after.next = None;
            after.autostart = false;
            after.updated = false;
            let idle = record.phase.permits(Verb::Start).is_ok();
            entry.publish(&mut domain, (!idle).then_some(after));
            record.shown_id()
        };
        let removed = DomainEventKind::Lifecycle(Lifecycle::Undefined, detail::UNDEFINED_REMOVED);
        self.emit(entry, id, &[removed]);
        self.sweep_if_empty(cx, entry);
        Ok(())
    }

    /// Sets whether the domain is started with the host when that starts the next time, and then no more.
    pub(crate) fn set_autostart_once(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        let entry = self.table.entry(uuid)?;
        let _domain = seize(cx, uuid)?;
        is_defined(&entry)?;
        self.store.set_autostart_once(&entry.name, on)
    }

    /// Sets whether the domain is started with the host.
    pub(crate) fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        let entry = self.table.entry(uuid)?;
        let mut domain = seize(cx, uuid)?;
        let record = is_defined(&entry)?;
        self.store.set_autostart(&entry.name, on)?;
        let mut after = Record::clone(&record);
        after.autostart = on;
        entry.publish(&mut domain, Some(after));
        Ok(())
    }
}

/// The domain, which has a definition that the host could start.
fn is_defined(entry: &Entry) -> Result<Arc<Record>> {
    let record = entry.record()?;
    match &record.next {
        Some(_) => Ok(record),
        None => Err(refused(
            entry,
            "is transient and can not be started with the host: define it first",
        )),
    }
}
