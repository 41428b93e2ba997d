//! `Nwfilter`: the driver itself, its table of filters, and the way of a definition into force.

use crate::compat::Compat;
use crate::core::Core;
use crate::def::FilterDef;
use crate::def::parse::{Mode, Parsed, parse_by};
use crate::engine::backend::Gate;
use crate::engine::{Engine, Learner, Pupil};
use crate::filters::{Filters, brief};
use crate::inspect::traces::Traces;
use crate::learn::Learn;
use crate::options::Options;
use crate::shipped::Shipped;
use driver_api::driver::{Config, Driver, DriverInfo, FilterDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{Level, Unlocked, W};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::DEFINE_VALIDATE;
use driver_api::types::filter::FilterBrief;
use driver_api::types::uuid::Uuid;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The driver.
///
/// Readers take the table as it is and wait for nothing; who changes it holds Filter (so there is one at a time) and,
/// for the moment of the change, Update.
#[derive(Debug)]
pub struct Nwfilter {
    core: Arc<Core>,
    compat: Compat,
    /// `None` when the host is to have none of them.
    shipped: Option<Shipped>,
    state_dir: PathBuf,
    traces: Traces,
}

impl Driver for Nwfilter {
    const INFO: DriverInfo = DriverInfo {
        name: "nwfilter",
        title: "NWFilter",
        version: env!("CARGO_PKG_VERSION"),
        needs: &["lock/1"],
    };

    fn open(host: Host, config: Config) -> Result<Self> {
        let options = Options::read(&config.options)?;
        let gate = Arc::new(Gate::new(options.kernel));
        let engine = Engine::new(config.conf_dir, &config.run_dir, way(&gate))?;
        Ok(Self {
            core: Arc::new(Core::new(engine, host, gate)),
            shipped: options.shipped.then(|| Shipped::new(&config.state_dir)),
            state_dir: config.state_dir,
            compat: options.compat,
            traces: Traces::default(),
        })
    }

    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        let mut filters = cx.filters()?;
        sound(&mut filters)?;
        let mut table = Filters::default();
        let store = &self.core.engine.store;
        for parsed in store.load(&|name| self.mode(name, 0))? {
            let name = parsed.def.name.clone();
            match self.take_in(&table, parsed) {
                Ok(Some(next)) => table = next,
                Ok(None) => {}
                Err(error) => store.set_aside_filter(&name, &error),
            }
        }
        if let Some(shipped) = &self.shipped {
            table = shipped.install(store, table);
        }
        let mut update = filters.update_write()?;
        sound(&mut update)?;
        tracing::info!(filters = table.briefs().len(), "filters loaded");
        self.learn();
        // Before the tables are compared, so that no change falls between.
        self.core.guard();
        self.core.engine.start(table)
    }

    fn autostart(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        Ok(())
    }

    fn close(&self, _within: Duration) -> Result<()> {
        self.traces.close();
        self.core.close();
        Ok(())
    }
}

impl FilterDriver for Nwfilter {
    fn filters(&self) -> Vec<FilterBrief> {
        self.table().briefs()
    }

    fn filter_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        known_flags("dumpxml", flags, 0)?;
        Ok(self.table().by_uuid(uuid)?.xml.clone())
    }

    fn define_filter(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<FilterBrief> {
        known_flags("define", flags, DEFINE_VALIDATE)?;
        let mut filters = cx.filters()?;
        sound(&mut filters)?;
        let parsed = parse_by(xml.as_bytes(), &|name| self.mode(name, flags))?;
        tell(&parsed);
        let def = parsed.def;
        let done = brief(&def);
        let table = self.table();
        let Some(next) = table.with(def.clone())? else {
            tracing::debug!(filter = done.name, uuid = %done.uuid, "filter defined again as it was");
            return Ok(done);
        };
        let staged = self.core.engine.store.stage(&def)?;
        let mut update = filters.update_write()?;
        sound(&mut update)?;
        self.core.adopt(&mut update, &table.dependents(&def.name))?;
        let changed = BTreeSet::from([def.name]);
        let refused = |error: Error| error.within(format!("cannot define filter '{}'", done.name));
        self.core.engine.define(next, &changed, Some(staged)).map_err(refused)?;
        tracing::info!(filter = done.name, uuid = %done.uuid, "filter defined");
        Ok(done)
    }

    fn undefine_filter(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let mut filters = cx.filters()?;
        sound(&mut filters)?;
        let table = self.table();
        let name = table.by_uuid(uuid)?.def.name.as_str();
        let mut update = filters.update_write()?;
        sound(&mut update)?;
        self.core.unused(&mut update, &table, name)?;
        self.core.engine.undefine(uuid)?;
        tracing::info!(filter = name, %uuid, "filter undefined");
        Ok(())
    }
}

impl Nwfilter {
    /// The table at this moment.
    pub(crate) fn table(&self) -> Arc<Filters> {
        self.core.engine.filters()
    }

    /// Without a learner bindings must give addresses; those that do not are refused.
    fn learn(&self) {
        let learn = match Learn::open(&self.state_dir) {
            Ok(learn) => Arc::new(learn),
            Err(error) => {
                tracing::warn!(%error, "addresses of guests can not be learned");
                return;
            }
        };
        self.core.engine.teach(Arc::clone(&learn) as Arc<dyn Learner>);
        match learn.teach(Arc::clone(&self.core) as Arc<dyn Pupil>) {
            Ok(()) => self.core.keep(learn),
            Err(error) => tracing::warn!(%error, "addresses of guests are not learned"),
        }
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
        if let Err(error) = self
            .core
            .engine
            .store
            .stage(def)
            .and_then(crate::folder::Staged::commit)
        {
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

/// The way to the kernel.
#[cfg(not(test))]
fn way(gate: &Arc<Gate>) -> crate::engine::Opener {
    let gate = Arc::clone(gate);
    Box::new(move || {
        gate.kernel()
            .map(|_| Arc::clone(&gate) as Arc<dyn crate::engine::Backend>)
    })
}

#[cfg(test)]
fn way(_gate: &Arc<Gate>) -> crate::engine::Opener {
    crate::engine::testing::opener()
}

mod bindings;
mod inspect;

#[cfg(test)]
mod tests;
