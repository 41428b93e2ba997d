//! `Plugins`: every plug-in that was found, ready or quarantined, and who serves what.

use super::candidate::checked;
use super::desk::{Desk, GuestRoom, offers};
use super::entry::{Context, Plugin};
use super::load::map;
use super::manifest::Facts;
use super::refusal::Refusal;
use super::search;
use super::services::log::LogDesk;
use super::status::PluginStatus;
use super::trust::{Trust, open_plugin};
use crate::event::Events;
use crate::lock::Locks;
use crate::supervisor::Sink;
use driver_api::abi::manifest::{KIND_NWFILTER, KIND_VIRT};
use driver_api::driver::Config;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::offer::host_ref;
use driver_api::types::guest::{GuestEvent, GuestId};
use parking_lot::RwLock;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// The rooms of the host that plug-ins are served from.
#[derive(Debug)]
pub struct Rooms {
    /// Every lock.
    pub locks: Arc<Locks>,
    /// The way of domain events.
    pub events: Arc<Events>,
    /// The guest processes; without it `spawn/1` is not offered.
    pub guests: Option<Arc<dyn GuestRoom>>,
}

/// Where the room of the guest processes brings events: it is made before the plug-ins are, which take it over.
#[derive(Debug, Default)]
pub struct Inbox {
    shared: OnceLock<Weak<Shared>>,
}

impl Inbox {
    /// This inbox as the room of the guest processes takes it.
    #[must_use]
    pub fn sink(self: &Arc<Self>) -> Arc<Sink> {
        let inbox = Arc::clone(self);
        Arc::new(move |driver: &str, guest, event| inbox.deliver(driver, guest, event))
    }

    /// Hands an event of a guest to its driver and returns when that is done with it. The caller keeps the order of one
    /// guest's events and holds no lock.
    pub fn deliver(&self, driver: &str, guest: GuestId, event: GuestEvent) {
        let plugins = self.shared.get().and_then(Weak::upgrade);
        let Some(plugin) = plugins.and_then(|shared| shared.named(driver)) else {
            tracing::warn!(
                plugin = driver,
                guest = guest.0,
                "an event of a guest whose driver is not in service"
            );
            return;
        };
        let handled = plugin.call("guest_event", &Context::default(), |driver, call| {
            let message = "a driver without domains has no guests";
            let nobody = || Error::new(Code::NO_SUPPORT, Origin::NONE, message);
            driver.virt().ok_or_else(nobody)?.guest_event(call, guest, event)
        });
        if let Err(error) = handled {
            tracing::error!(plugin = driver, guest = guest.0, %error, "a guest's event was not handled");
        }
    }
}

/// The host's plug-ins.
#[derive(Debug)]
pub struct Plugins {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    rooms: Rooms,
    slots: RwLock<Vec<Arc<Slot>>>,
    me: Weak<Self>,
}

/// One file that was found.
#[derive(Debug)]
struct Slot {
    path: PathBuf,
    facts: Option<Facts>,
    interfaces: Vec<&'static str>,
    refused: Vec<String>,
    plugin: Option<Arc<Plugin>>,
    // Why it is quarantined; it may come to that late.
    reason: RwLock<Option<String>>,
}

impl Plugins {
    /// No plug-ins yet; events of guests come from `inbox`, which serves the first plug-ins that it is given to.
    #[must_use]
    pub fn new(rooms: Rooms, inbox: &Inbox) -> Self {
        let shared = Arc::new_cyclic(|me| Shared {
            rooms,
            slots: RwLock::default(),
            me: me.clone(),
        });
        inbox.shared.get_or_init(|| Arc::downgrade(&shared));
        Self { shared }
    }

    /// Loads every plug-in of these folders (see [`super::folders`]) and makes its driver; `setup` makes the folders of the
    /// driver with that name and says where they are. One that fails is quarantined and the others go on.
    pub fn load(&self, folders: &[PathBuf], setup: impl Fn(&str) -> Result<Config>) {
        for path in search::candidates(folders) {
            let slot = self.shared.open(&path, &setup);
            match slot.reason.read().as_deref() {
                Some(reason) => tracing::error!(path = %path.display(), "plug-in quarantined: {reason}"),
                None => tracing::info!(path = %path.display(), interfaces = ?slot.interfaces, "plug-in loaded"),
            }
            self.shared.slots.write().push(Arc::new(slot));
        }
    }

