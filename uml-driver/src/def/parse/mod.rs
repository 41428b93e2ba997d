//! Reads a document into a [`DomainDef`]; what contradicts itself across elements is `validate`'s matter.

mod console;
mod disk;
mod folder;
mod interface;
mod shaping;
mod tune;

pub(super) use disk::path_attribute;
pub(super) use folder::source_attribute;

use super::console::Console;
use super::device::{Device, Given};
use super::memory::{BadSize, Memory, kib};
use super::os::{Action, Os, Vcpu};
use super::rest::Rest;
use super::{DomainDef, change, order};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{self, Element, Limits, Node};
use driver_api::types::uuid::Uuid;

/// Reads one `<domain>` document.
pub(super) fn document(document: &[u8]) -> Result<DomainDef> {
    let mut root = xml::parse(document, Origin::XML, &Limits::default())?;
    if root.name != "domain" {
        return Err(wrong(&root, format!("a <domain> is wanted, this is a <{}>", root.name)));
    }
    match root.take_attr("type").as_deref() {
        Some("uml") => {}
        Some(kind) => {
            let message = format!("domain type '{kind}' belongs to another driver, this one runs type 'uml'");
            return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, message));
        }
        None => return Err(wrong(&root, "<domain> has no attribute 'type'")),
    }
    root.take_attr("id");
    if root.child("clock").is_none() {
        // libvirt writes this default into every document; clients compare.
        root = root.with_child(Element::new("clock").with_attr("offset", "utc"));
    }
    for label in root.children.iter_mut() {
        if let Node::Element(label) = label
            && label.name == "seclabel"
            && label.attr("type") == Some("static")
            && label.attr("relabel").is_none()
        {
            // Another default that libvirt writes.
            *label = std::mem::take(label).with_attr("relabel", "no");
        }
    }
    let mut devices = devices(&mut root);
    let mut disks = disk::all(&mut devices)?;
    let mut processors = one(&mut root, "vcpu");
    let cpuset = processors.as_mut().map_or(Ok(None), tune::cpuset)?;
    let vcpu = vcpu(processors)?;
    disks.sort_by(|a, b| change::rank(a).cmp(&change::rank(b)));
    // Fields are read in the order in which they are written here; `rest` takes what the others left.
    let mut def = DomainDef {
        uuid: uuid(&mut root)?,
        name: one_text(&mut root, "name")?.ok_or_else(|| wrong(&root, "<domain> has no <name>"))?,
        title: one_text(&mut root, "title")?.filter(|title| !title.is_empty()),
        description: one_text(&mut root, "description")?.filter(|text| !text.is_empty()),
        metadata: one(&mut root, "metadata").filter(|metadata| metadata.elements().next().is_some()),
        memory: memory(&mut root)?,
        tune: tune::all(&mut root, cpuset, vcpu.max)?,
        vcpu,
        os: os(&mut root)?,
        on_poweroff: action(&mut root, "on_poweroff", Action::Destroy)?,
        on_reboot: action(&mut root, "on_reboot", Action::Restart)?,
        on_crash: action(&mut root, "on_crash", Action::Destroy)?,
        emulator: one_text(&mut devices, "emulator")?.filter(|path| !path.is_empty()),
        disks,
        folders: folder::all(&mut devices)?,
        interfaces: interface::all(&mut devices)?,
        serials: console::serials(&mut devices)?,
        consoles: console::consoles(&mut devices)?,
        devices_rest: Rest::of(devices, order::DEVICES),
        rest: Rest::of(root, order::DOMAIN),
    };
    // A definition is kept for ever and hardly ever changed; a list that grew one by one has room for four.
    def.disks.shrink_to_fit();
    def.folders.shrink_to_fit();
    def.interfaces.shrink_to_fit();
    def.serials.shrink_to_fit();
    def.consoles.shrink_to_fit();
    Ok(def)
}

