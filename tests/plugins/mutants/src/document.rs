//! Documents read and printed as a driver would that takes less care.

use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::types::domain::{DomainBrief, Reason, State};
use driver_api::types::uuid::Uuid;

/// The text of one element of a document.
pub(super) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The levels of a document, as a reader without a limit finds them.
pub(super) fn depth(xml: &str) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    for piece in xml.split('<').skip(1) {
        match piece.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') | None => {}
            Some(_) if piece.split('>').next().is_some_and(|tag| tag.ends_with('/')) => {}
            Some(_) => depth += 1,
        }
        most = most.max(depth);
    }
    most
}

/// A document whose entities are put in, however many that makes.
pub(super) fn expanded(xml: &str) -> String {
    let (Some(begin), Some(end)) = (xml.find("<!DOCTYPE"), xml.find("]>")) else {
        return xml.to_owned();
    };
    let declarations = &xml[begin..end];
    let mut text = format!("{}{}", &xml[..begin], &xml[end + 2..]);
    let entities: Vec<(&str, &str)> = declarations
        .split("<!ENTITY")
        .skip(1)
        .filter_map(|piece| {
            let name = piece.split_whitespace().next()?;
            let quote = piece.find(['"', '\''])?;
            let mark = piece[quote..].chars().next()?;
            let value = piece[quote + 1..].split(mark).next()?;
            Some((name, value))
        })
        .collect();
    for _ in 0..entities.len() {
        for (name, value) in &entities {
            if text.len() < 8 << 20 {
                text = text.replace(&format!("&{name};"), value);
            }
        }
    }
    text
}

/// A domain that nobody defined.
pub(super) fn ghost(uuid: Uuid, name: &str) -> Option<DomainBrief> {
    Some(DomainBrief {
        uuid,
        name: name.chars().take(60).collect(),
        id: None,
        state: State::Shutoff,
        reason: Reason::UNKNOWN,
        persistent: true,
        autostart: false,
        updated: false,
        max_memory_kib: 1024,
        memory_kib: 1024,
        vcpus: 1,
        os_type: "hvm".to_owned(),
    })
}

pub(super) fn without_id(xml: &str) -> String {
    match xml.split_once(" id='") {
        Some((before, rest)) => format!("{before}{}", rest.split_once('\'').map_or("", |(_, after)| after)),
        None => xml.to_owned(),
    }
}

/// A document without the attributes that a driver with a short list would not know.
pub(super) fn without_attributes(xml: &str) -> String {
    const KNOWN: [&str; 14] = [
        "type", "id", "unit", "dev", "bus", "file", "device", "address", "name", "port", "prefix", "passwd", "current",
        "filter",
    ];
    fn strip(element: &mut Element) {
        element
            .attributes
            .retain(|attribute| KNOWN.contains(&attribute.name.as_str()));
        for node in &mut element.children {
            if let Node::Element(child) = node {
                strip(child);
            }
        }
    }
    let Ok(mut root) = parse(xml.as_bytes(), driver_api::error::Origin::XML, &Limits::default()) else {
        return xml.to_owned();
    };
    strip(&mut root);
    root.to_string()
}

/// A document without the elements that a driver with a short list would not know.
pub(super) fn known_only(xml: &str) -> String {
    const KNOWN: [&str; 14] = [
        "name",
        "uuid",
        "memory",
        "currentMemory",
        "vcpu",
        "os",
        "devices",
        "title",
        "description",
        "metadata",
        "cputune",
        "memtune",
        "blkiotune",
        "features",
    ];
    let Ok(mut root) = parse(xml.as_bytes(), driver_api::error::Origin::XML, &Limits::default()) else {
        return xml.to_owned();
    };
    root.children
        .retain(|node| matches!(node, Node::Element(child) if KNOWN.contains(&child.name.as_str())));
    root.to_string()
}
