//! Reads `<interface>`.

use super::super::interface::{FilterRef, Interface, KINDS, Mac};
use super::super::order;
use super::super::rest::Rest;
use super::{known, number, one, own_alias, shaping, wrong};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;

pub(super) fn all(devices: &mut Element) -> Result<Vec<Interface>> {
    (0..)
        .zip(devices.take_children("interface"))
        .map(|(number, element)| {
            Ok(Interface {
                number,
                ..interface(element)?
            })
        })
        .collect()
}

pub(super) fn interface(mut element: Element) -> Result<Interface> {
    let kind = element.take_attr("type").unwrap_or_else(|| "user".to_owned());
    known(&element, "type", &kind, KINDS.iter().copied())?;
    let source = one(&mut element, "source");
    for (wants, attribute) in [("bridge", "bridge"), ("network", "network"), ("direct", "dev")] {
        let named = source
            .as_ref()
            .and_then(|source| source.attr(attribute))
            .unwrap_or_default();
        if kind == wants && named.is_empty() {
            return Err(wrong(
                &element,
                format!("<interface type='{kind}'> wants a <source {attribute}='...'>"),
            ));
        }
    }
    if let "mcast" | "udp" | "server" | "client" = kind.as_str() {
        socket(&element, &kind, source.as_ref())?;
    }
    let (model, model_rest) = attribute_of(&mut element, "model", "type");
    let (target, target_rest) = attribute_of(&mut element, "target", "dev");
    let (link, link_rest) = attribute_of(&mut element, "link", "state");
    let (mtu, mtu_rest) = attribute_of(&mut element, "mtu", "size");
    let link_up = match link.as_deref() {
        None => None,
        Some("up") => Some(true),
        Some("down") => Some(false),
        Some(state) => {
            return Err(wrong(
                &element,
                format!("<link state='{state}'> is neither 'up' nor 'down'"),
            ));
        }
    };
    let mtu = match mtu {
        Some(text) => Some(
            number(&text)
                .filter(|mtu| *mtu > 0)
                .ok_or_else(|| wrong(&element, format!("<mtu size='{text}'> is not a positive number")))?,
        ),
        None => None,
    };
    let foreign = target_rest
        .as_ref()
        .is_some_and(|target| target.attr("managed") == Some("no"));
    // Anything else beside the attribute that was taken goes back, so that it is printed.
    for leftover in [model_rest, target_rest, link_rest, mtu_rest].into_iter().flatten() {
        element.children.push(driver_api::kit::xml::Node::Element(leftover));
    }
    Ok(Interface {
        kind,
        mac: mac(&mut element)?,
        source,
        // libvirt's own names for taps are made up anew at each start, and so are names with a pattern.
        target: target.filter(|name| !name.is_empty() && (foreign || !name.starts_with("vnet") && !name.contains('%'))),
        model,
        filter: filter(&mut element)?,
        link_up,
        mtu,
        number: 0,
        shaping: shaping::of(&mut element)?,
        alias: own_alias(&mut element),
        rest: Rest::of(element, order::INTERFACE),
    })
}

/// What an interface on a socket must say of it.
fn socket(interface: &Element, kind: &str, source: Option<&Element>) -> Result<()> {
    let Some(source) = source else {
        return Err(wrong(interface, format!("<interface type='{kind}'> wants a <source>")));
    };
    let local = source.child("local").filter(|_| kind == "udp");
    if kind == "udp" && local.is_none() {
        return Err(wrong(source, "<source> of an interface of type 'udp' wants a <local>"));
    }
    for place in [Some(source), local].into_iter().flatten() {
        if kind != "server" && place.attr("address").unwrap_or_default().is_empty() {
            return Err(wrong(place, format!("<{}> has no attribute 'address'", place.name)));
        }
        let port = place.attr("port").unwrap_or_default();
        if number(port).is_none_or(|port| u16::try_from(port).is_err()) || port.is_empty() {
            return Err(wrong(
                place,
                format!("port '{port}' of <{}> is not a number up to 65535", place.name),
            ));
        }
    }
    Ok(())
}

/// Takes `<name attribute='...'/>`; the second value is the element, when it held more than that.
fn attribute_of(element: &mut Element, name: &str, attribute: &str) -> (Option<String>, Option<Element>) {
    let Some(mut child) = one(element, name) else {
        return (None, None);
    };
    let value = child.take_attr(attribute);
    let more = !child.attributes.is_empty() || child.elements().next().is_some();
    (value, more.then_some(child))
}

fn mac(element: &mut Element) -> Result<Mac> {
    let Some(mut child) = one(element, "mac") else {
        return Mac::random().map_err(|error| {
            Error::new(Code::SYSTEM_ERROR, Origin::DOMAIN, "cannot make up a MAC address").because(error)
        });
    };
    let text = child.take_attr("address").unwrap_or_default();
    let mac = text.parse::<Mac>().map_err(|_| {
        wrong(
            &child,
            format!("'{text}' is not a MAC address, six hexadecimal bytes like 52:54:00:1:2:3 are"),
        )
    })?;
    if mac.is_multicast() {
        return Err(wrong(
            &child,
            format!("MAC address '{mac}' names a group of stations, not one"),
        ));
    }
    Ok(mac)
}

fn filter(element: &mut Element) -> Result<Option<FilterRef>> {
    let Some(mut child) = one(element, "filterref") else {
        return Ok(None);
    };
    let Some(filter) = child.take_attr("filter").filter(|name| !name.is_empty()) else {
        return Err(wrong(&child, "<filterref> names no filter"));
    };
    let parameters = child
        .take_children("parameter")
        .into_iter()
        .map(
            |mut parameter| match (parameter.take_attr("name"), parameter.take_attr("value")) {
                (Some(name), Some(value)) => Ok((name, value)),
                _ => Err(wrong(&parameter, "<parameter> of <filterref> wants 'name' and 'value'")),
            },
        )
        .collect::<Result<_>>()?;
    Ok(Some(FilterRef { filter, parameters }))
}
