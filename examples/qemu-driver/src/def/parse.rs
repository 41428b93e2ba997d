//! Reading a domain's document: what is understood is taken out, and what is left in the end is refused by name.

use super::{Disk, DomainDef, EMULATOR, Filter, Interface, Mac, OWN_TAP};
use crate::fault::{ORIGIN, system};
use driver_api::error::Result;
use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::types::uuid::Uuid;
use std::path::PathBuf;
use std::str::FromStr;

/// What happens at an end is not for choice here; documents may say so.
const ENDINGS: [(&str, &str); 3] = [("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")];
/// Names of units with their bytes, as libvirt knows them.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("k", 1 << 10),
    ("b", 1),
    ("bytes", 1),
    ("MiB", 1 << 20),
    ("M", 1 << 20),
    ("GiB", 1 << 30),
    ("G", 1 << 30),
];

impl DomainDef {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// 27 with the place of what is wrong, 67 for what this driver does not do.
    pub(crate) fn from_xml(xml: &str) -> Result<Self> {
        let def = domain(parse(xml.as_bytes(), ORIGIN, &Limits::default())?)?;
        def.validate()?;
        Ok(def)
    }
}

fn domain(mut root: Element) -> Result<DomainDef> {
    if root.name != "domain" {
        return Err(root.error(ORIGIN, format!("a document of <{}> defines no domain", root.name)));
    }
    let kvm = word(&mut root, "type", &["qemu", "kvm"])? == "kvm";
    // Of what runs, which is not for a definition to say.
    root.take_attr("id");
    let name = text(child(&mut root, "name")?)?;
    let uuid = match root.take_child("uuid") {
        Some(uuid) => {
            let wrong = |e| uuid.error(ORIGIN, format!("<uuid> is {e}"));
            text(uuid.clone())?.parse().map_err(wrong)?
        }
        None => Uuid::random().map_err(|e| system("cannot choose a UUID", e))?,
    };
    let memory_kib = kib(child(&mut root, "memory")?)?;
    if let Some(current) = root.take_child("currentMemory") {
        let wrong = current.error(ORIGIN, "<currentMemory> is not that of <memory>: guests have no balloon here");
        if kib(current)? != memory_kib {
            return Err(wrong);
        }
    }
    let vcpus = match root.take_child("vcpu") {
        Some(mut vcpu) => {
            word(&mut vcpu, "placement", &["static"])?;
            number(vcpu)?
        }
        None => 1,
    };
    for (name, only) in ENDINGS {
        if let Some(ending) = root.take_child(name)
            && ending.text() != only
        {
            return Err(ending.error(ORIGIN, format!("<{name}> can only be '{only}', not '{}'", ending.text())));
        }
    }
    let mut os = child(&mut root, "os")?;
    let machine = machine(&mut os)?;
    let mut optional = |name| os.take_child(name).map(text).transpose();
    let (kernel, initrd, cmdline) = (optional("kernel")?, optional("initrd")?, optional("cmdline")?);
    os.refuse_rest(ORIGIN, &["type", "kernel", "initrd", "cmdline"])?;
    let mut devices = root.take_child("devices").unwrap_or_default();
    let emulator = devices.take_child("emulator").map(text).transpose()?;
    let disks = devices.take_children("disk").into_iter().map(disk).collect::<Result<_>>()?;
    let interfaces = devices.take_children("interface").into_iter().map(interface);
    let interfaces = interfaces.collect::<Result<_>>()?;
    let serials = lines(devices.take_children("serial"), "isa-serial")?;
    let consoles = lines(devices.take_children("console"), "serial")?;
    devices.refuse_rest(ORIGIN, &["emulator", "disk", "interface", "serial", "console"])?;
    root.refuse_rest(ORIGIN, &["name", "uuid", "memory", "currentMemory", "vcpu", "os", "devices"])?;
    Ok(DomainDef {
        name,
        uuid,
        kvm,
        memory_kib,
        vcpus,
        machine,
        emulator: emulator.unwrap_or_else(|| EMULATOR.to_owned()).into(),
        kernel: kernel.map(PathBuf::from),
        initrd: initrd.map(PathBuf::from),
        cmdline,
        disks,
        interfaces,
        // A console is the serial line of the same number.
        serials: serials.max(consoles),
    })
}

fn machine(os: &mut Element) -> Result<String> {
    let mut kind = child(os, "type")?;
    word(&mut kind, "arch", &["x86_64"])?;
    let machine = word(&mut kind, "machine", &["pc", "q35"])?;
    let wrong = |text: &str| kind.error(ORIGIN, format!("<type> can only be 'hvm', not '{text}'"));
    match text(kind.clone())?.as_str() {
        "hvm" => Ok(machine),
        other => Err(wrong(other)),
    }
}

fn disk(mut disk: Element) -> Result<Disk> {
    word(&mut disk, "type", &["file"])?;
    word(&mut disk, "device", &["disk"])?;
    let mut driver = disk.take_child("driver").unwrap_or_default();
    word(&mut driver, "name", &["qemu"])?;
    let format = word(&mut driver, "type", &["raw", "qcow2"])?;
    driver.refuse_rest(ORIGIN, &["name", "type"])?;
    let mut source = child(&mut disk, "source")?;
    let path = attribute(&mut source, "file")?.into();
    source.refuse_rest(ORIGIN, &["file"])?;
    let mut target = child(&mut disk, "target")?;
    let name = attribute(&mut target, "dev")?;
    word(&mut target, "bus", &["virtio"])?;
    target.refuse_rest(ORIGIN, &["dev", "bus"])?;
    let readonly = disk.take_child("readonly").is_some();
    disk.refuse_rest(ORIGIN, &["driver", "source", "target", "readonly"])?;
    Ok(Disk { path, format, target: name, readonly })
}

