//! `Element`: one element of a document with everything in it, in the order of the document.

use super::near::nearest;
use super::text::is_blank;
use crate::error::{Code, Error, Origin};
use std::fmt;

/// Where something stood in its document, both counted from 1; zero for what was built and not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Position {
    /// An error (27, `XML_ERROR`) that tells this place, unless it is none.
    fn error(self, origin: Origin, message: impl fmt::Display) -> Error {
        if self == Self::default() {
            return Error::new(Code::XML_ERROR, origin, message.to_string());
        }
        Error::new(Code::XML_ERROR, origin, format!("{self}: {message}"))
    }
}

/// One attribute, its value without escapes.
///
/// Equal means: prints the same. Where an attribute stood in its document does not count.
#[derive(Clone, Debug, Default)]
pub struct Attribute {
    /// The name with its namespace prefix, as written.
    pub name: String,
    /// The value, escapes resolved.
    pub value: String,
    /// Where its name began.
    pub position: Position,
}

impl PartialEq for Attribute {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

impl Eq for Attribute {}

/// What an element contains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, escapes resolved; never empty and never beside another text when it was read.
    Text(String),
    /// The inside of a comment.
    Comment(String),
}

/// One element: attributes and children in the order of the document.
///
/// Equal means: prints the same. Where an element stood in its document does not count.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// The name with its namespace prefix, as written.
    pub name: String,
    /// The attributes; no name is there twice.
    pub attributes: Vec<Attribute>,
    /// The children.
    pub children: Vec<Node>,
    /// Where its `<` stood.
    pub position: Position,
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.attributes == other.attributes && self.children == other.children
    }
}

impl Eq for Element {}

/// Building.
impl Element {
    /// An empty element.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The same with one more attribute at the end.
    #[must_use]
    pub fn with_attr(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.attributes.push(Attribute {
            name: name.to_owned(),
            value: value.to_string(),
            position: Position::default(),
        });
        self
    }

    /// The same with one more attribute if there is a value.
    #[must_use]
    pub fn with_attr_opt(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with_attr(name, value),
            None => self,
        }
    }

    /// The same with one more child.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// The same with these children at the end.
    #[must_use]
    pub fn with_children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    /// The same with text at the end; empty text adds nothing.
    #[must_use]
    pub fn with_text(mut self, text: impl fmt::Display) -> Self {
        let text = text.to_string();
        if !text.is_empty() {
            self.children.push(Node::Text(text));
        }
        self
    }
}

/// Looking.
impl Element {
    /// The value of an attribute.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }

    /// All child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Comment(_) => None,
        })
    }

    /// The first child element of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    /// The child elements of this name.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// The element's own text, all pieces of it joined; text of child elements is not in it.
    #[must_use]
    pub fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) | Node::Comment(_) => None,
            })
            .collect()
    }
}

/// Taking apart: what is left in the end is what nobody understood.
impl Element {
    /// Takes an attribute's value out.
    pub fn take_attr(&mut self, name: &str) -> Option<String> {
        self.take_attribute(name).map(|attribute| attribute.value)
    }

    /// Takes an attribute out, for whoever must tell where it stood.
    pub fn take_attribute(&mut self, name: &str) -> Option<Attribute> {
        let index = self.attributes.iter().position(|attribute| attribute.name == name)?;
        Some(self.attributes.remove(index))
    }

    /// Takes the first child element of this name out.
    pub fn take_child(&mut self, name: &str) -> Option<Self> {
        let index = self
            .children
            .iter()
            .position(|node| matches!(node, Node::Element(element) if element.name == name))?;
        match self.children.remove(index) {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Comment(_) => None,
        }
    }

    /// Takes all child elements of this name out, in their order.
    pub fn take_children(&mut self, name: &str) -> Vec<Self> {
        let wanted = |node: &mut Node| matches!(node, Node::Element(element) if element.name == name);
        elements_of(self.children.extract_if(.., wanted)).collect()
    }

    /// Takes all child elements out, in their order.
    pub fn take_elements(&mut self) -> Vec<Self> {
        let wanted = |node: &mut Node| matches!(node, Node::Element(_));
        elements_of(self.children.extract_if(.., wanted)).collect()
    }

    /// Takes the text of the first child element of this name out, and that element with it.
    pub fn take_child_text(&mut self, name: &str) -> Option<String> {
        self.take_child(name).map(|child| child.text())
    }

    /// Refuses whatever was not taken: an attribute, an element, or text other than blanks. `known` are the names that
    /// would have been understood here; the nearest one is offered.
    ///
    /// # Errors
    /// 27 (`XML_ERROR`) with the name and position of the first thing left.
    pub fn refuse_rest(&self, origin: Origin, known: &[&str]) -> crate::error::Result<()> {
        let hint = |name: &str| match nearest(name, known.iter().copied()) {
            Some(known) => format!(", did you mean '{known}'?"),
            None => String::new(),
        };
        if let Some(attribute) = self.attributes.first() {
            let name = &attribute.name;
            let message = format!("unknown attribute '{name}' of <{}>{}", self.name, hint(name));
            return Err(attribute.position.error(origin, message));
        }
        for node in &self.children {
            match node {
                Node::Element(child) => {
                    let name = &child.name;
                    return Err(child.error(
                        origin,
                        format!("unknown element <{name}> in <{}>{}", self.name, hint(name)),
                    ));
                }
                Node::Text(text) if !text.chars().all(is_blank) => {
                    return Err(self.error(origin, format!("<{}> must not contain text", self.name)));
                }
                Node::Text(_) | Node::Comment(_) => {}
            }
        }
        Ok(())
    }

    /// An error (27, `XML_ERROR`) about this element that tells where it stands.
    pub fn error(&self, origin: Origin, message: impl fmt::Display) -> Error {
        self.position.error(origin, message)
    }
}

fn elements_of(nodes: impl Iterator<Item = Node>) -> impl Iterator<Item = Element> {
    nodes.filter_map(|node| match node {
        Node::Element(element) => Some(element),
        Node::Text(_) | Node::Comment(_) => None,
    })
}
