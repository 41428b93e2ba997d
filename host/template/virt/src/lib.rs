//! {{project-name}}: a driver for the Lockstep host. Its guests live in memory, their definitions on disk.
//!
//! Every change goes the same way: parse (nothing is held), take the domain's lock, look at its
//! snapshot, persist, publish the next snapshot, tell the host. Reads look at snapshots and lock nothing.

use driver_api::driver::{Config, Driver, DriverInfo, VirtDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::kit::xml::Element;
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{Domain as DomainLevel, Unlocked, Update, W};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{
    DomainBrief, DomainEvent, DomainEventKind, Lifecycle, Reason, State, detail, flags,
};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{GuestEvent, GuestId};
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

mod document;
mod domain;
mod stats;
mod store;
mod table;

use document::Document;
use domain::Domain;
use store::Store;
use table::Table;

/// The driver's name: its URI scheme and the type of its domains.
const NAME: &str = "{{driver}}";
/// What clients call it.
const TITLE: &str = "{{driver | capitalize}}";

/// The driver as the host knows it.
#[derive(Debug)]
pub struct Plugin {
    host: Host,
    store: Store,
    closed: AtomicBool,
    table: Table,
}

// What is not named here is not offered.
driver_api::export_driver!(Plugin: VirtDriver + Stats);

fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, Origin::DOMAIN, message)
}

fn known_flags(given: u32, known: u32) -> Result<()> {
    match given & !known {
        0 => Ok(()),
        rest => Err(fault(Code::INVALID_ARG, format!("unknown flags {rest:#x}"))),
    }
}

impl Plugin {
    /// Takes a domain's lock. A guest of another make would begin a job here and let go before it waits.
    fn seize<'a>(
        &self,
        cx: &'a mut Cx<'_, Unlocked>,
        uuid: Uuid,
    ) -> Result<Guard<'a, DomainLevel, W>> {
        let mut guard = cx.lookup(uuid)?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(fault(
                Code::OPERATION_INVALID,
                "the driver is closed: the host stops",
            ));
        }
        if guard.is_poisoned() {
            // It protects snapshots, which are never half made.
            guard.clear_poison()?;
        }
        Ok(guard)
    }

    fn tell(&self, brief: &DomainBrief, kind: DomainEventKind) {
        let (uuid, name, id) = (brief.uuid, brief.name.clone(), brief.id);
        self.host.emit(&DomainEvent {
            uuid,
            name,
            id,
            kind,
        });
    }

    fn run(&self, mut domain: Domain, given: u32) -> Result<DomainBrief> {
        let paused = given & flags::START_PAUSED != 0;
        let id = self.store.next_id()?;
        (domain.id, domain.state, domain.reason) = if paused {
            (Some(id), State::Paused, Reason::PAUSED_USER)
        } else {
            (Some(id), State::Running, Reason::RUNNING_BOOTED)
        };
        let brief = self.table.publish(domain);
        self.tell(
            &brief,
            DomainEventKind::Lifecycle(Lifecycle::Started, detail::STARTED_BOOTED),
        );
        if paused {
            let kind = DomainEventKind::Lifecycle(Lifecycle::Suspended, detail::SUSPENDED_PAUSED);
            self.tell(&brief, kind);
        }
        tracing::info!(dom = %brief.name, id, "started");
        Ok(brief)
    }

    fn end(&self, domain: &Domain, reason: Reason, why: u32) {
        let mut next = domain.clone();
        (next.id, next.state, next.reason) = (None, State::Shutoff, reason);
        let brief = match next.kept.clone() {
            Some(kept) => {
                next.current = kept;
                self.table.publish(next)
            }
            None => {
                self.table.remove(next.current.uuid);
                next.brief()
            }
        };
        self.tell(&brief, DomainEventKind::Lifecycle(Lifecycle::Stopped, why));
        tracing::info!(dom = %brief.name, "stopped");
    }
}

impl Driver for Plugin {
    const INFO: DriverInfo = DriverInfo {
        name: NAME,
        title: TITLE,
        version: env!("CARGO_PKG_VERSION"),
        needs: &[],
    };

    fn open(host: Host, config: Config) -> Result<Self> {
        Ok(Self {
            host,
            store: Store::new(config.conf_dir, config.run_dir),
            closed: AtomicBool::new(false),
            table: Table::default(),
        })
    }