/// Reads one device element.
pub(super) fn device(document: &[u8]) -> Result<Given> {
    let element = xml::parse(document, Origin::XML, &Limits::default())?;
    let alias = element.child("alias").and_then(|alias| alias.attr("name"));
    let alias = alias.map(ToOwned::to_owned);
    let (device, exact) = match element.name.as_str() {
        "disk" => (Device::Disk(disk::disk(element)?), true),
        "interface" => {
            let exact = element.child("mac").is_some_and(|mac| mac.attr("address").is_some());
            (Device::Interface(interface::interface(element)?), exact)
        }
        "console" => {
            let (console, port) = console::console(element)?;
            let port_given = port.is_some();
            let port = port.unwrap_or_default();
            (Device::Console(Console { port, ..console }), port_given)
        }
        "serial" => {
            let (serial, port) = console::line(element)?;
            let port_given = port.is_some();
            let port = port.unwrap_or_default();
            (Device::Serial(Console { port, ..serial }), port_given)
        }
        "domain" | "devices" => {
            let message = format!("one device element is wanted, this is a <{}>", element.name);
            return Err(wrong(&element, message));
        }
        _ => (Device::Other(element), true),
    };
    Ok(Given { device, alias, exact })
}

/// All `<devices>` as one.
fn devices(root: &mut Element) -> Element {
    let mut all = root.take_children("devices").into_iter();
    let mut devices = all.next().unwrap_or_else(|| Element::new("devices"));
    devices.children.extend(all.flat_map(|more| more.children));
    devices
}

/// Takes out what may be there once. libvirt looks at the first of its name; another one, kept and printed back, could
/// become the first when a first without a meaning is not printed.
fn one(element: &mut Element, name: &str) -> Option<Element> {
    element.take_children(name).into_iter().next()
}

/// The text of [`one`].
fn one_text(element: &mut Element, name: &str) -> Result<Option<String>> {
    let Some(child) = one(element, name) else {
        return Ok(None);
    };
    plain(&child)?;
    Ok(Some(child.text()))
}

/// Refuses what stands beside the text of an element that is read for its text alone: it would be lost in silence.
fn plain(element: &Element) -> Result<()> {
    let name = &element.name;
    if let Some(attribute) = element.attributes.first() {
        let message = format!("unknown attribute '{}' of <{name}>, which has none", attribute.name);
        return Err(wrong(element, message));
    }
    match element.elements().next() {
        Some(child) => {
            let message = format!("unknown element <{}> in <{name}>, which holds text only", child.name);
            Err(wrong(child, message))
        }
        None => Ok(()),
    }
}

fn uuid(root: &mut Element) -> Result<Uuid> {
    let Some(element) = one(root, "uuid") else {
        return Uuid::random().map_err(|error| {
            Error::new(
                Code::SYSTEM_ERROR,
                Origin::DOMAIN,
                "cannot make up a UUID for the domain",
            )
            .because(error)
        });
    };
    plain(&element)?;
    let text = element.text();
    text.parse::<Uuid>().map_err(|error| {
        // Whoever sends a megabyte need not get it back.
        let shown: String = text.chars().take(80).collect();
        wrong(&element, format!("<uuid> '{shown}'")).because(error)
    })
}

fn memory(root: &mut Element) -> Result<Memory> {
    let Some(mut max) = one(root, "memory") else {
        return Err(wrong(root, "<domain> has no <memory>"));
    };
    let max_kib = size(&mut max)?;
    let current_kib = match one(root, "currentMemory") {
        Some(mut current) => {
            let kib = size(&mut current)?;
            plain(&current)?;
            kib
        }
        None => max_kib,
    };
    Ok(Memory {
        max_kib,
        // 0 stands for "not set" in libvirt, and more than the limit means the limit.
        current_kib: if current_kib == 0 {
            max_kib
        } else {
            current_kib.min(max_kib)
        },
        rest: Rest::attributes_of(max),
    })
}

