//! `hello`: a driver whose domains are names in memory; shows every part that a driver needs, and in files of their own
//! those that it may have.

mod control;
mod definition;
mod devices;
mod resources;
mod stats;

use definition::Definition;
use devices::Device;
use driver_api::driver::{Config, Console, Driver, DriverInfo, VirtDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::{
    DEFINE_VALIDATE, DESTROY_GRACEFUL, SHUTDOWN_ACPI, SHUTDOWN_AGENT, SHUTDOWN_INITCTL, SHUTDOWN_SIGNAL,
    START_AUTODESTROY, START_BYPASS_CACHE, START_FORCE_BOOT, START_PAUSED, START_VALIDATE,
    UNDEFINE_CHECKPOINTS_METADATA, UNDEFINE_KEEP_NVRAM, UNDEFINE_MANAGED_SAVE, UNDEFINE_NVRAM,
    UNDEFINE_SNAPSHOTS_METADATA, XML_INACTIVE, XML_MIGRATABLE, XML_SECURE, XML_UPDATE_CPU,
};
use driver_api::types::domain::{DomainBrief, DomainEvent, DomainEventKind, Lifecycle, Reason, State, detail};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{ConsoleRef, GuestEvent, GuestId};
use driver_api::types::node::NodeInfo;
use driver_api::types::notice::{DomainNotice, Notice};
use driver_api::types::uuid::Uuid;
use resources::Limit;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The driver: its domains, and the host that it tells of changes.
#[derive(Debug)]
pub struct Hello {
    host: Host,
    // A leaf: held for a copy or a push, never while the host is called.
    domains: Mutex<Vec<DomainBrief>>,
    next_id: Mutex<i32>,
    // A leaf too.
    extras: Mutex<HashMap<Uuid, Extras>>,
}

const XML_FLAGS: u32 = XML_SECURE | XML_INACTIVE | XML_UPDATE_CPU | XML_MIGRATABLE;
const START_FLAGS: u32 = START_PAUSED | START_AUTODESTROY | START_BYPASS_CACHE | START_FORCE_BOOT | START_VALIDATE;
const SHUTDOWN_FLAGS: u32 = SHUTDOWN_ACPI | SHUTDOWN_AGENT | SHUTDOWN_INITCTL | SHUTDOWN_SIGNAL;
const UNDEFINE_FLAGS: u32 = UNDEFINE_MANAGED_SAVE
    | UNDEFINE_SNAPSHOTS_METADATA
    | UNDEFINE_NVRAM
    | UNDEFINE_KEEP_NVRAM
    | UNDEFINE_CHECKPOINTS_METADATA;

/// What a domain has beside its brief.
#[derive(Clone, Debug, Default)]
struct Extras {
    /// What the next start begins with; none once it was undefined.
    defined: Option<Definition>,
    /// What runs was started with.
    live: Option<Definition>,
    devices: Vec<Device>,
    limits: Vec<Limit>,
    autostart_once: bool,
}

driver_api::export_driver!(Hello: VirtDriver + Console + Devices + Resources + Stats + Control);

impl Driver for Hello {
    const INFO: DriverInfo = DriverInfo {
        name: "hello",
        title: "Hello",
        version: env!("CARGO_PKG_VERSION"),
        needs: &[],
    };

    fn open(host: Host, _config: Config) -> Result<Self> {
        Ok(Self {
            host,
            domains: Mutex::default(),
            next_id: Mutex::new(1),
            extras: Mutex::default(),
        })
    }

    fn bring_up(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        tracing::info!("at your service");
        Ok(())
    }

    fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        for brief in self.list() {
            let once = self.with(brief.uuid, |extras| std::mem::take(&mut extras.autostart_once));
            if (brief.autostart || once) && brief.id.is_none() {
                // One that can not be started must not keep the others from it.
                if let Err(error) = self.start(cx, brief.uuid, 0) {
                    tracing::error!(dom = %brief.name, %error, "not started with the host");
                }
            }
        }
        Ok(())
    }

    fn close(&self, _within: Duration) -> Result<()> {
        Ok(())
    }
}

impl Hello {
    fn find(&self, wanted: impl Fn(&DomainBrief) -> bool) -> Option<DomainBrief> {
        self.list().into_iter().find(wanted)
    }

    fn get(&self, uuid: Uuid) -> Result<DomainBrief> {
        self.by_uuid(uuid).ok_or_else(|| {
            let message = format!("no domain with UUID '{uuid}'; 'list --all' shows those that there are");
            Error::new(Code::NO_DOMAIN, Origin::DOMAIN, message)
        })
    }

