//! What of a document is shown only to whoever asks for it by name: passwords of screens that others gave it.

use driver_api::error::{Origin, Result};
use driver_api::kit::xml::{Element, Limits, Node, parse};

/// The attribute that holds a screen's password.
const PASSWORD: &str = "passwd";

/// A document of ours without its secrets.
///
/// # Errors
/// 27 when it is no document.
pub fn without_secrets(xml: String) -> Result<String> {
    if !xml.contains(PASSWORD) {
        return Ok(xml);
    }
    let mut document = parse(xml.as_bytes(), Origin::UML, &Limits::default())?;
    hide(&mut document);
    Ok(document.to_string())
}

fn hide(element: &mut Element) {
    if element.name == "graphics" {
        element.take_attr(PASSWORD);
    }
    for child in &mut element.children {
        if let Node::Element(child) = child {
            hide(child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_screens_go_and_all_else_stays() {
        let shown = "<domain>\n  <title>a passwd</title>\n  <graphics type='vnc' port='1'/>\n</domain>\n";
        let whole = shown.replace("port='1'", "port='1' passwd='secret'");
        assert_eq!(without_secrets(whole).unwrap().trim(), shown.trim());
        assert_eq!(without_secrets(shown.to_owned()).unwrap().trim(), shown.trim());
    }
}
