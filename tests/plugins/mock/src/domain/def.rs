//! `Def`: what a `<domain>` document says. The document is kept whole, so that what has no meaning here is printed back.

use crate::fault::{Part, fault, senseless};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::types::uuid::Uuid;

/// Most processors of a guest.
pub(crate) const MOST_VCPUS: u32 = 1024;
/// Memory of a guest that does not say how much it wants, in KiB.
const SOME_MEMORY: u64 = 64 * 1024;
/// Longest name in bytes.
const LONGEST_NAME: usize = 255;

/// One definition; never changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Def {
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    pub(crate) max_memory_kib: u64,
    pub(crate) memory_kib: u64,
    pub(crate) max_vcpus: u32,
    pub(crate) vcpus: u32,
    pub(crate) os_type: String,
    /// The whole document, without the id of a run.
    pub(crate) element: Element,
}

impl Def {
    /// Reads a document of a client's. What it leaves open is settled here for good: UUID and hardware addresses; and a
    /// UUID is written in one way only.
    ///
    /// # Errors
    /// 27 with the place for what is no domain, 8 for another driver's.
    pub(crate) fn read(xml: &str) -> Result<Self> {
        let mut element = parse(xml.as_bytes(), Origin::XML, &Limits::default())?;
        check_root(&element)?;
        element.take_attr("id");
        if element.child("uuid").is_none() {
            let random = Uuid::random().map_err(|error| {
                fault(Part::Domain, Code::SYSTEM_ERROR, "cannot make up a UUID for the domain").because(error)
            })?;
            let uuid = Element::new("uuid").with_text(random);
            let after_name = |node: &Node| matches!(node, Node::Element(child) if child.name == "name");
            let at = element.children.iter().position(after_name).map_or(0, |at| at + 1);
            element.children.insert(at, Node::Element(uuid));
        }
        Self::of(element)?.with_plain_uuid()?.with_addresses()
    }

    /// What an element says.
    ///
    /// # Errors
    /// As [`Def::read`].
    pub(crate) fn of(element: Element) -> Result<Self> {
        check_root(&element)?;
        let max_memory_kib = memory(&element, "memory")?.unwrap_or(SOME_MEMORY);
        let (max_vcpus, vcpus) = processors(&element)?;
        let os_type = element.child("os").and_then(|os| os.child("type"));
        let def = Self {
            uuid: uuid(&element)?,
            name: name(&element)?,
            max_memory_kib,
            memory_kib: memory(&element, "currentMemory")?
                .unwrap_or(max_memory_kib)
                .min(max_memory_kib),
            max_vcpus,
            vcpus,
            os_type: os_type.map_or_else(|| "hvm".to_owned(), |kind| kind.text().trim().to_owned()),
            element,
        };
        def.check_devices()?;
        Ok(def)
    }

    /// The document: of a run with its id, and with secrets only for who asks for them.
    pub(crate) fn xml(&self, id: Option<i32>, secrets: bool) -> String {
        let mut element = self.element.clone();
        if let Some(id) = id {
            element = element.with_attr("id", id);
        }
        if !secrets {
            hide_secrets(&mut element);
        }
        element.to_string()
    }

    /// Its devices, in the order of the document.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &Element> {
        self.element.children_named("devices").flat_map(Element::elements)
    }

    /// Its devices of one kind, each with its place among them.
    pub(crate) fn devices_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, &'a Element)> {
        self.devices().filter(move |device| device.name == name).enumerate()
    }

    fn check_devices(&self) -> Result<()> {
        let mut seen: Vec<&str> = Vec::new();
        for device in self.devices() {
            for called in target(device).into_iter().chain(alias(device)) {
                if called.is_empty() || seen.contains(&called) {
                    let message = format!("two devices can not both be called '{called}'");
                    return Err(device.error(Origin::DOMAIN, message));
                }
                seen.push(called);
            }
            if let Some(mac) = mac(device).filter(|mac| !is_mac(mac)) {
                let message = format!("'{mac}' is no hardware address: six pairs of hexadecimal digits are wanted");
                return Err(device.error(Origin::DOMAIN, message));
            }
        }
        Ok(())
    }
}

fn check_root(root: &Element) -> Result<()> {
    if root.name != "domain" {
        let message = format!("a <domain> is wanted, this is a <{}>", root.name);
        return Err(root.error(Origin::DOMAIN, message));
    }
    match root.attr("type") {
        Some("mock") => Ok(()),
        Some(other) => {
            let message = format!("domain type '{other}' belongs to another driver, this one runs type 'mock'");
            Err(senseless(Part::Domain, message))
        }
        None => Err(root.error(Origin::DOMAIN, "<domain> has no attribute 'type'")),
    }
}

/// The only child of this name.
fn one<'a>(root: &'a Element, name: &str) -> Result<Option<&'a Element>> {
    let mut all = root.elements().filter(|child| child.name == name);
    let first = all.next();
    match all.next() {
        Some(second) => Err(second.error(Origin::DOMAIN, format!("<{name}> is there twice"))),
        None => Ok(first),
    }
}

