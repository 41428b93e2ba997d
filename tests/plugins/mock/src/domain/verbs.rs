//! `virt.lifecycle/1` and `virt.console/1`: flags are checked, then one call does the work.

use super::boot::Wish;
use super::def::Def;
use crate::core::Mock;
use crate::fault::{Part, known_flags, senseless};
use driver_api::driver::{Console, VirtDriver};
use driver_api::error::Result;
use driver_api::kit::xml::Element;
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::{DomainBrief, flags};
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{ConsoleRef, GuestEvent, GuestId};
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;

const PART: Part = Part::Domain;
/// A guest in memory obeys whichever way it is asked; only an agent it has not.
const WAYS: u32 = flags::SHUTDOWN_ACPI | flags::SHUTDOWN_INITCTL | flags::SHUTDOWN_SIGNAL;

impl Mock {
    /// What the flags of a start ask for. That a guest ends with its client is the host's to do, which knows clients.
    fn wish(verb: &str, given: u32, known: u32) -> Result<Wish> {
        known_flags(
            PART,
            verb,
            given,
            known | flags::START_PAUSED | flags::START_AUTODESTROY,
        )?;
        Ok(Wish {
            paused: given & flags::START_PAUSED != 0,
            autodestroy: given & flags::START_AUTODESTROY != 0,
            transient: None,
        })
    }
}

impl VirtDriver for Mock {
    fn capabilities(&self) -> Result<String> {
        let arch = Element::new("arch")
            .with_attr("name", std::env::consts::ARCH)
            .with_child(Element::new("wordsize").with_text(usize::BITS))
            .with_child(Element::new("domain").with_attr("type", "mock"));
        let guest = Element::new("guest")
            .with_child(Element::new("os_type").with_text("hvm"))
            .with_child(arch);
        Ok(guest.to_string())
    }

    fn version(&self) -> Result<u64> {
        Ok(1_000_000)
    }

    fn node_info(&self) -> Result<NodeInfo> {
        // The machine is made up as its guests are, and the same everywhere.
        Ok(NodeInfo {
            model: std::env::consts::ARCH.to_owned(),
            memory_kib: 1 << 30,
            cpus: 16,
            mhz: 1000,
            nodes: 1,
            sockets: 2,
            cores: 8,
            threads: 1,
        })
    }

    fn list(&self) -> Vec<DomainBrief> {
        self.domains.briefs()
    }

    fn by_uuid(&self, uuid: Uuid) -> Option<DomainBrief> {
        self.domains.find(uuid).map(|domain| domain.brief())
    }

    fn by_name(&self, name: &str) -> Option<DomainBrief> {
        self.domains.by_name(name).map(|domain| domain.brief())
    }

    fn by_id(&self, id: i32) -> Option<DomainBrief> {
        self.domains.by_id(id).map(|domain| domain.brief())
    }

    fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        Ok(super::stats::cpu_time(&*self.domains.get(uuid)?))
    }

    fn dump_xml(&self, uuid: Uuid, given: u32) -> Result<String> {
        let known = flags::XML_SECURE | flags::XML_INACTIVE | flags::XML_UPDATE_CPU | flags::XML_MIGRATABLE;
        known_flags(PART, "dumpxml", given, known)?;
        let domain = self.domains.get(uuid)?;
        let secrets = given & flags::XML_SECURE != 0;
        match &domain.next {
            _ if given & flags::XML_INACTIVE == 0 => Ok(domain.def.xml(domain.id(), secrets)),
            Some(next) => Ok(next.xml(None, secrets)),
            None => Ok(domain.def.xml(None, secrets)),
        }
    }

    fn define(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        // What a document says is checked whether that is asked for or not.
        known_flags(PART, "define", given, flags::DEFINE_VALIDATE)?;
        self.define_domain(cx, Def::read(xml)?)
    }

    fn create(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, given: u32) -> Result<DomainBrief> {
        let wish = Self::wish("create", given, flags::START_VALIDATE)?;
        let def = Arc::new(Def::read(xml)?);
        let transient = Some(Arc::clone(&def));
        self.boot(cx, def.uuid, &Wish { transient, ..wish })
    }

    fn undefine(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        // There are no saved images, snapshots, checkpoints or NVRAM here: who wants them removed has that.
        let nothing_to_do = flags::UNDEFINE_MANAGED_SAVE
            | flags::UNDEFINE_SNAPSHOTS_METADATA
            | flags::UNDEFINE_CHECKPOINTS_METADATA
            | flags::UNDEFINE_NVRAM
            | flags::UNDEFINE_KEEP_NVRAM;
        known_flags(PART, "undefine", given, nothing_to_do)?;
        self.undefine_domain(cx, uuid)
    }

    fn start(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<DomainBrief> {
        // There is no saved image that could be bypassed: every start is a fresh one.
        let wish = Self::wish("start", given, flags::START_BYPASS_CACHE | flags::START_FORCE_BOOT)?;
        self.boot(cx, uuid, &wish)
    }

    fn shutdown(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(PART, "shutdown", given, WAYS)?;
        self.shut_down(cx, uuid)
    }

    fn reboot(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        known_flags(PART, "reboot", given, WAYS)?;
        self.start_anew(cx, uuid, false)
    }

    fn destroy(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, given: u32) -> Result<()> {
        // A guest in memory always goes gracefully.
        known_flags(PART, "destroy", given, flags::DESTROY_GRACEFUL)?;
        self.end(cx, uuid)
    }

    fn suspend(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.pause(cx, uuid)
    }

    fn resume(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.go_on(cx, uuid)
    }

    fn set_autostart(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        self.mark(cx, uuid, super::store::Mark::Always, on)
    }

    fn guest_event(&self, _cx: &mut Cx<'_, Unlocked>, guest: GuestId, _event: GuestEvent) {
        tracing::debug!(guest = guest.0, "an event of a process that no guest here has");
    }

    fn filtered_ports(&self, _cx: &mut Cx<'_, Update>, filters: &[String]) -> Result<Vec<PortRequest>> {
        Ok(self.ports_with(filters))
    }
}

impl Console for Mock {
    /// The consoles of a guest in memory lead nowhere, but they are there and have their order.
    fn console(&self, uuid: Uuid, wanted: Option<&str>) -> Result<ConsoleRef> {
        let domain = self.domains.get(uuid)?;
        let run = domain.running()?;
        let lines = domain
            .def
            .devices()
            .filter(|device| matches!(device.name.as_str(), "console" | "serial"));
        let fits = |device: &Element| wanted.is_none_or(|wanted| super::def::alias(device) == Some(wanted));
        let at = lines.enumerate().find(|(_, device)| fits(device)).map(|(at, _)| at);
        let index = at.and_then(|at| u32::try_from(at).ok()).ok_or_else(|| {
            let what = wanted.map_or_else(|| "no console".to_owned(), |alias| format!("no console '{alias}'"));
            senseless(PART, format!("domain '{}' has {what}", domain.name()))
        })?;
        Ok(ConsoleRef {
            guest: GuestId(u64::from(run.id.unsigned_abs())),
            index,
        })
    }
}
