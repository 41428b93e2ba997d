//! `virt.control/1`: guests that always answer, can be renamed, and have disks full of nothing.

use super::def::target;
use super::store::Mark;
use crate::core::Mock;
use crate::fault::{Part, fault, senseless};
use driver_api::driver::Control;
use driver_api::error::{Code, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::Control as ControlState;
use driver_api::types::domain::DomainBrief;
use driver_api::types::uuid::Uuid;

/// How large a disk in memory is: nobody made it, so it is as large as anybody likes to look.
const DISK: u64 = 1 << 40;

impl Control for Mock {
    fn control(&self, uuid: Uuid) -> Result<ControlState> {
        self.domains.get(uuid)?.running().map(|_| ControlState::Ok)
    }

    fn reset(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.start_anew(cx, uuid, true)
    }

    fn rename(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, name: &str) -> Result<DomainBrief> {
        self.rename_domain(cx, uuid, name)
    }

    fn block_peek(&self, uuid: Uuid, disk: &str, offset: u64, size: u32) -> Result<Vec<u8>> {
        let domain = self.domains.get(uuid)?;
        let source = |device: &driver_api::kit::xml::Element| {
            let source = device.child("source");
            source.and_then(|source| source.attr("file").or(source.attr("dev"))) == Some(disk)
        };
        let mut disks = domain.def.devices_named("disk").map(|(_, device)| device);
        if !disks.any(|device| target(device) == Some(disk) || source(device)) {
            let message = format!("domain '{}' has no disk '{}'", domain.name(), disk.escape_debug());
            return Err(senseless(Part::Domain, message));
        }
        if offset.saturating_add(u64::from(size)) > DISK {
            let message = format!("disk '{disk}' of domain '{}' ends at byte {DISK}", domain.name());
            return Err(fault(Part::Domain, Code::SYSTEM_ERROR, message));
        }
        Ok(vec![0; usize::try_from(size).unwrap_or(0)])
    }

    fn set_autostart_once(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        self.mark(cx, uuid, Mark::Once, on)
    }

    fn messages(&self, uuid: Uuid) -> Result<Vec<String>> {
        let domain = self.domains.get(uuid)?;
        let mut messages = vec![format!(
            "domain '{}' lives in memory: nothing that it does is real",
            domain.name()
        )];
        if domain.next.is_none() {
            messages.push("it is transient and is gone when it stops".to_owned());
        }
        Ok(messages)
    }
}
