//! `Rest`: what an element held that this driver does not understand, kept so that it can be printed back.

use driver_api::kit::xml::{Attribute, Element};

/// Attributes and child elements without a meaning here, in a fixed order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rest {
    /// Attributes, in the order of the document.
    pub attributes: Vec<Attribute>,
    /// Child elements, in the order in which they are printed.
    pub elements: Vec<Element>,
}

impl Rest {
    /// What was not taken out of `element`, its children brought into `order`.
    pub(super) fn of(mut element: Element, order: &[&str]) -> Self {
        let mut elements = element.take_elements();
        arrange(&mut elements, order);
        elements.shrink_to_fit();
        element.attributes.shrink_to_fit();
        Self {
            attributes: element.attributes,
            elements,
        }
    }

    /// The attributes that were not taken out of an element whose only content is text.
    pub(super) fn attributes_of(element: Element) -> Self {
        Self {
            attributes: element.attributes,
            elements: Vec::new(),
        }
    }

    /// The first kept element of this name.
    #[must_use]
    pub fn element(&self, name: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.name == name)
    }

    /// `element` with everything kept, its children brought into `order`.
    pub(super) fn dress(&self, mut element: Element, order: &[&str]) -> Element {
        element.attributes.extend(self.attributes.iter().cloned());
        let mut children = element.take_elements();
        children.extend(self.elements.iter().cloned());
        arrange(&mut children, order);
        element.with_children(children)
    }
}

/// Sorts by the place of each name in `order`; names that are not there go last, and equals stay as they are.
fn arrange(elements: &mut [Element], order: &[&str]) {
    elements.sort_by_key(|element| {
        order
            .iter()
            .position(|name| *name == element.name)
            .unwrap_or(order.len())
    });
}