    /// Has every driver load its definitions and find its guests again, filter drivers first. One that fails is
    /// quarantined.
    pub fn bring_up(&self) {
        let mut slots = self.shared.slots.read().clone();
        // Guests that are found again may have ports to be filtered.
        slots.sort_by_key(|slot| slot.facts.as_ref().is_none_or(|facts| facts.kind & KIND_NWFILTER == 0));
        for slot in slots {
            let Some(plugin) = slot.ready() else {
                continue;
            };
            let up = plugin.call("bring_up", &Context::default(), |driver, call| driver.bring_up(call));
            if let Err(cause) = up {
                let step = "come up";
                let reason = slot.sentence(&Refusal::Fails { step, cause });
                tracing::error!(plugin = %plugin.name(), "plug-in quarantined: {reason}");
                *slot.reason.write() = Some(reason);
            }
        }
    }

    /// Has every driver start what is to be started with the host. One that fails stays in service.
    pub fn autostart(&self) {
        for plugin in self.shared.ready() {
            let done = plugin.call("autostart", &Context::default(), |driver, call| driver.autostart(call));
            if let Err(error) = done {
                tracing::error!(plugin = %plugin.name(), %error, "autostart failed");
            }
        }
    }

    /// Has every driver that keeps filters read them anew. What fails changes nothing and is told.
    pub fn reload_filters(&self) {
        for plugin in self.shared.ready() {
            let done = plugin.call("reload", &Context::default(), |driver, call| match driver.inspect() {
                Some(inspect) => inspect.reload(call),
                None => Ok(()),
            });
            match done {
                Ok(()) => tracing::info!(plugin = %plugin.name(), "read anew"),
                Err(error) => tracing::error!(plugin = %plugin.name(), %error, "reading anew failed, all is as it was"),
            }
        }
    }

    /// Tells every driver that the host stops.
    pub fn close(&self, within: Duration) {
        for plugin in self.shared.ready() {
            if let Err(error) = plugin.read("close", |driver| driver.close(within)) {
                tracing::warn!(plugin = %plugin.name(), %error, "a driver did not close cleanly");
            }
        }
    }

    /// Tells every driver that the host's log filter changed.
    pub fn rebuild_log_filters(&self) {
        for plugin in self.shared.ready() {
            if let Err(error) = plugin.read("rebuild_log_filters", |driver| driver.rebuild_log_filters()) {
                tracing::warn!(plugin = %plugin.name(), %error, "a driver keeps its old log filter");
            }
        }
    }

    /// The virt drivers in service.
    #[must_use]
    pub fn virts(&self) -> Vec<Arc<Plugin>> {
        self.shared.virts()
    }

    /// The drivers that are out of service while guests of theirs may run, by name: those that were `used` on this host, which is
    /// asked with a driver's name. A file that does not tell what it is may be the driver that it is named after.
    #[must_use]
    pub fn missing_virts(&self, used: impl Fn(&str) -> bool) -> Vec<String> {
        let slots = self.shared.slots.read().clone();
        let in_service = |slot: &Slot| {
            let plugin = slot.ready();
            plugin.is_some_and(|plugin| !self.shared.rooms.locks.is_quarantined(plugin.number))
        };
        // Of two files with one name the other may serve.
        let served = |name: &String| slots.iter().any(|slot| in_service(slot) && slot.name() == *name);
        let may_have_guests = |slot: &&Arc<Slot>| slot.facts.as_ref().is_none_or(|facts| facts.kind & KIND_VIRT != 0);
        let names = slots.iter().filter(may_have_guests).map(|slot| slot.name());
        let used = |name: &String| {
            let of_file = name
                .strip_prefix("lib")
                .and_then(|name| name.strip_suffix("_driver.so"));
            used(of_file.unwrap_or(name))
        };
        names.filter(|name| !served(name) && used(name)).collect()
    }

