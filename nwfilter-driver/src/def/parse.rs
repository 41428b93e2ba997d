//! Reads a filter's XML: structure, names and single values; what belongs together is checked in `validate`.
//!
//! libvirt drops much of what it does not understand, and a rule that lost a condition matches more than its author
//! meant. Here such a document is refused, unless the host is in compat mode: then it means what libvirt makes of it,
//! and each doubt is told.

use super::protocol::{PROTOCOLS, Protocol, protocol};
use super::value::Refusal;
use super::vars::{Access, Parameters, is_value, is_variable};
use super::{Action, Direction, Entry, Field, FilterDef, Match, Reference, Rule, Term};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{self, Element, Limits, Node, Position, nearest};
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
    let root = xml::parse(document, Origin::NWFILTER, &Limits::default()).map_err(|error| {
        Error::new(
            Code::XML_DETAIL,
            Origin::NWFILTER,
            format!("the filter is not XML: {error}"),
        )
    })?;
    let mut reader = Reader::new(mode);
    let (def, fresh_uuid) = reader.filter(root)?;
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
        let near = |name: &str, known: &[&str]| match nearest(name, known.iter().copied()) {
            Some(near) => format!(", did you mean '{near}'?"),
            None => String::new(),
        };
        for attribute in &element.attributes {
            if self.told_enough() {
                return Ok(());
            }
            let hint = near(&attribute.name, attributes);
            let message = format!("<{}> has no attribute '{}'{hint}", element.name, attribute.name);
            self.doubt(element.position, message)?;
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

    fn filter(&mut self, mut root: Element) -> Result<(FilterDef, bool)> {
        if root.name != "filter" {
            let message = format!(
                "{}: the root element is <{}>, a filter's is <filter>",
                root.position, root.name
            );
            return Err(Error::new(Code::XML_ERROR, Origin::XML, message));
        }
        let name = root.take_attr("name").unwrap_or_default();
        let name = self.filter_name(root.position, name)?;
        let priority = root.take_attr("priority").filter(|text| !text.is_empty());
        let chain = root.take_attr("chain").filter(|text| !text.is_empty());
        let (chain, chain_priority) = self.chain(root.position, chain, priority)?;
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
        let at = element.position;
        let Some(filter) = element.take_attr("filter") else {
            let message = "<filterref> needs the attribute 'filter' with the other filter's name";
            return Err(refuse(Code::INTERNAL, at, message));
        };
        let mut parameters = Parameters::new();
        for mut parameter in element.take_children("parameter") {
            let at = parameter.position;
            match (parameter.take_attr("name"), parameter.take_attr("value")) {
                (Some(name), Some(value)) if is_variable(&name) && is_value(&value) => {
                    parameters.entry(name).or_default().push(value);
                }
                (Some(name), Some(_)) if !is_variable(&name) => {
                    let message =
                        format!("parameter '{name}' is left out: names have letters of ASCII, digits and '_'");
                    self.doubt(at, message)?;
                }
                (Some(name), Some(value)) => {
                    let message = format!(
                        "value '{value}' of parameter '{name}' is left out: values have letters of ASCII, digits and '_.:'"
                    );
                    self.doubt(at, message)?;
                }
                _ => self.doubt(at, "<parameter> needs the attributes 'name' and 'value'")?,
            }
            self.rest(&parameter, &["name", "value"], &[])?;
        }
        self.rest(&element, &["filter"], &["parameter"])?;
        Ok(Reference { filter, parameters })
    }

    fn rule(&mut self, mut element: Element) -> Result<Rule> {
        let at = element.position;
        let action = choice(&mut element, "action", Action::ALL)?;
        let direction = choice(&mut element, "direction", Direction::ALL)?;
        let priority = match element.take_attr("priority") {
            None => DEFAULT_RULE_PRIORITY,
            Some(text) => match super::validate::priority(&text) {
                Some(priority) => priority,
                None => {
                    let message = format!(
                        "priority '{text}' of the rule is not a number from -{MAX_PRIORITY} to {MAX_PRIORITY}, \
                         so {DEFAULT_RULE_PRIORITY} would be taken"
                    );
                    self.doubt(at, message)?;
                    DEFAULT_RULE_PRIORITY
                }
            },
        };
        let statematch = match element.take_attr("statematch") {
            None => true,
            Some(text) if text == "0" || text.eq_ignore_ascii_case("false") => false,
            Some(text) => {
                if text != "1" && !text.eq_ignore_ascii_case("true") {
                    self.doubt(
                        at,
                        format!("statematch='{text}' is neither 'true' nor 'false', so it stays on"),
                    )?;
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

    /// Takes the protocol elements out of a rule and merges them into one set of conditions.
    fn matches(&mut self, rule: &mut Element) -> Result<Option<Match>> {
        let Some(protocol) = rule.elements().find_map(|element| protocol(&element.name)) else {
            return Ok(None);
        };
        let parts = rule.take_children(protocol.name);
        let at = parts.first().map_or(rule.position, |part| part.position);
        let mut slots: Vec<Option<Field>> = protocol.attributes().map(|_| None).collect();
        for part in parts {
            self.part(protocol, part, &mut slots)?;
        }
        let mut matches = Match {
            protocol,
            fields: slots.into_iter().flatten().collect(),
        };
        self.settle(at, &mut matches)?;
        let stranger = |node: &mut Node| matches!(node, Node::Element(e) if is_protocol(&e.name));
        for node in rule.children.extract_if(.., stranger) {
            let Node::Element(stranger) = node else { continue };
            if !self.told_enough() {
                let message = format!(
                    "a rule has one protocol: <{}> beside <{}> means nothing",
                    stranger.name, protocol.name
                );
                self.doubt(stranger.position, message)?;
            }
        }
        Ok(Some(matches))
    }

    fn part(&mut self, protocol: &'static Protocol, mut part: Element, slots: &mut [Option<Field>]) -> Result<()> {
        let at = part.position;
        let negated = match part.take_attr("match").as_deref() {
            Some("no") => true,
            None | Some("yes") => false,
            Some(other) => {
                self.doubt(
                    at,
                    format!("match='{other}' is neither 'yes' nor 'no', so it counts as 'yes'"),
                )?;
                false
            }
        };
        for (attribute, slot) in protocol.attributes().zip(slots) {
            let Some(text) = part.take_attr(attribute.name) else {
                continue;
            };
            if slot.is_some() {
                let message = format!(
                    "'{}' of <{}> is given twice, the last one would count",
                    attribute.name, protocol.name
                );
                self.doubt(at, message)?;
            }
            let what = || format!("{}='{text}' of <{}>", attribute.name, protocol.name);
            let term = match text.strip_prefix('$') {
                Some(access) => {
                    let (access, rest) = Access::read(access)
                        .map_err(|why| refuse(Code::INTERNAL, at, format!("{} has an illegal value: {why}", what())))?;
                    if !rest.is_empty() {
                        self.doubt(at, format!("'{rest}' behind the bracket in {} means nothing", what()))?;
                    }
                    Term::Variable(access)
                }
                None => match attribute.kind.read(&text) {
                    Ok(value) => Term::Value(value),
                    Err(Refusal::Illegal(wanted)) => {
                        let message = format!("{} has an illegal value: {wanted} is wanted", what());
                        return Err(refuse(Code::INTERNAL, at, message));
                    }
                    Err(Refusal::Doubtful(value, why)) => {
                        self.doubt(at, format!("{} {why}", what()))?;
                        Term::Value(value)
                    }
                },
            };
            *slot = Some(Field {
                attribute,
                negated,
                term,
            });
        }
        let mut known: Vec<&str> = protocol.attributes().map(|attribute| attribute.name).collect();
        known.push("match");
        self.rest(&part, &known, &[])
    }
}

fn is_protocol(name: &str) -> bool {
    protocol(name).is_some()
}

fn choice<T: Copy>(element: &mut Element, name: &str, all: &[(T, &'static str)]) -> Result<T> {
    let at = element.position;
    let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
    let Some(text) = element.take_attr(name) else {
        let message = format!("<rule> needs the attribute '{name}', one of {}", names.join(", "));
        return Err(refuse(Code::INTERNAL, at, message));
    };
    match all.iter().find(|(_, known)| *known == text) {
        Some((value, _)) => Ok(*value),
        None => {
            let message = format!(
                "unknown {name} '{text}' of a rule, one of {} is wanted",
                names.join(", ")
            );
            Err(refuse(Code::CONFIG_UNSUPPORTED, at, message))
        }
    }
}

#[cfg(test)]
mod tests;
