//! Namespaces, as far as notes of other programs need them: which one an element is in, into one, and out of it.

use super::text::is_name;
use super::tree::{Attribute, Element, Node};
use crate::error::{Code, Error, Origin, Result};

impl Element {
    /// The namespace that this element is in, by its own declarations or by those of `outer`, the innermost first.
    #[must_use]
    pub fn namespace<'a>(&'a self, outer: &[&'a Self]) -> Option<&'a str> {
        let declaration = match self.name.split_once(':') {
            Some((prefix, _)) => format!("xmlns:{prefix}"),
            None => "xmlns".to_owned(),
        };
        let mut scopes = std::iter::once(self).chain(outer.iter().copied());
        scopes
            .find_map(|scope| scope.attr(&declaration))
            .filter(|uri| !uri.is_empty())
    }

    /// The element in a namespace: it and everything below it that is in none get the prefix. One that is in it already
    /// stays as it is.
    ///
    /// # Errors
    /// 8 when the prefix can not be one or is taken, and when the element is in another namespace.
    pub fn into_namespace(mut self, origin: Origin, prefix: &str, uri: &str) -> Result<Self> {
        let refuse = |why: String| Err(Error::new(Code::INVALID_ARG, origin, why));
        if !is_name(prefix) || prefix.contains(':') || prefix.starts_with("xml") {
            return refuse(format!("'{prefix}' can not be the prefix of an XML namespace"));
        }
        let declaration = format!("xmlns:{prefix}");
        match self.namespace(&[]) {
            Some(own) if own == uri => return Ok(self),
            Some(own) => {
                return refuse(format!(
                    "<{}> is in the namespace '{own}' and not in '{uri}'",
                    self.name
                ));
            }
            None if self.name.contains(':') => {
                return refuse(format!("the prefix of <{}> is declared nowhere", self.name));
            }
            None if self.attr(&declaration).is_some() => {
                return refuse(format!("<{}> uses the prefix '{prefix}' for something else", self.name));
            }
            None => {}
        }
        self.add_prefix(prefix);
        Ok(self.with_attr(&declaration, uri))
    }

    fn add_prefix(&mut self, prefix: &str) {
        if self.attr("xmlns").is_some() {
            // From here on no prefix means another namespace.
            return;
        }
        if !self.name.contains(':') {
            self.name = format!("{prefix}:{}", self.name);
        }
        self.each_child(|child| child.add_prefix(prefix));
    }

    /// The element as it was before [`Element::into_namespace`]: without the prefixes that stand for the namespace, and
    /// without what declares them.
    #[must_use]
    pub fn out_of_namespace(mut self, uri: &str) -> Self {
        let declares = |attribute: &Attribute| {
            attribute.value == uri && (attribute.name == "xmlns" || attribute.name.starts_with("xmlns:"))
        };
        // The element's own prefix may be declared further out.
        let own = self.name.split_once(':').map(|(prefix, _)| prefix.to_owned());
        let declared = self.attributes.iter().filter(|attribute| declares(attribute));
        let prefixes = declared.filter_map(|attribute| Some(attribute.name.strip_prefix("xmlns:")?.to_owned()));
        let prefixes: Vec<String> = prefixes.chain(own).collect();
        self.attributes.retain(|attribute| !declares(attribute));
        for prefix in prefixes {
            self.drop_prefix(&prefix);
        }
        self
    }

    fn drop_prefix(&mut self, prefix: &str) {
        if self.attr(&format!("xmlns:{prefix}")).is_some() {
            // From here on it means another namespace.
            return;
        }
        if let Some((own, local)) = self.name.split_once(':')
            && own == prefix
        {
            self.name = local.to_owned();
        }
        self.each_child(|child| child.drop_prefix(prefix));
    }

    fn each_child(&mut self, mut work: impl FnMut(&mut Self)) {
        for node in &mut self.children {
            if let Node::Element(child) = node {
                work(child);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::xml::{Limits, parse};

    fn read(text: &str) -> Element {
        parse(text.as_bytes(), Origin::XML, &Limits::default()).unwrap()
    }

    fn inside(text: &str) -> Result<Element> {
        read(text).into_namespace(Origin::XML, "k", "urn:x")
    }

    #[test]
    fn element_goes_into_a_namespace_as_libvirt_puts_it_and_comes_out_as_it_was() {
        for (plain, dressed) in [
            ("<a/>", "<k:a xmlns:k='urn:x'/>"),
            (
                "<a z='1'><b/>t<c xmlns='urn:y'><d/></c></a>",
                "<k:a z='1' xmlns:k='urn:x'><k:b/>t<c xmlns='urn:y'><d/></c></k:a>",
            ),
            (
                "<a><j:b xmlns:j='urn:y'><c/></j:b></a>",
                "<k:a xmlns:k='urn:x'><j:b xmlns:j='urn:y'><k:c/></j:b></k:a>",
            ),
        ] {
            let element = inside(plain).unwrap();
            assert_eq!(element, read(dressed));
            assert_eq!(element.namespace(&[]), Some("urn:x"));
            assert_eq!(element.out_of_namespace("urn:x"), read(plain));
        }
    }

    #[test]
    fn element_in_the_namespace_already_stays_and_one_in_another_is_refused() {
        for (dressed, plain) in [
            ("<j:a xmlns:j='urn:x'><j:b/></j:a>", "<a><b/></a>"),
            ("<a xmlns='urn:x'/>", "<a/>"),
        ] {
            assert_eq!(inside(dressed).unwrap(), read(dressed));
            assert_eq!(read(dressed).out_of_namespace("urn:x"), read(plain));
        }
        for other in [
            "<j:a xmlns:j='urn:y'/>",
            "<a xmlns='urn:y'/>",
            "<j:a/>",
            "<a xmlns:k='urn:y'/>",
        ] {
            assert_eq!(inside(other).unwrap_err().code(), Code::INVALID_ARG, "{other}");
        }
        for prefix in ["", "1", "a b", "a:b", "xmlns", "k'"] {
            let refused = read("<a/>").into_namespace(Origin::XML, prefix, "urn:x");
            assert_eq!(refused.unwrap_err().code(), Code::INVALID_ARG, "{prefix}");
        }
    }

    #[test]
    fn prefix_counts_as_it_is_declared_nearest() {
        let outer = read("<metadata xmlns:k='urn:x'><k:a/><k:b xmlns:k='urn:y'/><c/></metadata>");
        let found: Vec<_> = outer.elements().map(|element| element.namespace(&[&outer])).collect();
        assert_eq!(found, [Some("urn:x"), Some("urn:y"), None]);
        let nested = read("<k:a xmlns:k='urn:x'><k:b xmlns:k='urn:y'/></k:a>");
        assert_eq!(nested.out_of_namespace("urn:x"), read("<a><k:b xmlns:k='urn:y'/></a>"));
    }
}
