//! Ports: a guest's taps from their making to their end, never attached to anything before their filters are in force.

use crate::core::{Core, fault, seize};
use crate::def::interface::Mac;
use crate::plan::{Nic, Way};
use crate::state::machine::Phase;
use crate::state::record::{Port, Record};
use crate::state::status::Status;
use crate::state::table::Entry;
use driver_api::error::{Code, Result};
use driver_api::lock::guard::Guard;
use driver_api::lock::level::{R, Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::filter::PortRequest;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// How long a chosen name may belong to a guest that has just ended.
const LAST_USER: Duration = Duration::from_secs(10);
/// How many names that turn out to be taken are skipped.
const STRANGERS: u32 = 10_000;

/// A tap that has been made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) port: Port,
    /// Nothing for an interface without a device, whose port has no name.
    pub(super) tap: Option<OwnedFd>,
    /// The name was taken for it just now; else the guest had it before its restart.
    fresh: bool,
}

impl Core {
    /// Makes a guest's taps, has them filtered and only then attaches them. What was the guest's before a restart it gets
    /// again. The caller keeps the descriptors until the guest has its own.
    ///
    /// On failure nothing is left but what the record tells of, which [`Core::rest`] clears away.
    pub(super) fn open_ports(&self, cx: &mut Cx<'_, Unlocked>, entry: &Entry, nics: &[Nic]) -> Result<Vec<OwnedFd>> {
        if nics.is_empty() {
            return Ok(Vec::new());
        }
        let former = Arc::clone(&entry.record()?.ports);
        let made = self.make_taps(entry, nics, &former)?;
        if let Err(error) = self.announce_ports(cx, entry, &made, &former) {
            self.abandon(made);
            return Err(error);
        }
        for (made, nic) in made.iter().zip(nics).filter(|(_, nic)| nic.way == Way::Tap) {
            self.network.connect(&made.port.device, nic)?;
        }
        Ok(made.into_iter().filter_map(|made| made.tap).collect())
    }

    fn make_taps(&self, entry: &Entry, nics: &[Nic], former: &[Port]) -> Result<Vec<Made>> {
        let mut made = Vec::new();
        for (index, nic) in nics.iter().enumerate() {
            let before = former.get(index).map(|port| port.device.as_str());
            let before = before.filter(|name| !name.is_empty());
            match self.make_tap(entry, nic, before) {
                Ok(tap) => made.push(tap),
                Err(error) => {
                    self.abandon(made);
                    return Err(error);
                }
            }
        }
        Ok(made)
    }

    pub(super) fn make_tap(&self, entry: &Entry, nic: &Nic, before: Option<&str>) -> Result<Made> {
        let made = |name: &str, tap, fresh| Made {
            port: Port::new(name, nic, entry),
            tap: Some(tap),
            fresh,
        };
        if !nic.has_device() {
            return Ok(Made {
                port: Port::new("", nic, entry),
                tap: None,
                fresh: false,
            });
        }
        if nic.way == Way::ForeignTap {
            return self.adopt_tap(entry, nic, before);
        }
        if let Some(name) = before
            && let Some(tap) = self.network.make(name, nic)?
        {
            return Ok(made(name, tap, false));
        }
        if let Some(name) = &nic.device {
            if before.is_none() && !self.names.take(name, LAST_USER) {
                return Err(occupied(nic.mac, name, "another domain has it"));
            }
            let tap = self.network.make(name, nic).and_then(|tap| {
                let stranger = "there is a device of that name already, choose another or remove it";
                tap.ok_or_else(|| occupied(nic.mac, name, stranger))
            });
            return match tap {
                Ok(tap) => Ok(made(name, tap, before.is_none())),
                Err(error) => {
                    if before.is_none() {
                        self.names.free(name);
                    }
                    Err(error)
                }
            };
        }
        for _ in 0..STRANGERS {
            let name = self.names.fresh();
            match self.network.make(&name, nic) {
                Ok(Some(tap)) => return Ok(made(&name, tap, true)),
                other => {
                    self.names.free(&name);
                    other?;
                }
            }
        }
        Err(occupied(nic.mac, "vnetN", "every such name is taken"))
    }

    /// Opens a tap that somebody else made; its name is the guest's as long as it has it.
    fn adopt_tap(&self, entry: &Entry, nic: &Nic, before: Option<&str>) -> Result<Made> {
        let name = nic.device.as_deref().unwrap_or_default();
        let fresh = before != Some(name);
        if fresh && !self.names.take(name, LAST_USER) {
            return Err(occupied(nic.mac, name, "another domain has it"));
        }
        let tap = self.network.adopt(name, nic).inspect_err(|_| {
            if fresh {
                self.names.free(name);
            }
        })?;
        Ok(Made {
            port: Port::new(name, nic, entry),
            tap: Some(tap),
            fresh,
        })
    }

