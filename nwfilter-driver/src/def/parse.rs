//! Reads a filter's XML: structure, names and single values; what belongs together is checked in `validate`.
//!
//! libvirt drops much of what it does not understand, and a rule that lost a condition matches more than its author
//! meant. Here such a document is refused, unless the host is in compat mode: then it means what libvirt makes of it,
//! and each doubt is told.

pub(super) mod conditions;

use super::protocol::PROTOCOLS;
use super::vars::{Parameters, is_value, is_variable};
use super::{Action, Direction, Entry, FilterDef, Reference, Rule};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{self, Attribute, Element, Limits, Node, Position, nearest};
use driver_api::types::uuid::Uuid;

/// What happens to a document that libvirt accepts in part only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It is refused.
    Strict,
    /// It is refused with the code of a failed schema validation (92), as the client asked for validation.
    Validate,
    /// It is accepted as libvirt does; [`Parsed::doubts`] tells what was dropped.
    Compat,
}

/// A definition and how it came to be.
#[derive(Debug)]
pub struct Parsed {
    /// The definition.
    pub def: FilterDef,
    /// The document gave no UUID, so a random one was taken.
    pub fresh_uuid: bool,
    /// What compat mode let pass, in words with positions; the first [`MAX_DOUBTS`] of it.
    pub doubts: Vec<String>,
}

/// So many doubts are told; whoever wrote that document knows by then.
pub const MAX_DOUBTS: usize = 50;

/// The priority of a rule that names none.
pub const DEFAULT_RULE_PRIORITY: i32 = 500;
/// Priorities of rules and chains go from minus this to this.
pub const MAX_PRIORITY: i32 = 1000;

/// Reads and validates one filter.
///
/// # Errors
/// libvirt's code for what libvirt refuses too: 35 not XML, 27 another root or a malformed UUID, 8 chain and its
/// priority, 67 an unknown action or direction, 1 the rest; 27 (or 92) for what libvirt would have dropped.
pub fn parse(document: &[u8], mode: Mode) -> Result<Parsed> {
    parse_by(document, &|_| mode)
}

/// Reads and validates one filter in the mode that its name asks for.
///
/// # Errors
/// As [`parse`].
pub fn parse_by(document: &[u8], modes: &dyn Fn(&str) -> Mode) -> Result<Parsed> {
    let root = xml::parse(document, Origin::NWFILTER, &Limits::default()).map_err(|error| {
        Error::new(
            Code::XML_DETAIL,
            Origin::NWFILTER,
            format!("the filter is not XML: {error}"),
        )
    })?;
    // What is refused before the name is known is refused for good.
    let mut reader = Reader::new(Mode::Strict);
    let (def, fresh_uuid) = reader.filter(root, modes)?;
    Ok(Parsed {
        def,
        fresh_uuid,
        doubts: reader.doubts,
    })
}

/// Carries the mode and the doubts through the document.
pub(crate) struct Reader {
    mode: Mode,
    doubts: Vec<String>,
}

/// The end of a message about an unknown name: the known one that was probably meant.
pub(super) fn near(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!(", did you mean '{near}'?"),
        None => String::new(),
    }
}

/// An error about a place in the document.
pub(crate) fn refuse(code: Code, position: Position, message: impl AsRef<str>) -> Error {
    Error::new(code, Origin::NWFILTER, format!("{position}: {}", message.as_ref()))
}

impl Reader {
    pub(crate) const fn new(mode: Mode) -> Self {
        let doubts = Vec::new();
        Self { mode, doubts }
    }

    /// Something that libvirt drops or turns around without a word.
    pub(super) fn doubt(&mut self, position: Position, message: impl AsRef<str>) -> Result<()> {
        match self.mode {
            Mode::Strict => Err(refuse(Code::XML_ERROR, position, message)),
            Mode::Validate => Err(refuse(Code::XML_INVALID_SCHEMA, position, message)),
            Mode::Compat => {
                if !self.told_enough() {
                    self.doubts.push(format!("{position}: {}", message.as_ref()));
                }
                Ok(())
            }
        }
    }

