//! Short forms of the calls that most checks make.

use super::Bench;
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::Virt;
use driver_api::types::domain::DomainBrief;
use driver_api::types::filter::FilterBrief;
use driver_api::types::uuid::Uuid;
use std::time::Duration;

fn none(interface: &str) -> impl FnOnce() -> Error {
    let message = format!("the driver offers no '{interface}'");
    move || Error::new(Code::NO_SUPPORT, Origin::NONE, message)
}

/// Short forms of the calls that most checks make.
#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "each is the driver's method with the same name; errors are the driver's"
)]
impl Bench {
    pub fn bring_up(&self) -> Result<()> {
        self.call("bring_up", |driver, call| driver.bring_up(call))
    }

    pub fn close(&self, within: Duration) -> Result<()> {
        self.read("close", |driver| driver.close(within))
    }

    pub fn define(&self, xml: &str) -> Result<DomainBrief> {
        self.virt("define", |virt, call| virt.define(call, xml, 0))
    }

    pub fn create(&self, xml: &str) -> Result<DomainBrief> {
        self.virt("create", |virt, call| virt.create(call, xml, 0))
    }

    pub fn undefine(&self, uuid: Uuid) -> Result<()> {
        self.virt("undefine", |virt, call| virt.undefine(call, uuid, 0))
    }

    pub fn start(&self, uuid: Uuid) -> Result<DomainBrief> {
        self.virt("start", |virt, call| virt.start(call, uuid, 0))
    }

    pub fn shutdown(&self, uuid: Uuid) -> Result<()> {
        self.virt("shutdown", |virt, call| virt.shutdown(call, uuid, 0))
    }

    pub fn destroy(&self, uuid: Uuid) -> Result<()> {
        self.virt("destroy", |virt, call| virt.destroy(call, uuid, 0))
    }

    pub fn suspend(&self, uuid: Uuid) -> Result<()> {
        self.virt("suspend", |virt, call| virt.suspend(call, uuid))
    }

    pub fn resume(&self, uuid: Uuid) -> Result<()> {
        self.virt("resume", |virt, call| virt.resume(call, uuid))
    }

    pub fn set_autostart(&self, uuid: Uuid, on: bool) -> Result<()> {
        self.virt("set_autostart", |virt, call| virt.set_autostart(call, uuid, on))
    }

    pub fn list(&self) -> Result<Vec<DomainBrief>> {
        self.look("list", |virt| virt.list())
    }

    pub fn by_uuid(&self, uuid: Uuid) -> Result<Option<DomainBrief>> {
        self.look("by_uuid", |virt| virt.by_uuid(uuid))
    }

    pub fn by_name(&self, name: &str) -> Result<Option<DomainBrief>> {
        self.look("by_name", |virt| virt.by_name(name))
    }

    pub fn by_id(&self, id: i32) -> Result<Option<DomainBrief>> {
        self.look("by_id", |virt| virt.by_id(id))
    }

    pub fn dump_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        self.look("dump_xml", |virt| virt.dump_xml(uuid, flags))
    }

    pub fn define_filter(&self, xml: &str) -> Result<FilterBrief> {
        self.call("define_filter", |driver, call| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.define_filter(call, xml, 0)
        })
    }

    pub fn undefine_filter(&self, uuid: Uuid) -> Result<()> {
        self.call("undefine_filter", |driver, call| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.undefine_filter(call, uuid)
        })
    }

    pub fn filters(&self) -> Result<Vec<FilterBrief>> {
        self.read("filters", |driver| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.filters()
        })
    }

    pub fn filter_xml(&self, uuid: Uuid) -> Result<String> {
        self.read("filter_xml", |driver| {
            let filters = driver.filters().ok_or_else(none("nwfilter.define/1"))?;
            filters.filter_xml(uuid, 0)
        })
    }

    /// Any method of `virt.lifecycle/1` with a token.
    pub fn virt<T>(&self, method: &str, work: impl FnOnce(Virt<'_>, Call) -> Result<T>) -> Result<T> {
        self.call(method, |driver, call| {
            work(driver.virt().ok_or_else(none("virt.lifecycle/1"))?, call)
        })
    }

    /// Any method of `virt.lifecycle/1` without a token.
    pub fn look<T>(&self, method: &str, work: impl FnOnce(Virt<'static>) -> Result<T>) -> Result<T> {
        self.read(method, |driver| {
            work(driver.virt().ok_or_else(none("virt.lifecycle/1"))?)
        })
    }
}
