//! `virt.stats/1` of this driver.

use super::Uml;
use driver_api::driver::Stats;
use driver_api::error::Result;
use driver_api::types::device::{AddressSource, InterfaceAddresses};
use driver_api::types::param::Param;
use driver_api::types::uuid::Uuid;

impl Stats for Uml {
    fn stats(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
        self.0.figures(uuid, groups)
    }

    fn addresses(&self, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        self.0.addresses(uuid, source)
    }
}
