//! `Document`: what a definition says of a domain, and that it says nothing that can not be.

use crate::{NAME, fault};
use driver_api::error::{Code, Origin, Result};
use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::types::uuid::Uuid;

/// A definition, read once. What is not understood stays in `element` and is printed again.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) element: Element,
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    pub(crate) max_memory_kib: u64,
    pub(crate) memory_kib: u64,
    pub(crate) vcpus: u32,
    pub(crate) os_type: String,
}

impl Document {
    pub(crate) fn read(xml: &str) -> Result<Self> {
        let element = parse(xml.as_bytes(), Origin::DOMAIN, &Limits::default())?;
        Self::from_element(element)
    }

    pub(crate) fn from_element(mut element: Element) -> Result<Self> {
        let bad = |place: &Element, what: String| place.error(Origin::DOMAIN, what);
        if element.name != "domain" {
            return Err(bad(
                &element,
                format!("expected <domain>, found <{}>", element.name),
            ));
        }
        match element.attr("type") {
            Some(NAME) => {}
            other => {
                let found = other.unwrap_or_default();
                return Err(bad(
                    &element,
                    format!("the domain's type is '{found}', not '{NAME}'"),
                ));
            }
        }
        // Which id it has while it runs is not for a definition to say.
        element.take_attr("id");
        let name = only(&element, "name")?
            .map(Element::text)
            .unwrap_or_default();
        let plain = |c: char| !c.is_control() && c != '/';
        if name.trim().is_empty() || name.len() > 200 || !name.chars().all(plain) {
            let what = "it needs 1 to 200 bytes, without '/' and control characters";
            return Err(bad(
                &element,
                format!("the domain's <name> is {name:?}: {what}"),
            ));
        }
        let uuid = match only(&element, "uuid")? {
            Some(child) => child
                .text()
                .parse()
                .map_err(|error| bad(child, format!("{error}")))?,
            None => {
                let fresh = Uuid::random();
                let fresh =
                    fresh.map_err(|e| fault(Code::INTERNAL, "no UUID can be made").because(e))?;
                element = element.with_child(Element::new("uuid").with_text(fresh));
                fresh
            }
        };
        let memory = only(&element, "memory")?.map(kib).transpose()?;
        let current = only(&element, "currentMemory")?.map(kib).transpose()?;
        let max_memory_kib = memory.or(current).unwrap_or(64 * 1024);
        let vcpus = match only(&element, "vcpu")? {
            Some(child) => {
                let count = child.text().trim().parse::<u32>().ok();
                let count = count.filter(|count| (1..=1024).contains(count));
                count
                    .ok_or_else(|| bad(child, format!("<vcpu> is '{}': 1 to 1024", child.text())))?
            }
            None => 1,
        };
        let os = element.child("os").and_then(|os| os.child("type"));
        Ok(Self {
            uuid,
            name,
            max_memory_kib,
            memory_kib: current.unwrap_or(max_memory_kib).min(max_memory_kib),
            vcpus,
            os_type: os.map_or_else(|| NAME.to_owned(), Element::text),
            element,
        })
    }

    /// The definition as it is printed: with its passwords only for those who may see them.
    pub(crate) fn printed(&self, secure: bool) -> Element {
        let mut element = self.element.clone();
        if !secure {
            hide_secrets(&mut element);
        }
        element
    }
}

/// The document's depth was limited when it was parsed, so this ends.
fn hide_secrets(element: &mut Element) {
    element.take_attr("passwd");
    for node in &mut element.children {
        if let Node::Element(child) = node {
            hide_secrets(child);
        }
    }
}

/// The child of this name; two of them would leave open which one counts.
fn only<'a>(parent: &'a Element, name: &'a str) -> Result<Option<&'a Element>> {
    let mut children = parent.children_named(name);
    match (children.next(), children.next()) {
        (_, Some(second)) => Err(second.error(Origin::DOMAIN, format!("a second <{name}>"))),
        (first, None) => Ok(first),
    }
}

/// A size in KiB, rounded up: KiB is also what is meant without a unit.
fn kib(element: &Element) -> Result<u64> {
    let unit: u64 = match element.attr("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1_000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        other => return Err(element.error(Origin::DOMAIN, format!("unknown unit '{other}'"))),
    };
    let number = element.text().trim().parse::<u64>().ok();
    let bytes = number
        .and_then(|number| number.checked_mul(unit))
        .filter(|bytes| *bytes > 0);
    let what = || {
        format!(
            "<{}> is '{}': no size of memory",
            element.name,
            element.text()
        )
    };
    Ok(bytes
        .ok_or_else(|| element.error(Origin::DOMAIN, what()))?
        .div_ceil(1024))
}