fn interface(mut interface: Element) -> Result<Interface> {
    let mac = match interface.take_child("mac") {
        Some(mut mac) => {
            let address = attribute(&mut mac, "address")?;
            let wrong = |()| mac.error(ORIGIN, format!("'{address}' is no MAC address"));
            address.parse().map_err(wrong)?
        }
        None => Mac::random().map_err(|e| system("cannot choose a MAC address", e))?,
    };
    let bridge = match word(&mut interface, "type", &["bridge", "ethernet"])?.as_str() {
        "bridge" => {
            let mut source = child(&mut interface, "source")?;
            let bridge = attribute(&mut source, "bridge")?;
            source.refuse_rest(ORIGIN, &["bridge"])?;
            Some(bridge)
        }
        _ => None,
    };
    let mut target = interface.take_child("target").unwrap_or_default();
    // A name that the driver chose is of the guest that it was chosen for, not of its definition.
    let name = target.take_attr("dev").filter(|name| !name.starts_with(OWN_TAP));
    target.refuse_rest(ORIGIN, &["dev"])?;
    let mut model = interface.take_child("model").unwrap_or_default();
    word(&mut model, "type", &["virtio"])?;
    model.refuse_rest(ORIGIN, &["type"])?;
    let filter = interface.take_child("filterref").map(filter).transpose()?;
    interface.refuse_rest(ORIGIN, &["mac", "source", "target", "model", "filterref"])?;
    Ok(Interface { mac, bridge, target: name, filter })
}

fn filter(mut filter: Element) -> Result<Filter> {
    let name = attribute(&mut filter, "filter")?;
    let mut parameters = Vec::new();
    for mut parameter in filter.take_children("parameter") {
        parameters.push((attribute(&mut parameter, "name")?, attribute(&mut parameter, "value")?));
        parameter.refuse_rest(ORIGIN, &["name", "value"])?;
    }
    filter.refuse_rest(ORIGIN, &["filter", "parameter"])?;
    Ok(Filter { name, parameters })
}

/// How many serial lines these are; each must be at its place.
fn lines(elements: Vec<Element>, kind: &str) -> Result<usize> {
    let count = elements.len();
    for (index, mut line) in elements.into_iter().enumerate() {
        word(&mut line, "type", &["pty"])?;
        // Of what runs, like an id.
        line.take_attr("tty");
        line.take_child("source");
        line.take_child("alias");
        if let Some(mut target) = line.take_child("target") {
            word(&mut target, "type", &[kind])?;
            let port = target.take_attr("port").unwrap_or_else(|| index.to_string());
            if port != index.to_string() {
                return Err(target.error(ORIGIN, format!("port '{port}' is out of order: this is line {index}")));
            }
            target.refuse_rest(ORIGIN, &["type", "port"])?;
        }
        line.refuse_rest(ORIGIN, &["target"])?;
    }
    Ok(count)
}

fn child(element: &mut Element, name: &str) -> Result<Element> {
    let missing = element.error(ORIGIN, format!("<{}> needs a <{name}>", element.name));
    element.take_child(name).ok_or(missing)
}

fn attribute(element: &mut Element, name: &str) -> Result<String> {
    let missing = element.error(ORIGIN, format!("<{}> needs an attribute '{name}'", element.name));
    element.take_attr(name).ok_or(missing)
}

/// An attribute that is one of a few words, the first of which it is when it is not there.
fn word(element: &mut Element, name: &str, known: &[&str]) -> Result<String> {
    let word = element.take_attr(name).unwrap_or_else(|| known[0].to_owned());
    if known.contains(&word.as_str()) {
        return Ok(word);
    }
    let (known, of) = (known.join("' or '"), &element.name);
    Err(element.error(ORIGIN, format!("'{name}' of <{of}> can only be '{known}' here, not '{word}'")))
}

/// The text of an element that has nothing else.
fn text(mut element: Element) -> Result<String> {
    let text = element.text();
    element.children.retain(|node| !matches!(node, Node::Text(_)));
    element.refuse_rest(ORIGIN, &[])?;
    Ok(text)
}

fn number<T: FromStr>(element: Element) -> Result<T> {
    let wrong = element.error(ORIGIN, format!("<{}> is no number that can be used", element.name));
    text(element)?.trim().parse().map_err(|_| wrong)
}

fn kib(mut size: Element) -> Result<u64> {
    let names = UNITS.map(|(name, _)| name);
    let unit = word(&mut size, "unit", &names)?;
    let bytes = UNITS.iter().find(|(name, _)| *name == unit).map_or(1024, |(_, bytes)| *bytes);
    let wrong = size.error(ORIGIN, format!("<{}> is more than any machine has", size.name));
    let count: u64 = number(size)?;
    Ok(count.checked_mul(bytes).ok_or(wrong)?.div_ceil(1024))
}
