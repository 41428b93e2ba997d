//! Reads what a rule matches: the elements of one protocol, merged into one set of conditions.

use super::super::kind::Kind;
use super::super::protocol::{Protocol, protocol};
use super::super::value::Refusal;
use super::super::vars::Access;
use super::super::{Field, Match, Term};
use super::{Reader, near, refuse};
use driver_api::error::{Code, Result};
use driver_api::kit::xml::{Attribute, Element, Node, Position};

/// A condition and where its attribute stood.
#[derive(Clone, Debug)]
pub(in super::super) struct Placed {
    /// The condition.
    pub field: Field,
    /// The place of its attribute.
    pub at: Position,
}

impl Reader {
    /// Takes the protocol elements out of a rule and merges them into one set of conditions.
    pub(super) fn matches(&mut self, rule: &mut Element) -> Result<Option<Match>> {
        let Some(protocol) = rule.elements().find_map(|element| protocol(&element.name)) else {
            return Ok(None);
        };
        let mut slots: Vec<Option<Placed>> = protocol.attributes().map(|_| None).collect();
        for part in rule.take_children(protocol.name) {
            self.part(protocol, part, &mut slots)?;
        }
        let matches = self.settle(protocol, slots.into_iter().flatten().collect())?;
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

    fn part(&mut self, protocol: &'static Protocol, mut part: Element, slots: &mut [Option<Placed>]) -> Result<()> {
        let negated = match part.take_attribute("match") {
            Some(given) if given.value == "no" => true,
            Some(Attribute { value, position, .. }) if value != "yes" => {
                let hint = near(&value, &["yes", "no"]);
                let message = format!("match='{value}' is neither 'yes' nor 'no', so it counts as 'yes'{hint}");
                self.doubt(position, message)?;
                false
            }
            _ => false,
        };
        for (attribute, slot) in protocol.attributes().zip(slots) {
            let Some(given) = part.take_attribute(attribute.name) else {
                continue;
            };
            let at = given.position;
            if slot.is_some() {
                let message = format!(
                    "'{}' of <{}> is given twice, the last one would count",
                    attribute.name, protocol.name
                );
                self.doubt(at, message)?;
            }
            let term = self.term(protocol, attribute.kind, &given)?;
            let field = Field {
                attribute,
                negated,
                term,
            };
            *slot = Some(Placed { field, at });
        }
        let mut known: Vec<&str> = protocol.attributes().map(|attribute| attribute.name).collect();
        known.push("match");
        self.rest(&part, &known, &[])
    }

    fn term(&mut self, protocol: &Protocol, kind: Kind, given: &Attribute) -> Result<Term> {
        let (at, text) = (given.position, &given.value);
        let what = || format!("{}='{text}' of <{}>", given.name, protocol.name);
        if let Some(access) = text.strip_prefix('$') {
            let (access, rest) = Access::read(access)
                .map_err(|why| refuse(Code::INTERNAL, at, format!("{} has an illegal value: {why}", what())))?;
            if !rest.is_empty() {
                self.doubt(at, format!("'{rest}' behind the bracket in {} means nothing", what()))?;
            }
            return Ok(Term::Variable(access));
        }
        match kind.read(text) {
            Ok(value) => Ok(Term::Value(value)),
            Err(Refusal::Illegal(wanted)) => {
                let hint = kind
                    .unknown_name(text)
                    .map_or_else(String::new, |(name, known)| near(name, &known));
                let message = format!("{} has an illegal value: {wanted} is wanted{hint}", what());
                Err(refuse(Code::INTERNAL, at, message))
            }
            Err(Refusal::Doubtful(value, why)) => {
                self.doubt(at, format!("{} {why}", what()))?;
                Ok(Term::Value(value))
            }
        }
    }
}

fn is_protocol(name: &str) -> bool {
    protocol(name).is_some()
}
