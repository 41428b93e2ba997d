//! The driver's end of `virt.lifecycle/1`.

use super::instance::Instance;
use super::serve;
use crate::abi::domain::DomainRecord;
use crate::abi::filter::PortRecord;
use crate::abi::guest::GuestEventRecord;
use crate::abi::lock::Call;
use crate::abi::node::NodeRecord;
use crate::abi::root::Obj;
use crate::abi::value::{Fault, texts};
use crate::abi::virt::VirtV1;
use crate::driver::VirtDriver;
use crate::lock::level::{Unlocked, Update};
use crate::types::guest::GuestId;
use crate::types::uuid::Uuid;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};

/// The table for a driver.
#[doc(hidden)]
#[must_use]
pub fn table<T: VirtDriver>() -> &'static VirtV1 {
    const {
        &VirtV1 {
            capabilities: capabilities::<T>,
            version: version::<T>,
            node_info: node_info::<T>,
            list: list::<T>,
            by_uuid: by_uuid::<T>,
            by_name: by_name::<T>,
            by_id: by_id::<T>,
            cpu_time: cpu_time::<T>,
            dump_xml: dump_xml::<T>,
            define: define::<T>,
            create: create::<T>,
            undefine: undefine::<T>,
            start: start::<T>,
            shutdown: shutdown::<T>,
            reboot: reboot::<T>,
            destroy: destroy::<T>,
            suspend: suspend::<T>,
            resume: resume::<T>,
            set_autostart: set_autostart::<T>,
            guest_event: guest_event::<T>,
            filtered_ports: filtered_ports::<T>,
        }
    }
}

serve! { VirtDriver;
    fn capabilities(driver) -> RString { driver.capabilities().map(Into::into) }
    fn version(driver) -> u64 { driver.version() }
    fn node_info(driver) -> NodeRecord { driver.node_info().map(Into::into) }
    fn list(driver) -> RVec<DomainRecord> { Ok(driver.list().into_iter().map(Into::into).collect()) }
    fn by_uuid(driver; uuid: Uuid) -> ROption<DomainRecord> { Ok(driver.by_uuid(uuid).map(Into::into).into()) }
    fn by_name(driver; name: RStr<'_>) -> ROption<DomainRecord> {
        Ok(driver.by_name(name.as_str()).map(Into::into).into())
    }
    fn by_id(driver; id: i32) -> ROption<DomainRecord> { Ok(driver.by_id(id).map(Into::into).into()) }
    fn cpu_time(driver; uuid: Uuid) -> u64 { driver.cpu_time(uuid) }
    fn dump_xml(driver; uuid: Uuid, flags: u32) -> RString { driver.dump_xml(uuid, flags).map(Into::into) }
    fn define(driver, cx: Cx<Unlocked>; xml: RStr<'_>, flags: u32) -> DomainRecord {
        driver.define(cx, xml.as_str(), flags).map(Into::into)
    }
    fn create(driver, cx: Cx<Unlocked>; xml: RStr<'_>, flags: u32) -> DomainRecord {
        driver.create(cx, xml.as_str(), flags).map(Into::into)
    }
    fn undefine(driver, cx: Cx<Unlocked>; uuid: Uuid, flags: u32) -> () { driver.undefine(cx, uuid, flags) }
    fn start(driver, cx: Cx<Unlocked>; uuid: Uuid, flags: u32) -> DomainRecord {
        driver.start(cx, uuid, flags).map(Into::into)
    }
    fn shutdown(driver, cx: Cx<Unlocked>; uuid: Uuid, flags: u32) -> () { driver.shutdown(cx, uuid, flags) }
    fn reboot(driver, cx: Cx<Unlocked>; uuid: Uuid, flags: u32) -> () { driver.reboot(cx, uuid, flags) }
    fn destroy(driver, cx: Cx<Unlocked>; uuid: Uuid, flags: u32) -> () { driver.destroy(cx, uuid, flags) }
    fn suspend(driver, cx: Cx<Unlocked>; uuid: Uuid) -> () { driver.suspend(cx, uuid) }
    fn resume(driver, cx: Cx<Unlocked>; uuid: Uuid) -> () { driver.resume(cx, uuid) }
    fn set_autostart(driver, cx: Cx<Unlocked>; uuid: Uuid, on: u32) -> () { driver.set_autostart(cx, uuid, on != 0) }
    fn guest_event(driver, cx: Cx<Unlocked>; guest: u64, event: GuestEventRecord) -> () {
        driver.guest_event(cx, GuestId(guest), event.try_into()?);
        Ok(())
    }
    fn filtered_ports(driver, cx: Cx<Update>; filters: RVec<RString>) -> RVec<PortRecord> {
        let ports = driver.filtered_ports(cx, &texts(filters)?)?;
        Ok(ports.iter().map(Into::into).collect())
    }
}
