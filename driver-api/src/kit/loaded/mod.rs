//! The host's end of a driver's tables: safe calls that answer plain values.
//!
//! [`Offer`] is what a driver's root was found to offer, [`Loaded`] the driver once it was made. Every method mirrors the
//! trait's method of the same name; those with a token take the [`Call`] that the host opened for it.

mod console;
mod device;
mod inspect;
mod metadata;
mod nwfilter;
mod virt;

pub use console::Consoles;
pub use device::{Control, Devices, Resources, Stats};
pub use inspect::Inspect;
pub use metadata::Metadata;
pub use nwfilter::{Bindings, Filters};
pub use virt::Virt;

use crate::abi::console::ConsoleV1;
use crate::abi::core::CoreV1;
use crate::abi::device::{ControlV1, DevicesV1, ResourcesV1, StatsV1};
use crate::abi::inspect::InspectV1;
use crate::abi::interface::Table;
use crate::abi::lock::Call;
use crate::abi::manifest::Manifest;
use crate::abi::metadata::MetadataV1;
use crate::abi::nwfilter::{BindingV1, FilterV1};
use crate::abi::plain::PlainRoot;
use crate::abi::root::{HostRef, Obj, Root};
use crate::abi::value::{Fault, PANICKED, Pair};
use crate::abi::virt::VirtV1;
use crate::driver::Config;
use crate::error::{Code, Error, Origin, Result};
use abi_stable::std_types::{RResult, RSlice};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The tables of a driver that were compiled as ours were.
#[derive(Clone, Copy, Debug)]
struct Tables {
    core: &'static CoreV1,
    virt: Option<&'static VirtV1>,
    console: Option<&'static ConsoleV1>,
    metadata: Option<&'static MetadataV1>,
    devices: Option<&'static DevicesV1>,
    resources: Option<&'static ResourcesV1>,
    stats: Option<&'static StatsV1>,
    control: Option<&'static ControlV1>,
    filters: Option<&'static FilterV1>,
    bindings: Option<&'static BindingV1>,
    inspect: Option<&'static InspectV1>,
}

/// An interface that a driver offers, but not as we know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// The interface's id.
    pub interface: &'static str,
    /// The full report of the layout check, to be condensed before anyone reads it.
    pub report: String,
}

/// A driver that was mapped and asked what it offers, but not made yet.
#[derive(Clone, Debug)]
pub struct Offer {
    door: Door,
    tables: Tables,
    misfits: Vec<Misfit>,
}