fn size(element: &mut Element) -> Result<u64> {
    let unit = element.take_attr("unit").unwrap_or_default();
    let text = element.text();
    kib(&text, &unit).map_err(|bad| match bad {
        BadSize::Unit => {
            let message = format!(
                "unit '{unit}' of <{}> is unknown, KiB, MiB and GiB are among the known",
                element.name
            );
            Error::new(Code::INVALID_ARG, Origin::DOMAIN, message)
        }
        BadSize::Number => wrong(
            element,
            format!("<{}> '{}' is not a whole number", element.name, text.trim()),
        ),
        BadSize::TooLarge => wrong(element, format!("<{}> '{}' is too large", element.name, text.trim())),
    })
}

fn vcpu(element: Option<Element>) -> Result<Vcpu> {
    let Some(mut element) = element else {
        return Ok(Vcpu {
            max: 1,
            current: 1,
            placement: "static".to_owned(),
            rest: Rest::default(),
        });
    };
    let max = positive(&element, "<vcpu>", &element.text())?;
    let current = match element.take_attr("current") {
        Some(text) => positive(&element, "attribute 'current' of <vcpu>", &text)?,
        None => max,
    };
    if current > max {
        let message = format!("<vcpu> allows {max} processors, which is less than its current='{current}'");
        return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message));
    }
    Ok(Vcpu {
        max,
        current,
        placement: element.take_attr("placement").unwrap_or_else(|| "static".to_owned()),
        rest: Rest::attributes_of(element),
    })
}

fn positive(element: &Element, what: &str, text: &str) -> Result<u32> {
    number(text)
        .filter(|number| *number > 0)
        .ok_or_else(|| wrong(element, format!("{what} '{}' is not a positive number", text.trim())))
}

fn os(root: &mut Element) -> Result<Os> {
    let Some(mut os) = one(root, "os") else {
        return Err(wrong(root, "<domain> has no <os>"));
    };
    let Some(mut kind) = one(&mut os, "type") else {
        return Err(wrong(&os, "<os> has no <type>"));
    };
    let text = kind.text();
    if text.trim() != "uml" {
        let message = format!(
            "os type '{}' belongs to another driver, this one runs type 'uml'",
            text.trim()
        );
        return Err(Error::new(Code::INVALID_ARG, Origin::DOMAIN, message));
    }
    let mut text_of = |name: &str| Ok::<_, Error>(one_text(&mut os, name)?.filter(|text| !text.is_empty()));
    Ok(Os {
        arch: kind
            .take_attr("arch")
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        kernel: text_of("kernel")?,
        initrd: text_of("initrd")?,
        cmdline: text_of("cmdline")?,
        root: text_of("root")?,
        type_rest: Rest::attributes_of(kind),
        rest: Rest::of(os, order::OS),
    })
}

fn action(root: &mut Element, name: &str, default: Action) -> Result<Action> {
    let Some(element) = one(root, name) else {
        return Ok(default);
    };
    plain(&element)?;
    let text = element.text();
    Action::ALL
        .into_iter()
        .filter(|action| name == "on_crash" || !action.dumps_core())
        .find(|action| action.as_str() == text.trim())
        .ok_or_else(|| {
            let message = format!("action '{}' of <{name}> is unknown", text.trim());
            Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message)
        })
}

/// The user's own alias; any other is made up anew at each start. Like libvirt's, it has only letters, digits, `-` and `_`.
fn own_alias(element: &mut Element) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    one(element, "alias")?
        .take_attr("name")
        .filter(|alias| alias.starts_with("ua-") && alias.chars().all(plain))
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    // `parse` alone would take a plus sign.
    text.bytes()
        .all(|c| c.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// One of the known values of an attribute, or an error that offers the nearest.
fn known<'a>(element: &Element, attribute: &str, value: &str, values: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let values: Vec<&str> = values.into_iter().collect();
    if values.contains(&value) {
        return Ok(());
    }
    let hint = xml::nearest(value, values).map_or_else(String::new, |near| format!(", did you mean '{near}'?"));
    let message = format!(
        "attribute '{attribute}' of <{}> has the unknown value '{value}'{hint}",
        element.name
    );
    Err(wrong(element, message))
}

fn wrong(element: &Element, message: impl std::fmt::Display) -> Error {
    element.error(Origin::DOMAIN, message)
}
