//! The way from a client's call to the driver that it is for.

use super::Dispatch;
use crate::plugin::{Context, Plugin};
use crate::server::Call;
use driver_api::abi;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::{Bindings, Control, Devices, Filters, Inspect, Resources, Stats, Virt};
use driver_api::types::guest::ConsoleRef;
use driver_api::types::metadata::MetadataChange;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

/// The token of one call into a driver.
type Token = abi::lock::Call;

pub(super) fn lacks(plugin: &Plugin, what: &str) -> Error {
    let text = format!("not supported: the driver '{}' does not offer {what}", plugin.name());
    Error::new(Code::NO_SUPPORT, Origin::NONE, text)
}

fn context(call: &Call<'_>) -> Context {
    Context {
        client: Some(call.client.id()),
        within: None,
    }
}

/// Declares looks through interfaces that not every driver offers; `None` from one that does not.
macro_rules! optional {
    ($($(#[$doc:meta])* $name:ident -> $ty:ident;)+) => { $(
        $(#[$doc])*
        pub(super) fn $name<T>(
            &self,
            call: &Call<'_>,
            method: &'static str,
            work: impl FnOnce($ty<'_>) -> Result<T>,
        ) -> Result<Option<T>> {
            self.plugin(call)?.read(method, |driver| driver.$name().map(work).transpose())
        }
    )+ };
}

impl Dispatch {
    optional! {
        /// Looks at the resources of the domains of the client's driver; takes no lock.
        resources -> Resources;
        /// Looks at their figures; takes no lock.
        stats -> Stats;
        /// Looks at how they are controlled; takes no lock.
        control -> Control;
    }

    /// The driver that the client's URI named.
    pub(super) fn plugin(&self, call: &Call<'_>) -> Result<Arc<Plugin>> {
        self.sessions
            .with(call.client, |session| session.virt.clone())?
            .ok_or_else(|| {
                let text = "this connection is to the filters alone: open a driver's URI for domains";
                Error::new(Code::NO_SUPPORT, Origin::DOMAIN, text)
            })
    }

    /// Looks at the client's driver; takes no lock.
    pub(super) fn read<T>(
        &self,
        call: &Call<'_>,
        method: &'static str,
        work: impl FnOnce(Virt<'_>) -> Result<T>,
    ) -> Result<T> {
        let plugin = self.plugin(call)?;
        plugin.read(method, |driver| {
            work(driver.virt().ok_or_else(|| lacks(&plugin, "domains"))?)
        })
    }

    /// Has the client's driver do something.
    pub(super) fn change<T>(
        &self,
        call: &Call<'_>,
        method: &'static str,
        work: impl FnOnce(Virt<'_>, Token) -> Result<T>,
    ) -> Result<T> {
        let plugin = self.plugin(call)?;
        plugin.call(method, &context(call), |driver, token| {
            work(driver.virt().ok_or_else(|| lacks(&plugin, "domains"))?, token)
        })
    }

    /// The console that a client means.
    pub(super) fn console(&self, call: &Call<'_>, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef> {
        let plugin = self.plugin(call)?;
        plugin.read("console", |driver| {
            let consoles = driver.console().ok_or_else(|| lacks(&plugin, "consoles"))?;
            consoles.console(uuid, alias)
        })
    }

    /// Has the client's driver change one of a domain's notes.
    pub(super) fn set_metadata(
        &self,
        call: &Call<'_>,
        uuid: Uuid,
        change: &MetadataChange<'_>,
        flags: u32,
    ) -> Result<()> {
        let plugin = self.plugin(call)?;
        plugin.call("set_metadata", &context(call), |driver, token| {
            let metadata = driver.metadata().ok_or_else(|| lacks(&plugin, "changes of metadata"))?;
            metadata.set_metadata(token, uuid, change, flags)
        })
    }

    /// Has the client's driver change a domain's devices.
    pub(super) fn devices<T>(
        &self,
        call: &Call<'_>,
        method: &'static str,
        work: impl FnOnce(Devices<'_>, Token) -> Result<T>,
    ) -> Result<T> {
        let plugin = self.plugin(call)?;
        plugin.call(method, &context(call), |driver, token| {
            let devices = driver.devices().ok_or_else(|| lacks(&plugin, "changes of devices"))?;
            work(devices, token)
        })
    }

    /// Has the client's driver change a domain's resources.
    pub(super) fn change_resources<T>(
        &self,
        call: &Call<'_>,
        method: &'static str,
        work: impl FnOnce(Resources<'_>, Token) -> Result<T>,
    ) -> Result<T> {
        let plugin = self.plugin(call)?;
        plugin.call(method, &context(call), |driver, token| {
            let resources = driver.resources();
            work(resources.ok_or_else(|| lacks(&plugin, "changes of resources"))?, token)
        })
    }

    /// Has the client's driver do what `virt.control/1` is for.
    pub(super) fn change_control<T>(
        &self,
        call: &Call<'_>,
        method: &'static str,
        what: &str,
        work: impl FnOnce(Control<'_>, Token) -> Result<T>,
    ) -> Result<T> {
        let plugin = self.plugin(call)?;
        plugin.call(method, &context(call), |driver, token| {
            work(driver.control().ok_or_else(|| lacks(&plugin, what))?, token)
        })
    }

    /// Why the client's driver can not do what it does not offer.
    pub(super) fn lacks(&self, call: &Call<'_>, what: &str) -> Error {
        self.plugin(call)
            .map_or_else(|error| error, |plugin| lacks(&plugin, what))
    }

    /// Looks at the filters; takes no lock.
    pub(super) fn filters<T>(&self, method: &'static str, work: impl FnOnce(Filters<'_>) -> Result<T>) -> Result<T> {
        let plugin = self.plugins.filter_driver()?;
        plugin.read(method, |driver| {
            work(driver.filters().ok_or_else(|| lacks(&plugin, "filters"))?)
        })
    }

    /// Has the filter driver do something.
    pub(super) fn change_filters<T>(
        &self,
        call: &Call<'_>,
        method: &'static str,
        work: impl FnOnce(Filters<'_>, Token) -> Result<T>,
    ) -> Result<T> {
        let plugin = self.plugins.filter_driver()?;
        plugin.call(method, &context(call), |driver, token| {
            work(driver.filters().ok_or_else(|| lacks(&plugin, "filters"))?, token)
        })
    }

    /// Looks at the bindings; takes no lock.
    pub(super) fn bindings<T>(&self, method: &'static str, work: impl FnOnce(Bindings<'_>) -> Result<T>) -> Result<T> {
        let plugin = self.plugins.filter_driver()?;
        plugin.read(method, |driver| {
            work(driver.bindings().ok_or_else(|| lacks(&plugin, "filter bindings"))?)
        })
    }

    /// Has the filter driver do something with a binding.
    pub(super) fn change_bindings<T>(
        &self,
        call: &Call<'_>,
        method: &'static str,
        work: impl FnOnce(Bindings<'_>, Token) -> Result<T>,
    ) -> Result<T> {
        let plugin = self.plugins.filter_driver()?;
        plugin.call(method, &context(call), |driver, token| {
            work(
                driver.bindings().ok_or_else(|| lacks(&plugin, "filter bindings"))?,
                token,
            )
        })
    }

    /// Looks at filters in force; takes no lock.
    pub(super) fn inspect<T>(&self, method: &'static str, work: impl FnOnce(Inspect<'_>) -> Result<T>) -> Result<T> {
        let plugin = self.plugins.filter_driver()?;
        plugin.read(method, |driver| {
            work(
                driver
                    .inspect()
                    .ok_or_else(|| lacks(&plugin, "looks at filters in force"))?,
            )
        })
    }

    /// Has the filter driver read everything anew.
    pub(super) fn reload_filters(&self, call: &Call<'_>) -> Result<()> {
        let plugin = self.plugins.filter_driver()?;
        plugin.call("reload", &context(call), |driver, token| {
            let inspect = driver.inspect().ok_or_else(|| lacks(&plugin, "reloading of filters"))?;
            inspect.reload(token)
        })
    }
}
