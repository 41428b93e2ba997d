//! `Devices`, `Resources`, `Stats` and `Control`: the host's end of the interfaces that change and measure what runs.

use super::Loaded;
use crate::abi::device::{ControlV1, DevicesV1, ResourcesV1, StatsV1};
use crate::abi::lock::Call;
use crate::abi::record::{all, each_of};
use crate::abi::value::texts;
use crate::error::Result;
use crate::types::device::{AddressSource, Control as ControlState, InterfaceAddresses, ParameterSet};
use crate::types::domain::DomainBrief;
use crate::types::param::Param;
use crate::types::uuid::Uuid;

/// The devices of a driver's domains; each method is that of [`crate::driver::Devices`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Devices<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static DevicesV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked"
)]
impl Devices<'_> {
    pub fn attach_device(&self, call: Call, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let done = (self.table.attach_device)(self.driver.obj, call, uuid, xml.into(), flags);
        self.driver.answer(done)
    }

    pub fn detach_device(&self, call: Call, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let done = (self.table.detach_device)(self.driver.obj, call, uuid, xml.into(), flags);
        self.driver.answer(done)
    }

    pub fn detach_alias(&self, call: Call, uuid: Uuid, alias: &str, flags: u32) -> Result<()> {
        let done = (self.table.detach_alias)(self.driver.obj, call, uuid, alias.into(), flags);
        self.driver.answer(done)
    }

    pub fn update_device(&self, call: Call, uuid: Uuid, xml: &str, flags: u32) -> Result<()> {
        let done = (self.table.update_device)(self.driver.obj, call, uuid, xml.into(), flags);
        self.driver.answer(done)
    }
}

/// The resources of a driver's domains; each method is that of [`crate::driver::Resources`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Resources<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static ResourcesV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked"
)]
impl Resources<'_> {
    pub fn set_memory(&self, call: Call, uuid: Uuid, kib: u64, flags: u32) -> Result<()> {
        self.driver
            .answer((self.table.set_memory)(self.driver.obj, call, uuid, kib, flags))
    }

    pub fn set_vcpus(&self, call: Call, uuid: Uuid, count: u32, flags: u32) -> Result<()> {
        self.driver
            .answer((self.table.set_vcpus)(self.driver.obj, call, uuid, count, flags))
    }

    pub fn vcpus(&self, uuid: Uuid, flags: u32) -> Result<u32> {
        self.driver.answer((self.table.vcpus)(self.driver.obj, uuid, flags))
    }

    pub fn parameters(&self, uuid: Uuid, set: ParameterSet, device: Option<&str>, flags: u32) -> Result<Vec<Param>> {
        let of = device.unwrap_or_default().into();
        let params = (self.table.parameters)(self.driver.obj, uuid, set as u32, of, flags);
        each_of(self.driver.answer(params)?)
    }

    pub fn set_parameters(
        &self,
        call: Call,
        uuid: Uuid,
        set: ParameterSet,
        device: Option<&str>,
        params: Vec<Param>,
        flags: u32,
    ) -> Result<()> {
        let of = device.unwrap_or_default().into();
        let done = (self.table.set_parameters)(self.driver.obj, call, uuid, set as u32, of, all(params), flags);
        self.driver.answer(done)
    }
}

/// The figures of a driver's domains; each method is that of [`crate::driver::Stats`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Stats<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static StatsV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked or answered nonsense"
)]
impl Stats<'_> {
    pub fn stats(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
        each_of(self.driver.answer((self.table.stats)(self.driver.obj, uuid, groups))?)
    }

    pub fn addresses(&self, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        each_of(
            self.driver
                .answer((self.table.addresses)(self.driver.obj, uuid, source as u32))?,
        )
    }
}

/// The control of a driver's domains; each method is that of [`crate::driver::Control`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Control<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static ControlV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked or answered nonsense"
)]
impl Control<'_> {
    pub fn control(&self, uuid: Uuid) -> Result<ControlState> {
        self.driver
            .answer((self.table.control)(self.driver.obj, uuid))?
            .try_into()
    }

    pub fn reset(&self, call: Call, uuid: Uuid) -> Result<()> {
        self.driver.answer((self.table.reset)(self.driver.obj, call, uuid))
    }

    pub fn rename(&self, call: Call, uuid: Uuid, name: &str) -> Result<DomainBrief> {
        self.driver
            .answer((self.table.rename)(self.driver.obj, call, uuid, name.into()))?
            .try_into()
    }

    pub fn block_peek(&self, uuid: Uuid, disk: &str, offset: u64, size: u32) -> Result<Vec<u8>> {
        let bytes = (self.table.block_peek)(self.driver.obj, uuid, disk.into(), offset, size);
        Ok(self.driver.answer(bytes)?.into_vec())
    }

    pub fn set_autostart_once(&self, call: Call, uuid: Uuid, on: bool) -> Result<()> {
        let done = (self.table.set_autostart_once)(self.driver.obj, call, uuid, on.into());
        self.driver.answer(done)
    }

    pub fn messages(&self, uuid: Uuid) -> Result<Vec<String>> {
        texts(self.driver.answer((self.table.messages)(self.driver.obj, uuid))?)
    }
}
