//! What a definition asks for that has no effect here, in sentences: nothing that would break a promise, but what its
//! author may wonder about.

use super::DomainDef;
use super::disk::{Disk, Place, Target};
use super::interface::Interface;

/// Devices that have no effect, each with the reason.
const DEVICES: &[(&str, &str)] = &[
    ("input", "a UML guest has no screen"),
    ("graphics", "a UML guest has no screen"),
    ("video", "a UML guest has no screen"),
    ("audio", "a UML guest has no sound"),
    ("controller", "a UML guest has no buses"),
    ("redirdev", "a UML guest has no USB"),
    ("channel", "it belongs to the screen that a UML guest has not"),
];

pub(super) fn list(def: &DomainDef) -> Vec<String> {
    let mut notes = Vec::new();
    for disk in &def.disks {
        notes.extend(disk_note(disk));
    }
    for interface in &def.interfaces {
        notes.extend(interface_notes(interface));
    }
    for folder in &def.folders {
        if !folder.is_writable() && !folder.readonly {
            notes.push(format!(
                "filesystem '{}' is read-only: only accessmode='mapped' lets the guest write",
                folder.target
            ));
        }
    }
    for device in &def.devices_rest.elements {
        let known = DEVICES.iter().find(|(name, _)| *name == device.name);
        let note = match (known, device.name.as_str()) {
            (Some((name, why)), _) => format!("<{name}> has no effect: {why}"),
            (None, "rng") => {
                "<rng> has no effect: a UML kernel always has /dev/hwrng, from the host's random source".to_owned()
            }
            (None, "memballoon") if device.attr("model") != Some("none") => {
                "<memballoon> has no effect: a UML kernel's own balloon is used instead".to_owned()
            }
            _ => continue,
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

fn disk_note(disk: &Disk) -> Option<String> {
    let target = &disk.target;
    match (disk.place(), &disk.source) {
        (_, None) => Some(format!(
            "disk '{target}' is an empty drive: the guest has no such device until there is a medium"
        )),
        (Some(Place::Ubd(number)), Some(_)) if matches!(target, Target::Other(_)) => Some(format!(
            "disk '{target}' is '{}' in the guest: UML has no bus '{}'",
            Target::Ubd(number),
            disk.bus
        )),
        (Some(Place::Virtio), Some(_)) => Some(format!(
            "disk '{target}' is there when the guest has loaded its module virtio_blk"
        )),
        _ => None,
    }
}

fn interface_notes(interface: &Interface) -> Vec<String> {
    let mac = interface.mac;
    let mut notes = Vec::new();
    if let Some(model) = &interface.model {
        notes.push(format!(
            "interface '{mac}': model '{model}' has no effect, a UML guest has a model of its own"
        ));
    }
    if interface.shaping.outbound.is_some_and(|rate| rate.peak.is_some()) {
        notes.push(format!(
            "interface '{mac}': 'peak' of <outbound> has no effect, what comes beyond 'average' and 'burst' is dropped"
        ));
    }
    for name in ["driver", "coalesce", "tune", "rom"] {
        if interface.rest.element(name).is_some() {
            notes.push(format!("interface '{mac}': <{name}> has no effect on a UML guest"));
        }
    }
    notes
}
