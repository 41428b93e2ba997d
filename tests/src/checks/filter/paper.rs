//! Documents of filters and bindings that checks write themselves, in the words that every filter driver reads.

use crate::check::{Ctx, Failure, Outcome};
use driver_api::error::{Code, Origin};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::filter::PortRequest;
use driver_api::types::uuid::Uuid;
use std::fmt::Write as _;

/// What a document is refused with that is no filter or binding at all: 27 and its kin.
pub(crate) const NO_DOCUMENT: &[Code] = &[
    Code::XML_ERROR,
    Code::XML_DETAIL,
    Code::XML_INVALID_SCHEMA,
    Code::PARSE_FAILED,
    Code::INVALID_NWFILTER,
    Code::INVALID_NWFILTER_BINDING,
];

/// What a document is refused with of which a part is missing or can not be.
pub(crate) const BAD_PART: &[Code] = &[
    Code::XML_ERROR,
    Code::XML_DETAIL,
    Code::XML_INVALID_SCHEMA,
    Code::PARSE_FAILED,
    Code::INVALID_NWFILTER,
    Code::INVALID_NWFILTER_BINDING,
    Code::INVALID_ARG,
    Code::INTERNAL,
    Code::CONFIG_UNSUPPORTED,
    Code::OPERATION_FAILED,
];

/// A variable without a value.
pub(crate) const NO_VALUE: &[Code] = &[
    Code::INTERNAL,
    Code::INVALID_ARG,
    Code::XML_ERROR,
    Code::CONFIG_UNSUPPORTED,
];

/// One rule.
pub(crate) const RULE: &str = "<rule action='drop' direction='in' priority='500'><tcp dstportstart='22'/></rule>";
/// Another one.
pub(crate) const OTHER: &str = "<rule action='accept' direction='out' priority='400'><udp dstportstart='53'/></rule>";
/// A rule that can not stand on a port without a value for `WANTED`.
pub(crate) const ASKING: &str = "<rule action='accept' direction='out' priority='450'><ip srcipaddr='$WANTED'/></rule>";

/// The hardware address of all guests here.
pub(crate) const MAC: &str = "52:54:00:00:00:01";

/// A filter.
pub(crate) fn filter(name: &str, uuid: Uuid, body: &str) -> String {
    format!("<filter name='{name}' chain='root'>\n  <uuid>{uuid}</uuid>\n  {body}\n</filter>\n")
}

/// The check's `n`th filter, with this in it.
pub(crate) fn nth(ctx: &Ctx, n: usize, body: &str) -> String {
    filter(&ctx.name(n), ctx.uuid(n), body)
}

/// A reference to another filter.
pub(crate) fn reference(filter: &str) -> String {
    format!("<filterref filter='{filter}'/>")
}

/// A binding, with values for variables.
pub(crate) fn binding(ctx: &Ctx, port: &str, filter: &str, values: &[(&str, &str)]) -> String {
    let mut parameters = String::new();
    for (name, value) in values {
        let _written = write!(parameters, "<parameter name='{name}' value='{value}'/>");
    }
    format!(
        "<filterbinding>\n  <owner>\n    <name>somebody</name>\n    <uuid>{}</uuid>\n  </owner>\n  <portdev name='{port}'/>\n  \
         <mac address='{MAC}'/>\n  <filterref filter='{filter}'>{parameters}</filterref>\n</filterbinding>\n",
        ctx.uuid(90)
    )
}

/// What a virt driver asks for a guest's port.
pub(crate) fn request(ctx: &Ctx, port: &str, filter: &str, values: &[(&str, &str)]) -> PortRequest {
    PortRequest {
        port: port.to_owned(),
        mac: MAC.to_owned(),
        filter: filter.to_owned(),
        parameters: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        owner: ctx.uuid(91),
        owner_name: String::from("guest"),
    }
}

/// Reads what a driver printed.
///
/// # Errors
/// It is not XML.
pub(crate) fn read(what: &str, text: &str) -> Outcome<Element> {
    parse(text.as_bytes(), Origin::XML, &Limits::default())
        .map_err(|error| Failure::new(format!("{what}: expected XML, found {error}: {text:?}")))
}

/// What one document says that another one does not: the first element, attribute or text that is not there, in words.
/// More in the other one is no matter, and neither is the order of elements with different names.
pub(crate) fn lost(said: &Element, kept: &Element) -> Option<String> {
    let name = &said.name;
    if *name != kept.name {
        return Some(format!("<{name}>"));
    }
    for attribute in &said.attributes {
        if kept.attr(&attribute.name) != Some(attribute.value.as_str()) {
            return Some(format!("{}='{}' of <{name}>", attribute.name, attribute.value));
        }
    }
    let text = said.text();
    if said.elements().next().is_none() && text.trim() != kept.text().trim() {
        return Some(format!("'{}' in <{name}>", text.trim()));
    }
    let mut left: Vec<&Element> = kept.elements().collect();
    for part in said.elements() {
        match left.iter().position(|other| lost(part, other).is_none()) {
            Some(at) => drop(left.remove(at)),
            // The nearest one says best what is missing in it.
            None => {
                let near = left.iter().find(|other| other.name == part.name);
                let within = near.and_then(|other| lost(part, other));
                return Some(within.unwrap_or_else(|| format!("<{}> in <{name}>", part.name)));
            }
        }
    }
    None
}