/// The root that a manifest leads to.
#[derive(Clone, Copy, Debug)]
enum Door {
    Reported(&'static Root),
    Stamped(&'static PlainRoot),
}

impl Offer {
    /// Asks a driver for what [`Offer::read`] asks its root for, whichever root its manifest leads to.
    ///
    /// # Errors
    /// `driver.core/1` is missing or a misfit.
    ///
    /// # Safety
    /// The manifest must have our magic and major version, our `abi_stable` version or none, and lie in an image that is
    /// never unmapped.
    pub unsafe fn of(manifest: &'static Manifest) -> std::result::Result<Self, Misfit> {
        if !manifest.is_plain() {
            // SAFETY: the caller vouches for it.
            return unsafe { Self::read(manifest.root) };
        }
        // SAFETY: the caller vouches for it; the manifest says that a plain root lies there.
        let root = unsafe { manifest.root.cast::<PlainRoot>().as_ref() };
        Self::ask(Door::Stamped(root.ok_or_else(leads_nowhere)?))
    }

    /// Asks a driver's root for every interface that this version of the crate knows; others are left alone. An
    /// optional one with a wrong layout is left out and told by [`Offer::misfits`].
    ///
    /// # Errors
    /// `driver.core/1` is missing or a misfit.
    ///
    /// # Safety
    /// `root` must be what a manifest with our magic, major version and `abi_stable` version leads to, in an image that is
    /// never unmapped.
    pub unsafe fn read(root: *const Root) -> std::result::Result<Self, Misfit> {
        // SAFETY: the caller vouches for it; the root is frozen for the whole major version.
        let root = unsafe { root.as_ref() };
        Self::ask(Door::Reported(root.ok_or_else(leads_nowhere)?))
    }

    fn ask(door: Door) -> std::result::Result<Self, Misfit> {
        let mut misfits = Vec::new();
        let core = door.find::<CoreV1>(&mut misfits);
        let Some(core) = core else {
            return Err(misfits
                .pop()
                .unwrap_or_else(|| nothing(CoreV1::ID, "it is not offered")));
        };
        let tables = Tables {
            core,
            virt: door.find(&mut misfits),
            console: door.find(&mut misfits),
            metadata: door.find(&mut misfits),
            devices: door.find(&mut misfits),
            resources: door.find(&mut misfits),
            stats: door.find(&mut misfits),
            control: door.find(&mut misfits),
            filters: door.find(&mut misfits),
            bindings: door.find(&mut misfits),
            inspect: door.find(&mut misfits),
        };
        Ok(Self { door, tables, misfits })
    }

    /// The interfaces that can be used.
    #[must_use]
    pub fn interfaces(&self) -> Vec<&'static str> {
        self.tables.ids()
    }

    /// The interfaces that are offered with a wrong layout.
    #[must_use]
    pub fn misfits(&self) -> &[Misfit] {
        &self.misfits
    }

    /// Whether the driver's root answers anything when asked for the interface with this id, known to us or not.
    #[must_use]
    pub fn answers(&self, id: &str) -> bool {
        match self.door {
            Door::Reported(root) => (root.query)(id.into()).is_some(),
            Door::Stamped(root) => (root.query)(id.into()).is_some(),
        }
    }

    /// Makes the driver. `on_panic` is told of every panic that the driver's shield caught, with its sentence.
    ///
    /// # Errors
    /// What the driver's `open` answers, a service that it needs and the host lacks, or 8 when a path is not UTF-8.
    pub fn create(self, host: HostRef, config: &Config, on_panic: OnPanic) -> Result<Loaded> {
        let pairs = pairs(config)?;
        let tables = self.tables;
        let create = match self.door {
            Door::Reported(root) => root.create,
            Door::Stamped(root) => root.create,
        };
        let made = create(host, RSlice::from_slice(&pairs));
        let obj = told(&on_panic, made)?;
        Ok(Loaded { obj, tables, on_panic })
    }
}

impl Tables {
    fn ids(&self) -> Vec<&'static str> {
        let optional = [
            self.virt.map(|_| VirtV1::ID),
            self.console.map(|_| ConsoleV1::ID),
            self.metadata.map(|_| MetadataV1::ID),
            self.devices.map(|_| DevicesV1::ID),
            self.resources.map(|_| ResourcesV1::ID),
            self.stats.map(|_| StatsV1::ID),
            self.control.map(|_| ControlV1::ID),
            self.filters.map(|_| FilterV1::ID),
            self.bindings.map(|_| BindingV1::ID),
            self.inspect.map(|_| InspectV1::ID),
        ];
        [CoreV1::ID].into_iter().chain(optional.into_iter().flatten()).collect()
    }
}

impl Door {
    fn find<T: Table>(self, misfits: &mut Vec<Misfit>) -> Option<&'static T> {
        let checked = match self {
            Self::Reported(root) => (root.query)(T::ID.into()).into_option()?.check(),
            // SAFETY: who vouched for the root vouched for what it answers.
            Self::Stamped(root) => unsafe { (root.query)(T::ID.into()).into_option()?.check() },
        };
        let misfit = |report| Misfit {
            interface: T::ID,
            report,
        };
        checked.map_err(|report| misfits.push(misfit(report))).ok()
    }
}

fn nothing(interface: &'static str, what: &str) -> Misfit {
    Misfit {
        interface,
        report: format!("Error: {what}"),
    }
}

fn leads_nowhere() -> Misfit {
    nothing("root", "the manifest leads nowhere")
}

fn pairs(config: &Config) -> Result<Vec<Pair>> {
    let pair = |name: &str, value: &str| Pair {
        name: name.into(),
        value: value.into(),
    };
    let folder = |name: &str, path: &Path| {
        let text = path.to_str().ok_or_else(|| {
            let message = format!("the folder '{}' has a name that is not UTF-8", path.display());
            Error::new(Code::INVALID_ARG, Origin::CONF, message)
        })?;
        Ok::<Pair, Error>(pair(name, text))
    };
    let mut pairs = vec![
        folder("conf_dir", &config.conf_dir)?,
        folder("state_dir", &config.state_dir)?,
        folder("run_dir", &config.run_dir)?,
        folder("log_dir", &config.log_dir)?,
        pair("privileged", if config.privileged { "1" } else { "0" }),
    ];
    pairs.extend(
        config
            .options
            .iter()
            .map(|(name, value)| pair(&format!("option.{name}"), value)),
    );
    Ok(pairs)
}

