//! The main job: a guest from XML to a booted kernel, and the host killed under it.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};

pub(crate) const CASES: &[Case] = &[Case {
    name: "guest_host_killed_guest_still_there",
    needs: &[Root, Uml, Virsh],
    run: guest_host_killed_guest_still_there,
}];

fn guest_host_killed_guest_still_there() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "running (booted)");
    host.kill();
    host.serve();
    assert_eq!(host.state("vm1"), "running (booted)");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
    let _out = host.virsh(&["undefine", "vm1"]).ok();
    host.stop();
}
