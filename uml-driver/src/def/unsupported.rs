//! What a definition asks for and UML, or this version, cannot do: named one by one, so that start can refuse it.
//!
//! Only what would break a promise is named: a limit that would not hold, a device that would not be there. What has no
//! meaning in UML (`<cpu>`, `<features>`, a graphics adapter that a client added unasked) is kept and ignored.

mod disk;
mod interface;

use super::DomainDef;
use super::folder::Folder;
use super::label;
use super::os::Action;
use driver_api::kit::xml::Element;

/// Elements of `<domain>` that promise limits, protection or another way to boot.
const DOMAIN: &[&str] = &[
    "memoryBacking",
    "numatune",
    "bootloader",
    "idmap",
    "keywrap",
    "launchSecurity",
];

/// Elements of `<os>` that promise another way to boot.
const OS: &[&str] = &["init", "loader", "nvram", "dtb"];

/// Devices that clients add unasked and nobody misses, or that only connect others. A UML kernel tells its host of a panic and
/// has a balloon without being asked.
const HARMLESS_DEVICES: &[&str] = &[
    "input",
    "graphics",
    "video",
    "audio",
    "memballoon",
    "controller",
    "panic",
];

pub(super) fn list(def: &DomainDef) -> Vec<String> {
    let mut found = Vec::new();
    if def.vcpu.current > 1 {
        found.push(format!("{} processors (a UML kernel has one)", def.vcpu.current));
    }
    if def.os.arch != std::env::consts::ARCH {
        let machine = std::env::consts::ARCH;
        found.push(format!(
            "architecture '{}' (this machine's is '{machine}')",
            def.os.arch
        ));
    }
    for element in &def.rest.elements {
        if element.name == "seclabel" {
            found.extend(label::unsupported(element));
        }
        if DOMAIN.contains(&element.name.as_str()) || element.name.ends_with(":commandline") {
            found.push(format!("<{}>", element.name));
        }
    }
    found.extend(def.tune.conflict(def.memory.current_kib));
    let tune = &def.tune;
    for (what, rest) in [
        ("cputune", &tune.cpu.rest),
        ("memtune", &tune.memory.rest),
        ("blkiotune", &tune.block.rest),
    ] {
        // There are no I/O threads that could be limited.
        let promises = |element: &&Element| !element.name.starts_with("iothread");
        let promises = rest.elements.iter().filter(promises);
        found.extend(promises.map(|element| format!("<{}> in <{what}>", element.name)));
    }
    for element in &def.os.rest.elements {
        if OS.contains(&element.name.as_str()) {
            found.push(format!("<{}> in <os>", element.name));
        }
    }
    actions(def, &mut found);
    found.extend(disk::all(def));
    for interface in &def.interfaces {
        if let Some(reason) = interface::reason(interface) {
            found.push(format!("interface '{}' ({reason})", interface.mac));
        }
    }
    for folder in &def.folders {
        if let Some(reason) = folder_reason(folder) {
            found.push(format!("filesystem '{}' ({reason})", folder.target));
        }
    }
    for (what, lines) in [("serial", &def.serials), ("console", &def.consoles)] {
        for line in lines {
            if let Err(reason) = line.end() {
                found.push(format!("{what} {} ({reason})", line.port));
            }
        }
    }
    found.extend(def.devices_rest.elements.iter().filter_map(device_reason));
    found
}

fn device_reason(device: &Element) -> Option<String> {
    let backend = || device.child("backend").and_then(|backend| backend.attr("model"));
    let name = device.name.as_str();
    match name {
        // What comes with a screen of type spice.
        "channel" | "redirdev" if device.attr("type") == Some("spicevmc") => None,
        "channel" => Some("<channel> (a UML guest has no such ports: use <serial>)".to_owned()),
        "rng" if device.child("rate").is_some() => Some("<rate> in <rng>".to_owned()),
        "rng" => match backend() {
            Some("random" | "builtin") => None,
            other => Some(format!("<rng> with the backend '{}'", other.unwrap_or_default())),
        },
        "watchdog" => Some("<watchdog> (UML's wants a program of the host, which no guest may run)".to_owned()),
        _ if HARMLESS_DEVICES.contains(&name) => None,
        _ => Some(format!("<{name}>")),
    }
}

fn folder_reason(folder: &Folder) -> Option<String> {
    if folder.kind != "mount" {
        return Some(format!("type '{}', there is 'mount'", folder.kind));
    }
    if folder.access == "squash" {
        return Some("accessmode 'squash', there are 'passthrough', which is read-only, and 'mapped'".to_owned());
    }
    let driver = folder.rest.element("driver").and_then(|driver| driver.attr("type"));
    if let Some(driver) = driver.filter(|driver| *driver != "path") {
        return Some(format!("driver '{driver}', UML has its own way to folders of the host"));
    }
    let limit = ["space_hard_limit", "space_soft_limit", "binary", "idmap"];
    let limit = limit.into_iter().find(|name| folder.rest.element(name).is_some());
    limit.map(|name| format!("<{name}>"))
}

fn actions(def: &DomainDef, found: &mut Vec<String>) {
    for (name, action) in [
        ("on_poweroff", def.on_poweroff),
        ("on_reboot", def.on_reboot),
        ("on_crash", def.on_crash),
    ] {
        // A crashed guest leaves no process to be looked at; to remember that it crashed is possible.
        let remembers = name == "on_crash" && action == Action::Preserve;
        if !remembers && !matches!(action, Action::Destroy | Action::Restart) {
            found.push(format!("<{name}> '{}'", action.as_str()));
        }
    }
}