/// Who is told of a panic in a driver.
pub type OnPanic = Box<dyn Fn(&str) + Send + Sync>;

fn told<T>(on_panic: &OnPanic, answer: RResult<T, Fault>) -> Result<T> {
    answer.into_result().map_err(|fault| {
        let panicked = fault.flags & PANICKED != 0;
        let error = Error::from(fault);
        if panicked {
            on_panic(error.message());
        }
        error
    })
}

/// A driver that was made. It is never freed, nor is its library unmapped.
pub struct Loaded {
    obj: Obj,
    tables: Tables,
    on_panic: OnPanic,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("interfaces", &self.tables.ids())
            .finish_non_exhaustive()
    }
}

impl Loaded {
    fn answer<T>(&self, answer: RResult<T, Fault>) -> Result<T> {
        told(&self.on_panic, answer)
    }

    /// `Driver::bring_up`.
    ///
    /// # Errors
    /// What the driver says, or that it panicked; so for every method here.
    pub fn bring_up(&self, call: Call) -> Result<()> {
        self.answer((self.tables.core.bring_up)(self.obj, call))
    }

    /// `Driver::autostart`.
    ///
    /// # Errors
    /// As [`Loaded::bring_up`].
    pub fn autostart(&self, call: Call) -> Result<()> {
        self.answer((self.tables.core.autostart)(self.obj, call))
    }

    /// `Driver::close`.
    ///
    /// # Errors
    /// As [`Loaded::bring_up`].
    pub fn close(&self, within: Duration) -> Result<()> {
        let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        self.answer((self.tables.core.close)(self.obj, ms))
    }

    /// Has the driver ask again which of its log lines are wanted.
    ///
    /// # Errors
    /// As [`Loaded::bring_up`].
    pub fn rebuild_log_filters(&self) -> Result<()> {
        self.answer((self.tables.core.rebuild_log_filters)(self.obj))
    }

    /// `virt.lifecycle/1`, if the driver offers it.
    #[must_use]
    pub fn virt(&self) -> Option<Virt<'_>> {
        let table = self.tables.virt?;
        Some(Virt { driver: self, table })
    }

    /// `virt.console/1`, if the driver offers it.
    #[must_use]
    pub fn console(&self) -> Option<Consoles<'_>> {
        let table = self.tables.console?;
        Some(Consoles { driver: self, table })
    }

    /// `virt.metadata/1`, if the driver offers it.
    #[must_use]
    pub fn metadata(&self) -> Option<Metadata<'_>> {
        let table = self.tables.metadata?;
        Some(Metadata { driver: self, table })
    }

    /// `virt.devices/1`, if the driver offers it.
    #[must_use]
    pub fn devices(&self) -> Option<Devices<'_>> {
        let table = self.tables.devices?;
        Some(Devices { driver: self, table })
    }

    /// `virt.resources/1`, if the driver offers it.
    #[must_use]
    pub fn resources(&self) -> Option<Resources<'_>> {
        let table = self.tables.resources?;
        Some(Resources { driver: self, table })
    }

    /// `virt.stats/1`, if the driver offers it.
    #[must_use]
    pub fn stats(&self) -> Option<Stats<'_>> {
        let table = self.tables.stats?;
        Some(Stats { driver: self, table })
    }

    /// `virt.control/1`, if the driver offers it.
    #[must_use]
    pub fn control(&self) -> Option<Control<'_>> {
        let table = self.tables.control?;
        Some(Control { driver: self, table })
    }

    /// `nwfilter.define/1`, if the driver offers it.
    #[must_use]
    pub fn filters(&self) -> Option<Filters<'_>> {
        let table = self.tables.filters?;
        Some(Filters { driver: self, table })
    }

    /// `nwfilter.binding/1`, if the driver offers it.
    #[must_use]
    pub fn bindings(&self) -> Option<Bindings<'_>> {
        let table = self.tables.bindings?;
        Some(Bindings { driver: self, table })
    }

    /// `nwfilter.inspect/1`, if the driver offers it.
    #[must_use]
    pub fn inspect(&self) -> Option<Inspect<'_>> {
        let table = self.tables.inspect?;
        Some(Inspect { driver: self, table })
    }
}
