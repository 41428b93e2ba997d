//! Reads a `<filterbinding>`.

use super::def::{BindingDef, Owner};
use super::validate::{device, owner};
use crate::def::address::Mac;
use crate::def::parse::{Mode, Reader, refuse};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{self, Element, Limits};
use driver_api::types::uuid::Uuid;

/// A binding and what compat mode let pass.
#[derive(Debug)]
pub struct Parsed {
    /// The definition.
    pub def: BindingDef,
    /// What was dropped, in words with positions.
    pub doubts: Vec<String>,
}

/// Reads and checks one binding.
///
/// # Errors
/// libvirt's code for what libvirt refuses too: 35 not XML, 27 another root, 1 a part that is missing or can not be; 27
/// (or 92) for what libvirt would have dropped.
pub fn parse(document: &[u8], mode: Mode) -> Result<Parsed> {
    let root = xml::parse(document, Origin::NWFILTER, &Limits::default()).map_err(|error| {
        Error::new(
            Code::XML_DETAIL,
            Origin::NWFILTER,
            format!("the binding is not XML: {error}"),
        )
    })?;
    element(root, mode)
}

/// As [`parse`], for an element that was read already.
///
/// # Errors
/// As [`parse`].
pub fn element(mut root: Element, mode: Mode) -> Result<Parsed> {
    if root.name != "filterbinding" {
        let message = format!(
            "{}: the root element is <{}>, a binding's is <filterbinding>",
            root.position, root.name
        );
        return Err(Error::new(Code::XML_ERROR, Origin::XML, message));
    }
    let mut reader = Reader::new(mode);
    let port = attribute(&mut reader, &mut root, "portdev", "name")?;
    device("the port", &port)?;
    let link = match root.child("linkdev") {
        Some(_) => Some(attribute(&mut reader, &mut root, "linkdev", "name")?),
        None => None,
    };
    link.iter().try_for_each(|link| device("the link device", link))?;
    let at = root.child("mac").map_or(root.position, |mac| mac.position);
    let mac = attribute(&mut reader, &mut root, "mac", "address")?;
    let mac = Mac::read(&mac).ok_or_else(|| {
        refuse(
            Code::INTERNAL,
            at,
            format!("'{}' is no mac address", mac.escape_debug()),
        )
    })?;
    let owner = self::read_owner(&mut reader, &mut root)?;
    let Some(reference) = root.take_child("filterref") else {
        return Err(missing(&root, "<filterref filter='...'/>"));
    };
    let reference = reader.reference(reference)?;
    if reference.filter.is_empty() {
        return Err(missing(&root, "a filter's name in <filterref filter='...'/>"));
    }
    reader.rest(&root, &[], &["owner", "portdev", "linkdev", "mac", "filterref"])?;
    let def = BindingDef {
        owner,
        port,
        link,
        mac,
        filter: reference.filter,
        parameters: reference.parameters,
    };
    Ok(Parsed {
        def: def.completed(),
        doubts: reader.doubts(),
    })
}

fn read_owner(reader: &mut Reader, root: &mut Element) -> Result<Owner> {
    let Some(mut element) = root.take_child("owner") else {
        return Err(missing(root, "<owner> with <name> and <uuid>"));
    };
    let name = element.take_child_text("name").unwrap_or_default();
    if name.is_empty() {
        return Err(missing(root, "<name> in <owner>"));
    }
    owner(&name)?;
    let at = element.child("uuid").map_or(element.position, |uuid| uuid.position);
    let Some(text) = element.take_child_text("uuid") else {
        return Err(missing(root, "<uuid> in <owner>"));
    };
    let uuid = text.parse::<Uuid>().map_err(|error| {
        let message = format!("malformed uuid '{}' of the owner", text.escape_debug());
        refuse(Code::INTERNAL, at, message).because(error)
    })?;
    reader.rest(&element, &[], &["name", "uuid"])?;
    Ok(Owner { name, uuid })
}

