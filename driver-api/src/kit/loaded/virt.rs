//! `Virt`: the host's end of `virt.lifecycle/1`.

use super::Loaded;
use crate::abi::lock::Call;
use crate::abi::value::{each, flag, from_texts, text};
use crate::abi::virt::VirtV1;
use crate::error::Result;
use crate::types::domain::DomainBrief;
use crate::types::filter::PortRequest;
use crate::types::guest::{GuestEvent, GuestId};
use crate::types::node::NodeInfo;
use crate::types::uuid::Uuid;

/// A driver's domains; each method is that of [`crate::driver::VirtDriver`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Virt<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static VirtV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked or answered nonsense"
)]
impl Virt<'_> {
    pub fn capabilities(&self) -> Result<String> {
        text(self.driver.answer((self.table.capabilities)(self.driver.obj))?)
    }

    pub fn version(&self) -> Result<u64> {
        self.driver.answer((self.table.version)(self.driver.obj))
    }

    pub fn node_info(&self) -> Result<NodeInfo> {
        self.driver.answer((self.table.node_info)(self.driver.obj))?.try_into()
    }

    pub fn list(&self) -> Result<Vec<DomainBrief>> {
        each(
            self.driver.answer((self.table.list)(self.driver.obj))?,
            DomainBrief::try_from,
        )
    }

    pub fn by_uuid(&self, uuid: Uuid) -> Result<Option<DomainBrief>> {
        let found = self.driver.answer((self.table.by_uuid)(self.driver.obj, uuid))?;
        found.into_option().map(TryInto::try_into).transpose()
    }

    pub fn by_name(&self, name: &str) -> Result<Option<DomainBrief>> {
        let found = self.driver.answer((self.table.by_name)(self.driver.obj, name.into()))?;
        found.into_option().map(TryInto::try_into).transpose()
    }

    pub fn by_id(&self, id: i32) -> Result<Option<DomainBrief>> {
        let found = self.driver.answer((self.table.by_id)(self.driver.obj, id))?;
        found.into_option().map(TryInto::try_into).transpose()
    }

    pub fn cpu_time(&self, uuid: Uuid) -> Result<u64> {
        self.driver.answer((self.table.cpu_time)(self.driver.obj, uuid))
    }

    pub fn dump_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        text(
            self.driver
                .answer((self.table.dump_xml)(self.driver.obj, uuid, flags))?,
        )
    }

    pub fn define(&self, call: Call, xml: &str, flags: u32) -> Result<DomainBrief> {
        let defined = (self.table.define)(self.driver.obj, call, xml.into(), flags);
        self.driver.answer(defined)?.try_into()
    }

    pub fn create(&self, call: Call, xml: &str, flags: u32) -> Result<DomainBrief> {
        let created = (self.table.create)(self.driver.obj, call, xml.into(), flags);
        self.driver.answer(created)?.try_into()
    }

    pub fn undefine(&self, call: Call, uuid: Uuid, flags: u32) -> Result<()> {
        self.driver
            .answer((self.table.undefine)(self.driver.obj, call, uuid, flags))
    }

    pub fn start(&self, call: Call, uuid: Uuid, flags: u32) -> Result<DomainBrief> {
        let started = (self.table.start)(self.driver.obj, call, uuid, flags);
        self.driver.answer(started)?.try_into()
    }

    pub fn shutdown(&self, call: Call, uuid: Uuid, flags: u32) -> Result<()> {
        self.driver
            .answer((self.table.shutdown)(self.driver.obj, call, uuid, flags))
    }

    pub fn reboot(&self, call: Call, uuid: Uuid, flags: u32) -> Result<()> {
        self.driver
            .answer((self.table.reboot)(self.driver.obj, call, uuid, flags))
    }

    pub fn destroy(&self, call: Call, uuid: Uuid, flags: u32) -> Result<()> {
        self.driver
            .answer((self.table.destroy)(self.driver.obj, call, uuid, flags))
    }

    pub fn suspend(&self, call: Call, uuid: Uuid) -> Result<()> {
        self.driver.answer((self.table.suspend)(self.driver.obj, call, uuid))
    }

    pub fn resume(&self, call: Call, uuid: Uuid) -> Result<()> {
        self.driver.answer((self.table.resume)(self.driver.obj, call, uuid))
    }

    pub fn set_autostart(&self, call: Call, uuid: Uuid, on: bool) -> Result<()> {
        let done = (self.table.set_autostart)(self.driver.obj, call, uuid, flag(on));
        self.driver.answer(done)
    }

    pub fn guest_event(&self, call: Call, guest: GuestId, event: GuestEvent) -> Result<()> {
        let done = (self.table.guest_event)(self.driver.obj, call, guest.0, event.into());
        self.driver.answer(done)
    }

    pub fn filtered_ports(&self, call: Call, filters: &[String]) -> Result<Vec<PortRequest>> {
        let ports = (self.table.filtered_ports)(self.driver.obj, call, from_texts(filters));
        each(self.driver.answer(ports)?, PortRequest::try_from)
    }
}
