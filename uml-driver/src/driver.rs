//! The driver as the host calls it: look up, check, call, answer.

use crate::core::{Core, fault, refused};
use crate::def::DomainDef;
use crate::def::secret::without_secrets;
use crate::net::Kernel;
use crate::run::ask::Mode;
use crate::run::start::Wish;
use crate::state::status::Intent;
use crate::{capabilities, node};
use driver_api::driver::{Config, Console, Driver, DriverInfo, Metadata, VirtDriver};
use driver_api::error::{Code, Result};
use driver_api::host::Host;
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, flags};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{ConsoleRef, GuestEvent, GuestId};
use driver_api::types::metadata::MetadataChange;
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::Duration;

/// The UML driver.
#[derive(Clone, Debug)]
pub struct Uml(pub(crate) Arc<Core>);

/// Refuses the flag bits outside of `known`.
fn known_flags(given: u32, known: u32) -> Result<()> {
    match given & !known {
        0 => Ok(()),
        rest => Err(fault(Code::INVALID_ARG, format!("unknown flags {rest:#x}"))),
    }
}

/// What the flags of a start ask for. That a guest ends with its client's connection is the host's to do, which knows
/// clients; here it is remembered, for a host that comes after.
fn wish(given: u32, known: u32) -> Result<Wish> {
    known_flags(given, known | flags::START_PAUSED | flags::START_AUTODESTROY)?;
    Ok(Wish {
        paused: given & flags::START_PAUSED != 0,
        autodestroy: given & flags::START_AUTODESTROY != 0,
        transient: None,
    })
}

/// The ways to ask a UML guest to end that a client names, in the order in which they are tried.
///
/// There is ctrl-alt-del, libvirt's mode `acpi`, which is also what 0 means, and the agent. A signal would end the kernel
/// at once and its guest with it, which is what `destroy` is for.
fn modes(given: u32) -> Result<Vec<Mode>> {
    const PARAVIRT: u32 = 16;
    let missing = [
        (flags::SHUTDOWN_INITCTL, "initctl"),
        (flags::SHUTDOWN_SIGNAL, "signal"),
        (PARAVIRT, "paravirt"),
    ];
    let others = missing.iter().fold(0, |all, (bit, _)| all | bit);
    known_flags(given, others | flags::SHUTDOWN_ACPI | flags::SHUTDOWN_AGENT)?;
    let given = if given == 0 { flags::SHUTDOWN_ACPI } else { given };
    // Several modes mean "any of these".
    let there = [
        (flags::SHUTDOWN_AGENT, Mode::Agent),
        (flags::SHUTDOWN_ACPI, Mode::CtrlAltDel),
    ];
    let modes: Vec<Mode> = there
        .into_iter()
        .filter(|(bit, _)| given & bit != 0)
        .map(|(_, mode)| mode)
        .collect();
    if !modes.is_empty() {
        return Ok(modes);
    }
    let named: Vec<&str> = missing
        .iter()
        .filter(|(bit, _)| given & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    let message = format!(
        "UML guests know no shutdown mode '{}': use 'acpi', which is ctrl-alt-del, or 'agent'",
        named.join("', '")
    );
    Err(fault(Code::ARGUMENT_UNSUPPORTED, message))
}

impl Driver for Uml {
    const INFO: DriverInfo = DriverInfo {
        name: "uml",
        title: "UML",
        version: env!("CARGO_PKG_VERSION"),
        needs: &["lock/1", "event/1", "spawn/1"],
    };

    fn open(host: Host, config: Config) -> Result<Self> {
        Ok(Self(Arc::new(Core::new(Box::new(host), Box::new(Kernel), &config)?)))
    }

    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.0.bring_up(cx)
    }

    fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        self.0.autostart(cx);
        Ok(())
    }

    fn close(&self, within: Duration) -> Result<()> {
        self.0.close(within)
    }
}

impl VirtDriver for Uml {
    fn capabilities(&self) -> Result<String> {
        Ok(capabilities::guest())
    }

    fn version(&self) -> Result<u64> {
        node::version()
    }

    fn node_info(&self) -> Result<NodeInfo> {
        node::info()
    }

