//! `View`: all that a driver shows and stores of filters and bindings, to see that nothing has changed.

use crate::bench::Bench;
use crate::check::{Expect, Failure, Outcome};
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::{Bindings, Inspect};
use driver_api::types::filter::{BindingBrief, PortRequest};
use driver_api::types::uuid::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What there is at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct View {
    filters: BTreeMap<String, (Uuid, String)>,
    bindings: BTreeMap<String, (String, String)>,
    stored: BTreeMap<PathBuf, Vec<u8>>,
    /// Files of the running time: their names alone, since what is learned may be written there at any time.
    running: BTreeSet<PathBuf>,
}

impl View {
    /// Of this moment.
    ///
    /// # Errors
    /// A list or a document is refused.
    pub(crate) fn of(bench: &Bench) -> Outcome<Self> {
        let mut filters = BTreeMap::new();
        for brief in bench.filters().succeeds("filters")? {
            let what = format!("filter_xml of '{}', which is on the list", brief.name);
            let xml = bench.filter_xml(brief.uuid).succeeds(what)?;
            let (name, uuid) = (brief.name, brief.uuid);
            if filters.insert(name.clone(), (uuid, xml)).is_some() {
                return Err(Failure::new(format!("filters: '{name}' is on the list twice")));
            }
        }
        let mut bindings = BTreeMap::new();
        if bench.offers("nwfilter.binding/1") {
            for brief in list(bench).succeeds("bindings")? {
                let what = format!("binding_xml of '{}', which is on the list", brief.port);
                let xml = xml(bench, &brief.port).succeeds(what)?;
                let port = brief.port;
                if bindings.insert(port.clone(), (brief.filter, xml)).is_some() {
                    return Err(Failure::new(format!("bindings: port '{port}' is on the list twice")));
                }
            }
        }
        let config = bench.config();
        Ok(Self {
            filters,
            bindings,
            stored: Bench::files(&config.conf_dir).into_iter().collect(),
            running: Bench::files(&config.run_dir).into_keys().collect(),
        })
    }

    /// The same, without the files: what must be found again after a restart.
    #[must_use]
    pub(crate) fn shown(mut self) -> Self {
        self.stored.clear();
        self.running.clear();
        self
    }

    /// The names of all filters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.filters.keys().map(String::as_str)
    }

    /// That nothing is other than it was.
    ///
    /// # Errors
    /// Something is: what.
    pub(crate) fn is_still_so(&self, bench: &Bench, after: impl std::fmt::Display) -> Outcome {
        match self.difference(&Self::of(bench)?) {
            None => Ok(()),
            Some(what) => Err(Failure::new(format!(
                "{after}: expected that nothing has changed, found {what}"
            ))),
        }
    }

    /// The first difference to a later moment.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        differs("filter", &self.filters, &now.filters)
            .or_else(|| differs("the binding of port", &self.bindings, &now.bindings))
            .or_else(|| {
                let path = |map: &BTreeMap<PathBuf, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
                    map.iter()
                        .map(|(path, bytes)| (path.display().to_string(), bytes.clone()))
                        .collect()
                };
                differs("file", &path(&self.stored), &path(&now.stored))
            })
            .or_else(|| {
                let other = self.running.symmetric_difference(&now.running).next()?;
                Some(format!("file '{}' came or went", other.display()))
            })
    }
}

fn differs<T: PartialEq + std::fmt::Debug>(
    what: &str,
    before: &BTreeMap<String, T>,
    now: &BTreeMap<String, T>,
) -> Option<String> {
    if let Some((name, _)) = now.iter().find(|(name, _)| !before.contains_key(*name)) {
        return Some(format!("{what} '{name}', which was not there"));
    }
    before.iter().find_map(|(name, before)| match now.get(name) {
        None => Some(format!("that {what} '{name}' is gone")),
        Some(now) if now != before => Some(format!("{what} '{name}' as {now:?}, which was {before:?}")),
        Some(_) => None,
    })
}

fn none(interface: &str) -> impl FnOnce() -> Error {
    let message = format!("the driver offers no '{interface}'");
    move || Error::new(Code::NO_SUPPORT, Origin::NONE, message)
}

/// Every binding.
///
/// # Errors
/// What the driver answers; so for all below.
pub(crate) fn list(bench: &Bench) -> Result<Vec<BindingBrief>> {
    bench.read("bindings", |driver| {
        driver.bindings().ok_or_else(none("nwfilter.binding/1"))?.bindings()
    })
}

/// The document of a binding.
pub(crate) fn xml(bench: &Bench, port: &str) -> Result<String> {
    bench.read("binding_xml", |driver| {
        driver
            .bindings()
            .ok_or_else(none("nwfilter.binding/1"))?
            .binding_xml(port, 0)
    })
}

/// Binds a port for a client.
pub(crate) fn create(bench: &Bench, document: &str) -> Result<BindingBrief> {
    bind(bench, "create_binding", |bindings, call| {
        bindings.create_binding(call, document, 0)
    })
}

/// Takes a client's binding away.
pub(crate) fn delete(bench: &Bench, port: &str) -> Result<()> {
    bind(bench, "delete_binding", |bindings, call| {
        bindings.delete_binding(call, port)
    })
}

fn bind<T>(bench: &Bench, method: &str, work: impl FnOnce(Bindings<'_>, Call) -> Result<T>) -> Result<T> {
    bench.call(method, |driver, call| {
        work(driver.bindings().ok_or_else(none("nwfilter.binding/1"))?, call)
    })
}

/// Filters a guest's port, as a virt driver does that holds Update.
pub(crate) fn attach(bench: &Bench, request: &PortRequest) -> Result<()> {
    bench.call_under_update("attach_port", false, |driver, call| {
        let bindings = driver.bindings().ok_or_else(none("nwfilter.binding/1"))?;
        bindings.attach_port(call, request)
    })
}

/// Ends that.
pub(crate) fn detach(bench: &Bench, port: &str) -> Result<()> {
    bench.call_under_update("detach_port", false, |driver, call| {
        let bindings = driver.bindings().ok_or_else(none("nwfilter.binding/1"))?;
        bindings.detach_port(call, port)
    })
}

/// Looks at what is in force.
pub(crate) fn look<T>(bench: &Bench, method: &str, work: impl FnOnce(Inspect<'static>) -> Result<T>) -> Result<T> {
    bench.read(method, |driver| {
        work(driver.inspect().ok_or_else(none("nwfilter.inspect/1"))?)
    })
}