    /// The names of all guests that run, whichever driver runs them; a driver that does not answer has none.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        let active = |plugin: Arc<Plugin>| {
            let domains = plugin.read("list", |driver| {
                driver.virt().map_or(Ok(Vec::new()), |virt| virt.list())
            });
            let domains = domains.unwrap_or_default().into_iter();
            domains.filter(|domain| domain.id.is_some()).map(|domain| domain.name)
        };
        self.virts().into_iter().flat_map(active).collect()
    }

    /// The virt driver that serves this URI scheme.
    ///
    /// # Errors
    /// 5 when there is none, with the reason when it is quarantined.
    pub fn virt(&self, scheme: &str) -> Result<Arc<Plugin>> {
        let virts = self.virts();
        if let Some(plugin) = virts.iter().find(|plugin| &**plugin.name() == scheme) {
            return Ok(Arc::clone(plugin));
        }
        let slots = self.shared.slots.read().clone();
        let named = slots.iter().filter(|slot| slot.name() == scheme);
        let reason = named.filter_map(|slot| slot.reason.read().clone()).next();
        let message = match reason {
            Some(reason) => format!("the driver '{scheme}' is quarantined: {reason}"),
            None => format!("no loaded driver serves '{scheme}' ('lockstep plugins' lists them)"),
        };
        Err(Error::new(Code::NO_CONNECT, Origin::NONE, message))
    }

    /// The filter driver in service.
    ///
    /// # Errors
    /// 3 when there is none.
    pub fn filter_driver(&self) -> Result<Arc<Plugin>> {
        self.shared.filter_driver().ok_or_else(|| {
            let message = "no loaded driver serves network filters ('lockstep plugins' lists them)";
            Error::new(Code::NO_SUPPORT, Origin::NWFILTER, message)
        })
    }

    /// What `lockstep plugins` shows, in the order of loading.
    #[must_use]
    pub fn status(&self) -> Vec<PluginStatus> {
        let strikes = self.shared.rooms.locks.status().plugins;
        let slots = self.shared.slots.read().clone();
        slots
            .iter()
            .map(|slot| {
                let mut status = slot.status();
                if let Some(record) = strikes.iter().find(|record| record.plugin == status.name)
                    && slot.plugin.is_some()
                {
                    status.strikes = record.strikes;
                    if status.reason.is_none()
                        && let Some(reason) = &record.quarantined
                    {
                        status.reason = Some(reason.clone());
                        status.state = String::from("quarantined");
                    }
                }
                status
            })
            .collect()
    }
}

impl Shared {
    fn ready(&self) -> Vec<Arc<Plugin>> {
        self.slots.read().iter().filter_map(|slot| slot.ready()).collect()
    }

    pub(super) fn virts(&self) -> Vec<Arc<Plugin>> {
        let mut ready = self.ready();
        ready.retain(|plugin| plugin.loaded.virt().is_some());
        ready
    }

    pub(super) fn filter_driver(&self) -> Option<Arc<Plugin>> {
        self.ready()
            .into_iter()
            .find(|plugin| plugin.loaded.filters().is_some())
    }

    fn named(&self, name: &str) -> Option<Arc<Plugin>> {
        self.ready().into_iter().find(|plugin| &*plugin.name == name)
    }

    fn open(&self, path: &Path, setup: &dyn Fn(&str) -> Result<Config>) -> Slot {
        let mut slot = Slot {
            path: path.to_path_buf(),
            facts: None,
            interfaces: Vec::new(),
            refused: Vec::new(),
            plugin: None,
            reason: RwLock::new(None),
        };
        match self.fill(&mut slot, setup) {
            Ok(plugin) => slot.plugin = Some(Arc::new(plugin)),
            Err(refusal) => *slot.reason.get_mut() = Some(slot.sentence(&refusal)),
        }
        slot
    }