    fn bring_up(&self, _cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        for (document, autostart) in self.store.load()? {
            let document = Arc::new(document);
            match self.table.claim(&document) {
                Ok(_claim) => {
                    let kept = Some(Arc::clone(&document));
                    self.table.publish(Domain {
                        kept,
                        autostart,
                        ..Domain::off(Arc::clone(&document))
                    });
                }
                Err(error) => tracing::warn!(%error, "a definition is left alone"),
            }
        }
        Ok(())
    }

    fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        let wanted = self
            .list()
            .into_iter()
            .filter(|brief| brief.autostart && brief.id.is_none());
        for brief in wanted {
            if let Err(error) = self.start(cx, brief.uuid, 0) {
                tracing::error!(dom = %brief.name, %error, "not started with the host");
            }
        }
        Ok(())
    }

    fn close(&self, _within: Duration) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl VirtDriver for Plugin {
    fn capabilities(&self) -> Result<String> {
        let arch = Element::new("arch")
            .with_attr("name", std::env::consts::ARCH)
            .with_child(Element::new("domain").with_attr("type", NAME));
        let kind = Element::new("os_type").with_text(NAME);
        Ok(Element::new("guest")
            .with_child(kind)
            .with_child(arch)
            .to_string())
    }

    fn version(&self) -> Result<u64> {
        let part = |text: &str| text.parse::<u64>().unwrap_or(0);
        Ok(part(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
            + part(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
            + part(env!("CARGO_PKG_VERSION_PATCH")))
    }

    fn node_info(&self) -> Result<NodeInfo> {
        let told = std::fs::read_to_string("/proc/meminfo");
        let told =
            told.map_err(|e| fault(Code::SYSTEM_ERROR, "cannot read '/proc/meminfo'").because(e))?;
        let total = told.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let total = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
        Ok(NodeInfo {
            model: std::env::consts::ARCH.to_owned(),
            memory_kib: total.unwrap_or(0),
            cpus,
            mhz: 0,
            nodes: 1,
            sockets: 1,
            cores: cpus,
            threads: 1,
        })
    }

    fn list(&self) -> Vec<DomainBrief> {
        self.table.briefs()
    }

    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        self.table.find(uuid).map(|domain| domain.brief())
    }

    fn by_name(&self, name: &str) -> Option<DomainBrief> {
        self.table.search(|domain| domain.current.name == name)
    }

    fn by_id(&self, id: i32) -> Option<DomainBrief> {
        self.table.search(|domain| domain.id == Some(id))
    }

    fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        self.table.get(uuid).map(|_| 0)
    }

    fn dump_xml(&self, uuid: Uuid, given: u32) -> Result<String> {
        let harmless = flags::XML_SECURE | flags::XML_UPDATE_CPU | flags::XML_MIGRATABLE;
        known_flags(given, harmless | flags::XML_INACTIVE)?;
        let domain = self.table.get(uuid)?;
        let wanted = match &domain.kept {
            Some(kept) if given & flags::XML_INACTIVE != 0 => kept,
            _ => &domain.current,
        };
        let id = domain.id.filter(|_| given & flags::XML_INACTIVE == 0);
        let element = wanted.printed(given & flags::XML_SECURE != 0);
        Ok(element.with_attr_opt("id", id).to_string())
    }

    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        known_flags(given, flags::DEFINE_VALIDATE)?;
        let document = Arc::new(Document::read(xml)?);
        let _guard = self.seize(cx, document.uuid)?;
        let _claim = self.table.claim(&document)?;
        let old = self.table.find(document.uuid);
        let mut next = match &old {
            Some(old) => Domain::clone(old),
            None => Domain::off(Arc::clone(&document)),
        };
        let change = match next.kept {
            Some(_) => detail::DEFINED_UPDATED,
            None => detail::DEFINED_ADDED,
        };
        if next.id.is_none() {
            next.current = Arc::clone(&document);
        }
        next.kept = Some(Arc::clone(&document));
        self.store.save(&document, next.autostart)?;
        let brief = self.table.publish(next);
        self.tell(
            &brief,
            DomainEventKind::Lifecycle(Lifecycle::Defined, change),
        );
        Ok(brief)
    }

    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        // That a guest ends with its client's connection is the host's to do.
        let known = flags::START_PAUSED | flags::START_AUTODESTROY | flags::START_VALIDATE;
        known_flags(given, known)?;
        let document = Arc::new(Document::read(xml)?);
        let _guard = self.seize(cx, document.uuid)?;
        let _claim = self.table.claim(&document)?;
        let next = match self.table.find(document.uuid) {
            Some(old) if old.id.is_some() => return Err(old.refused("is running already")),
            Some(old) => Domain {
                current: Arc::clone(&document),
                ..Domain::clone(&old)
            },
            None => Domain::off(Arc::clone(&document)),
        };
        self.run(next, given)
    }

    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        // There are no saved images, snapshots or NVRAM: whoever wants them gone or kept has that.
        known_flags(given, 0x1f)?;
        let _guard = self.seize(cx, uuid)?;
        let mut next = Domain::clone(&*self.table.get(uuid)?);
        if next.kept.take().is_none() {
            return Err(next.refused("is transient and has no definition to remove"));
        }
        next.autostart = false;
        self.store.remove(uuid)?;
        let brief = if next.id.is_some() {
            self.table.publish(next)
        } else {
            self.table.remove(uuid);
            next.brief()
        };
        let kind = DomainEventKind::Lifecycle(Lifecycle::Undefined, detail::UNDEFINED_REMOVED);
        self.tell(&brief, kind);
        Ok(())
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<DomainBrief> {
        let fresh = flags::START_BYPASS_CACHE | flags::START_FORCE_BOOT;
        known_flags(
            given,
            fresh | flags::START_PAUSED | flags::START_AUTODESTROY,
        )?;
        let _guard = self.seize(cx, uuid)?;
        let domain = self.table.get(uuid)?;
        if domain.id.is_some() {
            return Err(domain.refused("is running already"));
        }
        self.run(Domain::clone(&domain), given)
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(given, 0x1f)?;
        let _guard = self.seize(cx, uuid)?;
        let domain = self.table.get(uuid)?;
        domain.running()?;
        self.end(&domain, Reason::SHUTOFF_SHUTDOWN, detail::STOPPED_SHUTDOWN);
        Ok(())
    }

    fn reboot(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(given, 0x1f)?;
        let _guard = self.seize(cx, uuid)?;
        let domain = self.table.get(uuid)?;
        domain.running()?;
        self.tell(&domain.brief(), DomainEventKind::Reboot);
        Ok(())
    }

    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(given, flags::DESTROY_GRACEFUL)?;
        let _guard = self.seize(cx, uuid)?;
        let domain = self.table.get(uuid)?;
        if domain.id.is_none() {
            return Err(domain.refused("is not running"));
        }
        self.end(
            &domain,
            Reason::SHUTOFF_DESTROYED,
            detail::STOPPED_DESTROYED,
        );
        Ok(())
    }

    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let _guard = self.seize(cx, uuid)?;
        let mut next = Domain::clone(&*self.table.get(uuid)?);
        if next.state == State::Paused {
            return Ok(());
        }
        next.running()?;
        (next.state, next.reason) = (State::Paused, Reason::PAUSED_USER);
        let brief = self.table.publish(next);
        let kind = DomainEventKind::Lifecycle(Lifecycle::Suspended, detail::SUSPENDED_PAUSED);
        self.tell(&brief, kind);
        Ok(())
    }

    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let _guard = self.seize(cx, uuid)?;
        let mut next = Domain::clone(&*self.table.get(uuid)?);
        if next.state != State::Paused {
            return Err(next.refused("is not paused"));
        }
        (next.state, next.reason) = (State::Running, Reason::RUNNING_UNPAUSED);
        let brief = self.table.publish(next);
        let kind = DomainEventKind::Lifecycle(Lifecycle::Resumed, detail::RESUMED_UNPAUSED);
        self.tell(&brief, kind);
        Ok(())
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        let _guard = self.seize(cx, uuid)?;
        let mut next = Domain::clone(&*self.table.get(uuid)?);
        let transient = || next.refused("is transient and can not be started with the host");
        let kept = next.kept.as_ref().ok_or_else(transient)?;
        self.store.save(kept, on)?;
        next.autostart = on;
        self.table.publish(next);
        Ok(())
    }

    fn guest_event(&self, _cx: &mut Cx<'_, Unlocked>, guest: GuestId, _event: GuestEvent) {
        tracing::debug!(
            guest = guest.0,
            "an event of a process that this driver did not order"
        );
    }

    fn filtered_ports(
        &self,
        _cx: &mut Cx<'_, Update>,
        _filters: &[String],
    ) -> Result<Vec<PortRequest>> {
        // Guests without interfaces have no ports.
        Ok(Vec::new())
    }
}
