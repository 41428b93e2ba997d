//! `hello`: a driver whose domains are names in memory; shows every part that a driver needs, and in files of their own
//! those that it may have.

mod control;
mod devices;
mod resources;
mod stats;

use devices::Device;
use driver_api::driver::{Config, Console, Driver, DriverInfo, VirtDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::kit::xml::Element;
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, DomainEvent, DomainEventKind, Lifecycle, Reason, State, detail, flags};
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

/// What a domain has beside its brief.
#[derive(Clone, Debug, Default)]
struct Extras {
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

    fn autostart(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
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
        let mut brief = self.get(uuid)?;
        edit(&mut brief);
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.retain(|domain| domain.uuid != uuid);
        domains.push(brief.clone());
        Ok(brief)
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
        let brief = self.change(uuid, |brief| {
            (brief.id, brief.state, brief.reason) = (None, State::Shutoff, reason);
        })?;
        self.with(uuid, |extras| extras.devices.clear());
        self.tell(&brief, Lifecycle::Stopped, why);
        Ok(())
    }

    fn switch(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, from: State, to: State) -> Result<DomainBrief> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.get(uuid)?;
        if brief.state != from {
            return Err(wrong_state(&brief, &format!("is not {from:?}")));
        }
        self.change(uuid, |brief| brief.state = to)
    }
}

fn wrong_state(brief: &DomainBrief, what: &str) -> Error {
    let message = format!("domain '{}' {what}", brief.name);
    Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, message)
}

fn invalid(message: String) -> Error {
    Error::new(Code::INVALID_ARG, Origin::DOMAIN, message)
}

/// Refuses what a newer client may ask for and this driver has never heard of.
fn known(given: u32, known: u32, what: &str) -> Result<()> {
    match given & !known {
        0 => Ok(()),
        unknown => Err(invalid(format!("unknown flags {unknown:#x} for {what}"))),
    }
}

fn unsupported(what: &str) -> Error {
    let message = format!("the hello driver can not {what}");
    Error::new(Code::OPERATION_UNSUPPORTED, Origin::DOMAIN, message)
}

/// The text of the only two elements that this driver reads.
fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim())
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

    fn dump_xml(&self, uuid: Uuid, given: u32) -> Result<String> {
        let all = flags::XML_SECURE | flags::XML_INACTIVE | flags::XML_UPDATE_CPU | flags::XML_MIGRATABLE;
        known(given, all, "a document")?;
        let brief = self.get(uuid)?;
        let devices = self.with(uuid, |extras| extras.devices.clone());
        let devices = devices.into_iter().map(|device| device.element);
        let domain = Element::new("domain")
            .with_attr("type", "hello")
            .with_child(Element::new("name").with_text(brief.name))
            .with_child(Element::new("uuid").with_text(brief.uuid))
            .with_child(Element::new("devices").with_children(devices));
        Ok(domain.to_string())
    }

    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        known(given, flags::DEFINE_VALIDATE, "a definition")?;
        let bad = |what: &str| Error::new(Code::XML_ERROR, Origin::DOMAIN, format!("the domain has no <{what}>"));
        let name = element(xml, "name").ok_or_else(|| bad("name"))?;
        let uuid = element(xml, "uuid").and_then(|text| text.parse().ok());
        let uuid = uuid.ok_or_else(|| bad("uuid"))?;
        let _table = cx.virt_write()?;
        if self.by_name(name).is_some_and(|other| other.uuid != uuid) {
            let message = format!("the name '{name}' belongs to another domain");
            return Err(Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, message));
        }
        let brief = DomainBrief {
            uuid,
            name: name.to_owned(),
            id: None,
            state: State::Shutoff,
            reason: Reason::UNKNOWN,
            persistent: true,
            autostart: false,
            updated: false,
            max_memory_kib: 1024,
            memory_kib: 1024,
            vcpus: 1,
            os_type: String::from("hello"),
        };
        let known = self.by_uuid(uuid).is_some();
        if !known {
            self.domains
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(brief.clone());
        }
        let detail = if known {
            detail::DEFINED_UPDATED
        } else {
            detail::DEFINED_ADDED
        };
        self.tell(&brief, Lifecycle::Defined, detail);
        self.get(uuid)
    }

    fn create(&self, _cx: &mut Cx<'_, Unlocked>, _xml: &str, _flags: u32) -> Result<DomainBrief> {
        Err(unsupported("make transient domains"))
    }

    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        // There is nothing of these here: whoever wants it removed has that.
        let nothing_to_do = flags::UNDEFINE_MANAGED_SAVE
            | flags::UNDEFINE_SNAPSHOTS_METADATA
            | flags::UNDEFINE_NVRAM
            | flags::UNDEFINE_KEEP_NVRAM
            | flags::UNDEFINE_CHECKPOINTS_METADATA;
        known(given, nothing_to_do, "undefining")?;
        let mut table = cx.virt_write()?;
        let _domain = table.domain_write(uuid)?;
        let brief = self.get(uuid)?;
        self.domains
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|domain| domain.uuid != uuid);
        self.extras.lock().unwrap_or_else(PoisonError::into_inner).remove(&uuid);
        self.tell(&brief, Lifecycle::Undefined, detail::UNDEFINED_REMOVED);
        Ok(())
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<DomainBrief> {
        known(given, 0, "a start")?;
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
        let brief = self.change(uuid, |brief| {
            (brief.id, brief.state, brief.reason) = (Some(id), State::Running, Reason::RUNNING_BOOTED);
        })?;
        tracing::info!(dom = %brief.name, "started");
        self.tell(&brief, Lifecycle::Started, detail::STARTED_BOOTED);
        Ok(brief)
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known(given, 0, "a shutdown")?;
        self.stop(cx, uuid, Reason::SHUTOFF_SHUTDOWN, detail::STOPPED_SHUTDOWN)
    }

    fn reboot(&self, _cx: &mut Cx<'_, Unlocked>, _uuid: Uuid, _flags: u32) -> Result<()> {
        Err(unsupported("reboot domains"))
    }

    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known(given, flags::DESTROY_GRACEFUL, "destroying")?;
        self.stop(cx, uuid, Reason::SHUTOFF_DESTROYED, detail::STOPPED_DESTROYED)
    }

    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let brief = self.switch(cx, uuid, State::Running, State::Paused)?;
        self.tell(&brief, Lifecycle::Suspended, detail::SUSPENDED_PAUSED);
        Ok(())
    }

    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let brief = self.switch(cx, uuid, State::Paused, State::Running)?;
        self.tell(&brief, Lifecycle::Resumed, detail::RESUMED_UNPAUSED);
        Ok(())
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        self.change(uuid, |brief| brief.autostart = on).map(|_| ())
    }

    fn guest_event(&self, _cx: &mut Cx<'_, Unlocked>, guest: GuestId, _event: GuestEvent) {
        tracing::debug!(guest = guest.0, "an event of a guest that nobody here ordered");
    }

    fn filtered_ports(&self, _cx: &mut Cx<'_, Update>, _filters: &[String]) -> Result<Vec<PortRequest>> {
        Ok(Vec::new())
    }
}

impl Console for Hello {
    fn console(&self, uuid: Uuid, _alias: Option<&str>) -> Result<ConsoleRef> {
        let brief = self.get(uuid)?;
        Err(wrong_state(&brief, "lives in memory and has no console"))
    }
}