    /// The way from a file to a driver; what is learnt on it stays in the slot if it ends early.
    fn fill(&self, slot: &mut Slot, setup: &dyn Fn(&str) -> Result<Config>) -> std::result::Result<Plugin, Refusal> {
        let file = open_plugin(&slot.path, Trust::of_this_process())?;
        let guests = self.rooms.guests.is_some();
        let mapped = map(file, |id| offers(id, guests))?;
        slot.facts = Some(mapped.facts.clone());
        self.check_name(mapped.facts.name)?;
        let checked = checked(&mapped);
        (slot.interfaces, slot.refused) = (checked.interfaces, checked.refused);
        let offer = checked.offer?;
        let fails = |cause| Refusal::Fails { step: "open", cause };
        let config = setup(mapped.facts.name).map_err(|error| Refusal::Folders(error.to_string()))?;
        let desk = self.desk(mapped.facts.name);
        if mapped.facts.plain {
            // What it changed while it broke the rules is anybody's guess: in Rust, data is out of reach without the lock.
            self.rooms.locks.distrust_plugin(desk.number);
        }
        let panics: Arc<AtomicU64> = Arc::default();
        let counter = Arc::clone(&panics);
        let name = Arc::clone(&desk.name);
        let on_panic = Box::new(move |sentence: &str| {
            counter.fetch_add(1, Ordering::Relaxed);
            tracing::error!(plugin = %name, "{sentence}");
        });
        let loaded = offer.create(host_ref(desk), &config, on_panic).map_err(fails)?;
        Ok(Plugin {
            number: desk.number,
            name: Arc::clone(&desk.name),
            path: slot.path.clone(),
            facts: mapped.facts,
            loaded,
            panics,
            locks: Arc::clone(&self.rooms.locks),
        })
    }

    fn check_name(&self, name: &str) -> std::result::Result<(), Refusal> {
        let slots = self.slots.read();
        let mut others = slots.iter().filter(|slot| slot.plugin.is_some());
        others.find(|slot| slot.name() == name).map_or(Ok(()), |other| {
            Err(Refusal::Twice {
                name: name.to_owned(),
                path: other.path.clone(),
            })
        })
    }

    fn desk(&self, name: &str) -> &'static Desk {
        // Numbers begin at 1: in the lock manager, 0 would look like nobody.
        let number = u32::try_from(self.slots.read().len()).map_or(u32::MAX, |len| len + 1);
        self.rooms.locks.add_plugin(number, name);
        Box::leak(Box::new(Desk {
            number,
            name: name.into(),
            locks: Arc::clone(&self.rooms.locks),
            events: Arc::clone(&self.rooms.events),
            guests: self.rooms.guests.clone(),
            log: LogDesk::default(),
            shared: self.me.clone(),
        }))
    }
}

impl Slot {
    fn ready(&self) -> Option<Arc<Plugin>> {
        let plugin = self.plugin.as_ref()?;
        self.reason.read().is_none().then(|| Arc::clone(plugin))
    }

    fn file(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn name(&self) -> String {
        self.facts
            .as_ref()
            .map_or_else(|| self.file(), |facts| facts.name.to_owned())
    }

    fn sentence(&self, refusal: &Refusal) -> String {
        format!("{}: {refusal}", self.file())
    }

    fn status(&self) -> PluginStatus {
        let fact = |fact: fn(&Facts) -> String| self.facts.as_ref().map(fact);
        let reason = self.reason.read().clone();
        PluginStatus {
            name: self.name(),
            path: self.path.display().to_string(),
            state: String::from(if reason.is_some() { "quarantined" } else { "ready" }),
            reason,
            title: fact(|facts| facts.title.to_owned()),
            version: fact(|facts| facts.version.to_owned()),
            api: fact(Facts::api),
            rustc: fact(|facts| facts.rustc.to_owned()),
            licence: fact(|facts| facts.licence.to_owned()),
            interfaces: self.interfaces.iter().map(ToString::to_string).collect(),
            refused: self.refused.clone(),
            panics: self.plugin.as_ref().map_or(0, |plugin| plugin.panics()),
            strikes: 0,
        }
    }
}
