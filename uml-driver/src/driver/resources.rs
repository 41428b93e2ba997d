//! `virt.resources/1`: memory, processors and limits.

use super::{Uml, known_flags};
use driver_api::driver::Resources;
use driver_api::error::Result;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use driver_api::types::device::ParameterSet;
use driver_api::types::device::flags::{MEMORY_MAXIMUM, VCPU_GUEST, VCPU_HOTPLUGGABLE, VCPU_MAXIMUM};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use driver_api::types::param::Param;
use driver_api::types::uuid::Uuid;

const SCOPE: u32 = AFFECT_LIVE | AFFECT_CONFIG;
/// That a processor could be plugged in or not makes no difference: none can.
const VCPUS: u32 = SCOPE | VCPU_MAXIMUM | VCPU_GUEST | VCPU_HOTPLUGGABLE;

impl Resources for Uml {
    fn set_memory(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, kib: u64, flags: u32) -> Result<()> {
        known_flags(flags, SCOPE | MEMORY_MAXIMUM)?;
        self.0.set_memory(cx, uuid, kib, flags)
    }

    fn set_vcpus(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, count: u32, flags: u32) -> Result<()> {
        known_flags(flags, VCPUS)?;
        self.0.set_vcpus(cx, uuid, count, flags)
    }

    fn vcpus(&self, uuid: Uuid, flags: u32) -> Result<u32> {
        known_flags(flags, VCPUS)?;
        self.0.vcpus(uuid, flags)
    }

    fn parameters(&self, uuid: Uuid, set: ParameterSet, device: Option<&str>, flags: u32) -> Result<Vec<Param>> {
        known_flags(flags, SCOPE)?;
        self.0.parameters(uuid, set, device, flags)
    }

    fn set_parameters(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        set: ParameterSet,
        device: Option<&str>,
        params: &[Param],
        flags: u32,
    ) -> Result<()> {
        known_flags(flags, SCOPE)?;
        self.0.set_parameters(cx, uuid, set, device, params, flags)
    }
}
