//! A definition with one of its notes changed.

use super::DomainDef;
use driver_api::error::{Origin, Result};
use driver_api::kit::xml::{self, Element, Limits, Node};
use driver_api::types::metadata::MetadataChange;

impl DomainDef {
    /// The same definition but for one note.
    ///
    /// # Errors
    /// 27 for an element that is not well-formed and for a title of several lines, 8 for a namespace that it can not be in.
    pub fn with_metadata(&self, change: &MetadataChange<'_>) -> Result<Self> {
        let mut def = self.clone();
        match *change {
            MetadataChange::Description(text) => def.description = text.map(ToOwned::to_owned),
            MetadataChange::Title(text) => def.title = text.map(ToOwned::to_owned),
            MetadataChange::Element { uri, element } => def.metadata = Some(exchanged(def.metadata, uri, element)?),
        }
        // Read as a new host would read it from the disk: a note must never be what makes a definition unreadable.
        Self::from_xml(def.to_xml(None).as_bytes())
    }
}

/// `<metadata>` with the element of a namespace exchanged, and without it when there is none to put there.
fn exchanged(metadata: Option<Element>, uri: &str, element: Option<(&str, &str)>) -> Result<Element> {
    let mut metadata = metadata.unwrap_or_else(|| Element::new("metadata"));
    let mut scope = Element::new("metadata");
    scope.attributes.clone_from(&metadata.attributes);
    let old = |node: &Node| matches!(node, Node::Element(element) if element.namespace(&[&scope]) == Some(uri));
    metadata.children.retain(|node| !old(node));
    let Some((text, prefix)) = element else {
        return Ok(metadata);
    };
    let element = xml::parse(text.as_bytes(), Origin::XML, &Limits::default())?;
    Ok(metadata.with_child(element.into_namespace(Origin::DOMAIN, prefix, uri)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::error::Code;

    fn def(more: &str) -> DomainDef {
        let xml = format!(
            "<domain type='uml'><name>vm</name><uuid>11111111-1111-1111-1111-111111111111</uuid>{more}\
             <memory>65536</memory><os><type>uml</type></os></domain>"
        );
        DomainDef::from_xml(xml.as_bytes()).unwrap()
    }

    fn note<'a>(uri: &'a str, element: Option<&'a str>) -> MetadataChange<'a> {
        MetadataChange::Element {
            uri,
            element: element.map(|element| (element, "k")),
        }
    }

    #[test]
    fn title_and_description_are_set_and_removed_by_nothing_or_an_empty_text() {
        let set = def("").with_metadata(&MetadataChange::Title(Some("a & b"))).unwrap();
        assert_eq!(set, def("<title>a &amp; b</title>"));
        let both = set
            .with_metadata(&MetadataChange::Description(Some("two\nlines")))
            .unwrap();
        assert_eq!(both.description.as_deref(), Some("two\nlines"));
        for nothing in [None, Some("")] {
            let title = both.with_metadata(&MetadataChange::Title(nothing)).unwrap();
            assert_eq!(
                title.with_metadata(&MetadataChange::Description(nothing)).unwrap(),
                def("")
            );
        }
    }

    #[test]
    fn element_of_a_namespace_is_exchanged_and_the_others_stay() {
        let start = def("<metadata xmlns:o='urn:o'><o:a/><k:b xmlns:k='urn:k'/></metadata>");
        let changed = start.with_metadata(&note("urn:k", Some("<c><d/></c>"))).unwrap();
        let want = "<metadata xmlns:o='urn:o'><o:a/><k:c xmlns:k='urn:k'><k:d/></k:c></metadata>";
        assert_eq!(changed, def(want));
        let one = changed.with_metadata(&note("urn:o", None)).unwrap();
        let none = one.with_metadata(&note("urn:k", None)).unwrap();
        assert_eq!(none, def(""));
        assert_eq!(none.with_metadata(&note("urn:k", None)).unwrap(), none);
    }

    #[test]
    fn note_that_would_spoil_the_definition_is_refused() {
        let deep = "<a>".repeat(64) + &"</a>".repeat(64);
        let long = "x".repeat(5 << 20);
        for (change, code) in [
            (MetadataChange::Title(Some("two\nlines")), Code::XML_ERROR),
            (MetadataChange::Description(Some(&long)), Code::XML_ERROR),
            (note("urn:k", Some("<a/><b/>")), Code::XML_ERROR),
            (note("urn:k", Some(&deep)), Code::XML_ERROR),
            (note("urn:k", Some("<a xmlns='urn:o'/>")), Code::INVALID_ARG),
        ] {
            assert_eq!(def("").with_metadata(&change).unwrap_err().code(), code);
        }
        // What XML can not carry is left out, as libvirt does.
        let bell = def("").with_metadata(&MetadataChange::Title(Some("a\u{7}b"))).unwrap();
        assert_eq!(bell.title.as_deref(), Some("ab"));
    }
}
