//! Sudden death of a supervisor or of UML's main process: nothing survives, and no guest code runs on the host; and what a
//! guest finds when it looks for the host.

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
    Case {
        name: "hostfs_shows_no_file_of_the_host_and_of_no_other_guest",
        needs: &[Root, Uml, Virsh],
        run: hostfs,
    },
    Case {
        name: "security_of_a_guest_is_shown_and_layers_can_be_turned_off",
        needs: &[Root, Uml, Virsh],
        run: security,
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
    // The new host may find them while the kernel still takes them down.
    wait::until("the domain is off", || {
        host.state("vm1").starts_with("shut off").then_some(())
    });
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

/// The guest's kernel opens files of its own process for whoever is root in the guest.
fn hostfs() {
    let host = Host::start();
    host.define(&Document::new("neighbour").running("echo up").xml());
    let _out = host.virsh(&["start", "neighbour"]).ok();
    wait::until("the neighbour is up", || {
        host.console_log("neighbour").contains("up").then_some(())
    });
    let secret = host.root().join("secret");
    std::fs::write(&secret, "the host's secret").unwrap();
    let runs = host.root().join("run/lockstep/guests");
    assert!(
        runs.join("1/control").exists(),
        "the neighbour's run folder is elsewhere"
    );
    let script = format!(
        "mkdir -p /mnt; mount -t hostfs none /mnt -o / && echo mounted; echo root: $(ls /mnt); \
         for f in /etc/shadow /etc/passwd /root {secret} {runs}/1/control {runs}/1/guest /proc/sys /sys/kernel /dev/vda; do \
         [ -e /mnt$f ] && echo \"seen: $f\"; done; cat /mnt/../../..{secret}; mount -t hostfs none /mnt -o /..{root} && \
         cat /mnt/secret; touch /mnt/made 2>/dev/null && echo \"written\"; mknod /mnt/run/guest/n b 254 0 && echo \"node\"; \
         echo looked",
        secret = secret.display(),
        runs = runs.display(),
        root = host.root().display(),
    );
    host.define(&Document::new("vm1").running(&script).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let log = wait::until("the guest has looked", || {
        let log = host.console_log("vm1");
        log.contains("\nlooked").then_some(log)
    });
    // What else is there depends on where the guest's files lie on this machine.
    let root = log
        .lines()
        .find_map(|line| line.strip_prefix("root: "))
        .unwrap_or_default();
    assert!(
        log.contains("mounted") && root.split(' ').any(|name| name == "dev"),
        "{log}"
    );
    for sign in ["seen: ", "the host's secret", "\nwritten", "\nnode"] {
        assert!(!log.contains(sign), "{log}");
    }
    for name in ["vm1", "neighbour"] {
        let _out = host.virsh(&["destroy", name]).ok();
    }
}

fn security() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let error = host.lockstep(&["domsecurity", "vm1"]).fails();
    assert!(error.contains("does not run, so there is nothing to show"), "{error}");
    let _out = host.virsh(&["start", "vm1"]).ok();
    let table = host.lockstep(&["domsecurity", "vm1"]).ok();
    for line in ["system calls", "Landlock", "net namespace", "capabilities", "linux.uml"] {
        assert!(table.contains(line), "{table}");
    }
    let layers = |host: &Host| -> Vec<(String, bool)> {
        let text = host.lockstep(&["--output", "json", "domsecurity", "vm1"]).ok();
        let security: serde_json::Value = serde_json::from_str(&text).unwrap();
        let layers = security["layers"].as_array().unwrap().clone();
        let layer = |layer: &serde_json::Value| {
            let name = layer["layer"].as_str().unwrap().to_owned();
            (name, layer["on"].as_bool().unwrap())
        };
        layers.iter().map(layer).collect()
    };
    let off = |layers: Vec<(String, bool)>| -> Vec<String> {
        layers.into_iter().filter(|(_, on)| !on).map(|(name, _)| name).collect()
    };
    // A guest of root needs no users of its own.
    assert_eq!(off(layers(&host)), ["user namespace"]);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    host.stop();
    let file = host.root().join("etc/lockstep/lockstep.toml");
    std::fs::write(
        file,
        "[confinement]\nseccomp = false\nlandlock = false\ncgroups = false\nnetwork_namespace = false\nuser = 'root'\n",
    )
    .unwrap();
    host.serve();
    let _out = host.virsh(&["start", "vm1"]).ok();
    let expected = [
        "user",
        "system calls",
        "Landlock",
        "net namespace",
        "user namespace",
        "cgroups",
    ];
    assert_eq!(off(layers(&host)), expected);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}
