//! A guest's addresses: as the host's neighbours, as a DHCP server's leases, as its agent tells.

use super::lease;
use crate::core::{Core, fault};
use crate::def::interface::Mac;
use crate::def::live::interface_alias;
use crate::state::record::Record;
use driver_api::error::{Code, Result};
use driver_api::types::device::{Address, AddressSource, InterfaceAddresses};
use driver_api::types::uuid::Uuid;
use std::net::IpAddr;

impl Core {
    /// The addresses of a running guest, interface by interface; those without any are left out.
    pub(crate) fn addresses(&self, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        let record = self.table.record(uuid)?;
        let name = &record.current.name;
        if !record.phase.is_active() {
            let message = format!("domain '{name}' is not running and has no addresses");
            return Err(fault(Code::OPERATION_INVALID, message));
        }
        match source {
            AddressSource::Arp => {
                let neighbours = self.network.neighbours().map_err(|cause| {
                    fault(Code::SYSTEM_ERROR, "the kernel does not tell the host's neighbours").because(cause)
                })?;
                Ok(of_interfaces(&record, |mac| {
                    let own = neighbours.iter().filter(|neighbour| neighbour.mac == mac);
                    own.map(|neighbour| neighbour.address).collect()
                }))
            }
            AddressSource::Lease => {
                let files = &self.options.lease_files;
                if files.is_empty() {
                    let message =
                        "no leases are known: name dnsmasq's files in the option 'lease_files' of the uml driver";
                    return Err(fault(Code::OPERATION_UNSUPPORTED, message));
                }
                let leases = lease::read_all(files)?;
                Ok(of_interfaces(&record, |mac| {
                    let own = leases.iter().filter(|lease| lease.mac == mac);
                    own.map(|lease| lease.address).collect()
                }))
            }
            AddressSource::Agent => {
                let guest = record.run.as_ref().map(|run| run.guest);
                let agent = guest.and_then(|guest| self.pulse.book.of(guest).agent);
                let agent = agent.ok_or_else(|| no_agent(name))?;
                Ok(agent.interfaces.to_vec())
            }
        }
    }
}

/// "There is nobody in the guest who could be asked."
pub(crate) fn no_agent(name: &str) -> driver_api::error::Error {
    let message = format!("the agent in domain '{name}' has not been heard of: does it run in the guest?");
    fault(Code::AGENT_UNRESPONSIVE, message)
}

fn of_interfaces(record: &Record, addresses: impl Fn(Mac) -> Vec<IpAddr>) -> Vec<InterfaceAddresses> {
    let mut found = Vec::new();
    for (index, interface) in record.current.interfaces.iter().enumerate() {
        let mut addresses = addresses(interface.mac);
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            continue;
        }
        let device = record.ports.get(index).map(|port| port.device.clone());
        let device = device.filter(|device| !device.is_empty());
        found.push(InterfaceAddresses {
            name: device.unwrap_or_else(|| interface_alias(interface.number, interface.alias.as_deref())),
            mac: Some(interface.mac.to_string()),
            // Neither the neighbours nor the leases tell how large the network is.
            addresses: addresses
                .into_iter()
                .map(|address| Address { address, prefix: 0 })
                .collect(),
        });
    }
    found
}
