//! The driver's end of `virt.devices/1`, `virt.resources/1`, `virt.stats/1` and `virt.control/1`.

use super::instance::Instance;
use super::serve;
use crate::abi::device::{
    ControlRecord, ControlV1, DevicesV1, InterfaceAddressesRecord, ResourcesV1, StatsV1, set_of, source_of,
};
use crate::abi::domain::DomainRecord;
use crate::abi::lock::Call;
use crate::abi::param::ParamRecord;
use crate::abi::record::{all, each_of};
use crate::abi::root::Obj;
use crate::abi::value::Fault;
use crate::driver::{Control, Devices, Resources, Stats};
use crate::lock::level::Unlocked;
use crate::types::uuid::Uuid;
use abi_stable::std_types::{RResult, RStr, RString, RVec};

/// The table of devices for a driver.
#[doc(hidden)]
#[must_use]
pub fn devices_table<T: Devices>() -> &'static DevicesV1 {
    const {
        &DevicesV1 {
            attach_device: attach_device::<T>,
            detach_device: detach_device::<T>,
            detach_alias: detach_alias::<T>,
            update_device: update_device::<T>,
        }
    }
}

serve! { Devices;
    fn attach_device(driver, cx: Cx<Unlocked>; uuid: Uuid, xml: RStr<'_>, flags: u32) -> () {
        driver.attach_device(cx, uuid, xml.as_str(), flags)
    }
    fn detach_device(driver, cx: Cx<Unlocked>; uuid: Uuid, xml: RStr<'_>, flags: u32) -> () {
        driver.detach_device(cx, uuid, xml.as_str(), flags)
    }
    fn detach_alias(driver, cx: Cx<Unlocked>; uuid: Uuid, alias: RStr<'_>, flags: u32) -> () {
        driver.detach_alias(cx, uuid, alias.as_str(), flags)
    }
    fn update_device(driver, cx: Cx<Unlocked>; uuid: Uuid, xml: RStr<'_>, flags: u32) -> () {
        driver.update_device(cx, uuid, xml.as_str(), flags)
    }
}

/// The table of resources for a driver.
#[doc(hidden)]
#[must_use]
pub fn resources_table<T: Resources>() -> &'static ResourcesV1 {
    const {
        &ResourcesV1 {
            set_memory: set_memory::<T>,
            set_vcpus: set_vcpus::<T>,
            vcpus: vcpus::<T>,
            parameters: parameters::<T>,
            set_parameters: set_parameters::<T>,
        }
    }
}

/// The device that a set is of; the sets of the whole domain have none.
fn device<'a>(raw: &'a RStr<'_>) -> Option<&'a str> {
    Some(raw.as_str()).filter(|device| !device.is_empty())
}

serve! { Resources;
    fn set_memory(driver, cx: Cx<Unlocked>; uuid: Uuid, kib: u64, flags: u32) -> () {
        driver.set_memory(cx, uuid, kib, flags)
    }
    fn set_vcpus(driver, cx: Cx<Unlocked>; uuid: Uuid, count: u32, flags: u32) -> () {
        driver.set_vcpus(cx, uuid, count, flags)
    }
    fn vcpus(driver; uuid: Uuid, flags: u32) -> u32 { driver.vcpus(uuid, flags) }
    fn parameters(driver; uuid: Uuid, set: u32, of: RStr<'_>, flags: u32) -> RVec<ParamRecord> {
        driver.parameters(uuid, set_of(set)?, device(&of), flags).map(all)
    }
    fn set_parameters(
        driver, cx: Cx<Unlocked>; uuid: Uuid, set: u32, of: RStr<'_>, params: RVec<ParamRecord>, flags: u32
    ) -> () {
        driver.set_parameters(cx, uuid, set_of(set)?, device(&of), &each_of(params)?, flags)
    }
}

/// The table of figures for a driver.
#[doc(hidden)]
#[must_use]
pub fn stats_table<T: Stats>() -> &'static StatsV1 {
    const {
        &StatsV1 {
            stats: stats::<T>,
            addresses: addresses::<T>,
        }
    }
}

serve! { Stats;
    fn stats(driver; uuid: Uuid, groups: u32) -> RVec<ParamRecord> { driver.stats(uuid, groups).map(all) }
    fn addresses(driver; uuid: Uuid, source: u32) -> RVec<InterfaceAddressesRecord> {
        driver.addresses(uuid, source_of(source)?).map(all)
    }
}

/// The table of control for a driver.
#[doc(hidden)]
#[must_use]
pub fn control_table<T: Control>() -> &'static ControlV1 {
    const {
        &ControlV1 {
            control: control::<T>,
            reset: reset::<T>,
            rename: rename::<T>,
            block_peek: block_peek::<T>,
            set_autostart_once: set_autostart_once::<T>,
            messages: messages::<T>,
        }
    }
}

serve! { Control;
    fn control(driver; uuid: Uuid) -> ControlRecord { driver.control(uuid).map(Into::into) }
    fn reset(driver, cx: Cx<Unlocked>; uuid: Uuid) -> () { driver.reset(cx, uuid) }
    fn rename(driver, cx: Cx<Unlocked>; uuid: Uuid, name: RStr<'_>) -> DomainRecord {
        driver.rename(cx, uuid, name.as_str()).map(Into::into)
    }
    fn block_peek(driver; uuid: Uuid, disk: RStr<'_>, offset: u64, size: u32) -> RVec<u8> {
        driver.block_peek(uuid, disk.as_str(), offset, size).map(Into::into)
    }
    fn set_autostart_once(driver, cx: Cx<Unlocked>; uuid: Uuid, on: u32) -> () {
        driver.set_autostart_once(cx, uuid, on != 0)
    }
    fn messages(driver; uuid: Uuid) -> RVec<RString> {
        Ok(driver.messages(uuid)?.into_iter().map(Into::into).collect())
    }
}
