//! `Binding`: a filter on a port, as its document says.

use super::def::{Reference, needed, reference, wrong};
use crate::fault::{Part, fault};
use driver_api::error::{Code, Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::filter::{BindingBrief, PortRequest};

/// The longest name of a network device in bytes.
const LONGEST_PORT: usize = 15;

/// One binding; never changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Binding {
    pub(crate) port: String,
    pub(crate) mac: String,
    pub(crate) owner: String,
    pub(crate) reference: Reference,
    /// Whether a guest owns it, so that a client can not take it away.
    pub(crate) guests: bool,
    /// The whole document.
    pub(crate) element: Element,
}

impl Binding {
    /// Reads a client's document.
    ///
    /// # Errors
    /// 27 with the place.
    pub(crate) fn read(xml: &str) -> Result<Self> {
        Self::of(parse(xml.as_bytes(), Origin::XML, &Limits::default())?, false)
    }

    /// What an element says.
    ///
    /// # Errors
    /// As [`Binding::read`].
    pub(crate) fn of(element: Element, guests: bool) -> Result<Self> {
        if element.name != "filterbinding" {
            return Err(wrong(
                &element,
                format!("a <filterbinding> is wanted, this is a <{}>", element.name),
            ));
        }
        let mut rest = element.clone();
        let mut one = |name: &str| {
            let mut all = rest.take_children(name).into_iter();
            match (all.next(), all.next()) {
                (Some(first), None) => Ok(first),
                (None, _) => Err(wrong(&element, format!("<filterbinding> has no <{name}>"))),
                (_, Some(second)) => Err(wrong(&second, format!("<{name}> is there twice"))),
            }
        };
        let (device, mac, filter, owner) = (one("portdev")?, one("mac")?, one("filterref")?, one("owner")?);
        rest.take_children("linkdev");
        rest.refuse_rest(Origin::NWFILTER, &["owner", "portdev", "linkdev", "mac", "filterref"])?;
        let port = needed(&device, "name")?;
        check_port(port)?;
        let address = needed(&mac, "address")?.to_ascii_lowercase();
        if !is_mac(&address) {
            return Err(wrong(
                &mac,
                format!("'{}' is no hardware address", address.escape_debug()),
            ));
        }
        Ok(Self {
            port: port.to_owned(),
            mac: address,
            owner: owner.child("name").map_or_else(String::new, Element::text),
            reference: reference(&filter)?,
            guests,
            element,
        })
    }

    /// The binding that a guest's port asks for.
    ///
    /// # Errors
    /// As [`Binding::read`].
    pub(crate) fn of_request(request: &PortRequest) -> Result<Self> {
        let parameter = |(name, value): &(String, String)| {
            Element::new("parameter")
                .with_attr("name", name)
                .with_attr("value", value)
        };
        let owner = Element::new("owner")
            .with_child(Element::new("name").with_text(&request.owner_name))
            .with_child(Element::new("uuid").with_text(request.owner));
        let filter = Element::new("filterref")
            .with_attr("filter", &request.filter)
            .with_children(request.parameters.iter().map(parameter));
        let element = Element::new("filterbinding")
            .with_child(owner)
            .with_child(Element::new("portdev").with_attr("name", &request.port))
            .with_child(Element::new("mac").with_attr("address", &request.mac))
            .with_child(filter);
        Self::of(element, true)
    }

    pub(crate) fn brief(&self) -> BindingBrief {
        BindingBrief {
            port: self.port.clone(),
            filter: self.reference.filter.clone(),
        }
    }
}

/// Whether the kernel could have a device of this name; so it is a file name too.
fn check_port(port: &str) -> Result<()> {
    let sound = !port.is_empty() && port.len() <= LONGEST_PORT && port != "." && port != "..";
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    if sound && !port.contains(bad) {
        return Ok(());
    }
    let message = format!(
        "'{}' can not be the name of a network device",
        port.chars().take(40).collect::<String>().escape_debug()
    );
    Err(fault(Part::Filter, Code::XML_ERROR, message))
}

fn is_mac(text: &str) -> bool {
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split(':').count() == 6 && text.split(':').all(pair)
}
