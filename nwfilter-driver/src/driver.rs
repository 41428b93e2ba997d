//! `Nwfilter`: the driver itself, its table of filters, and the way of a definition into force.

use crate::compat::Compat;
use crate::def::FilterDef;
use crate::def::parse::{Mode, Parsed, parse_by};
use crate::filters::{Filters, brief};
use crate::shipped::Shipped;
use crate::store::Store;
use arc_swap::ArcSwap;
use driver_api::driver::{Config, Driver, DriverInfo, FilterDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{Level, Unlocked, W};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::DEFINE_VALIDATE;
use driver_api::types::filter::FilterBrief;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::Duration;

/// The driver.
///
/// Readers take the table as it is and wait for nothing; who changes it holds Filter (so there is one at a time) and,
/// for the moment of the change, Update.
#[derive(Debug)]
pub struct Nwfilter {
    store: Store,
    compat: Compat,
    /// `None` when the host is to have none of them.
    shipped: Option<Shipped>,
    filters: ArcSwap<Filters>,
}

impl Driver for Nwfilter {
    const INFO: DriverInfo = DriverInfo {
        name: "nwfilter",
        title: "NWFilter",
        version: env!("CARGO_PKG_VERSION"),
        needs: &["lock/1"],
    };

    fn open(_host: Host, config: Config) -> Result<Self> {
        let mut compat = Compat::default();
        let mut shipped = true;
        for (key, value) in &config.options {
            match key.as_str() {
                "compat" => compat.all = switch(key, value)?,
                "compat_filters" => compat.filters = value.lines().map(str::to_owned).collect(),
                "shipped_filters" => shipped = switch(key, value)?,
                other => {
                    let known = ["compat", "compat_filters", "shipped_filters"];
                    let message = format!(
                        "unknown option '{other}' of the nwfilter driver, known are {}",
                        known.join(", ")
                    );
                    return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::CONF, message));
                }
            }
        }
        Ok(Self {
            store: Store::new(config.conf_dir),
            compat,
            shipped: shipped.then(|| Shipped::new(&config.state_dir)),
            filters: ArcSwap::default(),
        })
    }

    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        let mut filters = cx.filters()?;
        sound(&mut filters)?;
        let mut table = Filters::default();
        for parsed in self.store.load(&|name| self.mode(name, 0))? {
            let name = parsed.def.name.clone();
            match self.take_in(&table, parsed) {
                Ok(Some(next)) => table = next,
                Ok(None) => {}
                Err(error) => self.store.set_aside_filter(&name, &error),
            }
        }
        if let Some(shipped) = &self.shipped {
            table = shipped.install(&self.store, table);
        }
        let mut update = filters.update_write()?;
        sound(&mut update)?;
        tracing::info!(filters = table.briefs().len(), "filters loaded");
        self.filters.store(Arc::new(table));
        Ok(())
    }

    fn autostart(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        Ok(())
    }

    fn close(&self, _within: Duration) -> Result<()> {
        Ok(())
    }
}

impl FilterDriver for Nwfilter {
    fn filters(&self) -> Vec<FilterBrief> {
        self.filters.load().briefs()
    }

    fn filter_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        known_flags("dumpxml", flags, 0)?;
        Ok(self.filters.load().by_uuid(uuid)?.xml.clone())
    }

    fn define_filter(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<FilterBrief> {
        known_flags("define", flags, DEFINE_VALIDATE)?;
        let mut filters = cx.filters()?;
        sound(&mut filters)?;
        let parsed = parse_by(xml.as_bytes(), &|name| self.mode(name, flags))?;
        tell(&parsed);
        let def = parsed.def;
        let done = brief(&def);
        let table = self.filters.load_full();
        let Some(next) = table.with(def.clone())? else {
            tracing::debug!(filter = done.name, uuid = %done.uuid, "filter defined again as it was");
            return Ok(done);
        };
        let staged = self.store.stage(&def)?;
        let mut update = filters.update_write()?;
        sound(&mut update)?;
        staged.commit()?;
        self.filters.store(Arc::new(next));
        tracing::info!(filter = done.name, uuid = %done.uuid, "filter defined");
        Ok(done)
    }

    fn undefine_filter(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let mut filters = cx.filters()?;
        sound(&mut filters)?;
        let (next, def) = self.filters.load().without(uuid)?;
        let mut update = filters.update_write()?;
        sound(&mut update)?;
        self.store.remove(&def.name)?;
        self.filters.store(Arc::new(next));
        tracing::info!(filter = def.name, %uuid, "filter undefined");
        Ok(())
    }
}

impl Nwfilter {
    /// The table at this moment.
    pub(crate) fn table(&self) -> Arc<Filters> {
        self.filters.load_full()
    }

    fn mode(&self, name: &str, flags: u32) -> Mode {
        match flags & DEFINE_VALIDATE {
            0 if self.compat.covers(name) => Mode::Compat,
            0 => Mode::Strict,
            _ => Mode::Validate,
        }
    }

    /// Adds a filter from its file; one without a UUID gets its own for good.
    fn take_in(&self, table: &Filters, parsed: Parsed) -> Result<Option<Filters>> {
        tell(&parsed);
        let next = table.with(parsed.def.clone())?;
        if parsed.fresh_uuid {
            self.keep(&parsed.def);
        }
        Ok(next)
    }

    fn keep(&self, def: &FilterDef) {
        if let Err(error) = self.store.stage(def).and_then(crate::folder::Staged::commit) {
            tracing::warn!(filter = def.name, %error, "the filter's new uuid can not be stored, it will have another after a restart");
        }
    }
}

/// The table is replaced in one step, so a holder who did not give its lock back left nothing half done behind.
fn sound<L: Level>(guard: &mut Guard<'_, L, W>) -> Result<()> {
    if guard.is_poisoned() {
        tracing::warn!(
            level = L::NAME,
            "the last change of filters was cut off; the filters in force are whole"
        );
        guard.clear_poison()?;
    }
    Ok(())
}

/// A switch among the driver's options.
fn switch(key: &str, value: &str) -> Result<bool> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            let message = format!("option '{key}' of the nwfilter driver is '{other}', not 'true' or 'false'");
            Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::CONF, message))
        }
    }
}

fn tell(parsed: &Parsed) {
    for doubt in &parsed.doubts {
        tracing::warn!(filter = parsed.def.name, doubt, "compat: taken as libvirt takes it");
    }
}

pub(crate) fn known_flags(verb: &str, flags: u32, known: u32) -> Result<()> {
    match flags & !known {
        0 => Ok(()),
        unknown => {
            let message = format!("unknown flags {unknown:#x} to {verb} a filter or binding");
            Err(Error::new(Code::INVALID_ARG, Origin::NWFILTER, message))
        }
    }
}

mod bindings;

#[cfg(test)]
mod tests;
