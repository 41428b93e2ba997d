//! `FilterStore`: the files of filters, named by UUID, and of bindings, named by port.

use super::binding::Binding;
use super::def::FilterDef;
use crate::fault::{Part, on_disk};
use crate::file::{self, Keep};
use driver_api::driver::Config;
use driver_api::error::{Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::uuid::Uuid;
use std::path::{Path, PathBuf};

/// Where filters are kept over everything, and bindings as long as their ports can be there.
#[derive(Debug)]
pub(crate) struct FilterStore {
    filters: PathBuf,
    bindings: PathBuf,
}

const GUESTS: &str = "guests";

impl FilterStore {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            filters: config.conf_dir.join("filters"),
            bindings: config.run_dir.join("bindings"),
        }
    }

    /// Makes the folders.
    ///
    /// # Errors
    /// 38.
    pub(crate) fn prepare(&self) -> Result<()> {
        for folder in [&self.filters, &self.bindings] {
            let made = file::folder(folder);
            made.map_err(|error| {
                on_disk(
                    Part::Filter,
                    format!("cannot make the folder '{}'", folder.display()),
                    error,
                )
            })?;
        }
        Ok(())
    }

    /// Stores a filter.
    ///
    /// # Errors
    /// 38; the old one is then still there.
    pub(crate) fn save(&self, def: &FilterDef) -> Result<()> {
        let written = file::write(&self.filter(def.uuid), &def.element.to_string(), Keep::Always);
        written.map_err(|error| on_disk(Part::Filter, format!("cannot store filter '{}'", def.name), error))
    }

    /// Removes a filter.
    ///
    /// # Errors
    /// 38; it is then still there.
    pub(crate) fn remove(&self, def: &FilterDef) -> Result<()> {
        let removed = file::remove(&self.filter(def.uuid), Keep::Always);
        removed.map_err(|error| on_disk(Part::Filter, format!("cannot remove filter '{}'", def.name), error))
    }

    /// Stores a binding.
    ///
    /// # Errors
    /// 38; nothing is left of it then.
    pub(crate) fn save_binding(&self, binding: &Binding) -> Result<()> {
        let document = Element::new("bound")
            .with_attr_opt("by", binding.guests.then_some(GUESTS))
            .with_child(binding.element.clone());
        let written = file::write(&self.binding(&binding.port), &document.to_string(), Keep::UntilReboot);
        written.map_err(|error| {
            on_disk(
                Part::Filter,
                format!("cannot store the binding of port '{}'", binding.port),
                error,
            )
        })
    }

    /// Removes a binding.
    ///
    /// # Errors
    /// 38; it is then still there.
    pub(crate) fn remove_binding(&self, port: &str) -> Result<()> {
        let removed = file::remove(&self.binding(port), Keep::UntilReboot);
        removed.map_err(|error| {
            on_disk(
                Part::Filter,
                format!("cannot remove the binding of port '{port}'"),
                error,
            )
        })
    }

    /// Every filter that can be read; a file that can not is set aside.
    ///
    /// # Errors
    /// 38 when the folder can not be read.
    pub(crate) fn filters(&self) -> Result<Vec<(PathBuf, FilterDef)>> {
        read_all(&self.filters, FilterDef::of)
    }

    /// Every binding that can be read; a file that can not is set aside.
    ///
    /// # Errors
    /// 38 when the folder can not be read.
    pub(crate) fn bindings(&self) -> Result<Vec<(PathBuf, Binding)>> {
        read_all(&self.bindings, |mut bound| {
            let guests = bound.attr("by") == Some(GUESTS);
            Binding::of(bound.take_child("filterbinding").unwrap_or_default(), guests)
        })
    }

    fn filter(&self, uuid: Uuid) -> PathBuf {
        self.filters.join(format!("{uuid}.xml"))
    }

    fn binding(&self, port: &str) -> PathBuf {
        self.bindings.join(format!("{port}.xml"))
    }
}

fn read_all<T>(folder: &Path, read: impl Fn(Element) -> Result<T>) -> Result<Vec<(PathBuf, T)>> {
    let paths = file::list(folder, "xml");
    let paths = paths.map_err(|error| {
        on_disk(
            Part::Filter,
            format!("cannot read the folder '{}'", folder.display()),
            error,
        )
    })?;
    let mut found = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|error| on_disk(Part::Filter, "cannot read it", error));
        let whole = bytes
            .and_then(|bytes| parse(&bytes, Origin::XML, &Limits::default()))
            .and_then(&read);
        match whole {
            Ok(whole) => found.push((path, whole)),
            Err(error) => file::set_aside(&path, &error),
        }
    }
    Ok(found)
}
