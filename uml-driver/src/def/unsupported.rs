//! What a definition asks for and UML, or this version, cannot do: named one by one, so that start can refuse it.
//!
//! Only what would break a promise is named: a limit that would not hold, a device that would not be there. What has no
//! meaning in UML (`<cpu>`, `<features>`, a graphics adapter that a client added unasked) is kept and ignored.

use super::DomainDef;
use super::console::Console;
use super::disk::{Device, Disk};
use super::interface::Interface;
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

/// Elements of `<interface>` that promise limits, another network or a program that is run.
const INTERFACE: &[&str] = &[
    "vlan",
    "virtualport",
    "ip",
    "route",
    "script",
    "backenddomain",
    "bandwidth",
    "port",
    "guest",
    "backend",
    "teaming",
];

/// Devices that clients add unasked and nobody misses, or that only connect others.
const HARMLESS_DEVICES: &[&str] = &["input", "graphics", "video", "audio", "memballoon", "controller"];

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
        // `none` promises nothing; any other label is a confinement that would not be there.
        let label = element.name == "seclabel" && element.attr("type") != Some("none");
        if label || DOMAIN.contains(&element.name.as_str()) || element.name.ends_with(":commandline") {
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
    for disk in &def.disks {
        if let Some(reason) = disk_reason(disk) {
            found.push(format!("disk '{}' ({reason})", disk.target));
        }
    }
    for interface in &def.interfaces {
        if let Some(reason) = interface_reason(interface) {
            found.push(format!("interface '{}' ({reason})", interface.mac));
        }
    }
    for (what, lines) in [("serial", &def.serials), ("console", &def.consoles)] {
        for line in lines {
            if let Some(reason) = line_reason(line) {
                found.push(format!("{what} {} ({reason})", line.port));
            }
        }
    }
    for device in &def.devices_rest.elements {
        let name = device.name.as_str();
        match name {
            "filesystem" => found.push("<filesystem> (comes with shared folders)".to_owned()),
            _ if HARMLESS_DEVICES.contains(&name) => {}
            _ => found.push(format!("<{name}>")),
        }
    }
    found
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

fn disk_reason(disk: &Disk) -> Option<String> {
    if disk.bus != "uml" {
        return Some(format!("bus '{}', UML has bus 'uml'", disk.bus));
    }
    if !matches!(disk.kind.as_str(), "file" | "block") {
        return Some(format!("type '{}'", disk.kind));
    }
    if matches!(disk.device, Device::Floppy | Device::Lun) {
        return Some(format!("device '{}'", disk.device.as_str()));
    }
    if disk.source.is_none() {
        return Some("an empty drive".to_owned());
    }
    let cow = disk.backing.is_some();
    match disk.driver("type") {
        None | Some("raw") => {}
        Some("cow") if cow => {}
        Some("cow") => return Some("format 'cow' without a <backingStore>".to_owned()),
        Some(format) => return Some(format!("format '{format}', UML reads 'raw'")),
    }
    if let Some(backing) = &disk.backing {
        if !matches!(backing.kind.as_str(), "file" | "block") {
            return Some(format!("a <backingStore> of type '{}'", backing.kind));
        }
        if let Some(format) = backing.format.as_deref().filter(|format| *format != "raw") {
            return Some(format!("a <backingStore> of format '{format}', UML reads 'raw'"));
        }
        let deeper = backing.rest.element("backingStore");
        if deeper.is_some_and(|store| store.elements().next().is_some()) {
            return Some("more than one <backingStore>".to_owned());
        }
    }
    ["auth", "encryption", "iotune", "mirror", "transient"]
        .into_iter()
        .find(|name| disk.rest.element(name).is_some())
        .map(|name| format!("<{name}>"))
}

fn interface_reason(interface: &Interface) -> Option<String> {
    let kind = interface.kind.as_str();
    if !matches!(kind, "bridge" | "ethernet") {
        return Some(match &interface.filter {
            Some(filter) => format!(
                "filter '{}' on type '{kind}', which no filter can reach: 'bridge' and 'ethernet' can be filtered",
                filter.filter
            ),
            None => format!("type '{kind}', there are 'bridge' and 'ethernet'"),
        });
    }
    let inside = interface.source.as_ref().and_then(|source| source.elements().next());
    if let Some(inside) = inside.filter(|_| kind == "ethernet") {
        return Some(format!("<{}> in <source>", inside.name));
    }
    let target = interface.rest.element("target");
    if target.is_some_and(|target| target.attr("managed") == Some("no")) {
        return Some("<target managed='no'>, a device that somebody else made".to_owned());
    }
    let isolated = |element: &Element| element.name != "port" || element.attr("isolated") == Some("yes");
    let promise = |element: &&Element| INTERFACE.contains(&element.name.as_str()) && isolated(element);
    let promise = interface.rest.elements.iter().find(promise);
    promise.map(|element| format!("<{}>", element.name))
}

fn line_reason(line: &Console) -> Option<String> {
    match line.kind.as_str() {
        "file" if line.log.is_some() => Some("type 'file' with a <log> beside it, one file is enough".to_owned()),
        "pty" | "null" | "file" | "stdio" => None,
        "tcp" | "unix" | "udp" | "pipe" | "dev" => Some(format!("type '{}' comes with console relays", line.kind)),
        kind => Some(format!("type '{kind}'")),
    }
}