    /// A hostile document may hold a quarter of a million doubts, and each would cost a search for the nearest name.
    fn told_enough(&self) -> bool {
        self.doubts.len() >= MAX_DOUBTS
    }

    /// What compat mode let pass.
    pub(crate) fn doubts(self) -> Vec<String> {
        self.doubts
    }

    /// Whatever is left of an element was not understood.
    pub(crate) fn rest(&mut self, element: &Element, attributes: &[&str], elements: &[&str]) -> Result<()> {
        for attribute in &element.attributes {
            if self.told_enough() {
                return Ok(());
            }
            let hint = near(&attribute.name, attributes);
            let message = format!("<{}> has no attribute '{}'{hint}", element.name, attribute.name);
            self.doubt(attribute.position, message)?;
        }
        for node in &element.children {
            if self.told_enough() {
                return Ok(());
            }
            match node {
                Node::Element(child) => {
                    let hint = near(&child.name, elements);
                    let message = format!("<{}> has no element <{}>{hint}", element.name, child.name);
                    self.doubt(child.position, message)?;
                }
                Node::Text(text) if !text.trim_ascii().is_empty() => {
                    self.doubt(element.position, format!("text in <{}> means nothing", element.name))?;
                }
                Node::Text(_) | Node::Comment(_) => {}
            }
        }
        Ok(())
    }

    fn filter(&mut self, mut root: Element, modes: &dyn Fn(&str) -> Mode) -> Result<(FilterDef, bool)> {
        if root.name != "filter" {
            let message = format!(
                "{}: the root element is <{}>, a filter's is <filter>",
                root.position, root.name
            );
            return Err(Error::new(Code::XML_ERROR, Origin::XML, message));
        }
        let name = demand(&mut root, "name", super::validate::NO_NAME)?;
        let name = self.filter_name(name)?;
        self.mode = modes(&name);
        let priority = root.take_attribute("priority").filter(|given| !given.value.is_empty());
        let chain = root.take_attribute("chain").filter(|given| !given.value.is_empty());
        let (chain, chain_priority) = self.chain(chain, priority)?;
        let mut uuids = root.take_children("uuid").into_iter();
        let given = match uuids.next() {
            Some(element) => Self::uuid(&element)?,
            None => None,
        };
        for second in uuids {
            self.doubt(second.position, "a filter has one <uuid>, the first would count")?;
        }
        let uuid = match given {
            Some(uuid) => uuid,
            None => Uuid::random().map_err(|error| {
                Error::new(Code::INTERNAL, Origin::NWFILTER, "the kernel gives no random UUID").because(error)
            })?,
        };
        let mut entries = Vec::new();
        for child in &mut root.children {
            let Node::Element(element) = child else { continue };
            match element.name.as_str() {
                "rule" => entries.push(Entry::Rule(self.rule(std::mem::take(element))?)),
                "filterref" => entries.push(Entry::Reference(self.reference(std::mem::take(element))?)),
                _ => {}
            }
        }
        root.children
            .retain(|node| !matches!(node, Node::Element(element) if element.name.is_empty()));
        self.rest(&root, &["name", "chain", "priority"], &["uuid", "rule", "filterref"])?;
        let def = FilterDef {
            name,
            uuid,
            chain,
            chain_priority,
            entries,
        };
        Ok((def, given.is_none()))
    }

    fn uuid(element: &Element) -> Result<Option<Uuid>> {
        let text = element.text();
        if text.is_empty() {
            return Ok(None);
        }
        let malformed =
            |error| refuse(Code::XML_ERROR, element.position, format!("malformed uuid '{text}'")).because(error);
        text.parse().map(Some).map_err(malformed)
    }