fn uuid(root: &Element) -> Result<Uuid> {
    let Some(element) = one(root, "uuid")? else {
        return Err(root.error(Origin::DOMAIN, "<domain> has no <uuid>"));
    };
    let text = element.text();
    let wrong = |why: &str| element.error(Origin::DOMAIN, format!("<uuid> '{}' {why}", shortened(&text)));
    let uuid: Uuid = text
        .parse()
        .map_err(|_| wrong("is none: 32 hexadecimal digits are wanted"))?;
    if uuid == Uuid::default() {
        return Err(wrong("names nobody: leave <uuid> out to have one made up"));
    }
    Ok(uuid)
}

fn name(root: &Element) -> Result<String> {
    let Some(element) = one(root, "name")? else {
        return Err(root.error(Origin::DOMAIN, "<domain> has no <name>"));
    };
    let name = element.text();
    check_name(&name).map_err(|error| element.error(Origin::DOMAIN, error.message()))?;
    Ok(name)
}

/// Whether a domain can be called so: in a list, a log and a folder the name must look like one.
///
/// # Errors
/// 27.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let why = if name.trim().is_empty() {
        "is empty"
    } else if name.len() > LONGEST_NAME {
        "is longer than 255 bytes"
    } else if name.contains('/') || name == "." || name == ".." {
        "looks like a path"
    } else if name.chars().any(char::is_control) {
        "has a control character in it"
    } else {
        return Ok(());
    };
    let message = format!("the name '{}' {why}", shortened(name));
    Err(fault(Part::Domain, Code::XML_ERROR, message))
}

/// A text from a hostile document, fit for a message.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect::<String>().escape_debug().collect();
    if text.chars().nth(80).is_some() {
        short.push_str("...");
    }
    short
}

fn memory(root: &Element, name: &str) -> Result<Option<u64>> {
    let Some(element) = one(root, name)? else {
        return Ok(None);
    };
    let unit = element.attr("unit").unwrap_or("KiB");
    let bytes: u64 = match unit {
        "b" | "bytes" => 1,
        "k" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        other => {
            let message = format!(
                "unit '{}' of <{name}> is unknown, KiB, MiB and GiB are among the known",
                shortened(other)
            );
            return Err(element.error(Origin::DOMAIN, message));
        }
    };
    let text = element.text();
    let kib = number(&text)
        .and_then(|count| count.checked_mul(bytes))
        .map(|bytes| bytes.div_ceil(1024));
    match kib {
        Some(kib) if kib > 0 => Ok(Some(kib)),
        _ => {
            let message = format!("<{name}> '{}' is no amount of memory", shortened(text.trim()));
            Err(element.error(Origin::DOMAIN, message))
        }
    }
}

fn processors(root: &Element) -> Result<(u32, u32)> {
    let Some(element) = one(root, "vcpu")? else {
        return Ok((1, 1));
    };
    let count = |text: &str| {
        let count = number(text).and_then(|count| u32::try_from(count).ok());
        count.filter(|count| (1..=MOST_VCPUS).contains(count)).ok_or_else(|| {
            let message = format!(
                "<vcpu> '{}' is no number from 1 to {MOST_VCPUS}",
                shortened(text.trim())
            );
            element.error(Origin::DOMAIN, message)
        })
    };
    let most = count(&element.text())?;
    let current = element.attr("current").map_or(Ok(most), count)?;
    if current > most {
        let message = format!("<vcpu> has at most {most} processors and can not begin with {current}");
        return Err(element.error(Origin::DOMAIN, message));
    }
    Ok((most, current))
}

/// Digits only: `parse` alone would take a plus sign.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// What a device is called in the guest or on the host.
pub(crate) fn target(device: &Element) -> Option<&str> {
    device.child("target")?.attr("dev")
}

/// The name of a device among its domain's.
pub(crate) fn alias(device: &Element) -> Option<&str> {
    device.child("alias")?.attr("name")
}

/// The hardware address of an interface.
pub(crate) fn mac(device: &Element) -> Option<&str> {
    (device.name == "interface")
        .then(|| device.child("mac")?.attr("address"))
        .flatten()
}

pub(crate) fn is_mac(text: &str) -> bool {
    let mut pairs = text.split(':');
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    pairs.clone().count() == 6 && pairs.all(pair)
}

/// Takes out what only who asks for secrets may see.
fn hide_secrets(root: &mut Element) {
    for node in &mut root.children {
        if let Node::Element(child) = node {
            if child.name == "graphics" {
                child.take_attr("passwd");
            }
            hide_secrets(child);
        }
    }
}

/// An error about a device (27).
pub(crate) fn wrong_device(device: &Element, message: &str) -> Error {
    device.error(Origin::DOMAIN, message)
}
