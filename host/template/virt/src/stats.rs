//! `virt.stats/1`, an optional interface: figures out of a snapshot. Nothing here locks or waits.

use crate::Plugin;
use driver_api::driver::Stats;
use driver_api::error::Result;
use driver_api::types::device::{AddressSource, InterfaceAddresses, stats as group};
use driver_api::types::param::Param;
use driver_api::types::uuid::Uuid;

impl Stats for Plugin {
    fn stats(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
        let domain = self.table.get(uuid)?;
        let mut params = Vec::new();
        if groups & group::STATE != 0 {
            params.push(Param::new("state.state", domain.state as i32));
            params.push(Param::new("state.reason", domain.reason.0.cast_signed()));
        }
        if groups & group::BALLOON != 0 {
            params.push(Param::new("balloon.current", domain.current.memory_kib));
            params.push(Param::new("balloon.maximum", domain.current.max_memory_kib));
        }
        if groups & group::VCPU != 0 {
            params.push(Param::new("vcpu.current", domain.current.vcpus));
            params.push(Param::new("vcpu.maximum", domain.current.vcpus));
        }
        Ok(params)
    }

    fn addresses(&self, uuid: Uuid, _source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        let domain = self.table.get(uuid)?;
        match domain.id {
            Some(_) => Ok(Vec::new()),
            None => Err(domain.refused("is not running")),
        }
    }
}