    pub(crate) fn reference(&mut self, mut element: Element) -> Result<Reference> {
        let message = "<filterref> needs the attribute 'filter' with the other filter's name";
        let filter = demand(&mut element, "filter", message)?.value;
        let mut parameters = Parameters::new();
        for mut parameter in element.take_children("parameter") {
            match (parameter.take_attribute("name"), parameter.take_attribute("value")) {
                (Some(name), Some(value)) if is_variable(&name.value) && is_value(&value.value) => {
                    parameters.entry(name.value).or_default().push(value.value);
                }
                (
                    Some(Attribute {
                        value: name, position, ..
                    }),
                    Some(_),
                ) if !is_variable(&name) => {
                    let message =
                        format!("parameter '{name}' is left out: names have letters of ASCII, digits and '_'");
                    self.doubt(position, message)?;
                }
                (Some(Attribute { value: name, .. }), Some(Attribute { value, position, .. })) => {
                    let message = format!(
                        "value '{value}' of parameter '{name}' is left out: values have letters of ASCII, digits and '_.:'"
                    );
                    self.doubt(position, message)?;
                }
                (name, _) => {
                    let lacking = if name.is_none() { "name" } else { "value" };
                    let (at, hint) = near_rest(&parameter, lacking);
                    let message = format!("<parameter> needs the attributes 'name' and 'value'{hint}");
                    self.doubt(at, message)?;
                }
            }
            self.rest(&parameter, &["name", "value"], &[])?;
        }
        self.rest(&element, &["filter"], &["parameter"])?;
        Ok(Reference { filter, parameters })
    }

    fn rule(&mut self, mut element: Element) -> Result<Rule> {
        let action = choice(&mut element, "action", Action::ALL)?;
        let direction = choice(&mut element, "direction", Direction::ALL)?;
        let priority = match element.take_attribute("priority") {
            None => DEFAULT_RULE_PRIORITY,
            Some(Attribute {
                value: text, position, ..
            }) => match super::validate::priority(&text) {
                Some(priority) => priority,
                None => {
                    let message = format!(
                        "priority '{text}' of the rule is not a number from -{MAX_PRIORITY} to {MAX_PRIORITY}, \
                         so {DEFAULT_RULE_PRIORITY} would be taken"
                    );
                    self.doubt(position, message)?;
                    DEFAULT_RULE_PRIORITY
                }
            },
        };
        let statematch = match element.take_attribute("statematch") {
            None => true,
            Some(given) if given.value == "0" || given.value.eq_ignore_ascii_case("false") => false,
            Some(Attribute {
                value: text, position, ..
            }) => {
                if text != "1" && !text.eq_ignore_ascii_case("true") {
                    let hint = near(&text, &["true", "false"]);
                    let message = format!("statematch='{text}' is neither 'true' nor 'false', so it stays on{hint}");
                    self.doubt(position, message)?;
                }
                true
            }
        };
        let matches = self.matches(&mut element)?;
        let names: Vec<&str> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
        self.rest(&element, &["action", "direction", "priority", "statematch"], &names)?;
        Ok(Rule {
            action,
            direction,
            priority,
            statematch,
            matches,
        })
    }
}

/// An attribute that has to be there.
fn demand(element: &mut Element, name: &str, message: impl AsRef<str>) -> Result<Attribute> {
    element.take_attribute(name).ok_or_else(|| {
        let (at, hint) = near_rest(element, name);
        refuse(Code::INTERNAL, at, format!("{}{hint}", message.as_ref()))
    })
}

/// Where an attribute is missing: at what was probably meant to be it, with the end of a message that says so, or at the
/// element.
fn near_rest(element: &Element, name: &str) -> (Position, String) {
    let meant = |given: &&Attribute| nearest(&given.name, [name]).is_some();
    match element.attributes.iter().find(meant) {
        Some(given) => (given.position, format!(", is '{}' meant to be '{name}'?", given.name)),
        None => (element.position, String::new()),
    }
}

fn choice<T: Copy>(element: &mut Element, name: &str, all: &[(T, &'static str)]) -> Result<T> {
    let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
    let message = format!("<rule> needs the attribute '{name}', one of {}", names.join(", "));
    let given = demand(element, name, message)?;
    match all.iter().find(|(_, known)| *known == given.value) {
        Some((value, _)) => Ok(*value),
        None => {
            let text = &given.value;
            let hint = near(text, &names);
            let message = format!(
                "unknown {name} '{text}' of a rule, one of {} is wanted{hint}",
                names.join(", ")
            );
            Err(refuse(Code::CONFIG_UNSUPPORTED, given.position, message))
        }
    }
}

#[cfg(test)]
mod tests;
