//! `FilterDef`: what a `<filter>` document says. It is kept whole; what has no meaning is refused by name.

use crate::fault::{Part, fault};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Limits, Node, parse};
use driver_api::types::filter::FilterBrief;
use driver_api::types::uuid::Uuid;

const PROTOCOLS: [&str; 24] = [
    "mac",
    "vlan",
    "stp",
    "arp",
    "rarp",
    "ip",
    "ipv6",
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "igmp",
    "esp",
    "ah",
    "udplite",
    "all",
    "tcp-ipv6",
    "udp-ipv6",
    "sctp-ipv6",
    "icmpv6",
    "esp-ipv6",
    "ah-ipv6",
    "udplite-ipv6",
    "all-ipv6",
];
const ACTIONS: [&str; 5] = ["accept", "drop", "reject", "return", "continue"];
const DIRECTIONS: [&str; 3] = ["in", "out", "inout"];

/// One filter; never changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilterDef {
    pub(crate) uuid: Uuid,
    pub(crate) name: String,
    pub(crate) chain: String,
    pub(crate) entries: Vec<Entry>,
    /// The whole document.
    pub(crate) element: Element,
}

/// A rule or a reference, in the order of the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    Rule(Rule),
    Reference(Reference),
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rule {
    pub(crate) action: String,
    pub(crate) direction: String,
    pub(crate) priority: i32,
    /// The protocol elements, one of which must fit; none fits all.
    pub(crate) matches: Vec<Element>,
    /// The rule as it stands in the document.
    pub(crate) element: Element,
}

/// A reference to another filter, with values for its variables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference {
    pub(crate) filter: String,
    pub(crate) parameters: Vec<(String, String)>,
}

pub(crate) fn wrong(element: &Element, message: impl std::fmt::Display) -> Error {
    element.error(Origin::NWFILTER, message)
}

fn one_of(element: &Element, attribute: &str, value: &str, known: &[&str]) -> Result<()> {
    if known.contains(&value) {
        return Ok(());
    }
    let message = format!(
        "{attribute} '{}' of <{}> is none of {}",
        value.escape_debug(),
        element.name,
        known.join(", ")
    );
    Err(wrong(element, message))
}

/// The value of an attribute that must be there.
pub(crate) fn needed<'a>(element: &'a Element, name: &str) -> Result<&'a str> {
    let value = element.attr(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| wrong(element, format!("<{}> has no attribute '{name}'", element.name)))
}

impl FilterDef {
    /// Reads a document; what it leaves open is settled here for good.
    ///
    /// # Errors
    /// 27 with the place.
    pub(crate) fn read(xml: &str) -> Result<Self> {
        let mut element = parse(xml.as_bytes(), Origin::XML, &Limits::default())?;
        if element.name == "filter" && element.child("uuid").is_none() {
            let random = Uuid::random().map_err(|error| {
                fault(Part::Filter, Code::SYSTEM_ERROR, "cannot make up a UUID for the filter").because(error)
            })?;
            let uuid = Element::new("uuid").with_text(random);
            element.children.insert(0, Node::Element(uuid));
        }
        let def = Self::of(element)?;
        let mut element = def.element.clone();
        // A UUID is written in one way only, however its author did.
        for node in &mut element.children {
            if let Node::Element(child) = node
                && child.name == "uuid"
            {
                *child = Element::new("uuid").with_text(def.uuid);
            }
        }
        Ok(Self { element, ..def })
    }

    /// What an element says.
    ///
    /// # Errors
    /// As [`FilterDef::read`].
    pub(crate) fn of(element: Element) -> Result<Self> {
        if element.name != "filter" {
            return Err(wrong(
                &element,
                format!("a <filter> is wanted, this is a <{}>", element.name),
            ));
        }
        let name = needed(&element, "name")?.to_owned();
        if name.len() > 255 || name.contains('/') || name.chars().any(char::is_control) || name == "." || name == ".." {
            return Err(wrong(
                &element,
                format!("'{}' can not be the name of a filter", name.escape_debug()),
            ));
        }
        let mut rest = element.clone();
        let chain = rest.take_attr("chain").unwrap_or_else(|| "root".to_owned());
        if let Some(priority) = rest.take_attr("priority") {
            whole(&element, "priority", &priority)?;
        }
        rest.take_attr("name");
        let uuid = uuid(&element, &mut rest)?;
        let entries = entries(&element)?;
        rest.take_children("rule");
        rest.take_children("filterref");
        rest.refuse_rest(
            Origin::NWFILTER,
            &["name", "chain", "priority", "uuid", "rule", "filterref"],
        )?;
        Ok(Self {
            uuid,
            name,
            chain,
            entries,
            element,
        })
    }

