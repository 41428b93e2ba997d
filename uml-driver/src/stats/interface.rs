//! Interfaces: what passed each, as the guest sees it.

use super::{Figures, Source};
use crate::def::live::interface_alias;
use crate::net::{Counters, Traffic};

pub(super) fn put(source: &Source<'_>, figures: &mut Figures) {
    if source.guest().is_none() {
        return;
    }
    let interfaces = &source.record.current.interfaces;
    figures.put("net.count", u32::try_from(interfaces.len()).unwrap_or(u32::MAX));
    for (index, interface) in interfaces.iter().enumerate() {
        let device = source.record.ports.get(index).map(|port| port.device.as_str());
        let Some(device) = device.filter(|device| !device.is_empty()) else {
            // The host has no device for it; a link of the supervisor's has counters of its own.
            let link = format!("link.net{}", interface.number);
            figures.put(
                format!("net.{index}.name"),
                interface_alias(interface.number, interface.alias.as_deref()),
            );
            for (way, what) in [("rx", "bytes"), ("rx", "packets"), ("tx", "bytes"), ("tx", "packets")] {
                let short = if what == "packets" { "pkts" } else { what };
                figures.put_known(
                    format!("net.{index}.{way}.{short}"),
                    source.used(&format!("{link}.{way}_{what}")),
                );
            }
            continue;
        };
        figures.put(format!("net.{index}.name"), device);
        // A device that is gone at this moment has no counters. What the host sends into it, the guest receives.
        let counters = source.core.network.counters(device);
        if let Ok(Counters { rx, tx }) = counters.map(Counters::swapped) {
            for (way, traffic) in [("rx", rx), ("tx", tx)] {
                for (what, number) in named(traffic) {
                    figures.put(format!("net.{index}.{way}.{what}"), number);
                }
            }
        }
    }
}

fn named(traffic: Traffic) -> [(&'static str, u64); 4] {
    [
        ("bytes", traffic.bytes),
        ("pkts", traffic.packets),
        ("errs", traffic.errors),
        ("drop", traffic.drops),
    ]
}
