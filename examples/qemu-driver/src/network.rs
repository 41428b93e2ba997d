//! Ports: a guest's taps from their making to their end, attached to nothing before their filters are in force.

use crate::core::{Core, insist};
use crate::def::{DomainDef, Interface, OWN_TAP};
use crate::fault::{fault, system};
use crate::sys;
use driver_api::error::{Code, Result};
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{R, Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::filter::PortRequest;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;

/// A tap of the guest that is being started. It goes when neither this nor the guest has it open.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
}

impl Core {
    /// Makes a guest's taps, has them filtered, and only then attaches them.
    ///
    /// # Errors
    /// What the kernel or the filter driver says; the caller clears away what the domain's record tells of.
    pub(crate) fn open_ports(&self, cx: &mut Cx<'_, Unlocked>, def: &DomainDef, id: i32) -> Result<Vec<Tap>> {
        let interfaces = def.interfaces.iter().enumerate();
        let taps = interfaces.map(|(index, each)| make(each, id, index)).collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = taps.iter().map(|tap| tap.name.clone()).collect();
        {
            // Under one hold: a filter that is defined at the same time finds the domain with all its ports or with none.
            let mut update = cx.update_read()?;
            self.advance(&mut update, def.uuid, |domain| domain.devices.clone_from(&names))?;
            for (interface, name) in def.interfaces.iter().zip(&names) {
                let Some(request) = def.port(interface, name) else {
                    continue;
                };
                let done = self.host.attach_port(&mut update, &request);
                done.map_err(|e| e.within(format!("cannot filter interface '{}'", interface.mac)))?;
            }
        }
        for (interface, tap) in def.interfaces.iter().zip(&taps) {
            connect(interface, &tap.name)?;
        }
        Ok(taps)
    }

    /// Takes the filters off a guest's ports, whose taps are gone or about to go.
    pub(crate) fn close_ports(&self, cx: &mut Cx<'_, Unlocked>, def: &DomainDef, devices: &[String]) {
        let ports = def.interfaces.iter().zip(devices).filter(|(interface, _)| interface.filter.is_some());
        let mut ports = ports.map(|(_, device)| device).peekable();
        if ports.peek().is_none() {
            return;
        }
        let done = insist(cx, |cx| {
            let mut update = cx.update_read()?;
            ports.by_ref().for_each(|port| self.unfilter(&mut update, port));
            Ok(())
        });
        if let Err(error) = done {
            tracing::error!(dom = %def.name, %error, "filters stay on ports that are gone");
        }
    }

    fn unfilter(&self, update: &mut Guard<'_, Update, R>, port: &str) {
        match self.host.detach_port(update, port) {
            Err(error) if matches!(error.code(), Code::NO_NWFILTER_BINDING | Code::NO_SUPPORT) => {
                tracing::debug!(port, "the port has no filter any more");
            }
            Err(error) => tracing::error!(port, %error, "the filter of a port that is gone stays"),
            Ok(()) => {}
        }
    }

    /// The ports of active domains that use one of these filters.
    pub(crate) fn filtered_ports(&self, filters: &[String]) -> Vec<PortRequest> {
        let mut found = Vec::new();
        for domain in self.table.all() {
            let ports = domain.def.interfaces.iter().zip(&domain.devices);
            let requests = ports.filter_map(|(interface, device)| domain.def.port(interface, device));
            found.extend(requests.filter(|request| filters.contains(&request.filter)));
        }
        found
    }
}

/// No two guests get one name, since no two get one id: what is done late for one that is gone never meets another's port.
fn make(interface: &Interface, id: i32, index: usize) -> Result<Tap> {
    let (mac, name) = (interface.mac, interface.target.clone().unwrap_or_else(|| format!("{OWN_TAP}{id}-{index}")));
    match sys::make_tap(&name) {
        Ok(fd) => Ok(Tap { name, fd }),
        Err(e) if e.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => Err(fault(
            Code::OPERATION_FAILED,
            format!("interface '{mac}' can not have the device '{name}': there is one of that name already"),
        )),
        Err(e) => Err(system(format!("cannot make the tap '{name}' of interface '{mac}'"), e)),
    }
}

fn connect(interface: &Interface, name: &str) -> Result<()> {
    let mac = interface.mac;
    let wrong =
        |step: &str, cause: io::Error| system(format!("cannot {step} the tap '{name}' of interface '{mac}'"), cause);
    // Before there is a bridge, which takes the lowest address of its ports for its own.
    sys::set_address(name, mac.host_side()).map_err(|e| wrong("give an address to", e))?;
    if let Some(bridge) = &interface.bridge {
        // The host's own network stack has no business on a port of a bridge. A kernel without IPv6 has no such file.
        let _none = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
        sys::join(bridge, name).map_err(|e| wrong(&format!("attach to bridge '{bridge}'"), e))?;
    }
    sys::switch_on(name).map_err(|e| wrong("switch on", e))
}
