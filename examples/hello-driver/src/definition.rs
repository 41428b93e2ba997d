//! `Definition`: what a document asks for; the document is kept whole, so that nothing in it is lost.

use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::types::domain::{DomainBrief, Reason, State};
use driver_api::types::uuid::Uuid;

/// Memory of a domain that does not say how much it wants, in KiB.
const SOME_MEMORY: u64 = 1024;

/// One definition.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    pub(crate) memory_kib: u64,
    pub(crate) max_memory_kib: u64,
    os_type: String,
    element: Element,
}

fn wrong(element: &Element, message: impl std::fmt::Display) -> Error {
    element.error(Origin::DOMAIN, message)
}

/// A text out of a document, short enough for a sentence.
fn shown(text: &str) -> String {
    text.chars().take(60).collect::<String>().escape_debug().to_string()
}

/// The only child of this name.
fn one<'a>(root: &'a Element, name: &'a str) -> Result<Option<&'a Element>> {
    let mut all = root.children_named(name);
    let first = all.next();
    match all.next() {
        Some(second) => Err(wrong(second, format!("<{name}> is there twice"))),
        None => Ok(first),
    }
}

/// Whether a domain can be called so.
///
/// # Errors
/// 27.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_one = !name.trim().is_empty() && !matches!(name, "." | "..");
    let is_plain = !name.chars().any(|character| character.is_control() || character == '/');
    if is_one && is_plain && name.len() <= 255 {
        return Ok(());
    }
    let message = format!(
        "'{}' is no name: one to 255 bytes without '/' and control characters are",
        shown(name)
    );
    Err(Error::new(Code::XML_ERROR, Origin::DOMAIN, message))
}

fn memory(root: &Element, name: &str) -> Result<Option<u64>> {
    let Some(element) = one(root, name)? else {
        return Ok(None);
    };
    let factor = match element.attr("unit").unwrap_or("KiB") {
        "KiB" => 1,
        "MiB" => 1024,
        "GiB" => 1024 * 1024,
        other => {
            return Err(wrong(
                element,
                format!("unit '{}' is none of KiB, MiB, GiB", shown(other)),
            ));
        }
    };
    let text = element.text();
    let kib = text
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(factor));
    let kib = kib.filter(|kib| *kib > 0);
    let message = || wrong(element, format!("<{name}> '{}' is no amount of memory", shown(&text)));
    kib.ok_or_else(message).map(Some)
}

/// A domain here has one processor.
fn check_processors(root: &Element) -> Result<()> {
    let Some(element) = one(root, "vcpu")? else {
        return Ok(());
    };
    match element.text().trim().parse::<u32>() {
        Ok(1) => Ok(()),
        Ok(0) | Err(_) => Err(wrong(
            element,
            format!("<vcpu> '{}' is no number of processors", shown(&element.text())),
        )),
        Ok(count) => {
            let message = format!("a domain of the hello driver has one processor and can not have {count}");
            Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message))
        }
    }
}

impl Definition {
    /// Reads a document; what it leaves open is settled here.
    ///
    /// # Errors
    /// 27 and its kin, with the place.
    pub(crate) fn read(xml: &str) -> Result<Self> {
        let mut root = parse(xml.as_bytes(), Origin::XML, &Limits::default())?;
        if root.name != "domain" {
            return Err(wrong(
                &root,
                format!("a <domain> is wanted, this is a <{}>", shown(&root.name)),
            ));
        }
        // Of a run, not of the definition.
        root.take_attr("id");
        let name = one(&root, "name")?
            .ok_or_else(|| wrong(&root, "<domain> has no <name>"))?
            .text();
        check_name(&name)?;
        let uuid = match one(&root, "uuid")? {
            Some(element) => {
                let text = element.text();
                let message = |_| wrong(element, format!("<uuid> '{}' is none", shown(&text)));
                text.parse().map_err(message)?
            }
            None => Uuid::random().map_err(|error| {
                Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, "no UUID can be made up").because(error)
            })?,
        };
        // Printed in one form, whatever the document's.
        put(&mut root, "uuid", uuid.to_string());
        check_processors(&root)?;
        let max_memory_kib = memory(&root, "memory")?.unwrap_or(SOME_MEMORY);
        let memory_kib = memory(&root, "currentMemory")?
            .unwrap_or(max_memory_kib)
            .min(max_memory_kib);
        let os_type = one(&root, "os")?.and_then(|os| os.child("type"));
        Ok(Self {
            uuid,
            name,
            memory_kib,
            max_memory_kib,
            os_type: os_type.map_or_else(|| "hello".to_owned(), |kind| kind.text().trim().to_owned()),
            element: root,
        })
    }

    /// The domain while nothing of it runs.
    pub(crate) fn brief(&self, reason: Reason, autostart: bool) -> DomainBrief {
        DomainBrief {
            uuid: self.uuid,
            name: self.name.clone(),
            id: None,
            state: State::Shutoff,
            reason,
            persistent: true,
            autostart,
            updated: false,
            max_memory_kib: self.max_memory_kib,
            memory_kib: self.memory_kib,
            vcpus: 1,
            os_type: self.os_type.clone(),
        }
    }

    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        put(&mut self.element, "name", name);
    }

    pub(crate) fn set_memory(&mut self, kib: u64, most: u64) {
        (self.memory_kib, self.max_memory_kib) = (kib, most);
        put(&mut self.element, "memory", most);
        put(&mut self.element, "currentMemory", kib);
    }

    /// The document: of what runs with its id, and with devices that came later; passwords are for who asks for them.
    pub(crate) fn xml(&self, id: Option<i32>, devices: Vec<Element>, passwords: bool) -> String {
        let mut root = self.element.clone();
        if let Some(id) = id {
            root = root.with_attr("id", id);
        }
        if !devices.is_empty() {
            let own = root.take_child("devices").unwrap_or_else(|| Element::new("devices"));
            root = root.with_child(own.with_children(devices));
        }
        if !passwords {
            hide_passwords(&mut root);
        }
        root.to_string()
    }
}

fn hide_passwords(element: &mut Element) {
    element.take_attr("passwd");
    for node in &mut element.children {
        if let Node::Element(child) = node {
            hide_passwords(child);
        }
    }
}

/// Gives the first child of this name another text, without a unit; makes it if it is not there.
fn put(root: &mut Element, name: &str, text: impl std::fmt::Display) {
    let found = root.children.iter_mut().find_map(|node| match node {
        Node::Element(child) if child.name == name => Some(child),
        _ => None,
    });
    match found {
        Some(child) => {
            child.take_attr("unit");
            let mut with_text = std::mem::take(child);
            with_text.children.clear();
            *child = with_text.with_text(text);
        }
        None => root.children.push(Node::Element(Element::new(name).with_text(text))),
    }
}
