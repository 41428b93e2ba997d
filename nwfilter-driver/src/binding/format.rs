//! Prints a binding as libvirt prints it.

use super::def::BindingDef;
use crate::def::Reference;
use driver_api::kit::xml::Element;
use std::fmt;

impl BindingDef {
    /// `<filterbinding>`.
    #[must_use]
    pub fn element(&self) -> Element {
        let reference = Reference {
            filter: self.filter.clone(),
            parameters: self.parameters.clone(),
        };
        let owner = Element::new("owner")
            .with_child(Element::new("name").with_text(&self.owner.name))
            .with_child(Element::new("uuid").with_text(self.owner.uuid));
        let link = self
            .link
            .iter()
            .map(|link| Element::new("linkdev").with_attr("name", link));
        Element::new("filterbinding")
            .with_child(owner)
            .with_child(Element::new("portdev").with_attr("name", &self.port))
            .with_children(link)
            .with_child(Element::new("mac").with_attr("address", self.mac))
            .with_child(reference.element())
    }
}

impl fmt::Display for BindingDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.element(), f)
    }
}
