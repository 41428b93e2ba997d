//! Reads `<console>` and `<serial>`.

use super::super::console::{Console, End, KINDS, KINDS_WITH_PATH, Log};
use super::super::order;
use super::super::rest::Rest;
use super::{number, one, own_alias, wrong};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Node};

/// The consoles; a console's port is its place in the document, whatever the document says.
pub(super) fn consoles(devices: &mut Element) -> Result<Vec<Console>> {
    let elements = devices.take_children("console");
    (0..)
        .zip(elements)
        .map(|(port, element)| {
            let (console, _) = console(element)?;
            Ok(Console { port, ..console })
        })
        .collect()
}

/// The serial lines; one without a port gets the number after the highest before it.
pub(super) fn serials(devices: &mut Element) -> Result<Vec<Console>> {
    let mut next = 0;
    devices
        .take_children("serial")
        .into_iter()
        .map(|element| {
            let (mut serial, port) = line(element)?;
            serial.port = port.unwrap_or(next);
            next = next.max(serial.port.saturating_add(1));
            Ok(serial)
        })
        .collect()
}

/// One console and the port that the document gives it.
pub(super) fn console(element: Element) -> Result<(Console, Option<u32>)> {
    let (mut console, port) = line(element)?;
    console.target_type.get_or_insert_with(|| "uml".to_owned());
    Ok((console, port))
}

/// One serial line and the port that the document gives it.
pub(super) fn line(mut element: Element) -> Result<(Console, Option<u32>)> {
    let kind = element.take_attr("type").unwrap_or_else(|| "pty".to_owned());
    if !KINDS.contains(&kind.as_str()) {
        let message = format!(
            "type '{kind}' of <{}> is unknown, 'pty' and 'null' are among the known",
            element.name
        );
        return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, message));
    }
    // The path of an earlier run's pty.
    element.take_attr("tty");
    // A udp line has a second <source>, which is kept; a pty has none that says anything.
    let mut source = if kind == "pty" {
        one(&mut element, "source")
    } else {
        element.take_child("source")
    };
    if let Some(source) = source.as_mut().filter(|_| kind == "pty") {
        source.take_attr("path");
    }
    settle(&mut element, &kind, &mut source)?;
    let source = source.filter(|source| !source.attributes.is_empty() || !source.children.is_empty());

    let mut target = one(&mut element, "target").unwrap_or_default();
    let port = match target.take_attr("port") {
        Some(text) => Some(number(&text).ok_or_else(|| {
            wrong(
                &element,
                format!("port '{text}' of <{}> is not a whole number", element.name),
            )
        })?),
        None => None,
    };
    let log = match one(&mut element, "log") {
        Some(mut log) => {
            let Some(file) = log.take_attr("file").filter(|file| !file.is_empty()) else {
                return Err(wrong(&log, format!("<log> of <{}> names no file", element.name)));
            };
            Some(Log {
                file,
                append: log.take_attr("append"),
            })
        }
        None => None,
    };
    let position = element.position;
    let name = element.name.clone();
    let console = Console {
        kind,
        source,
        port: 0,
        target_type: target.take_attr("type"),
        target_rest: Rest::of(target, &[]),
        log,
        alias: own_alias(&mut element),
        rest: Rest::of(element, order::CHARACTER),
    };
    needs_an_address(&element_at(position), &name, &console)?;
    if KINDS_WITH_PATH.contains(&console.kind.as_str()) && console.source_path().is_none() {
        return Err(wrong(
            &element_at(position),
            format!("<{name} type='{}'> wants a <source path='...'>", console.kind),
        ));
    }
    Ok((console, port))
}

fn element_at(position: driver_api::kit::xml::Position) -> Element {
    Element {
        position,
        ..Element::default()
    }
}

/// Writes out what libvirt takes for granted, so that documents compare.
fn settle(element: &mut Element, kind: &str, source: &mut Option<Element>) -> Result<()> {
    let mut more = if kind == "udp" {
        element.take_children("source")
    } else {
        Vec::new()
    };
    for end in source.iter_mut().chain(&mut more) {
        match end.attr("mode") {
            None if matches!(kind, "unix" | "tcp") => {
                let others = std::mem::take(&mut end.attributes);
                *end = std::mem::take(end).with_attr("mode", "connect");
                end.attributes.extend(others);
            }
            None | Some("bind" | "connect") => {}
            Some(mode) => {
                let message = format!("mode '{mode}' of <source> is neither 'bind' nor 'connect'");
                return Err(wrong(end, message));
            }
        }
    }
    if kind == "udp" {
        let mut ends: Vec<Element> = source.take().into_iter().chain(more).collect();
        ends.sort_by_key(|end| end.attr("mode") != Some("bind"));
        let mut ends = ends.into_iter();
        *source = ends.next();
        element.children.extend(ends.map(Node::Element));
    }
    if kind == "tcp" && element.child("protocol").is_none() {
        element
            .children
            .push(Node::Element(Element::new("protocol").with_attr("type", "raw")));
    }
    Ok(())
}

fn needs_an_address(element: &Element, name: &str, console: &Console) -> Result<()> {
    let lacks = match console.end() {
        Ok(End::Tcp { host: "", .. }) => "host",
        Ok(End::Tcp { service: "", .. } | End::Udp { remote: (_, ""), .. }) => "service",
        _ => return Ok(()),
    };
    let message = format!("<{name} type='{}'> wants a <source> with '{lacks}'", console.kind);
    Err(wrong(element, message))
}
