//! Reads a document into an [`Element`], within limits that hold before memory is spent.

use super::text::{is_allowed, is_blank, is_name, predefined};
use super::tree::{Attribute, Element, Node, Position};
use crate::error::{Code, Error, Origin, Result};
use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

/// What a document may cost at most. The defaults are far above any document of a real guest or filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the whole document; a longer one is refused unread.
    pub bytes: usize,
    /// Elements inside one another.
    pub depth: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Elements, attributes, texts and comments together: each takes far more memory than its few bytes of source.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 4 << 20,
            depth: 64,
            attributes: 256,
            nodes: 1 << 18,
        }
    }
}

/// Reads one document: UTF-8, no document type, only XML's own five entities and numeric references.
///
/// Blanks between elements are dropped, as is everything outside the root; CDATA becomes text.
///
/// # Errors
/// 27 (`XML_ERROR`) with line and column: not well-formed, not UTF-8, or beyond `limits`.
pub fn parse(document: &[u8], origin: Origin, limits: &Limits) -> Result<Element> {
    let refuse = |message: String| Error::new(Code::XML_ERROR, origin, message);
    if document.len() > limits.bytes {
        return Err(refuse(format!(
            "the document has {} bytes, at most {} are read",
            document.len(),
            limits.bytes
        )));
    }
    let text = std::str::from_utf8(document).map_err(|error| {
        let (valid, _) = document.split_at(error.valid_up_to());
        let mut place = Place::default();
        place.advance(std::str::from_utf8(valid).unwrap_or_default(), valid.len());
        refuse(format!("{}: the document is not UTF-8", place.position()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Parser {
        text,
        limits,
        place: Place::default(),
        open: Vec::new(),
        root: None,
        nodes: 0,
    }
    .run()
    .map_err(|(position, message)| refuse(format!("{position}: {message}")))
}

/// How far the reader has come; only ever moves forward, so that counting lines costs one pass.
#[derive(Clone, Copy, Default)]
struct Place {
    offset: usize,
    lines: u32,
    columns: u32,
}

impl Place {
    fn advance(&mut self, text: &str, to: usize) {
        for c in text.get(self.offset..to).unwrap_or_default().chars() {
            if c == '\n' {
                self.lines += 1;
                self.columns = 0;
            } else {
                self.columns += 1;
            }
        }
        self.offset = self.offset.max(to);
    }

    const fn position(&self) -> Position {
        Position {
            line: self.lines + 1,
            column: self.columns + 1,
        }
    }
}

type Refusal = (Position, String);

struct Parser<'a> {
    text: &'a str,
    limits: &'a Limits,
    place: Place,
    open: Vec<Element>,
    root: Option<Element>,
    nodes: usize,
}

impl Parser<'_> {
    fn run(mut self) -> std::result::Result<Element, Refusal> {
        let mut reader = Reader::from_str(self.text);
        reader.config_mut().check_comments = true;
        loop {
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    self.place.advance(self.text, offset(reader.error_position()));
                    return Err((self.place.position(), error.to_string()));
                }
            };
            if matches!(event, Event::Eof) {
                break;
            }
            self.event(event).map_err(|message| (self.place.position(), message))?;
            self.place.advance(self.text, offset(reader.buffer_position()));
        }
        let end = self.place.position();
        match (self.open.last(), self.root) {
            (Some(open), _) => Err((open.position, format!("<{}> is never closed", open.name))),
            (None, None) => Err((end, "the document is empty".to_owned())),
            (None, Some(root)) => Ok(root),
        }
    }

    fn event(&mut self, event: Event<'_>) -> std::result::Result<(), String> {
        match event {
            Event::Start(start) => {
                let element = self.element(&start)?;
                self.open.push(element);
            }
            Event::Empty(start) => {
                let element = self.element(&start)?;
                self.close(element);
            }
            Event::End(_) => {
                if let Some(mut element) = self.open.pop() {
                    drop_layout(&mut element);
                    self.close(element);
                }
            }
            Event::Text(text) => {
                if text.contains("]]>") {
                    return Err("text must not contain ']]>'".to_owned());
                }
                self.text(&text.xml10_content())?;
            }
            Event::CData(text) if self.open.is_empty() => {
                return Err(format!("text '{}' outside the root element", clip(&text)));
            }
            Event::CData(text) => self.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let c = resolve(&reference)?;
                if self.open.is_empty() {
                    return Err(format!("text '{c}' outside the root element"));
                }
                self.text(c.encode_utf8(&mut [0; 4]))?;
            }
            Event::Comment(comment) => {
                let comment = comment.xml10_content();
                check_characters(&comment)?;
                self.count(1)?;
                if let Some(parent) = self.open.last_mut() {
                    parent.children.push(Node::Comment(comment.into_owned()));
                }
            }
            Event::Decl(declaration) => self.declaration(&declaration)?,
            Event::DocType(_) => {
                return Err("document types and entity declarations are not accepted".to_owned());
            }
            Event::PI(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn declaration(&self, declaration: &BytesDecl<'_>) -> std::result::Result<(), String> {
        if self.place.offset != 0 {
            return Err("an XML declaration may only open the document".to_owned());
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii") => Ok(()),
            Some(Ok(name)) => Err(format!("encoding '{}' is not accepted, only UTF-8 is", clip(&name))),
            Some(Err(error)) => Err(error.to_string()),
        }
    }

    fn element(&mut self, start: &BytesStart<'_>) -> std::result::Result<Element, String> {
        if self.open.is_empty() && self.root.is_some() {
            return Err("a second root element".to_owned());
        }
        if self.open.len() >= self.limits.depth {
            return Err(format!("elements are nested deeper than {}", self.limits.depth));
        }
        let name = checked_name(start.name().as_ref(), "an element")?;
        let mut attributes: Vec<Attribute> = Vec::new();
        let mut place = self.place;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| format!("in <{}>: {error}", clip(&name)))?;
            if attributes.len() >= self.limits.attributes {
                return Err(format!(
                    "<{}> has more than {} attributes",
                    clip(&name),
                    self.limits.attributes
                ));
            }
            let key = checked_name(attribute.key.as_ref(), "an attribute")?;
            let value = attribute_value(&attribute.value)
                .map_err(|message| format!("attribute '{}' of <{}>: {message}", clip(&key), clip(&name)))?;
            // The reader gives pieces of the very text that is counted.
            let begin = attribute.key.as_ref().as_ptr().addr();
            place.advance(self.text, begin.saturating_sub(self.text.as_ptr().addr()));
            attributes.push(Attribute {
                name: key,
                value,
                position: place.position(),
            });
        }
        self.count(1 + attributes.len())?;
        Ok(Element {
            name,
            attributes,
            children: Vec::new(),
            position: self.place.position(),
        })
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> std::result::Result<(), String> {
        check_characters(text)?;
        let Some(parent) = self.open.last_mut() else {
            return if text.chars().all(is_blank) {
                Ok(())
            } else {
                Err(format!("text '{}' outside the root element", clip(text.trim())))
            };
        };
        if text.is_empty() {
            return Ok(());
        }
        if let Some(Node::Text(before)) = parent.children.last_mut() {
            before.push_str(text);
            return Ok(());
        }
        parent.children.push(Node::Text(text.to_owned()));
        self.count(1)
    }

    fn count(&mut self, nodes: usize) -> std::result::Result<(), String> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            return Err(format!(
                "the document has more than {} elements, attributes and texts",
                self.limits.nodes
            ));
        }
        Ok(())
    }
}

