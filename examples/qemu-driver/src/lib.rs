//! `qemu`: PC guests by `qemu-system-x86_64`, as a driver that knows Lockstep by `driver-api` alone.
//!
//! Here the host's calls arrive, are checked and handed on. What a call does stands in `start`, `stop`, `control` and
//! `recover`; what a user wrote in `def`; what there is in `table`, and on disk in `store`.

mod control;
mod core;
mod def;
mod fault;
mod machine;
mod network;
mod plan;
mod qmp;
mod recover;
mod start;
mod stop;
mod store;
mod sys;
mod table;

use crate::core::Core;
use crate::def::{DomainDef, serial_alias};
use crate::fault::{fault, known_flags};
use crate::start::Wish;
use driver_api::driver::{Config, Console, Driver, DriverInfo, VirtDriver};
use driver_api::error::{Code, Result};
use driver_api::host::Host;
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, flags};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{ConsoleRef, GuestEvent, GuestId};
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;
use std::time::Duration;

/// The driver.
#[derive(Debug)]
pub struct Qemu(Core);

driver_api::export_driver!(Qemu: VirtDriver + Console);

impl Driver for Qemu {
    const INFO: DriverInfo = DriverInfo {
        name: "qemu",
        title: "QEMU",
        version: env!("CARGO_PKG_VERSION"),
        needs: &["lock/1", "event/1", "spawn/1", "descriptors/1"],
    };

    fn open(host: Host, config: Config) -> Result<Self> {
        if let Some((option, _)) = config.options.first() {
            let message = format!("the qemu driver has no option '{option}': remove it from lockstep.toml");
            return Err(fault(Code::CONFIG_UNSUPPORTED, message));
        }
        Ok(Self(Core::new(host, &config)))
    }

    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        if let Some(version) = machine::emulator_version() {
            // Nobody has set it before.
            let _first = self.0.version.set(version);
        }
        self.0.bring_up(cx)
    }

    fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.0.autostart(cx)
    }

    fn close(&self, _within: Duration) -> Result<()> {
        // There is no thread to wait for: guests are told something by whoever wants it, and heard of through the host.
        self.0.close();
        Ok(())
    }
}

/// What the flags of a start ask for.
fn wish(given: u32, others: u32) -> Result<Wish> {
    known_flags(given, others | flags::START_PAUSED | flags::START_AUTODESTROY)?;
    Ok(Wish { paused: given & flags::START_PAUSED != 0, autodestroy: given & flags::START_AUTODESTROY != 0 })
}

impl VirtDriver for Qemu {
    fn capabilities(&self) -> Result<String> {
        Ok(machine::capabilities())
    }

    fn version(&self) -> Result<u64> {
        let unknown = || fault(Code::INTERNAL, "there is no qemu-system-x86_64 here that tells its version");
        self.0.version.get().copied().ok_or_else(unknown)
    }

    fn node_info(&self) -> Result<NodeInfo> {
        machine::node_info()
    }

    fn list(&self) -> Vec<DomainBrief> {
        self.0.table.all().iter().map(|domain| domain.brief()).collect()
    }

    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        self.0.table.get(uuid).ok().map(|domain| domain.brief())
    }

    fn by_name(&self, name: &str) -> Option<DomainBrief> {
        self.0.table.find(|domain| domain.def.name == name).map(|domain| domain.brief())
    }

    fn by_id(&self, id: i32) -> Option<DomainBrief> {
        self.0.table.find(|domain| domain.shown_id() == Some(id)).map(|domain| domain.brief())
    }

    fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        let domain = self.0.table.get(uuid)?;
        domain.run.as_ref().map_or(Ok(0), |run| self.0.host.cpu_time(run.guest))
    }

    fn dump_xml(&self, uuid: Uuid, given: u32) -> Result<String> {
        let nothing_more = flags::XML_SECURE | flags::XML_UPDATE_CPU | flags::XML_MIGRATABLE;
        known_flags(given, flags::XML_INACTIVE | nothing_more)?;
        Ok(self.0.table.get(uuid)?.xml(given & flags::XML_INACTIVE != 0))
    }

    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        known_flags(given, flags::DEFINE_VALIDATE)?;
        self.0.must_serve()?;
        self.0.define(cx, DomainDef::from_xml(xml)?).map(|domain| domain.brief())
    }

    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        let wish = wish(given, flags::START_VALIDATE)?;
        self.0.must_serve()?;
        self.0.create(cx, DomainDef::from_xml(xml)?, wish).map(|domain| domain.brief())
    }

    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        // Whoever wants saved images, snapshots and the like removed has that: there are none.
        let nothing_to_do = flags::UNDEFINE_MANAGED_SAVE
            | flags::UNDEFINE_SNAPSHOTS_METADATA
            | flags::UNDEFINE_CHECKPOINTS_METADATA
            | flags::UNDEFINE_NVRAM
            | flags::UNDEFINE_KEEP_NVRAM;
        known_flags(given, nothing_to_do)?;
        self.0.must_serve()?;
        self.0.undefine(cx, uuid)
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<DomainBrief> {
        let wish = wish(given, flags::START_BYPASS_CACHE | flags::START_FORCE_BOOT)?;
        self.0.must_serve()?;
        self.0.start(cx, uuid, wish).map(|domain| domain.brief())
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(given, flags::SHUTDOWN_ACPI)?;
        self.0.press_power(cx, uuid)
    }

    fn reboot(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(given, 0)?;
        self.0.press_reset(cx, uuid)
    }

    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(given, 0)?;
        self.0.destroy(cx, uuid)
    }

    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.0.suspend(cx, uuid)
    }

    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.0.resume(cx, uuid)
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        self.0.must_serve()?;
        self.0.set_autostart(cx, uuid, on)
    }

    fn guest_event(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, event: GuestEvent) {
        match event {
            GuestEvent::Exited(exit) => self.0.ended(cx, guest, exit),
            // QEMU has nothing to say there.
            GuestEvent::Notified(_) => tracing::debug!(guest = guest.0, "a notification that nobody expects"),
        }
    }

    fn filtered_ports(&self, _cx: &mut Cx<'_, Update>, filters: &[String]) -> Result<Vec<PortRequest>> {
        Ok(self.0.filtered_ports(filters))
    }
}

impl Console for Qemu {
    fn console(&self, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef> {
        let domain = self.0.table.get(uuid)?;
        let name = &domain.def.name;
        let run = domain.run.as_ref().filter(|_| domain.is_active());
        let run =
            run.ok_or_else(|| fault(Code::OPERATION_INVALID, format!("domain '{name}' runs nothing with a console")))?;
        let index = (0..domain.def.serials).find(|index| alias.is_none_or(|alias| alias == serial_alias(*index)));
        let index = index.and_then(|index| u32::try_from(index).ok()).ok_or_else(|| {
            let what = alias.map_or_else(|| "any console".to_owned(), |alias| format!("a console '{alias}'"));
            fault(Code::INVALID_ARG, format!("domain '{name}' does not have {what}"))
        })?;
        Ok(ConsoleRef { guest: run.guest, index })
    }
}