    fn list(&self) -> Vec<DomainBrief> {
        self.0.table.briefs()
    }

    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        self.0.table.by_uuid(uuid)
    }

    fn by_name(&self, name: &str) -> Option<DomainBrief> {
        self.0.table.by_name(name)
    }

    fn by_id(&self, id: i32) -> Option<DomainBrief> {
        self.0.table.by_id(id)
    }

    fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        let record = self.0.table.record(uuid)?;
        record.run.as_ref().map_or(Ok(0), |run| self.0.host.cpu_time(run.guest))
    }

    fn dump_xml(&self, uuid: Uuid, given: u32) -> Result<String> {
        known_flags(
            given,
            flags::XML_SECURE | flags::XML_INACTIVE | flags::XML_UPDATE_CPU | flags::XML_MIGRATABLE,
        )?;
        let record = self.0.table.record(uuid)?;
        let xml = record.xml(given & flags::XML_INACTIVE != 0);
        if given & flags::XML_SECURE == 0 {
            return without_secrets(xml);
        }
        Ok(xml)
    }

    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        // Validation is always done: what a document says is checked whether asked for or not.
        known_flags(given, flags::DEFINE_VALIDATE)?;
        self.0.define(cx, DomainDef::from_xml(xml.as_bytes())?)
    }

    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        let wish = wish(given, flags::START_VALIDATE)?;
        self.0.create(cx, DomainDef::from_xml(xml.as_bytes())?, wish)
    }

    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        // There are no saved images, snapshots, checkpoints or NVRAM here: whoever wants them removed has that.
        let nothing_to_do = flags::UNDEFINE_MANAGED_SAVE
            | flags::UNDEFINE_SNAPSHOTS_METADATA
            | flags::UNDEFINE_CHECKPOINTS_METADATA
            | flags::UNDEFINE_NVRAM
            | flags::UNDEFINE_KEEP_NVRAM;
        known_flags(given, nothing_to_do)?;
        self.0.undefine(cx, &self.0.table.entry(uuid)?)
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<DomainBrief> {
        // There is no saved image that could be bypassed: every start is a fresh boot.
        let fresh = flags::START_BYPASS_CACHE | flags::START_FORCE_BOOT;
        let wish = wish(given, fresh)?;
        self.0.start(cx, &self.0.table.entry(uuid)?, &wish)
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        let modes = modes(given)?;
        self.0.press(cx, &self.0.table.entry(uuid)?, Intent::Shutdown, &modes)
    }

    fn reboot(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        let modes = modes(given)?;
        self.0.press(cx, &self.0.table.entry(uuid)?, Intent::Reboot, &modes)
    }

    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(given, flags::DESTROY_GRACEFUL)?;
        let graceful = given & flags::DESTROY_GRACEFUL != 0;
        self.0.destroy(cx, &self.0.table.entry(uuid)?, graceful)
    }

    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.0.suspend(cx, &self.0.table.entry(uuid)?)
    }

    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.0.resume(cx, &self.0.table.entry(uuid)?)
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        self.0.set_autostart(cx, uuid, on)
    }

    fn guest_event(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, event: GuestEvent) {
        self.0.guest_event(cx, guest, event);
    }

    fn filtered_ports(&self, _cx: &mut Cx<'_, Update>, filters: &[String]) -> Result<Vec<PortRequest>> {
        Ok(self.0.filtered_ports(filters))
    }
}

impl Console for Uml {
    fn console(&self, uuid: Uuid, alias: Option<&str>) -> Result<ConsoleRef> {
        let entry = self.0.table.entry(uuid)?;
        let record = entry.record()?;
        let run = record.run.as_ref().ok_or_else(|| refused(&entry, "is not running"))?;
        let index = run.line(alias).ok_or_else(|| {
            let what = alias.map_or_else(|| "any console".to_owned(), |alias| format!("a console '{alias}'"));
            fault(
                Code::INVALID_ARG,
                format!("domain '{}' does not have {what}", entry.name),
            )
        })?;
        Ok(ConsoleRef {
            guest: run.guest,
            index,
        })
    }
}

impl Metadata for Uml {
    fn set_metadata(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        change: &MetadataChange<'_>,
        given: u32,
    ) -> Result<()> {
        known_flags(given, flags::AFFECT_LIVE | flags::AFFECT_CONFIG)?;
        self.0.set_metadata(cx, uuid, change, given)
    }
}

mod control;
mod devices;
mod resources;
mod stats;

#[cfg(test)]
mod tests;
