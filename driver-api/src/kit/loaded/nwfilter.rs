//! `Filters` and `Bindings`: the host's end of `nwfilter.define/1` and `nwfilter.binding/1`.

use super::Loaded;
use crate::abi::lock::Call;
use crate::abi::nwfilter::{BindingV1, FilterV1};
use crate::abi::value::{each, text};
use crate::error::Result;
use crate::types::filter::{BindingBrief, FilterBrief, PortRequest};
use crate::types::uuid::Uuid;

/// A driver's filters; each method is that of [`crate::driver::FilterDriver`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Filters<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static FilterV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked or answered nonsense"
)]
impl Filters<'_> {
    pub fn filters(&self) -> Result<Vec<FilterBrief>> {
        each(
            self.driver.answer((self.table.filters)(self.driver.obj))?,
            FilterBrief::try_from,
        )
    }

    pub fn filter_xml(&self, uuid: Uuid, flags: u32) -> Result<String> {
        text(
            self.driver
                .answer((self.table.filter_xml)(self.driver.obj, uuid, flags))?,
        )
    }

    pub fn define_filter(&self, call: Call, xml: &str, flags: u32) -> Result<FilterBrief> {
        let defined = (self.table.define_filter)(self.driver.obj, call, xml.into(), flags);
        self.driver.answer(defined)?.try_into()
    }

    pub fn undefine_filter(&self, call: Call, uuid: Uuid) -> Result<()> {
        self.driver
            .answer((self.table.undefine_filter)(self.driver.obj, call, uuid))
    }
}

/// A driver's bindings; each method is that of [`crate::driver::BindingDriver`] with the same name.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a> {
    pub(super) driver: &'a Loaded,
    pub(super) table: &'static BindingV1,
}

#[allow(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "documented at the trait; errors are the driver's, or code 1 when it panicked or answered nonsense"
)]
impl Bindings<'_> {
    pub fn bindings(&self) -> Result<Vec<BindingBrief>> {
        each(
            self.driver.answer((self.table.bindings)(self.driver.obj))?,
            BindingBrief::try_from,
        )
    }

    pub fn binding_xml(&self, port: &str, flags: u32) -> Result<String> {
        let xml = (self.table.binding_xml)(self.driver.obj, port.into(), flags);
        text(self.driver.answer(xml)?)
    }

    pub fn create_binding(&self, call: Call, xml: &str, flags: u32) -> Result<BindingBrief> {
        let created = (self.table.create_binding)(self.driver.obj, call, xml.into(), flags);
        self.driver.answer(created)?.try_into()
    }

    pub fn delete_binding(&self, call: Call, port: &str) -> Result<()> {
        self.driver
            .answer((self.table.delete_binding)(self.driver.obj, call, port.into()))
    }

    pub fn attach_port(&self, call: Call, request: &PortRequest) -> Result<()> {
        self.driver
            .answer((self.table.attach_port)(self.driver.obj, call, request.into()))
    }

    pub fn detach_port(&self, call: Call, port: &str) -> Result<()> {
        self.driver
            .answer((self.table.detach_port)(self.driver.obj, call, port.into()))
    }
}
