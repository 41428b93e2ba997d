//! `virt.control/1`: domains that always answer, can be renamed, and have disks full of nothing.

use crate::definition::check_name;
use crate::{Hello, invalid, wrong_state};
use driver_api::driver::{Control, VirtDriver};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::Control as ControlState;
use driver_api::types::domain::{DomainBrief, DomainEvent, DomainEventKind, Lifecycle, detail};
use driver_api::types::uuid::Uuid;

impl Control for Hello {
    fn control(&self, uuid: Uuid) -> Result<ControlState> {
        let brief = self.get(uuid)?;
        match brief.id {
            Some(_) => Ok(ControlState::Ok),
            None => Err(wrong_state(&brief, "is not running")),
        }
    }

    fn reset(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        let brief = self.get(uuid)?;
        if brief.id.is_none() {
            return Err(wrong_state(&brief, "is not running"));
        }
        self.host.emit(&DomainEvent {
            uuid,
            name: brief.name,
            id: brief.id,
            kind: DomainEventKind::Reboot,
        });
        Ok(())
    }

    fn rename(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, name: &str) -> Result<DomainBrief> {
        let mut table = cx.virt_write()?;
        let _domain = table.domain_write(uuid)?;
        let brief = self.get(uuid)?;
        check_name(name)?;
        if brief.id.is_some() {
            return Err(wrong_state(&brief, "runs and keeps its name"));
        }
        if self.list().iter().any(|other| other.name == name) {
            let message = format!("the name '{name}' is taken");
            return Err(Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, message));
        }
        self.with(uuid, |extras| {
            if let Some(defined) = &mut extras.defined {
                defined.rename(name);
            }
        });
        let renamed = self.change(uuid, |brief| name.clone_into(&mut brief.name))?;
        self.tell(&brief, Lifecycle::Undefined, detail::UNDEFINED_RENAMED);
        self.tell(&renamed, Lifecycle::Defined, detail::DEFINED_RENAMED);
        Ok(renamed)
    }

    fn block_peek(&self, uuid: Uuid, disk: &str, _offset: u64, size: u32) -> Result<Vec<u8>> {
        let brief = self.get(uuid)?;
        let is_disk = self.with(uuid, |extras| {
            let mut devices = extras.devices.iter();
            devices.any(|device| device.element.name == "disk" && device.target() == Some(disk))
        });
        if !is_disk {
            return Err(invalid(format!("domain '{}' has no disk '{disk}'", brief.name)));
        }
        Ok(vec![0; usize::try_from(size).unwrap_or(0)])
    }

    fn set_autostart_once(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        let _domain = cx.lookup(uuid)?;
        self.markable(uuid)?;
        // A host that starts anew finds no domain here that it could start.
        self.with(uuid, |extras| extras.autostart_once = on);
        Ok(())
    }

    fn messages(&self, uuid: Uuid) -> Result<Vec<String>> {
        let brief = self.get(uuid)?;
        let once = self.with(uuid, |extras| extras.autostart_once);
        let mut messages = vec![format!(
            "domain '{}' lives in memory and ends with the host",
            brief.name
        )];
        if brief.autostart || once {
            messages.push("it is marked for autostart and will be gone by then".to_owned());
        }
        Ok(messages)
    }
}