/// The only attribute of an element that must be there.
fn attribute(reader: &mut Reader, root: &mut Element, name: &str, attribute: &str) -> Result<String> {
    let needed = |root: &Element| missing(root, &format!("<{name} {attribute}='...'/>"));
    let Some(mut element) = root.take_child(name) else {
        return Err(needed(root));
    };
    match element.take_attr(attribute).filter(|value| !value.is_empty()) {
        Some(value) => {
            reader.rest(&element, &[attribute], &[])?;
            Ok(value)
        }
        None => Err(needed(root)),
    }
}

fn missing(root: &Element, what: &str) -> Error {
    refuse(Code::INTERNAL, root.position, format!("the binding needs {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "<filterbinding>
  <owner>
    <name>vm1</name>
    <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  </owner>
  <portdev name='tap0'/>
  <linkdev name='eth0'/>
  <mac address='52:54:00:00:00:01'/>
  <filterref filter='f'>
    <parameter name='IP' value='10.0.0.1'/>
    <parameter name='IP' value='10.0.0.2'/>
    <parameter name='MAC' value='52:54:00:00:00:01'/>
  </filterref>
</filterbinding>
";

    fn error(document: &str, mode: Mode) -> Error {
        parse(document.as_bytes(), mode).unwrap_err()
    }

    #[test]
    fn a_binding_is_printed_as_it_was_read_with_its_mac() {
        let printed = |document: &str| parse(document.as_bytes(), Mode::Validate).unwrap().def.to_string();
        assert_eq!(printed(FULL), FULL);
        let bare = FULL.replace("    <parameter name='MAC' value='52:54:00:00:00:01'/>\n", "");
        assert_eq!(printed(&bare.replace(":00:01'/>", ":0:1'/>")), FULL);
        // One who gives another address means it.
        let other = FULL.replace("'MAC' value='52", "'MAC' value='02");
        assert_eq!(printed(&other), other);
    }

    #[test]
    fn what_is_missing_or_can_not_be_is_named_with_libvirts_code() {
        let without = |part: &str| {
            assert!(FULL.contains(part), "{part}");
            FULL.replace(part, "")
        };
        let with = |part: &str, other: &str| FULL.replace(part, other);
        for (document, code, text) in [
            (without("<portdev name='tap0'/>"), 1, "<portdev name='...'/>"),
            (without("<mac address='52:54:00:00:00:01'/>"), 1, "<mac address='...'/>"),
            (without("<name>vm1</name>"), 1, "<name>"),
            (
                without("<uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>"),
                1,
                "<uuid>",
            ),
            (without("c7a5fdbd-"), 1, "malformed uuid"),
            (with("filter='f'", ""), 1, "'filter'"),
            (with("filter='f'", "filter=''"), 1, "a filter's name"),
            (with("address='52:", "address='"), 1, "line 8, column 3"),
            (with("'tap0'", "'../../passwd'"), 1, "must not contain '/'"),
            (with("'tap0'", "'a name too long!'"), 1, "16 bytes"),
            (with("'eth0'", "'e/h0'"), 1, "the link device"),
            (with(">vm1<", ">vm&#10;1<"), 1, "must not contain '\\n'"),
            (with("10.0.0.1", "10.0.0.1/8"), 27, "'10.0.0.1/8' of parameter 'IP'"),
            (with("linkdev", "lnkdev"), 27, "did you mean 'linkdev'?"),
            (with("<portdev name", "<portdev id='1' name"), 27, "no attribute 'id'"),
            (FULL.replace("filterbinding", "filter"), 27, "<filterbinding>"),
            ("<filterbinding>".to_owned(), 35, "not XML"),
        ] {
            let error = error(&document, Mode::Strict);
            assert_eq!(error.code(), Code(code), "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn doubts_are_refused_or_told() {
        let document = FULL.replace("linkdev", "lnkdev");
        assert_eq!(error(&document, Mode::Validate).code(), Code::XML_INVALID_SCHEMA);
        let parsed = parse(document.as_bytes(), Mode::Compat).unwrap();
        assert_eq!((parsed.def.link, parsed.doubts.len()), (None, 1));
    }
}