    /// Removes taps that come to nothing. Names that the guest had before stay its own.
    pub(super) fn abandon(&self, made: Vec<Made>) {
        for Made { port, tap, fresh } in made {
            drop(tap);
            if fresh {
                self.names.free(&port.device);
            }
        }
    }

    /// Has every port filtered and says whose they are, both under one hold: a filter that is defined at the same time
    /// finds the domain with all its ports or with none.
    fn announce_ports(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        entry: &Entry,
        made: &[Made],
        former: &Arc<[Port]>,
    ) -> Result<()> {
        let mut update = cx.update_read()?;
        // Also those that had their filter before a restart: it may have been taken off by others since.
        let mut done = Vec::new();
        for Made { port, .. } in made {
            let Some(request) = &port.request else { continue };
            if let Err(error) = self.host.attach_port(&mut update, request) {
                self.unfilter(&mut update, done.into_iter());
                return Err(error.within(format!("cannot filter interface '{}'", request.mac)));
            }
            done.push(port.device.as_str());
        }
        let published = seize(&mut update, entry.uuid).and_then(|mut domain| {
            let mut record = Record::clone(&*entry.record()?);
            record.ports = made.iter().map(|made| made.port.clone()).collect();
            if record.phase == Phase::Starting {
                self.store.save_status(entry.uuid, &unborn(&record))?;
            }
            entry.publish(&mut domain, Some(record));
            Ok(())
        });
        if published.is_err() {
            self.unfilter(&mut update, done.into_iter());
            return published;
        }
        // A name that could not be had again is nobody's now.
        let again = |port: &&Port| made.iter().any(|made| made.port.device == port.device);
        let lost: Vec<Port> = former.iter().filter(|port| !again(port)).cloned().collect();
        self.unfilter(&mut update, filtered(&lost));
        lost.iter().for_each(|port| self.names.free(&port.device));
        Ok(())
    }

    /// Takes the filters off a guest's ports, whose taps went with it, and gives their names back.
    pub(crate) fn close_ports(&self, cx: &mut Cx<'_, Unlocked>, ports: &[Port]) {
        self.unfilter_gone(cx, filtered(ports));
        ports.iter().for_each(|port| self.names.free(&port.device));
    }

    /// The same, for a guest of the last host of which only the names of its devices are known.
    pub(crate) fn close_devices(&self, cx: &mut Cx<'_, Unlocked>, devices: &[&str]) {
        let named = devices.iter().copied().filter(|name| !name.is_empty());
        self.unfilter_gone(cx, named);
        devices.iter().for_each(|device| self.names.free(device));
    }

    fn unfilter_gone<'a>(&self, cx: &mut Cx<'_, Unlocked>, devices: impl Iterator<Item = &'a str>) {
        let mut devices = devices.peekable();
        if devices.peek().is_none() {
            return;
        }
        match cx.update_read() {
            Ok(mut update) => self.unfilter(&mut update, devices),
            Err(error) => tracing::error!(%error, "filters stay on ports that are gone"),
        }
    }

    pub(super) fn unfilter<'a>(&self, update: &mut Guard<'_, Update, R>, devices: impl Iterator<Item = &'a str>) {
        for port in devices {
            match self.host.detach_port(update, port) {
                Err(error) if matches!(error.code(), Code::NO_NWFILTER_BINDING | Code::NO_SUPPORT) => {
                    tracing::debug!(port, "the port had no filter any more");
                }
                Err(error) => tracing::error!(port, %error, "the filter of a port that is gone stays"),
                Ok(()) => {}
            }
        }
    }

    /// The ports of active domains that use one of these filters.
    pub(crate) fn filtered_ports(&self, filters: &[String]) -> Vec<PortRequest> {
        let records = self.table.entries().into_iter().filter_map(|entry| entry.load());
        let requests = records.flat_map(|record| {
            let ports = record.ports.iter().chain(&record.arriving);
            let ports = ports.filter_map(|port| port.request.clone());
            ports.collect::<Vec<_>>()
        });
        requests.filter(|request| filters.contains(&request.filter)).collect()
    }
}

/// What a next host must know of a start that this one does not live to finish: which filters to take off.
fn unborn(record: &Record) -> Status {
    Status {
        id: record.id,
        phase: record.phase,
        reason: record.reason,
        autodestroy: record.autodestroy,
        devices: record.devices(),
        xml: record.current.to_xml(None),
        ..Status::default()
    }
}

/// The devices of those ports that have a filter.
fn filtered(ports: &[Port]) -> impl Iterator<Item = &str> {
    let filtered = ports.iter().filter(|port| port.request.is_some());
    filtered.map(|port| port.device.as_str())
}

fn occupied(mac: Mac, name: &str, why: &str) -> driver_api::error::Error {
    let message = format!("interface '{mac}' can not have the device '{name}': {why}");
    fault(Code::OPERATION_FAILED, message)
}
