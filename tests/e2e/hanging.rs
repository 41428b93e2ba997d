//! What hangs must hang alone: a frozen guest, a driver that sleeps, locks that are held.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::process::{self, signal};
use conformance::wait;
use rustix::process::Signal;
use std::process::{Child, Command, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "reads_go_on_while_a_driver_sleeps_and_locks_are_held",
        needs: &[Virsh],
        run: driver_sleeps,
    },
    Case {
        name: "guest_frozen_by_a_signal_delays_nobody",
        needs: &[Root, Uml, Virsh],
        run: guest_frozen,
    },
];

/// Has the driver that is wrong on purpose do it; the call does not return by itself.
fn misbehaving(host: &Host, how: &str) -> Child {
    let document = host.document(&format!("<domain type='misbehave'><name>{how}</name></domain>"));
    let mut command = Command::new("virsh");
    command.args(["-q", "-c", &host.uri().replace("uml+", "misbehave+"), "create"]);
    command.arg(document).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("virsh runs")
}

fn reads(host: &Host, name: &str) {
    assert!(host.virsh(&["list", "--all"]).ok().contains(name));
    for verb in ["dominfo", "domstate", "dumpxml"] {
        let _out = host.virsh(&[verb, name]).ok();
    }
    let _out = host.virsh(&["nwfilter-list"]).ok();
}

fn driver_sleeps() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let mut hanging: Vec<Child> = (0..6).map(|_| misbehaving(&host, "sleep")).collect();
    hanging.push(misbehaving(&host, "hold"));
    wait::until("the locks are held", || {
        let locks = host.lockstep(&["locks", "--json"]).ok();
        (locks.contains("Filter") && locks.contains("Update") && locks.contains("misbehave")).then_some(())
    });
    reads(&host, "vm1");
    for client in &mut hanging {
        assert!(
            client.try_wait().expect("virsh can be asked").is_none(),
            "the call returned: nothing was tried"
        );
    }
    // A host that is killed closes the connections: the clients end.
    host.kill();
    for mut client in hanging {
        let _status = client.wait().expect("virsh ends");
    }
}

fn guest_frozen() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    host.define(&Document::new("vm2").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let supervisors = host.supervisors();
    let guest = process::descendants(supervisors[0].pid);
    for process in &guest {
        signal(process.pid, Signal::STOP);
    }
    reads(&host, "vm1");
    // Calls on the frozen guest end by their own deadline, with an error; others are not delayed.
    assert!(!host.virsh(&["suspend", "vm1"]).fails().is_empty());
    let _out = host.virsh(&["start", "vm2"]).ok();
    // A frozen guest can still be ended.
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
    let _out = host.virsh(&["destroy", "vm2"]).ok();
}
