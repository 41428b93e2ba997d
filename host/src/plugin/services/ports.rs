//! `ports/1` over the other plug-ins: the filter driver for a port, the virt drivers for the ports of a filter.

use crate::plugin::desk::Desk;
use crate::plugin::entry::{Context, Plugin};
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::loaded::Bindings;
use driver_api::kit::offer::PortService;
use driver_api::lock::level::{Level, Update};
use driver_api::types::filter::PortRequest;
use std::time::Duration;

/// The inner call ends when the outer one must.
fn context(call: Call) -> Context {
    Context {
        client: None,
        within: (call.deadline_ms > 0).then(|| Duration::from_millis(call.deadline_ms)),
    }
}

impl Desk {
    fn with_bindings(
        &self,
        call: Call,
        method: &'static str,
        work: impl FnOnce(&Bindings<'_>, Call) -> Result<()>,
    ) -> Result<()> {
        self.locks.require(self.caller(call), Update::RANK)?;
        let nobody = || Error::new(Code::NO_SUPPORT, Origin::NWFILTER, "no loaded driver filters ports");
        let filter = self.plugins()?.filter_driver().ok_or_else(nobody)?;
        filter.call_at(Update::RANK, method, &context(call), |driver, inner| {
            work(&driver.bindings().ok_or_else(nobody)?, inner)
        })
    }
}

impl PortService for Desk {
    fn attach_port(&self, call: Call, request: &PortRequest) -> Result<()> {
        self.with_bindings(call, "attach_port", |bindings, inner| {
            bindings.attach_port(inner, request)
        })
    }

    fn detach_port(&self, call: Call, port: &str) -> Result<()> {
        self.with_bindings(call, "detach_port", |bindings, inner| bindings.detach_port(inner, port))
    }

    fn filtered_ports(&self, call: Call, filters: &[String]) -> Result<Vec<PortRequest>> {
        self.locks.require(self.caller(call), Update::RANK)?;
        let of = |plugin: &Plugin| {
            plugin.call_at(Update::RANK, "filtered_ports", &context(call), |driver, inner| {
                driver
                    .virt()
                    .map_or(Ok(Vec::new()), |virt| virt.filtered_ports(inner, filters))
            })
        };
        let mut virts = self.plugins()?.virts();
        // One that is out of service must not keep filters from changing: its guests' ports are bound, and stay so.
        virts.retain(|plugin| !self.locks.is_quarantined(plugin.number()));
        let ports: Result<Vec<Vec<PortRequest>>> = virts.iter().map(|plugin| of(plugin)).collect();
        Ok(ports?.concat())
    }
}
