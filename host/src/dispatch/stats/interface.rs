//! Figures of interfaces.

use super::super::Dispatch;
use super::super::domain::document;
use super::Figures;
use crate::rpc::codec::stats::{DomainInterfaceStats, InterfaceStats};
use crate::server::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::Element;
use driver_api::types::device::stats::INTERFACE;

pub(in super::super) fn stats(host: &Dispatch, call: &Call<'_>, args: DomainInterfaceStats) -> Result<InterfaceStats> {
    let figures = Figures::live(host, call, &args.dom, INTERFACE)?;
    if figures.count("net").is_none() {
        return Err(host.lacks(call, "figures of interfaces"));
    }
    let place = match figures.place("net", &["name"], &args.device) {
        Some(place) => place,
        None => by_mac(host, call, &figures, &args.device)?,
    };
    let figure = |field: &str| figures.or_unknown(&format!("net.{place}.{field}"));
    Ok(InterfaceStats {
        rx_bytes: figure("rx.bytes"),
        rx_packets: figure("rx.pkts"),
        rx_errs: figure("rx.errs"),
        rx_drop: figure("rx.drop"),
        tx_bytes: figure("tx.bytes"),
        tx_packets: figure("tx.pkts"),
        tx_errs: figure("tx.errs"),
        tx_drop: figure("tx.drop"),
    })
}

/// Figures are in the order of the document, which knows the MAC addresses.
fn by_mac(host: &Dispatch, call: &Call<'_>, figures: &Figures, called: &str) -> Result<u64> {
    let document = document(host, call, figures.domain.uuid, 0)?;
    place_of_mac(&document, called).ok_or_else(|| {
        let name = &figures.domain.name;
        let text = format!("domain '{name}' has no interface '{called}': 'domiflist' shows them");
        Error::new(Code::INVALID_ARG, Origin::DOMAIN, text)
    })
}

fn place_of_mac(document: &Element, called: &str) -> Option<u64> {
    let has_mac = |interface: &Element| {
        let address = interface.child("mac").and_then(|mac| mac.attr("address"));
        address.is_some_and(|address| address.eq_ignore_ascii_case(called))
    };
    let place = document
        .child("devices")?
        .children_named("interface")
        .position(has_mac)?;
    u64::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::kit::xml::{Limits, parse};

    #[test]
    fn an_interface_is_at_its_place_in_the_document() {
        let document = "<domain><devices><interface type='user'/><disk/>\
            <interface type='bridge'><mac address='52:54:00:00:00:aB'/></interface></devices></domain>";
        let document = parse(document.as_bytes(), Origin::DOMAIN, &Limits::default()).unwrap();
        assert_eq!(place_of_mac(&document, "52:54:00:00:00:Ab"), Some(1));
        assert_eq!(place_of_mac(&document, "52:54:00:00:00:ac"), None);
    }
}
