//! `nwfilter.binding/1`: filters on ports. Each holds Update, so that no definition changes meanwhile.

use super::binding::Binding;
use super::table::check;
use crate::core::Mock;
use crate::fault::{Part, fault, known_flags};
use driver_api::driver::BindingDriver;
use driver_api::error::{Code, Result};
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::flags::DEFINE_VALIDATE;
use driver_api::types::filter::{BindingBrief, PortRequest};
use std::collections::BTreeSet;

const PART: Part = Part::Filter;

impl BindingDriver for Mock {
    fn bindings(&self) -> Vec<BindingBrief> {
        self.filters.ports().values().map(|bound| bound.brief()).collect()
    }

    fn binding_xml(&self, port: &str, flags: u32) -> Result<String> {
        known_flags(PART, "nwfilter-binding-dumpxml", flags, 0)?;
        Ok(self.filters.port(port)?.element.to_string())
    }

    fn create_binding(&self, cx: &mut Cx<'_, Unlocked>, xml: &str, flags: u32) -> Result<BindingBrief> {
        known_flags(PART, "nwfilter-binding-create", flags, DEFINE_VALIDATE)?;
        self.in_service(PART)?;
        let binding = Binding::read(xml)?;
        let _filters_stay = cx.update_read()?;
        self.bind(binding, |_| false)
    }

    fn delete_binding(&self, cx: &mut Cx<'_, Unlocked>, port: &str) -> Result<()> {
        self.in_service(PART)?;
        self.filters.port(port)?;
        let mut update = cx.update_read()?;
        let bound = self.filters.port(port)?;
        let filter = BTreeSet::from([bound.reference.filter.clone()]);
        if bound.guests
            && self
                .guests_ports(&mut update, &filter)?
                .iter()
                .any(|request| request.port == port)
        {
            let message = format!(
                "port '{port}' belongs to the running domain '{}': its filter goes when that stops",
                bound.owner
            );
            return Err(fault(PART, Code::OPERATION_INVALID, message));
        }
        self.unbind(port)
    }

    fn attach_port(&self, _cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        self.in_service(PART)?;
        let binding = Binding::of_request(request)?;
        // In force already it is left alone.
        if self.filters.port(&request.port).is_ok_and(|bound| *bound == binding) {
            return Ok(());
        }
        // One of a guest that a host left behind in the middle of its start or end is nobody's any more.
        self.bind(binding, |bound| bound.guests).map(drop)
    }

    fn detach_port(&self, _cx: &mut Cx<'_, Update>, port: &str) -> Result<()> {
        self.in_service(PART)?;
        self.unbind(port)
    }
}

impl Mock {
    /// Binds a port; a binding that is there must be one that `gives_way`.
    fn bind(&self, binding: Binding, gives_way: impl Fn(&Binding) -> bool) -> Result<BindingBrief> {
        let _busy = self.filters.busy(&binding.port)?;
        if let Ok(bound) = self.filters.port(&binding.port)
            && !gives_way(&bound)
        {
            let message = format!(
                "port '{}' is bound to filter '{}' already",
                bound.port, bound.reference.filter
            );
            return Err(fault(PART, Code::OPERATION_FAILED, message));
        }
        check(&self.filters.set(), &binding)?;
        self.filter_store.save_binding(&binding)?;
        let brief = binding.brief();
        self.filters.publish_port(binding);
        tracing::info!(port = brief.port, filter = brief.filter, "port bound");
        Ok(brief)
    }

    fn unbind(&self, port: &str) -> Result<()> {
        let _busy = self.filters.busy(port)?;
        self.filters.port(port)?;
        self.filter_store.remove_binding(port)?;
        self.filters.remove_port(port);
        tracing::info!(port, "port no longer bound");
        Ok(())
    }
}
