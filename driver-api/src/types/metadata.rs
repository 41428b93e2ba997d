//! A change of what people and other programs note about a domain.

use crate::error::{Code, Error, Origin, Result};

/// One note and what becomes of it; without a text the note is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataChange<'a> {
    /// The description: any text.
    Description(Option<&'a str>),
    /// The title: one line.
    Title(Option<&'a str>),
    /// The element of one XML namespace below `<metadata>`, of which there is one at most.
    Element {
        /// The namespace, which says whose note it is.
        uri: &'a str,
        /// The element to put there, and the prefix for its namespace.
        element: Option<(&'a str, &'a str)>,
    },
}

/// Why a change makes no sense; the code is 8.
fn senseless(why: impl Into<String>) -> Error {
    Error::new(Code::INVALID_ARG, Origin::DOMAIN, why)
}

impl<'a> MetadataChange<'a> {
    /// The change that libvirt's numbers and arguments mean (`virDomainMetadataType`, `virDomainSetMetadata`).
    ///
    /// # Errors
    /// 8 for a kind that there is not, and for a key and a URI that do not belong to the kind.
    pub fn new(kind: u32, value: Option<&'a str>, key: Option<&'a str>, uri: Option<&'a str>) -> Result<Self> {
        match kind {
            0 | 1 if key.is_some() || uri.is_some() => Err(senseless(
                "a title or a description belongs to no XML namespace: leave out key and URI",
            )),
            0 => Ok(Self::Description(value)),
            1 => Ok(Self::Title(value)),
            2 => {
                let uri = uri
                    .filter(|uri| !uri.is_empty())
                    .ok_or_else(|| senseless("a metadata element needs the URI of its XML namespace"))?;
                let prefix = |value| match key {
                    Some(key) => Ok((value, key)),
                    None => Err(senseless(format!(
                        "a metadata element of '{uri}' needs a key: the prefix for its XML namespace"
                    ))),
                };
                let element = value.map(prefix).transpose()?;
                Ok(Self::Element { uri, element })
            }
            other => Err(senseless(format!("a domain has no metadata of kind {other} to be set"))),
        }
    }

    /// The numbers and arguments again: kind, value, key, URI.
    #[must_use]
    pub fn parts(&self) -> (u32, Option<&'a str>, Option<&'a str>, Option<&'a str>) {
        match *self {
            Self::Description(text) => (0, text, None, None),
            Self::Title(text) => (1, text, None, None),
            Self::Element { uri, element } => {
                let (value, key) = element.unzip();
                (2, value, key, Some(uri))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_is_what_its_parts_say() {
        for change in [
            MetadataChange::Description(Some("a\nb")),
            MetadataChange::Title(None),
            MetadataChange::Element {
                uri: "urn:x",
                element: Some(("<a/>", "x")),
            },
            MetadataChange::Element {
                uri: "urn:x",
                element: None,
            },
        ] {
            let (kind, value, key, uri) = change.parts();
            assert_eq!(MetadataChange::new(kind, value, key, uri).unwrap(), change);
        }
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        for (kind, value, key, uri) in [
            (0, Some("x"), Some("k"), None),
            (1, None, None, Some("urn:x")),
            (2, Some("<a/>"), Some("k"), None),
            (2, None, None, Some("")),
            (2, Some("<a/>"), None, Some("urn:x")),
            (3, None, None, None),
        ] {
            let refused = MetadataChange::new(kind, value, key, uri).unwrap_err();
            assert_eq!(refused.code(), Code::INVALID_ARG, "{refused}");
        }
    }
}