    fn change(&self, uuid: Uuid, edit: impl FnOnce(&mut DomainBrief)) -> Result<DomainBrief> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(brief) = domains.iter_mut().find(|domain| domain.uuid == uuid) else {
            drop(domains);
            // It says which one is missing.
            return self.get(uuid);
        };
        edit(brief);
        Ok(brief.clone())
    }

    fn remove(&self, uuid: Uuid) {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.retain(|domain| domain.uuid != uuid);
        drop(domains);
        self.extras.lock().unwrap_or_else(PoisonError::into_inner).remove(&uuid);
    }

    fn tell(&self, brief: &DomainBrief, event: Lifecycle, detail: u32) {
        self.host.emit(&DomainEvent {
            uuid: brief.uuid,
            name: brief.name.clone(),
            id: brief.id,
            kind: DomainEventKind::Lifecycle(event, detail),
        });
    }

    fn notify(&self, brief: &DomainBrief, notice: Notice) {
        self.host.notify(DomainNotice {
            uuid: brief.uuid,
            name: brief.name.clone(),
            id: brief.id,
            notice,
        });
    }

    /// The domain, if it may be marked for a start with the host.
    fn markable(&self, uuid: Uuid) -> Result<DomainBrief> {
        let brief = self.get(uuid)?;
        match brief.persistent {
            true => Ok(brief),
            false => Err(wrong_state(&brief, "has no definition and can not be started again")),
        }
    }

    /// Looks at or changes what a domain has beside its brief.
    fn with<T>(&self, uuid: Uuid, work: impl FnOnce(&mut Extras) -> T) -> T {
        let mut extras = self.extras.lock().unwrap_or_else(PoisonError::into_inner);
        work(extras.entry(uuid).or_default())
    }

    fn stop(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, reason: Reason, why: u32) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.get(uuid)?;
        if brief.id.is_none() {
            return Err(wrong_state(&brief, "is not running"));
        }
        let idle = self.with(uuid, |extras| {
            extras.devices.clear();
            extras.live = None;
            extras
                .defined
                .as_ref()
                .map(|defined| defined.brief(reason, brief.autostart))
        });
        match idle {
            Some(idle) => {
                let idle = self.change(uuid, |brief| *brief = idle)?;
                self.tell(&idle, Lifecycle::Stopped, why);
            }
            None => {
                self.remove(uuid);
                self.tell(&DomainBrief { id: None, ..brief }, Lifecycle::Stopped, why);
            }
        }
        Ok(())
    }

    fn switch(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        from: State,
        (to, reason): (State, Reason),
    ) -> Result<DomainBrief> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.get(uuid)?;
        if brief.state != from {
            return Err(wrong_state(&brief, &format!("is not {from:?}")));
        }
        self.change(uuid, |brief| (brief.state, brief.reason) = (to, reason))
    }
}

fn wrong_state(brief: &DomainBrief, what: &str) -> Error {
    let message = format!("domain '{}' {what}", brief.name);
    Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, message)
}

fn invalid(message: String) -> Error {
    Error::new(Code::INVALID_ARG, Origin::DOMAIN, message)
}

fn unsupported(what: &str) -> Error {
    let message = format!("the hello driver can not {what}");
    Error::new(Code::OPERATION_UNSUPPORTED, Origin::DOMAIN, message)
}

fn known(flags: u32, known: u32, what: &str) -> Result<()> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(invalid(format!("unknown flags {unknown:#x} for {what}"))),
    }
}

impl VirtDriver for Hello {
    fn capabilities(&self) -> Result<String> {
        Ok(String::from("<guest><os_type>hello</os_type></guest>"))
    }

    fn version(&self) -> Result<u64> {
        Ok(1_000)
    }

    fn node_info(&self) -> Result<NodeInfo> {
        Err(unsupported("tell facts about the machine"))
    }

