//! The capabilities document: what the host is, and the guests that a driver says it can run.

use crate::node::{Machine, format};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;
use driver_api::types::node::NodeInfo;
use driver_api::types::uuid::Uuid;
use std::fs;
use std::io;
use std::path::Path;

/// The document (`virConnectGetCapabilities`); `guests` is the driver's own part, already XML.
///
/// # Errors
/// 38 when the kernel does not tell of the machine.
pub(crate) fn document(host: Uuid, node: &NodeInfo, machine: &Machine, guests: &str) -> Result<String> {
    let cells = machine.topology()?;
    let cpus: Vec<u32> = cells.iter().flat_map(|cell| &cell.cpus).map(|cpu| cpu.id).collect();
    let cpu = Element::new("cpu")
        .with_child(Element::new("arch").with_text(std::env::consts::ARCH))
        .with_child(
            Element::new("topology")
                .with_attr("sockets", node.sockets)
                .with_attr("dies", 1)
                .with_attr("cores", node.cores)
                .with_attr("threads", node.threads),
        );
    let host = Element::new("host")
        .with_child(Element::new("uuid").with_text(host))
        .with_child(cpu.with_children(format::page_sizes(&machine.page_sizes())))
        .with_child(format::power_management(&machine.sleep_targets()))
        .with_child(format::topology(&cells))
        .with_children(format::caches(&machine.caches(&cpus)));
    let host = indent(&host.to_string());
    Ok(format!(
        "<capabilities>\n\n{host}\n{}\n</capabilities>\n",
        indent(guests)
    ))
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("  {line}\n")
            }
        })
        .collect()
}

/// The host's own identity: the machine's as its firmware tells it, else one that is made once and kept.
///
/// # Errors
/// 38 when it can be neither read nor kept.
pub(crate) fn host_uuid(state_dir: &Path) -> Result<Uuid> {
    // The firmware of many boards ships all zeros or all ones (linux: drivers/firmware/dmi_scan.c prints what it finds).
    let firmware = fs::read_to_string("/sys/class/dmi/id/product_uuid")
        .ok()
        .and_then(|text| text.parse().ok());
    if let Some(uuid) = firmware.filter(|u: &Uuid| u.as_bytes().windows(2).any(|pair| pair[0] != pair[1])) {
        return Ok(uuid);
    }
    let path = state_dir.join("host-uuid");
    if let Some(uuid) = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()) {
        return Ok(uuid);
    }
    let failed = |error: io::Error| {
        let message = format!("the host's identity can not be kept in '{}'", path.display());
        Error::new(Code::SYSTEM_ERROR, Origin::NONE, message).because(error)
    };
    let uuid = Uuid::random().map_err(failed)?;
    fs::write(&path, format!("{uuid}\n")).map_err(failed)?;
    Ok(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_uuid_made_once_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(host_uuid(dir.path()).unwrap(), host_uuid(dir.path()).unwrap());
    }
}
