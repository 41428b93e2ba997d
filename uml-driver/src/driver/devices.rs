//! `virt.devices/1`: devices that come and go.

use super::{Uml, known_flags};
use driver_api::driver::Devices;
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::flags::DEVICE_FORCE;
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::uuid::Uuid;

/// A UML kernel can not be forced to let go of a device, so `DEVICE_FORCE` changes nothing.
const FLAGS: u32 = AFFECT_LIVE | AFFECT_CONFIG | DEVICE_FORCE;

impl Devices for Uml {
    fn attach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        known_flags(flags, FLAGS)?;
        self.0.attach_device(cx, uuid, xml, flags)
    }

    fn detach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        known_flags(flags, FLAGS)?;
        self.0.detach_device(cx, uuid, xml, flags)
    }

    fn detach_alias(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, alias: &str, flags: u32) -> Result<()> {
        known_flags(flags, FLAGS)?;
        self.0.detach_alias(cx, uuid, alias, flags)
    }

    fn update_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        known_flags(flags, FLAGS)?;
        self.0.update_device(cx, uuid, xml, flags)
    }
}