/// Drops the blanks between elements, which are layout; blanks that are an element's whole content are content.
fn drop_layout(element: &mut Element) {
    let blank = |node: &Node| matches!(node, Node::Text(text) if text.chars().all(is_blank));
    let has_text = |node: &Node| matches!(node, Node::Text(text) if !text.chars().all(is_blank));
    if element.children.len() > 1 && !element.children.iter().any(has_text) {
        element.children.retain(|node| !blank(node));
    }
}

fn checked_name(name: &str, what: &str) -> std::result::Result<String, String> {
    if is_name(name) {
        Ok(name.to_owned())
    } else {
        Err(format!("'{}' is not a name for {what}", clip(name)))
    }
}

/// An attribute's value with references resolved and white space made blanks, as XML asks for.
fn attribute_value(raw: &str) -> std::result::Result<String, String> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\r', '\n']) {
        let (before, special) = rest.split_at(at);
        value.push_str(before);
        rest = &special[1..];
        match special.as_bytes().first() {
            Some(b'<') => return Err("'<' must be written as '&lt;'".to_owned()),
            Some(b'&') => {
                let Some((name, after)) = rest.split_once(';') else {
                    return Err("'&' must be written as '&amp;'".to_owned());
                };
                value.push(resolve(&BytesRef::new(name))?);
                rest = after;
            }
            Some(b'\r') if rest.starts_with('\n') => {}
            _ => value.push(' '),
        }
    }
    value.push_str(rest);
    check_characters(&value)?;
    Ok(value)
}

fn resolve(reference: &BytesRef<'_>) -> std::result::Result<char, String> {
    let resolved = match reference.resolve_char_ref() {
        Ok(Some(c)) => Some(c).filter(|c| is_allowed(*c)),
        Ok(None) => predefined(reference),
        Err(_) => None,
    };
    resolved.ok_or_else(|| format!("'&{};' is not a character or a predefined entity", clip(reference)))
}

fn check_characters(text: &str) -> std::result::Result<(), String> {
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!("character U+{:04X} is not allowed in XML", u32::from(c))),
        None => Ok(()),
    }
}

/// The beginning of a piece of the document, short enough for a message.
fn clip(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", text[..at].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
