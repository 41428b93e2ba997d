//! A definition with one thing changed: pure, and checked again as if it had come from a client.

use super::def::{Def, alias, mac, target};
use driver_api::error::Result;
use driver_api::kit::xml::{Element, Node};

impl Def {
    /// The definition with its document changed.
    ///
    /// # Errors
    /// As [`Def::of`]: what would be no definition any more.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Element)) -> Result<Self> {
        let mut element = self.element.clone();
        change(&mut element);
        Self::of(element)
    }

    /// The definition with the text of one element below `<domain>` set; an empty one goes.
    pub(crate) fn with_text(&self, name: &str, text: &str) -> Result<Self> {
        self.with(|root| {
            if text.is_empty() {
                root.take_child(name);
            } else {
                change_child(root, name, |child| set_text(child, text));
            }
        })
    }

    /// The definition with another device list.
    pub(crate) fn with_devices(&self, change: impl FnOnce(&mut Vec<Element>)) -> Result<Self> {
        self.with(|root| {
            let mut devices: Vec<Element> = root
                .children_named("devices")
                .flat_map(Element::elements)
                .cloned()
                .collect();
            change(&mut devices);
            let list = Element::new("devices").with_children(devices);
            let at = root.children.iter().position(|node| is_element(node, "devices"));
            root.take_children("devices");
            match at {
                Some(at) => root.children.insert(at, Node::Element(list)),
                None => root.children.push(Node::Element(list)),
            }
        })
    }

    /// The definition with its UUID as everybody writes it, however its author did.
    pub(super) fn with_plain_uuid(self) -> Result<Self> {
        let plain = self.uuid.to_string();
        let written = self.element.child("uuid").map(Element::text);
        match written {
            Some(written) if written == plain => Ok(self),
            _ => self.with_text("uuid", &plain),
        }
    }

    /// The definition with a hardware address for each interface that names none, for good: made of the domain's UUID and
    /// the place, so that it is nobody else's.
    pub(super) fn with_addresses(self) -> Result<Self> {
        if self.devices_named("interface").all(|(_, device)| mac(device).is_some()) {
            return Ok(self);
        }
        let uuid = self.uuid;
        self.with_devices(|devices| {
            for (place, device) in devices.iter_mut().enumerate() {
                give_address(device, uuid.as_bytes(), place);
            }
        })
    }

    /// The definition as it runs: each device has an alias, and each interface a name on the host, of which `port` makes
    /// new ones.
    pub(crate) fn running(&self, mut port: impl FnMut() -> String) -> Result<Self> {
        self.with_devices(|devices| {
            for place in 0..devices.len() {
                let name = free_alias(devices, &devices[place].name);
                dress(&mut devices[place], name, &mut port);
            }
        })
    }
}

fn give_address(device: &mut Element, uuid: &[u8; 16], place: usize) {
    if device.name != "interface" || mac(device).is_some() {
        return;
    }
    let [.., a, b, c] = *uuid;
    // The low byte of a place is enough: a guest has no 256 interfaces without addresses of their own.
    let c = c ^ place.to_le_bytes()[0];
    let address = format!("52:54:00:{a:02x}:{b:02x}:{c:02x}");
    device.take_child("mac");
    device
        .children
        .insert(0, Node::Element(Element::new("mac").with_attr("address", address)));
}

/// Gives a device what only a running one has, as far as it has not got it.
pub(super) fn dress(device: &mut Element, name: String, port: &mut impl FnMut() -> String) {
    if device.name == "interface" && target(device).is_none() {
        device.take_child("target");
        device
            .children
            .push(Node::Element(Element::new("target").with_attr("dev", port())));
    }
    if alias(device).is_none() {
        device.take_child("alias");
        device
            .children
            .push(Node::Element(Element::new("alias").with_attr("name", name)));
    }
}

/// The first alias of this kind that no device has.
pub(super) fn free_alias(devices: &[Element], kind: &str) -> String {
    let prefix = if kind == "interface" { "net" } else { kind };
    let taken = |name: &String| devices.iter().any(|device| alias(device) == Some(name));
    let mut names = (0_u32..).map(|number| format!("{prefix}{number}"));
    names.find(|name| !taken(name)).unwrap_or_default()
}

/// Whether this is an element of that name.
pub(super) fn is_element(node: &Node, name: &str) -> bool {
    matches!(node, Node::Element(element) if element.name == name)
}

/// Changes the first child of this name, made if there is none.
pub(super) fn change_child(parent: &mut Element, name: &str, change: impl FnOnce(&mut Element)) {
    if parent.child(name).is_none() {
        parent.children.push(Node::Element(Element::new(name)));
    }
    let mut children = parent.children.iter_mut();
    let child = children.find_map(|node| match node {
        Node::Element(child) if child.name == name => Some(child),
        _ => None,
    });
    if let Some(child) = child {
        change(child);
    }
}

/// Makes `text` the whole content of an element.
pub(super) fn set_text(element: &mut Element, text: &str) {
    element.children = vec![Node::Text(text.to_owned())];
}

/// Sets an attribute.
pub(super) fn set_attr(element: &mut Element, name: &str, value: &str) {
    element.take_attr(name);
    *element = std::mem::take(element).with_attr(name, value);
}
