//! Sudden death of a supervisor or of UML's main process: nothing survives, and no guest code runs on the host.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::process::{self, signal};
use conformance::wait;
use rustix::process::Signal;
use std::path::{Path, PathBuf};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "supervisor_killed_guest_is_gone",
        needs: &[Root, Uml, Virsh],
        run: supervisor_killed,
    },
    Case {
        name: "uml_killed_guest_code_never_runs_on_the_host",
        needs: &[Root, Uml, Virsh],
        run: uml_killed,
    },
    Case {
        name: "host_and_supervisor_killed_guest_is_gone",
        needs: &[Root, Uml, Virsh],
        run: both_killed,
    },
    Case {
        name: "guest_panics_domain_is_crashed",
        needs: &[Root, Uml, Virsh],
        run: panics,
    },
];

/// Inside the guest this writes to the guest's own memory. Code that runs on outside of UML's control makes the same
/// system calls on the host, where the same path is the guest's run folder and stays behind to be seen.
const ESCAPE: &str = "mkdir -p /run/guest; echo armed; while :; do echo escaped > /run/guest/marker; done";

fn busy_guest(host: &Host) -> i32 {
    host.define(&Document::new("vm1").running(ESCAPE).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    wait::until("the guest loops", || {
        host.console_log("vm1").contains("armed").then_some(())
    });
    let supervisors = host.supervisors();
    assert_eq!(supervisors.len(), 1, "{supervisors:?}");
    supervisors[0].pid
}

fn markers(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(markers(&path));
        } else if entry.file_name() == "marker" {
            found.push(path);
        }
    }
    found
}

fn all_gone(pids: &[i32]) {
    wait::until("every process of the guest is gone", || {
        pids.iter().all(|&pid| !process::is_alive(pid)).then_some(())
    });
}

fn tree(of: i32) -> Vec<i32> {
    process::descendants(of).iter().map(|p| p.pid).collect()
}

fn supervisor_killed() {
    for _ in 0..5 {
        let host = Host::start();
        let supervisor = busy_guest(&host);
        let guest = tree(supervisor);
        assert!(guest.len() >= 3, "{guest:?}");
        signal(supervisor, Signal::KILL);
        all_gone(&guest);
        wait::until("the domain is off", || {
            host.state("vm1").starts_with("shut off").then_some(())
        });
        assert_eq!(markers(host.root()), Vec::<PathBuf>::new());
    }
}

fn uml_killed() {
    for _ in 0..5 {
        let host = Host::start();
        let supervisor = busy_guest(&host);
        let guest = tree(supervisor);
        let main = process::all()
            .into_iter()
            .find(|p| p.parent == supervisor)
            .expect("the guest's first process");
        signal(main.pid, Signal::KILL);
        all_gone(&guest);
        wait::until("the domain is off", || {
            host.state("vm1").starts_with("shut off").then_some(())
        });
        assert_eq!(host.state("vm1"), "shut off (crashed)");
        assert_eq!(markers(host.root()), Vec::<PathBuf>::new());
    }
}

fn both_killed() {
    let mut host = Host::start();
    let supervisor = busy_guest(&host);
    let guest = tree(supervisor);
    host.kill();
    signal(supervisor, Signal::KILL);
    all_gone(&guest);
    assert_eq!(markers(host.root()), Vec::<PathBuf>::new());
    host.serve();
    assert!(host.state("vm1").starts_with("shut off"), "{}", host.state("vm1"));
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn panics() {
    let host = Host::start();
    let script = "echo c > /proc/sysrq-trigger";
    host.define(
        &Document::new("vm1")
            .running(script)
            .with("<on_crash>destroy</on_crash>")
            .xml(),
    );
    let _either_way = host.virsh(&["start", "vm1"]);
    wait::until("the domain has crashed", || {
        (host.state("vm1") == "shut off (crashed)").then_some(())
    });
    assert!(host.supervisors().is_empty());
}
