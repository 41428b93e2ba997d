//! `nwfilter.define/1`: filters, and the ports that are rebuilt with them, all or nothing.

use super::binding::Binding;
use super::def::FilterDef;
use super::table::{Ports, Set, check, dependents, with};
use crate::core::{Mock, mend};
use crate::fault::{Part, fault, known_flags};
use crate::file;
use driver_api::driver::FilterDriver;
use driver_api::error::{Code, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::DEFINE_VALIDATE;
use driver_api::types::filter::{FilterBrief, PortRequest};
use driver_api::types::uuid::Uuid;
use std::collections::BTreeSet;
use std::sync::Arc;

const PART: Part = Part::Filter;

impl FilterDriver for Mock {
    fn filters(&self) -> Vec<FilterBrief> {
        self.filters.set().values().map(|filter| filter.brief()).collect()
    }

    fn filter_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        known_flags(PART, "nwfilter-dumpxml", flags, 0)?;
        Ok(self.filters.by_uuid(uuid)?.element.to_string())
    }

    fn define_filter(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<FilterBrief> {
        known_flags(PART, "nwfilter-define", flags, DEFINE_VALIDATE)?;
        self.in_service(PART)?;
        let def = FilterDef::read(xml)?;
        let mut filters = cx.filters()?;
        mend(&mut filters)?;
        let next = with(&self.filters.set(), def.clone())?;
        // From here on no guest is just having its ports made.
        let mut update = filters.update_write()?;
        mend(&mut update)?;
        let affected = dependents(&next, &def.name);
        let adopted = self.rebuilt(&next, &affected, &self.guests_ports(&mut update, &affected)?)?;
        self.store_all(&def, &adopted)?;
        self.filters.publish_set(next);
        for binding in adopted {
            self.filters.publish_port(binding);
        }
        tracing::info!(filter = %def.name, "filter defined");
        Ok(def.brief())
    }

    fn undefine_filter(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.in_service(PART)?;
        let mut filters = cx.filters()?;
        mend(&mut filters)?;
        let def = self.filters.by_uuid(uuid)?;
        let mut update = filters.update_write()?;
        mend(&mut update)?;
        let set = self.filters.set();
        let affected = dependents(&set, &def.name);
        let bound = self
            .filters
            .ports()
            .values()
            .find(|bound| affected.contains(&bound.reference.filter))
            .map(|bound| bound.port.clone());
        let guests = self.guests_ports(&mut update, &affected)?;
        if let Some(port) = bound.or_else(|| guests.first().map(|request| request.port.clone())) {
            let message = format!(
                "filter '{}' is in use on port '{port}': take that binding away first",
                def.name
            );
            return Err(fault(PART, Code::OPERATION_INVALID, message));
        }
        self.filter_store.remove(&def)?;
        let mut next = Set::clone(&set);
        next.remove(&def.name);
        self.filters.publish_set(next);
        tracing::info!(filter = %def.name, "filter undefined");
        Ok(())
    }
}

impl Mock {
    /// Reads all filters and bindings from the disk.
    pub(crate) fn load_filters(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.filter_store.prepare()?;
        let mut filters = cx.filters()?;
        mend(&mut filters)?;
        let mut set = Set::new();
        for (path, def) in self.filter_store.filters()? {
            match with(&set, def) {
                Ok(next) => set = next,
                Err(error) => file::set_aside(&path, &error),
            }
        }
        let mut update = filters.update_write()?;
        mend(&mut update)?;
        let mut ports = Ports::new();
        for (path, binding) in self.filter_store.bindings()? {
            match check(&set, &binding) {
                Ok(()) => drop(ports.insert(binding.port.clone(), Arc::new(binding))),
                Err(error) => file::set_aside(&path, &error),
            }
        }
        tracing::info!(filters = set.len(), bindings = ports.len(), "filters loaded");
        self.filters.publish_set(set);
        self.filters.publish_ports(ports);
        Ok(())
    }

    /// The ports of all drivers' running guests that use one of these filters. A host without `ports/1` has none.
    pub(super) fn guests_ports(&self, cx: &mut Cx<'_, Update>, filters: &BTreeSet<String>) -> Result<Vec<PortRequest>> {
        let filters: Vec<String> = filters.iter().cloned().collect();
        match self.host.filtered_ports(cx, &filters) {
            Err(error) if error.code() == Code::NO_SUPPORT => Ok(Vec::new()),
            other => other,
        }
    }

    /// Checks every port that the change touches, and answers the bindings of guests' ports that were not known yet.
    fn rebuilt(&self, next: &Set, affected: &BTreeSet<String>, guests: &[PortRequest]) -> Result<Vec<Binding>> {
        let ports = self.filters.ports();
        for bound in ports
            .values()
            .filter(|bound| affected.contains(&bound.reference.filter))
        {
            check(next, bound)?;
        }
        let unknown = guests.iter().filter(|request| !ports.contains_key(&request.port));
        let adopted = unknown.map(Binding::of_request).collect::<Result<Vec<_>>>()?;
        for binding in &adopted {
            check(next, binding)?;
        }
        Ok(adopted)
    }

    /// Stores bindings and the filter, the filter last: before it is stored, nothing was changed.
    fn store_all(&self, def: &FilterDef, adopted: &[Binding]) -> Result<()> {
        let stored = adopted
            .iter()
            .try_for_each(|binding| self.filter_store.save_binding(binding));
        let stored = stored.and_then(|()| self.filter_store.save(def));
        if stored.is_err() {
            for binding in adopted {
                if let Err(error) = self.filter_store.remove_binding(&binding.port) {
                    tracing::warn!(port = binding.port, %error, "a binding that is not in force could not be removed");
                }
            }
        }
        stored
    }
}
