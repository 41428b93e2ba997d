//! `virt.stats/1`: figures of guests that do nothing but grow older, and addresses as their documents say.

use super::def::{alias, mac, target};
use super::model::Domain;
use crate::core::Mock;
use crate::fault::{Part, fault};
use driver_api::driver::Stats;
use driver_api::error::{Code, Result};
use driver_api::kit::xml::Element;
use driver_api::types::device::{Address, AddressSource, InterfaceAddresses, stats};
use driver_api::types::domain::State;
use driver_api::types::param::{Param, Value};
use driver_api::types::uuid::Uuid;

/// A guest uses this part of the time that it runs.
const SHARE: u64 = 100;

/// Processor time in nanoseconds.
pub(super) fn cpu_time(domain: &Domain) -> u64 {
    let elapsed = domain.run.map_or(0, |run| run.since.elapsed().as_nanos());
    u64::try_from(elapsed).unwrap_or(u64::MAX) / SHARE
}

/// Figures whose names begin alike.
struct Group<'a> {
    prefix: String,
    params: &'a mut Vec<Param>,
}

impl Group<'_> {
    fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.params.push(Param::new(format!("{}{name}", self.prefix), value));
    }
}

fn group(prefix: impl Into<String>, params: &mut Vec<Param>) -> Group<'_> {
    Group {
        prefix: prefix.into(),
        params,
    }
}

fn called(device: &Element) -> &str {
    target(device).or(alias(device)).unwrap_or(&device.name)
}

fn count(domain: &Domain, kind: &str) -> u32 {
    u32::try_from(domain.def.devices_named(kind).count()).unwrap_or(u32::MAX)
}

fn of_processors(domain: &Domain, params: &mut Vec<Param>) {
    let mut figures = group("vcpu.", params);
    figures.add("current", domain.def.vcpus);
    figures.add("maximum", domain.def.max_vcpus);
    if domain.run.is_some() {
        let each = cpu_time(domain) / u64::from(domain.def.vcpus.max(1));
        for number in 0..domain.def.vcpus {
            figures.add(&format!("{number}.state"), 1_i32);
            figures.add(&format!("{number}.time"), each);
        }
    }
}

fn of_interfaces(domain: &Domain, params: &mut Vec<Param>) {
    group("net.", params).add("count", count(domain, "interface"));
    for (place, interface) in domain.def.devices_named("interface") {
        let mut figures = group(format!("net.{place}."), params);
        figures.add("name", called(interface));
        for name in [
            "rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop",
        ] {
            figures.add(name, 0_u64);
        }
    }
}

fn of_disks(domain: &Domain, params: &mut Vec<Param>) {
    group("block.", params).add("count", count(domain, "disk"));
    for (place, disk) in domain.def.devices_named("disk") {
        let mut figures = group(format!("block.{place}."), params);
        figures.add("name", called(disk));
        if let Some(file) = disk.child("source").and_then(|source| source.attr("file")) {
            figures.add("path", file);
        }
        for name in [
            "rd.reqs",
            "rd.bytes",
            "wr.reqs",
            "wr.bytes",
            "allocation",
            "capacity",
            "physical",
        ] {
            figures.add(name, 0_u64);
        }
    }
}

impl Stats for Mock {
    fn stats(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
        let domain = self.domains.get(uuid)?;
        let mut params = Vec::new();
        if groups & stats::STATE != 0 {
            let brief = domain.brief();
            let mut figures = group("state.", &mut params);
            figures.add("state", (brief.state as u32).cast_signed());
            figures.add("reason", brief.reason.0.cast_signed());
        }
        if groups & stats::CPU_TOTAL != 0 && domain.run.is_some() {
            let mut figures = group("cpu.", &mut params);
            figures.add("time", cpu_time(&domain));
            figures.add("user", cpu_time(&domain));
            figures.add("system", 0_u64);
        }
        if groups & stats::BALLOON != 0 {
            let mut figures = group("balloon.", &mut params);
            figures.add("current", domain.def.memory_kib);
            figures.add("maximum", domain.def.max_memory_kib);
        }
        if groups & stats::VCPU != 0 {
            of_processors(&domain, &mut params);
        }
        if groups & stats::INTERFACE != 0 {
            of_interfaces(&domain, &mut params);
        }
        if groups & stats::BLOCK != 0 {
            of_disks(&domain, &mut params);
        }
        Ok(params)
    }

    fn addresses(&self, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        let domain = self.domains.get(uuid)?;
        let run = domain.running()?;
        if source == AddressSource::Agent {
            let message = format!(
                "there is no agent in domain '{}', which lives in memory: ask for leases",
                domain.name()
            );
            return Err(fault(Part::Domain, Code::AGENT_UNRESPONSIVE, message));
        }
        if run.state == State::Paused && source == AddressSource::Arp {
            return Ok(Vec::new());
        }
        Ok(domain
            .def
            .devices_named("interface")
            .map(|(_, device)| addresses(device))
            .collect())
    }
}

fn addresses(device: &Element) -> InterfaceAddresses {
    let address = |ip: &Element| {
        Some(Address {
            address: ip.attr("address")?.parse().ok()?,
            prefix: ip.attr("prefix").and_then(|prefix| prefix.parse().ok()).unwrap_or(0),
        })
    };
    InterfaceAddresses {
        name: called(device).to_owned(),
        mac: mac(device).map(str::to_owned),
        addresses: device.children_named("ip").filter_map(address).collect(),
    }
}