    pub(crate) fn brief(&self) -> FilterBrief {
        FilterBrief {
            uuid: self.uuid,
            name: self.name.clone(),
        }
    }

    /// The filters that it refers to itself.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Reference(reference) => Some(reference),
            Entry::Rule(_) => None,
        })
    }

    /// Its rules, each with its place among rules and references.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (usize, &Rule)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| match entry {
            Entry::Rule(rule) => Some((at, rule)),
            Entry::Reference(_) => None,
        })
    }
}

fn uuid(element: &Element, rest: &mut Element) -> Result<Uuid> {
    let all = rest.take_children("uuid");
    let [text] = all.as_slice() else {
        return Err(wrong(element, "one <uuid> is wanted"));
    };
    let uuid: Uuid = text
        .text()
        .parse()
        .map_err(|_| wrong(text, "<uuid> is none: 32 hexadecimal digits are wanted"))?;
    if uuid == Uuid::default() {
        return Err(wrong(text, "<uuid> names nobody: leave it out to have one made up"));
    }
    Ok(uuid)
}

fn whole(element: &Element, name: &str, text: &str) -> Result<i32> {
    let number = text
        .trim()
        .parse()
        .ok()
        .filter(|number| (-1000..=1000).contains(number));
    number.ok_or_else(|| {
        let message = format!(
            "{name} '{}' of <{}> is no number from -1000 to 1000",
            text.escape_debug(),
            element.name
        );
        wrong(element, message)
    })
}

fn entries(filter: &Element) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for element in filter.elements() {
        match element.name.as_str() {
            "rule" => entries.push(Entry::Rule(rule(element)?)),
            "filterref" => entries.push(Entry::Reference(reference(element)?)),
            _ => {}
        }
    }
    Ok(entries)
}

fn rule(element: &Element) -> Result<Rule> {
    let action = needed(element, "action")?;
    one_of(element, "action", action, &ACTIONS)?;
    let direction = needed(element, "direction")?;
    one_of(element, "direction", direction, &DIRECTIONS)?;
    let mut rest = element.clone();
    for known in ["action", "direction", "priority", "statematch"] {
        rest.take_attr(known);
    }
    let mut matches = Vec::new();
    for protocol in PROTOCOLS {
        matches.extend(rest.take_children(protocol));
    }
    rest.refuse_rest(Origin::NWFILTER, &PROTOCOLS)?;
    Ok(Rule {
        action: action.to_owned(),
        direction: direction.to_owned(),
        priority: element
            .attr("priority")
            .map_or(Ok(500), |text| whole(element, "priority", text))?,
        matches,
        element: element.clone(),
    })
}

/// Reads a `<filterref>`, of a filter or of a binding.
pub(crate) fn reference(element: &Element) -> Result<Reference> {
    let mut parameters = Vec::new();
    for child in element.elements() {
        if child.name != "parameter" {
            return Err(wrong(
                child,
                format!(
                    "unknown element <{}> in <filterref>, only <parameter> is known",
                    child.name
                ),
            ));
        }
        let name = needed(child, "name")?;
        let value = child.attr("value").unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.:/-".contains(c);
        let sound = |text: &str| !text.is_empty() && text.len() < 256 && text.chars().all(plain);
        if !sound(name) || !sound(value) {
            let message = format!(
                "parameter '{}' can not be '{}'",
                name.escape_debug(),
                value.escape_debug()
            );
            return Err(wrong(child, message));
        }
        parameters.push((name.to_owned(), value.to_owned()));
    }
    Ok(Reference {
        filter: needed(element, "filter")?.to_owned(),
        parameters,
    })
}
