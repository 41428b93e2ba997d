//! Reads `<console>` and `<serial>`.

use super::super::console::{Console, KINDS, KINDS_WITH_PATH, Log};
use super::super::order;
use super::super::rest::Rest;
use super::{number, one, own_alias, wrong};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;

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
    if KINDS_WITH_PATH.contains(&console.kind.as_str()) && console.source_path().is_none() {
        let element = Element {
            position,
            ..Element::default()
        };
        return Err(wrong(
            &element,
            format!("<{name} type='{}'> wants a <source path='...'>", console.kind),
        ));
    }
    Ok((console, port))
}
