//! Interfaces that UML, or this version, cannot have.

use crate::def::interface::Interface;
use driver_api::kit::xml::Element;

/// What an interface can be.
const KINDS: &[&str] = &["bridge", "ethernet", "network", "user", "mcast", "udp"];
/// Those with a device of the host.
const WITH_DEVICE: &[&str] = &["bridge", "ethernet", "network"];

/// Elements that promise limits, another network or a program that is run.
const PROMISES: &[&str] = &[
    "vlan",
    "virtualport",
    "ip",
    "route",
    "script",
    "downscript",
    "backenddomain",
    "port",
    "portForward",
    "guest",
    "backend",
    "teaming",
];

pub(super) fn reason(interface: &Interface) -> Option<String> {
    let kind = interface.kind.as_str();
    if let Some(filter) = interface.filter.as_ref().filter(|_| !WITH_DEVICE.contains(&kind)) {
        return Some(format!(
            "filter '{}' on type '{kind}', which no filter can reach: '{}' can be filtered",
            filter.filter,
            WITH_DEVICE.join("', '")
        ));
    }
    if !KINDS.contains(&kind) {
        return Some(format!("type '{kind}', there are '{}'", KINDS.join("', '")));
    }
    source(interface)
        .or_else(|| own_device(interface))
        .or_else(|| shaping(interface))
        .or_else(|| promise(interface))
}

fn source(interface: &Interface) -> Option<String> {
    let kind = interface.kind.as_str();
    let source = interface.source.as_ref()?;
    let inside = source
        .elements()
        .find(|element| !(kind == "udp" && element.name == "local"));
    if let Some(inside) = inside {
        return Some(format!("<{}> in <source>", inside.name));
    }
    let odd = match kind {
        "network" => ["portgroup", "portid"]
            .into_iter()
            .find(|name| *name == "portgroup" && source.attr(name).is_some()),
        "user" => ["dev"].into_iter().find(|name| source.attr(name).is_some()),
        _ => None,
    };
    odd.map(|name| format!("'{name}' in <source>"))
}

/// What cannot be asked of a device that is not there, or not ours.
fn own_device(interface: &Interface) -> Option<String> {
    let kind = interface.kind.as_str();
    let down = interface.link_up == Some(false);
    if !WITH_DEVICE.contains(&kind) {
        return down.then(|| format!("<link state='down'> on type '{kind}', which has no cable"));
    }
    if !interface.is_foreign() {
        return None;
    }
    if kind != "ethernet" {
        return Some(format!(
            "<target managed='no'> on type '{kind}', type 'ethernet' can have it"
        ));
    }
    down.then(|| "<link state='down'> on a device that somebody else made".to_owned())
}

fn shaping(interface: &Interface) -> Option<String> {
    let shaping = &interface.shaping;
    if !shaping.is_some() {
        return None;
    }
    let kind = interface.kind.as_str();
    if !WITH_DEVICE.contains(&kind) {
        return Some(format!(
            "<bandwidth> on type '{kind}', which has no device to be limited"
        ));
    }
    if interface.is_foreign() {
        return Some("<bandwidth> on a device that somebody else made".to_owned());
    }
    let floor = shaping.inbound.is_some_and(|rate| rate.floor.is_some());
    floor.then(|| "'floor' of <bandwidth>, which no other guest gives way to".to_owned())
}

fn promise(interface: &Interface) -> Option<String> {
    let kind = interface.kind.as_str();
    let promise = |element: &&Element| match element.name.as_str() {
        "port" => element.attr("isolated") == Some("yes"),
        "ip" => kind != "user",
        "backend" => element.attr("type").is_some_and(|kind| kind != "default"),
        name => PROMISES.contains(&name),
    };
    let promise = interface.rest.elements.iter().find(promise);
    promise.map(|element| format!("<{}>", element.name))
}
