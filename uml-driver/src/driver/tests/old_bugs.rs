//! Faults of the driver that libvirt had until 2019, one test each, named after the place in the list of its faults
//! (docs/uml-comparison.md). What only a real guest can show is in `tests/e2e/old_bugs.rs`.

use super::*;

mod document;
mod life;
mod monitor;
mod network;

/// The definition of a domain with these devices, for the only driver that there is.
fn with_devices(lab: &Lab, devices: &str) -> String {
    lab.xml("vm", A, "")
        .replace("<devices>", &format!("<devices>{devices}"))
}

fn define(lab: &Lab, xml: &str) -> Result<DomainBrief> {
    lab.cx(|cx| lab.uml.define(cx, xml, 0))
}

/// What the last guest was started with.
fn argv(lab: &Lab) -> Vec<String> {
    let launches = lab.host.launches.lock();
    launches.last().unwrap().spec.argv.clone()
}
