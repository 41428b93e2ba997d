//! `virt.stats/1`: figures of domains that do nothing, so that most of them are 0, and addresses as their elements say.

use crate::devices::Device;
use crate::{Hello, unsupported, wrong_state};
use driver_api::driver::Stats;
use driver_api::error::Result;
use driver_api::kit::xml::Element;
use driver_api::types::device::{Address, AddressSource, InterfaceAddresses, stats};
use driver_api::types::domain::DomainBrief;
use driver_api::types::param::{Param, Value};
use driver_api::types::uuid::Uuid;

/// Figures under the names of one group.
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

fn named<'d>(devices: &'d [Device], name: &'static str) -> impl Iterator<Item = (usize, &'d Device)> {
    devices
        .iter()
        .filter(move |device| device.element.name == name)
        .enumerate()
}

fn count(devices: &[Device], name: &'static str) -> u32 {
    u32::try_from(named(devices, name).count()).unwrap_or(u32::MAX)
}

fn of_disks(devices: &[Device], params: &mut Vec<Param>) {
    group("block.", params).add("count", count(devices, "disk"));
    for (place, disk) in named(devices, "disk") {
        let mut figures = group(format!("block.{place}."), params);
        figures.add("name", disk.target().unwrap_or(&disk.alias));
        let source = disk.element.child("source");
        if let Some(file) = source.and_then(|source| source.attr("file")) {
            figures.add("path", file);
        }
        for name in ["rd.reqs", "rd.bytes", "wr.reqs", "wr.bytes"] {
            figures.add(name, 0_u64);
        }
        for name in ["allocation", "capacity", "physical"] {
            figures.add(name, 0_u64);
        }
    }
}

fn of_interfaces(devices: &[Device], params: &mut Vec<Param>) {
    group("net.", params).add("count", count(devices, "interface"));
    for (place, interface) in named(devices, "interface") {
        let mut figures = group(format!("net.{place}."), params);
        figures.add("name", interface.target().unwrap_or(&interface.alias));
        for name in ["rx.bytes", "rx.pkts", "tx.bytes", "tx.pkts"] {
            figures.add(name, 0_u64);
        }
    }
}

fn of_processor(brief: &DomainBrief, params: &mut Vec<Param>) {
    let mut figures = group("vcpu.", params);
    figures.add("current", brief.vcpus);
    figures.add("maximum", brief.vcpus);
    if brief.id.is_some() {
        figures.add("0.state", 1_i32);
        figures.add("0.time", 0_u64);
    }
}

impl Stats for Hello {
    fn stats(&self, uuid: Uuid, groups: u32) -> Result<Vec<Param>> {
        let brief = self.get(uuid)?;
        let devices = self.with(uuid, |extras| extras.devices.clone());
        let mut params = Vec::new();
        if groups & stats::STATE != 0 {
            let mut figures = group("state.", &mut params);
            figures.add("state", (brief.state as u32).cast_signed());
            figures.add("reason", brief.reason.0.cast_signed());
        }
        if groups & stats::CPU_TOTAL != 0 && brief.id.is_some() {
            let mut figures = group("cpu.", &mut params);
            for name in ["time", "user", "system"] {
                figures.add(name, 0_u64);
            }
        }
        if groups & stats::BALLOON != 0 {
            let mut figures = group("balloon.", &mut params);
            figures.add("current", brief.memory_kib);
            figures.add("maximum", brief.max_memory_kib);
        }
        if groups & stats::VCPU != 0 {
            of_processor(&brief, &mut params);
        }
        if groups & stats::INTERFACE != 0 {
            of_interfaces(&devices, &mut params);
        }
        if groups & stats::BLOCK != 0 {
            of_disks(&devices, &mut params);
        }
        Ok(params)
    }

    fn addresses(&self, uuid: Uuid, source: AddressSource) -> Result<Vec<InterfaceAddresses>> {
        let brief = self.get(uuid)?;
        if brief.id.is_none() {
            return Err(wrong_state(&brief, "is not running"));
        }
        if source == AddressSource::Agent {
            return Err(unsupported("ask an agent: there is nobody in its domains"));
        }
        let devices = self.with(uuid, |extras| extras.devices.clone());
        Ok(named(&devices, "interface")
            .map(|(_, device)| addresses(device))
            .collect())
    }
}

fn addresses(device: &Device) -> InterfaceAddresses {
    let address = |ip: &Element| {
        Some(Address {
            address: ip.attr("address")?.parse().ok()?,
            prefix: ip.attr("prefix").and_then(|prefix| prefix.parse().ok()).unwrap_or(0),
        })
    };
    let mac = device.element.child("mac").and_then(|mac| mac.attr("address"));
    InterfaceAddresses {
        name: device.target().unwrap_or(&device.alias).to_owned(),
        mac: mac.map(str::to_owned),
        addresses: device.element.children_named("ip").filter_map(address).collect(),
    }
}
