//! The filtered ports of guests: asked of the host when a guest comes, given back when it goes.

use super::def::{Def, mac, target};
use super::model::Domain;
use crate::core::Mock;
use driver_api::error::Result;
use driver_api::kit::xml::Element;
use driver_api::lock::level::Update;
use driver_api::lock::token::Cx;
use driver_api::types::filter::PortRequest;

/// The port of an interface that wants a filter.
pub(super) fn request(def: &Def, device: &Element) -> Option<PortRequest> {
    let filter = device.child("filterref")?;
    let parameter =
        |parameter: &Element| Some((parameter.attr("name")?.to_owned(), parameter.attr("value")?.to_owned()));
    Some(PortRequest {
        port: target(device)?.to_owned(),
        mac: mac(device)?.to_ascii_lowercase(),
        filter: filter.attr("filter")?.to_owned(),
        parameters: filter.children_named("parameter").filter_map(parameter).collect(),
        owner: def.uuid,
        owner_name: def.name.clone(),
    })
}

fn requests(def: &Def) -> impl Iterator<Item = PortRequest> {
    def.devices_named("interface")
        .filter_map(|(_, device)| request(def, device))
}

impl Mock {
    /// Filters every port of a guest, or none.
    pub(super) fn attach_ports(&self, cx: &mut Cx<'_, Update>, def: &Def) -> Result<()> {
        let mut done: Vec<PortRequest> = Vec::new();
        for port in requests(def) {
            if let Err(error) = self.host.attach_port(cx, &port) {
                for port in done.iter().rev() {
                    self.detach(cx, &port.port);
                }
                let message = format!("cannot filter port '{}' of domain '{}'", port.port, def.name);
                return Err(error.within(message));
            }
            done.push(port);
        }
        Ok(())
    }

    /// Gives back every port of a guest that is gone.
    pub(super) fn detach_ports(&self, cx: &mut Cx<'_, Update>, def: &Def) {
        for port in requests(def) {
            self.detach(cx, &port.port);
        }
    }

    /// Gives back one port. The guest is gone whether that works or not, so that a failure is only told.
    pub(super) fn detach(&self, cx: &mut Cx<'_, Update>, port: &str) {
        if let Err(error) = self.host.detach_port(cx, port) {
            tracing::warn!(port, %error, "the filter of a port that is gone could not be taken off");
        }
    }

    /// The ports of active domains that use one of these filters.
    pub(super) fn ports_with(&self, filters: &[String]) -> Vec<PortRequest> {
        let active = |domain: &std::sync::Arc<Domain>| domain.run.is_some();
        let ports = self.domains.all().into_iter().filter(active);
        ports
            .flat_map(|domain| requests(&domain.def).collect::<Vec<_>>())
            .filter(|port| filters.contains(&port.filter))
            .collect()
    }

    /// A name for a port that no guest of this driver has.
    pub(super) fn new_port(&self) -> String {
        let all = self.domains.all();
        let taken = |name: &str| {
            all.iter()
                .any(|domain| domain.def.devices().any(|device| target(device) == Some(name)))
        };
        loop {
            let name = format!("mock{}", self.domains.next_port());
            if !taken(&name) {
                return name;
            }
        }
    }
}
