//! Disks that UML, or this version, cannot have.

use crate::def::DomainDef;
use crate::def::disk::{Device, Disk, Layer, Place};

/// What the program behind virtio disks reads, in libvirt's names.
const FORMATS: &[&str] = &["raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc"];
/// Those of them that can lie over another file.
const OVER_OTHERS: &[&str] = &["qcow2", "qcow", "qed", "vmdk"];

pub(super) fn all(def: &DomainDef) -> Vec<String> {
    let mut found = Vec::new();
    for (index, disk) in def.disks.iter().enumerate() {
        let place = disk.place();
        let others = def.disks.iter().take(index);
        let mut taken =
            others.filter(|other| place.is_some_and(|p| matches!(p, Place::Ubd(_))) && other.place() == place);
        let reason = match taken.next() {
            Some(other) => Some(format!(
                "it would be the same device in the guest as disk '{}'",
                other.target
            )),
            None => reason(disk),
        };
        found.extend(reason.map(|reason| format!("disk '{}' ({reason})", disk.target)));
    }
    found
}

fn reason(disk: &Disk) -> Option<String> {
    let Some(place) = disk.place() else {
        return Some(format!("bus '{}', there are 'uml' and 'virtio'", disk.bus));
    };
    if !matches!(disk.kind.as_str(), "file" | "block") {
        return Some(format!("type '{}'", disk.kind));
    }
    if matches!(disk.device, Device::Floppy | Device::Lun) {
        return Some(format!("device '{}'", disk.device.as_str()));
    }
    let promise = ["auth", "encryption", "iotune", "mirror", "transient"];
    let promise = promise.into_iter().find(|name| disk.rest.element(name).is_some());
    if let Some(name) = promise {
        return Some(format!("<{name}>"));
    }
    // Nothing more is asked of an empty drive.
    disk.source.as_ref()?;
    let layers = disk.chain().0;
    let strange = layers.iter().find(|layer| !matches!(layer.kind, "file" | "block"));
    if let Some(layer) = strange {
        return Some(format!("a <backingStore> of type '{}'", layer.kind));
    }
    match place {
        Place::Ubd(_) => ubd(disk, &layers),
        Place::Virtio => virtio(disk, &layers),
    }
}

fn ubd(disk: &Disk, layers: &[Layer<'_>]) -> Option<String> {
    let remedy = "bus 'virtio' has it, with a target such as 'vda'";
    match disk.driver("type") {
        None | Some("raw") => {}
        Some("cow") if !layers.is_empty() => {}
        Some("cow") => return Some("format 'cow' without a <backingStore>".to_owned()),
        Some(format) => return Some(format!("format '{format}', UML reads 'raw': {remedy}")),
    }
    let odd = layers
        .first()
        .and_then(|layer| layer.format)
        .filter(|format| *format != "raw");
    if let Some(format) = odd {
        return Some(format!(
            "a <backingStore> of format '{format}', UML reads 'raw': {remedy}"
        ));
    }
    (layers.len() > 1).then(|| format!("more than one <backingStore>: {remedy}"))
}

fn virtio(disk: &Disk, layers: &[Layer<'_>]) -> Option<String> {
    let name = disk.target.to_string();
    let letters = name.strip_prefix("vd").unwrap_or_default();
    if !(1..=2).contains(&letters.len()) || !letters.bytes().all(|c| c.is_ascii_lowercase()) {
        return Some("a target on bus 'virtio' is called 'vda' to 'vdzz'".to_owned());
    }
    if disk.device != Device::Disk {
        return Some(format!("device '{}' on bus 'virtio'", disk.device.as_str()));
    }
    if disk.serial.is_some() {
        return Some("<serial> on bus 'virtio', bus 'uml' has it".to_owned());
    }
    let formats = std::iter::once(disk.driver("type")).chain(layers.iter().map(|layer| layer.format));
    let formats: Vec<&str> = formats.map(|format| format.unwrap_or("raw")).collect();
    if let Some(format) = formats.iter().find(|format| !FORMATS.contains(format)) {
        return Some(format!("format '{format}', there are '{}'", FORMATS.join("', '")));
    }
    let (_, over) = formats.split_last()?;
    let flat = over.iter().find(|format| !OVER_OTHERS.contains(format));
    flat.map(|format| format!("a <backingStore> below format '{format}', which can not lie over another file"))
}
