//! Reads `<filesystem>`.

use super::super::folder::Folder;
use super::super::order;
use super::super::rest::Rest;
use super::{known, one, own_alias};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;

pub(super) fn all(devices: &mut Element) -> Result<Vec<Folder>> {
    devices.take_children("filesystem").into_iter().map(folder).collect()
}

fn folder(mut element: Element) -> Result<Folder> {
    let kind = element.take_attr("type").unwrap_or_else(|| "mount".to_owned());
    let kinds = ["mount", "block", "file", "template", "ram", "bind", "volume"];
    known(&element, "type", &kind, kinds)?;
    let access = element
        .take_attr("accessmode")
        .unwrap_or_else(|| "passthrough".to_owned());
    known(&element, "accessmode", &access, ["passthrough", "mapped", "squash"])?;
    let mut source = one(&mut element, "source").unwrap_or_default();
    let mut target = one(&mut element, "target").unwrap_or_default();
    let place = target.take_attr("dir").unwrap_or_default();
    let path = source.take_attr(source_attribute(&kind)).unwrap_or_default();
    if path.is_empty() {
        let message = format!("<filesystem> for '{}' has no source", place.escape_debug());
        return Err(Error::new(Code::NO_SOURCE, Origin::DOMAIN, message));
    }
    if place.is_empty() {
        let message = format!("<filesystem> '{}' has no <target dir='...'>", path.escape_debug());
        return Err(Error::new(Code(20), Origin::DOMAIN, message));
    }
    Ok(Folder {
        kind,
        access,
        source: path,
        source_rest: Rest::of(source, &[]),
        target: place,
        target_rest: Rest::of(target, &[]),
        readonly: one(&mut element, "readonly").is_some(),
        alias: own_alias(&mut element),
        rest: Rest::of(element, order::FILESYSTEM),
    })
}

/// The attribute of `<source>` that says where it is.
pub(in crate::def) fn source_attribute(kind: &str) -> &'static str {
    match kind {
        "block" => "dev",
        "file" => "file",
        "template" => "name",
        "ram" => "usage",
        "volume" => "volume",
        _ => "dir",
    }
}
