//! Roots of any depth and name: everything works there, or the host says at once why it can not.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::{Host, binary};
use conformance::need::Need::{Root, Uml, Virsh};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "root_deep_guest_lives",
        needs: &[Root, Uml, Virsh],
        run: deep,
    },
    Case {
        name: "root_with_blank_and_umlaut_guest_lives",
        needs: &[Root, Uml, Virsh],
        run: odd,
    },
    Case {
        name: "root_too_deep_is_refused_with_the_way_out",
        needs: &[],
        run: too_deep,
    },
];

fn lives(mut host: Host) {
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["suspend", "vm1"]).ok();
    host.kill();
    host.serve();
    assert_eq!(host.state("vm1"), "paused (user)");
    let _out = host.virsh(&["resume", "vm1"]).ok();
    assert!(host.lockstep(&["list"]).ok().contains("vm1"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    let _out = host.virsh(&["undefine", "vm1"]).ok();
}

fn deep() {
    // With it the longest path that a client has to connect to has 105 of 107 bytes.
    lives(Host::start_in(&"d".repeat(66)));
}

fn odd() {
    lives(Host::start_in("ls \u{e4} %41 '"));
}

fn too_deep() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let deep = root.path().join("d".repeat(100));
    let output = std::process::Command::new(binary())
        .arg("serve")
        .arg("--root")
        .arg(&deep)
        .output()
        .expect("the host runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("choose a shorter --root"),
        "{error}"
    );
    assert!(!deep.exists(), "something was made before the refusal");
}