    fn list(&self) -> Vec<DomainBrief> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        self.find(|domain| domain.uuid == uuid)
    }

    fn by_name(&self, name: &str) -> Option<DomainBrief> {
        self.find(|domain| domain.name == name)
    }

    fn by_id(&self, id: i32) -> Option<DomainBrief> {
        self.find(|domain| domain.id == Some(id))
    }

    fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        self.get(uuid).map(|_| 0)
    }

    fn dump_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        known(flags, XML_FLAGS, "a document")?;
        let passwords = flags & XML_SECURE != 0;
        let brief = self.get(uuid)?;
        let Extras {
            defined, live, devices, ..
        } = self.with(uuid, |extras| extras.clone());
        let shown = match brief.id {
            Some(id) if flags & XML_INACTIVE == 0 => live.map(|live| {
                let devices = devices.into_iter().map(|device| device.element);
                live.xml(Some(id), devices.collect(), passwords)
            }),
            _ => None,
        };
        // It may have been stopped, or undefined, just now.
        let shown = shown.or_else(|| defined.map(|defined| defined.xml(None, Vec::new(), passwords)));
        match shown {
            Some(shown) => Ok(shown),
            None => self
                .get(uuid)
                .and_then(|brief| Err(wrong_state(&brief, "has no definition"))),
        }
    }

    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<DomainBrief> {
        known(flags, DEFINE_VALIDATE, "a definition")?;
        let new = Definition::read(xml)?;
        let uuid = new.uuid;
        let mut table = cx.virt_write()?;
        let _domain = table.domain_write(uuid)?;
        if self.by_name(&new.name).is_some_and(|other| other.uuid != uuid) {
            let message = format!("the name '{}' belongs to another domain", new.name);
            return Err(Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, message));
        }
        let old = self.by_uuid(uuid);
        if let Some(old) = old.as_ref().filter(|old| old.name != new.name) {
            let message = format!("the UUID '{uuid}' belongs to domain '{}'", old.name);
            return Err(Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, message));
        }
        let replaced = self.with(uuid, |extras| extras.defined.replace(new.clone()).is_some());
        let brief = match old {
            None => {
                let brief = new.brief(Reason::UNKNOWN, false);
                self.domains
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(brief.clone());
                brief
            }
            Some(old) => self.change(uuid, |brief| match old.id {
                Some(_) => (brief.persistent, brief.updated) = (true, true),
                None => *brief = new.brief(old.reason, old.autostart),
            })?,
        };
        let detail = if replaced {
            detail::DEFINED_UPDATED
        } else {
            detail::DEFINED_ADDED
        };
        self.tell(&brief, Lifecycle::Defined, detail);
        Ok(brief)
    }

    fn create(&self, _cx: &mut Cx<'_, Unlocked>, _xml: &str, flags: u32) -> Result<DomainBrief> {
        known(flags, START_FLAGS, "a start")?;
        Err(unsupported("make transient domains"))
    }

    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        known(flags, UNDEFINE_FLAGS, "the end of a definition")?;
        let mut table = cx.virt_write()?;
        let _domain = table.domain_write(uuid)?;
        let mut brief = self.get(uuid)?;
        if !brief.persistent {
            return Err(wrong_state(&brief, "has no definition: it is gone when it stops"));
        }
        if brief.id.is_some() {
            self.with(uuid, |extras| (extras.defined, extras.autostart_once) = (None, false));
            brief = self.change(uuid, |brief| {
                (brief.persistent, brief.autostart, brief.updated) = (false, false, false);
            })?;
        } else {
            self.remove(uuid);
        }
        self.tell(&brief, Lifecycle::Undefined, detail::UNDEFINED_REMOVED);
        Ok(())
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<DomainBrief> {
        known(flags, START_FLAGS, "a start")?;
        let _domain = cx.lookup(uuid)?;
        let brief = self.get(uuid)?;
        if brief.id.is_some() {
            return Err(wrong_state(&brief, "runs already"));
        }
        let id = {
            let mut next = self.next_id.lock().unwrap_or_else(PoisonError::into_inner);
            *next += 1;
            *next - 1
        };
        let (state, reason) = match flags & START_PAUSED {
            0 => (State::Running, Reason::RUNNING_BOOTED),
            _ => (State::Paused, Reason::PAUSED_STARTING_UP),
        };
        self.with(uuid, |extras| extras.live.clone_from(&extras.defined));
        let brief = self.change(uuid, |brief| {
            (brief.id, brief.state, brief.reason) = (Some(id), state, reason);
        })?;
        tracing::info!(dom = %brief.name, "started");
        self.tell(&brief, Lifecycle::Started, detail::STARTED_BOOTED);
        Ok(brief)
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        known(flags, SHUTDOWN_FLAGS, "a shutdown")?;
        self.stop(cx, uuid, Reason::SHUTOFF_SHUTDOWN, detail::STOPPED_SHUTDOWN)
    }

    fn reboot(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid, flags: u32) -> Result<()> {
        known(flags, SHUTDOWN_FLAGS, "a reboot")?;
        Err(unsupported("reboot domains"))
    }

    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, flags: u32) -> Result<()> {
        known(flags, DESTROY_GRACEFUL, "the end of a run")?;
        self.stop(cx, uuid, Reason::SHUTOFF_DESTROYED, detail::STOPPED_DESTROYED)
    }

    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let brief = self.switch(cx, uuid, State::Running, (State::Paused, Reason::PAUSED_USER))?;
        self.tell(&brief, Lifecycle::Suspended, detail::SUSPENDED_PAUSED);
        Ok(())
    }

    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let brief = self.switch(cx, uuid, State::Paused, (State::Running, Reason::RUNNING_UNPAUSED))?;
        self.tell(&brief, Lifecycle::Resumed, detail::RESUMED_UNPAUSED);
        Ok(())
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        self.markable(uuid)?;
        self.change(uuid, |brief| brief.autostart = on).map(drop)
    }

    fn guest_event(&self, _cx: &mut Cx<'_, Unlocked>, guest: GuestId, _event: GuestEvent) {
        tracing::debug!(guest = guest.0, "an event of a guest that nobody here ordered");
    }

    fn filtered_ports(&self, _cx: &mut Cx<'_, Update>, _filters: &[String]) -> Result<Vec<PortRequest>> {
        Ok(Vec::new())
    }
}

impl Console for Hello {
    fn console(&self, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef> {
        let brief = self.get(uuid)?;
        if brief.id.is_none() {
            return Err(wrong_state(&brief, "is not running"));
        }
        let (name, alias) = (&brief.name, alias.unwrap_or("of any name"));
        Err(invalid(format!(
            "domain '{name}' lives in memory and has no console '{alias}'"
        )))
    }
}
