//! The traits of drivers whose domains can be changed and measured while they run.

use super::VirtDriver;
use crate::error::Result;
use crate::lock::level::Unlocked;
use crate::lock::token::Cx;
use crate::types::device::{AddressSource, Control as ControlState, InterfaceAddresses, ParameterSet};
use crate::types::domain::DomainBrief;
use crate::types::param::Param;
use crate::types::uuid::Uuid;

/// `virt.devices/1`: devices that come and go.
///
/// `flags` are `domain::flags::AFFECT_*` and `device::flags::DEVICE_FORCE`; 0 means what runs if it runs, else the
/// definition. With both, the change is made to both or to neither.
pub trait Devices: VirtDriver {
    /// Puts a device into a domain; its XML element is as in the definition.
    ///
    /// # Errors
    /// 42, 27 and its kin for a bad element, 55 for `AFFECT_LIVE` when it does not run and for `AFFECT_CONFIG` when it has
    /// no definition, 9 for a target that is taken and when the guest refuses, in its words, 67 for a device that can not
    /// be plugged in.
    fn attach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()>;

    /// Takes the device that fits the element out of a domain.
    ///
    /// # Errors
    /// As `attach_device`, and 99 when there is no such device.
    fn detach_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()>;

    /// Takes the device with an alias out of a domain.
    ///
    /// # Errors
    /// As `detach_device`.
    fn detach_alias(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, alias: &str, flags: u32) -> Result<()>;

    /// Changes the device that fits the element as far as that is possible without taking it out.
    ///
    /// # Errors
    /// As `detach_device`, and 84 (`OPERATION_UNSUPPORTED`) for what can not be changed, by name.
    fn update_device(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, xml: &str, flags: u32) -> Result<()>;
}

/// `virt.resources/1`: memory, processors and limits. `flags` are as in [`Devices`], with those named at each method.
pub trait Resources: VirtDriver {
    /// Sets a domain's memory in KiB, or with `device::flags::MEMORY_MAXIMUM` the most that it may ever have.
    ///
    /// # Errors
    /// 42, 8 for too much, 55 as in [`Devices`], 9 when the guest can not give up so much.
    fn set_memory(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, kib: u64, flags: u32) -> Result<()>;

    /// Sets the number of processors (`device::flags::VCPU_*`).
    ///
    /// # Errors
    /// 42, 8, 55 as in [`Devices`], 67 for more than the guest's kernel can have.
    fn set_vcpus(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, count: u32, flags: u32) -> Result<()>;

    /// The number of processors (`device::flags::VCPU_*`).
    ///
    /// # Errors
    /// 42, 8, 55.
    fn vcpus(&self, uuid: Uuid, flags: u32) -> Result<u32>;

    /// The limits of a set; `device` names the interface or disk of the last two sets.
    ///
    /// # Errors
    /// 42, 8, 55 as in [`Devices`], 3 for a set that has no meaning here.
    fn parameters(&self, uuid: Uuid, set: ParameterSet, device: Option<&str>, flags: u32) -> Result<Vec<Param>>;

    /// Sets limits of a set; those that are not named stay.
    ///
    /// # Errors
    /// As `parameters`, 67 for a limit that can not be kept, by name.
    fn set_parameters(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        uuid: Uuid,
        set: ParameterSet,
        device: Option<&str>,
        params: &[Param],
        flags: u32,
    ) -> Result<()>;
}

/// `virt.stats/1`: figures. Nothing here takes a lock or speaks to the guest, so that a guest that hangs delays nobody.
pub trait Stats: VirtDriver {
    /// The figures of some groups (`device::stats`), under the names of libvirt's bulk statistics (`cpu.time`,
    /// `balloon.current`, `block.0.rd.bytes`, ...). What is not known is left out; groups that are not known are ignored.
    ///
    /// # Errors
    /// 42 when there is no such domain.
    fn stats(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>>;

    /// The addresses of a running guest's interfaces.
    ///
    /// # Errors
    /// 42, 55 when it does not run, 86 (`AGENT_UNRESPONSIVE`) and 3 for an agent that is not there.
    fn addresses(&self, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>>;
}

/// `virt.control/1`: what else can be done with a domain.
pub trait Control: VirtDriver {
    /// Whether the guest's kernel answers.
    ///
    /// # Errors
    /// 42, 55 when it does not run.
    fn control(&self, uuid: Uuid) -> Result<ControlState>;

    /// Starts the guest anew without asking it; it keeps its id.
    ///
    /// # Errors
    /// 42, 55 when it does not run, and as `VirtDriver::start`.
    fn reset(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()>;

    /// Gives a domain that does not run another name.
    ///
    /// # Errors
    /// 42, 55 when it runs or is transient, 9 for a name that is taken, 27 for one that is none, 38 when it can not be
    /// stored; the old name then stays.
    fn rename(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, name: &str) -> Result<DomainBrief>;

    /// Bytes of a disk as the host sees it; `disk` is its target or source.
    ///
    /// # Errors
    /// 42, 8 for a disk that is none of the domain's, 38 when it can not be read, at its end too.
    fn block_peek(&self, uuid: Uuid, disk: &str, offset: u64, size: u32) -> Result<Vec<u8>>;

    /// Sets whether the host starts the domain when it starts itself the next time, and then no more.
    ///
    /// # Errors
    /// As `VirtDriver::set_autostart`.
    fn set_autostart_once(&self, cx: &mut Cx<'_, Unlocked>, uuid: Uuid, on: bool) -> Result<()>;

    /// What an administrator should know of a domain, one sentence each: what it asks for and does not get.
    ///
    /// # Errors
    /// 42.
    fn messages(&self, uuid: Uuid) -> Result<Vec<String>>;
}
