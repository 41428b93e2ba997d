//! `virt.control/1` of this driver.

use super::Uml;
use driver_api::driver::Control;
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::Control as ControlState;
use driver_api::types::domain::DomainBrief;
use driver_api::types::uuid::Uuid;

impl Control for Uml {
    fn control(&self, uuid: Uuid) -> Result<ControlState> {
        self.0.control(uuid)
    }

    fn reset(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
        self.0.reset(cx, &self.0.table.entry(uuid)?)
    }

    fn rename(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, name: &str) -> Result<DomainBrief> {
        self.0.rename(cx, &self.0.table.entry(uuid)?, name)
    }

    fn block_peek(&self, uuid: Uuid, disk: &str, offset: u64, size: u32) -> Result<Vec<u8>> {
        self.0.block_peek(uuid, disk, offset, size)
    }

    fn set_autostart_once(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()> {
        self.0.set_autostart_once(cx, uuid, on)
    }

    fn messages(&self, uuid: Uuid) -> Result<Vec<String>> {
        self.0.messages(uuid)
    }
}
