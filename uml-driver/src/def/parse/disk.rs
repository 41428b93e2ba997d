//! Reads `<disk>`.

use super::super::disk::{Backing, Device, Disk, Target, UBD_COUNT};
use super::super::order;
use super::super::rest::Rest;
use super::{known, one, one_text, own_alias, wrong};
use driver_api::error::Result;
use driver_api::kit::xml::Element;

pub(super) fn all(devices: &mut Element) -> Result<Vec<Disk>> {
    devices.take_children("disk").into_iter().map(disk).collect()
}

pub(super) fn disk(mut element: Element) -> Result<Disk> {
    let kind = element.take_attr("type").unwrap_or_else(|| "file".to_owned());
    let kinds = [
        "file",
        "block",
        "dir",
        "network",
        "volume",
        "nvme",
        "vhostuser",
        "vhostvdpa",
    ];
    known(&element, "type", &kind, kinds)?;
    let device = element.take_attr("device").unwrap_or_else(|| "disk".to_owned());
    known(&element, "device", &device, Device::ALL.map(Device::as_str))?;
    let device = Device::ALL
        .into_iter()
        .find(|known| known.as_str() == device)
        .unwrap_or(Device::Disk);

    let mut target_element = one(&mut element, "target").unwrap_or_default();
    let Some(name) = target_element.take_attr("dev").filter(|name| !name.is_empty()) else {
        return Err(wrong(&element, "<disk> has no <target dev='...'>"));
    };
    let bus = target_element
        .take_attr("bus")
        .unwrap_or_else(|| default_bus(&name).to_owned());
    let target = if bus == "uml" {
        Target::Ubd(ubd_number(&element, &name)?)
    } else {
        Target::Other(name)
    };

    let (source, source_rest) = match one(&mut element, "source") {
        Some(mut source) => {
            let path = source.take_attr(path_attribute(&kind)).filter(|path| !path.is_empty());
            (path, Rest::of(source, &[]))
        }
        None => (None, Rest::default()),
    };
    let backing = backing(&mut element);
    let readonly = one(&mut element, "readonly").is_some() || device == Device::Cdrom;
    Ok(Disk {
        kind,
        device,
        source,
        source_rest,
        backing,
        target,
        bus,
        target_rest: Rest::of(target_element, &[]),
        readonly,
        shareable: one(&mut element, "shareable").is_some(),
        serial: one_text(&mut element, "serial")?.filter(|serial| !serial.is_empty()),
        alias: own_alias(&mut element),
        rest: Rest::of(element, order::DISK),
    })
}

/// The first `<backingStore>` that names a source; an empty one only ends a chain, and stays where it is.
fn backing(disk: &mut Element) -> Option<Backing> {
    let mut element = one(disk, "backingStore")?;
    let kind = element.attr("type").unwrap_or("file").to_owned();
    let path = element
        .child("source")
        .and_then(|source| source.attr(path_attribute(&kind)))
        .filter(|path| !path.is_empty())
        .map(ToOwned::to_owned);
    let Some(source) = path else {
        disk.children.push(driver_api::kit::xml::Node::Element(element));
        return None;
    };
    element.take_attr("type");
    one(&mut element, "source");
    let format = one(&mut element, "format").and_then(|mut format| format.take_attr("type"));
    Some(Backing {
        kind,
        format,
        source,
        rest: Rest::of(element, order::BACKING),
    })
}

/// The attribute of `<source>` that holds the path.
pub(in crate::def) fn path_attribute(kind: &str) -> &'static str {
    match kind {
        "block" | "vhostvdpa" => "dev",
        "dir" => "dir",
        "network" => "name",
        "volume" => "volume",
        "vhostuser" => "path",
        _ => "file",
    }
}

fn default_bus(target: &str) -> &'static str {
    match target.get(..2).unwrap_or_default() {
        "ub" => "uml",
        "vd" => "virtio",
        "sd" => "scsi",
        "xv" => "xen",
        "fd" => "fdc",
        _ => "ide",
    }
}

/// Which block device `ubda`, `ubd0` and their like mean.
fn ubd_number(element: &Element, name: &str) -> Result<u8> {
    let unit = name.strip_prefix("ubd").unwrap_or_default();
    let number = match unit.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(u32::from(letter - b'a')),
        // A leading zero would make two spellings of one device, and the kernel would read it as octal.
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => super::number(unit),
        _ => None,
    };
    let Some(number) = number else {
        return Err(wrong(
            element,
            format!("disk target '{name}' is not a UML block device, 'ubda' to 'ubdp' or 'ubd0' to 'ubd15' are"),
        ));
    };
    u8::try_from(number)
        .ok()
        .filter(|number| *number < UBD_COUNT)
        .ok_or_else(|| {
            wrong(
                element,
                format!("disk target '{name}' is beyond 'ubdp', the last block device of UML"),
            )
        })
}
