//! Interfaces: what passed each, as the guest sees it.

use super::{Figures, Source};
use crate::net::{Counters, Traffic};

pub(super) fn put(source: &Source<'_>, figures: &mut Figures) {
    if source.guest().is_none() {
        return;
    }
    let ports = &source.record.ports;
    figures.put("net.count", u32::try_from(ports.len()).unwrap_or(u32::MAX));
    for (index, port) in ports.iter().enumerate() {
        figures.put(format!("net.{index}.name"), port.device.clone());
        // A device that is gone at this moment has no counters.
        let counters = source.core.network.counters(&port.device);
        // What the host sends into the guest's device, the guest receives.
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
