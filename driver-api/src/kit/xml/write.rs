//! Prints an element as libvirt prints: two blanks per level, single quotes, `<a/>` for empty.

use super::text::{escape, is_blank};
use super::tree::{Element, Node};
use std::fmt;

impl Element {
    /// Appends the element to `out`, its first line moved right by `indent` blanks; a line feed ends it.
    pub fn write(&self, out: &mut String, indent: usize) {
        blanks(out, indent);
        self.write_inline(out, Some(indent));
        out.push('\n');
    }

    /// The element without a line feed at its end; `indent` is `None` inside mixed content, where every blank counts.
    fn write_inline(&self, out: &mut String, indent: Option<usize>) {
        out.push('<');
        out.push_str(&self.name);
        for attribute in &self.attributes {
            out.push(' ');
            out.push_str(&attribute.name);
            out.push_str("='");
            escape(out, &attribute.value, true);
            out.push('\'');
        }
        if self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        match indent {
            Some(indent) if !self.is_mixed() => {
                for child in &self.children {
                    out.push('\n');
                    blanks(out, indent + 2);
                    child.write_inline(out, Some(indent + 2));
                }
                out.push('\n');
                blanks(out, indent);
            }
            _ => {
                for child in &self.children {
                    child.write_inline(out, None);
                }
            }
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }

    /// Whether blanks between the children would change the content: there is text that is more than layout.
    fn is_mixed(&self) -> bool {
        let only = self.children.len() == 1;
        self.children.iter().any(|node| match node {
            Node::Text(text) => only || !text.chars().all(is_blank),
            Node::Element(_) | Node::Comment(_) => false,
        })
    }
}

impl Node {
    fn write_inline(&self, out: &mut String, indent: Option<usize>) {
        match self {
            Self::Element(element) => element.write_inline(out, indent),
            Self::Text(text) => escape(out, text, false),
            Self::Comment(comment) => {
                out.push_str("<!--");
                out.push_str(comment);
                out.push_str("-->");
            }
        }
    }
}

/// The whole document, ended by a line feed.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out, 0);
        f.write_str(&out)
    }
}

fn blanks(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}
