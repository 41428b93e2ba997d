//! Prints a definition exactly as libvirt prints it, where libvirt's form can be read back.

use super::{Entry, Field, FilterDef, Match, Reference, Rule, Term};
use driver_api::kit::xml::Element;
use std::fmt;

impl fmt::Display for FilterDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let priority = Some(self.chain_priority).filter(|priority| *priority != 0);
        let filter = Element::new("filter")
            .with_attr("name", &self.name)
            .with_attr("chain", &self.chain)
            .with_attr_opt("priority", priority)
            .with_child(Element::new("uuid").with_text(self.uuid))
            .with_children(self.entries.iter().map(Entry::element));
        fmt::Display::fmt(&filter, f)
    }
}

impl Entry {
    pub(super) fn element(&self) -> Element {
        match self {
            Self::Rule(rule) => rule.element(),
            Self::Reference(reference) => reference.element(),
        }
    }
}

impl Reference {
    pub(crate) fn element(&self) -> Element {
        let values = |(name, values): (&String, &Vec<String>)| -> Vec<Element> {
            let parameter = |value| {
                Element::new("parameter")
                    .with_attr("name", name)
                    .with_attr("value", value)
            };
            values.iter().map(parameter).collect()
        };
        Element::new("filterref")
            .with_attr("filter", &self.filter)
            .with_children(self.parameters.iter().flat_map(values))
    }
}

impl Rule {
    fn element(&self) -> Element {
        Element::new("rule")
            .with_attr("action", self.action.name())
            .with_attr("direction", self.direction.name())
            .with_attr("priority", self.priority)
            .with_attr_opt("statematch", (!self.statematch).then_some("false"))
            .with_children(self.matches.iter().flat_map(Match::elements))
    }
}

impl Match {
    /// One element, and a new one each time `match` changes between the fields.
    fn elements(&self) -> Vec<Element> {
        let runs = self.fields.chunk_by(|a, b| a.negated == b.negated);
        let mut elements: Vec<Element> = runs.map(|run| self.run(run)).collect();
        if elements.is_empty() {
            elements.push(Element::new(self.protocol.name));
        }
        elements
    }

    fn run(&self, fields: &[Field]) -> Element {
        let negated = fields.first().is_some_and(|field| field.negated);
        let element = Element::new(self.protocol.name).with_attr_opt("match", negated.then_some("no"));
        fields.iter().fold(element, |element, field| {
            element.with_attr(field.attribute.name, field.text())
        })
    }
}

impl Field {
    fn text(&self) -> String {
        match &self.term {
            Term::Value(value) => self.attribute.kind.print(value),
            Term::Variable(access) => access.to_string(),
        }
    }
}
