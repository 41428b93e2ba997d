//! Prints `<devices>`.

use super::super::console::Console;
use super::super::disk::{Backing, Disk};
use super::super::folder::Folder;
use super::super::interface::{FilterRef, Interface};
use super::super::live::{Live, console_alias, disk_alias, interface_alias, serial_alias};
use super::super::parse::{path_attribute, source_attribute};
use super::super::shaping::{Rate, Shaping};
use super::super::{DomainDef, order};
use super::{dressed, text};
use driver_api::kit::xml::Element;

pub(super) fn all(def: &DomainDef, live: Option<&Live>) -> Element {
    let serial = |line: &Console| {
        character(
            "serial",
            line,
            live.map(|live| (live, serial_alias(line.port, line.alias.as_deref()))),
        )
    };
    let console = |line: &Console| {
        character(
            "console",
            line,
            live.map(|live| (live, console_alias(line.port, line.alias.as_deref()))),
        )
    };
    let devices = Element::new("devices")
        .with_children(def.emulator.as_deref().map(|emulator| text("emulator", emulator)))
        .with_children(def.disks.iter().map(|of| disk(of, live)))
        .with_children(def.folders.iter().map(folder))
        .with_children(
            def.interfaces
                .iter()
                .enumerate()
                .map(|(index, of)| interface(index, of, live)),
        )
        .with_children(def.serials.iter().map(serial))
        .with_children(def.consoles.iter().map(console));
    def.devices_rest.dress(devices, order::DEVICES)
}

fn disk(disk: &Disk, live: Option<&Live>) -> Element {
    let own = disk.alias.as_deref();
    let shown = live
        .map(|_| disk_alias(&disk.target, own))
        .or_else(|| disk.alias.clone());
    let source = Element::new("source").with_attr_opt(path_attribute(&disk.kind), disk.source.as_ref());
    let target = Element::new("target")
        .with_attr("dev", &disk.target)
        .with_attr("bus", &disk.bus);
    let element = Element::new("disk")
        .with_attr("type", &disk.kind)
        .with_attr("device", disk.device.as_str())
        .with_children(dressed(source, &disk.source_rest))
        .with_children(disk.backing.as_ref().map(backing))
        .with_children(dressed(target, &disk.target_rest))
        .with_children(disk.readonly.then(|| Element::new("readonly")))
        .with_children(disk.shareable.then(|| Element::new("shareable")))
        .with_children(disk.serial.as_deref().map(|serial| text("serial", serial)))
        .with_children(shown.as_deref().map(alias));
    disk.rest.dress(element, order::DISK)
}

fn backing(backing: &Backing) -> Element {
    let format = backing
        .format
        .as_deref()
        .map(|format| Element::new("format").with_attr("type", format));
    let element = Element::new("backingStore")
        .with_attr("type", &backing.kind)
        .with_children(format)
        .with_child(Element::new("source").with_attr(path_attribute(&backing.kind), &backing.source));
    backing.rest.dress(element, order::BACKING)
}

fn interface(index: usize, interface: &Interface, live: Option<&Live>) -> Element {
    let device = live
        .and_then(|live| live.devices.get(index))
        .filter(|device| !device.is_empty())
        .or(interface.target.as_ref());
    let own = interface.alias.as_deref();
    let shown = live
        .map(|_| interface_alias(interface.number, own))
        .or_else(|| interface.alias.clone());
    let one = |name: &str, attribute: &str, value: Option<String>| {
        value.map(|value| Element::new(name).with_attr(attribute, value))
    };
    let link = interface.link_up.map(|up| if up { "up" } else { "down" }.to_owned());
    let mut element = Element::new("interface")
        .with_attr("type", &interface.kind)
        .with_child(Element::new("mac").with_attr("address", interface.mac))
        .with_children(interface.source.clone())
        .with_children(bandwidth(&interface.shaping))
        .with_children(interface.filter.as_ref().map(filter))
        .with_children(shown.as_deref().map(alias));
    let mut rest = interface.rest.clone();
    for (name, attribute, value) in [
        ("target", "dev", device.cloned()),
        ("model", "type", interface.model.clone()),
        ("link", "state", link),
        ("mtu", "size", interface.mtu.map(|mtu| mtu.to_string())),
    ] {
        let kept = rest.elements.iter_mut().find(|element| element.name == name);
        match (kept, value) {
            (Some(kept), Some(value)) => {
                let others = std::mem::take(&mut kept.attributes);
                *kept = std::mem::take(kept).with_attr(attribute, value);
                kept.attributes.extend(others);
            }
            (None, value) => element = element.with_children(one(name, attribute, value)),
            (Some(_), None) => {}
        }
    }
    rest.dress(element, order::INTERFACE)
}

fn folder(folder: &Folder) -> Element {
    let source = Element::new("source").with_attr(source_attribute(&folder.kind), &folder.source);
    let target = Element::new("target").with_attr("dir", &folder.target);
    let element = Element::new("filesystem")
        .with_attr("type", &folder.kind)
        .with_attr("accessmode", &folder.access)
        .with_children(dressed(source, &folder.source_rest))
        .with_children(dressed(target, &folder.target_rest))
        .with_children(folder.readonly.then(|| Element::new("readonly")))
        .with_children(folder.alias.as_deref().map(alias));
    folder.rest.dress(element, order::FILESYSTEM)
}

fn bandwidth(shaping: &Shaping) -> Option<Element> {
    let rate = |name: &str, rate: Option<Rate>| {
        rate.map(|rate| {
            Element::new(name)
                .with_attr_opt("average", rate.average)
                .with_attr_opt("peak", rate.peak)
                .with_attr_opt("floor", rate.floor)
                .with_attr_opt("burst", rate.burst)
        })
    };
    let element = Element::new("bandwidth")
        .with_children(rate("inbound", shaping.inbound))
        .with_children(rate("outbound", shaping.outbound));
    dressed(element, &shaping.rest)
}

fn filter(filter: &FilterRef) -> Element {
    let parameter = |(name, value): &(String, String)| {
        Element::new("parameter")
            .with_attr("name", name)
            .with_attr("value", value)
    };
    Element::new("filterref")
        .with_attr("filter", &filter.filter)
        .with_children(filter.parameters.iter().map(parameter))
}

fn character(name: &str, line: &Console, live: Option<(&Live, String)>) -> Element {
    let pty = live.as_ref().and_then(|(live, alias)| live.ptys.get(alias));
    let mut source = line.source.clone();
    if pty.is_some() {
        source = Some(
            source
                .unwrap_or_else(|| Element::new("source"))
                .with_attr_opt("path", pty),
        );
    }
    let log = line.log.as_ref().map(|log| {
        Element::new("log")
            .with_attr("file", &log.file)
            .with_attr_opt("append", log.append.as_deref())
    });
    let target = Element::new("target")
        .with_attr_opt("type", line.target_type.as_deref())
        .with_attr("port", line.port);
    let shown = live.map(|(_, alias)| alias).or_else(|| line.alias.clone());
    let element = Element::new(name)
        .with_attr("type", &line.kind)
        // Only the first line of a guest has ever carried this; clients look for it to find the terminal.
        .with_attr_opt("tty", pty.filter(|_| name == "console"))
        .with_children(source)
        .with_children(log)
        .with_children(dressed(target, &line.target_rest))
        .with_children(shown.as_deref().map(alias));
    line.rest.dress(element, order::CHARACTER)
}

fn alias(name: &str) -> Element {
    Element::new("alias").with_attr("name", name)
}
