//! A domain's life as stock virsh drives it.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::wait;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "virsh_asks_about_the_host_is_answered",
        needs: &[Virsh],
        run: asks_about_the_host,
    },
    Case {
        name: "domain_defined_lists_and_dumps",
        needs: &[Virsh],
        run: defined_lists_and_dumps,
    },
    Case {
        name: "domain_whole_life_by_virsh",
        needs: &[Root, Uml, Virsh],
        run: whole_life,
    },
    Case {
        name: "domain_suspended_resumes",
        needs: &[Root, Uml, Virsh],
        run: suspended_resumes,
    },
    Case {
        name: "domain_shutdown_obeys_ctrl_alt_del",
        needs: &[Root, Uml, Virsh],
        run: shutdown,
    },
    Case {
        name: "domain_reboot_keeps_its_id",
        needs: &[Root, Uml, Virsh],
        run: reboot,
    },
    Case {
        name: "domain_transient_leaves_the_list_when_it_ends",
        needs: &[Root, Uml, Virsh],
        run: transient,
    },
    Case {
        name: "domain_autostart_starts_with_the_host",
        needs: &[Root, Uml, Virsh],
        run: autostart,
    },
    Case {
        name: "domain_undefined_while_running_becomes_transient",
        needs: &[Root, Uml, Virsh],
        run: undefine_running,
    },
    Case {
        name: "read_only_socket_refuses_every_write",
        needs: &[Virsh],
        run: read_only,
    },
    Case {
        name: "unknown_domain_is_named_in_the_error",
        needs: &[Virsh],
        run: unknown_domain,
    },
];

fn asks_about_the_host() {
    let host = Host::start();
    assert!(host.virsh(&["version"]).ok().contains("UML"));
    let capabilities = host.virsh(&["capabilities"]).ok();
    for want in [
        "<os_type>uml</os_type>",
        "<domain type='uml'/>",
        "<arch name='x86_64'>",
        "<uuid>",
    ] {
        assert!(capabilities.contains(want), "no {want} in {capabilities}");
    }
    assert!(host.virsh(&["nodeinfo"]).ok().contains("Memory size:"));
    assert!(!host.virsh(&["hostname"]).ok().trim().is_empty());
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");
}

fn defined_lists_and_dumps() {
    let host = Host::start();
    host.define(&Document::new("vm1").with("<title>the first</title>").xml());
    let list = host.virsh(&["list", "--all"]).ok();
    assert!(list.contains("vm1") && list.contains("shut off"), "{list}");
    let xml = host.virsh(&["dumpxml", "vm1"]).ok();
    assert!(xml.starts_with("<domain type='uml'>"), "{xml}");
    assert!(
        xml.contains("<title>the first</title>") && xml.contains("<memory unit='KiB'>65536</memory>"),
        "{xml}"
    );
    let info = host.virsh(&["dominfo", "vm1"]).ok();
    for want in [
        "shut off",
        "uml",
        "65536 KiB",
        "Persistent:     yes",
        "Autostart:      disable",
    ] {
        assert!(info.contains(want), "no '{want}' in {info}");
    }
    // The same document under a new name is a conflict of UUIDs; the message names both.
    let message = host
        .virsh(&[
            "define",
            &host.document(&xml.replace(">vm1<", ">vm2<")).to_string_lossy(),
        ])
        .fails();
    assert!(message.contains("vm1") && message.contains("uuid"), "{message}");
    let _out = host.virsh(&["undefine", "vm1"]).ok();
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");
}

fn whole_life() {
    let mut host = Host::start();
    let mut watcher = host
        .virsh_command()
        .args(["event", "--loop", "--event", "lifecycle", "--timeout", "60"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("virsh runs");
    let output = BufReader::new(watcher.stdout.take().expect("a pipe"));
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            sink.lock().expect("no reader panics").push(line);
        }
    });
    // The registration has no answer that virsh shows; the first event proves that it is in place.
    wait::until("the watcher sees events", || {
        host.define(&Document::new("probe").xml());
        let _out = host.virsh(&["undefine", "probe"]).ok();
        (!events.lock().expect("no reader panics").is_empty()).then_some(())
    });
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "running (booted)");
    assert_eq!(host.virsh(&["domid", "vm1"]).ok().trim(), "1");
    // virsh looks first and says this by itself.
    assert!(host.virsh(&["start", "vm1"]).fails().contains("already active"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
    assert!(host.virsh(&["destroy", "vm1"]).fails().contains("not running"));
    let _out = host.virsh(&["undefine", "vm1"]).ok();
    let seen = wait::until("four events have come", || {
        let lines = events.lock().expect("no reader panics");
        let of_vm1 = lines.iter().filter(|line: &&String| line.contains("vm1"));
        let what: Vec<_> = of_vm1
            .map(|line| line.rsplit(": ").next().unwrap_or_default().to_owned())
            .collect();
        (what.len() >= 4).then_some(what)
    });
    assert_eq!(
        seen,
        [
            "Defined Added",
            "Started Booted",
            "Stopped Destroyed",
            "Undefined Removed"
        ]
    );
    watcher.kill().expect("virsh can be ended");
    watcher.wait().expect("virsh can be waited for");
    reader.join().expect("the reader ends");
    host.stop();
}

fn suspended_resumes() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["suspend", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "paused (user)");
    let _out = host.virsh(&["resume", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "running (unpaused)");
    assert!(host.virsh(&["resume", "vm1"]).fails().contains("vm1"));
    let _out = host.virsh(&["suspend", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
}

/// A boot that reached user space: only then does the guest's init know what ctrl-alt-del means.
fn started(host: &Host, name: &str) {
    let _out = host.virsh(&["start", name]).ok();
    wait::until("the guest is ready", || {
        host.console_log(name).contains("guest ready").then_some(())
    });
}

fn shutdown() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    assert!(host.virsh(&["shutdown", "vm1"]).fails().contains("not running"));
    started(&host, "vm1");
    let _out = host.virsh(&["shutdown", "vm1"]).ok();
    wait::until("the guest is off", || {
        (host.state("vm1") == "shut off (shutdown)").then_some(())
    });
}

fn reboot() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    started(&host, "vm1");
    let id = host.virsh(&["domid", "vm1"]).ok();
    let _out = host.virsh(&["reboot", "vm1"]).ok();
    wait::until("the guest is ready again", || {
        (host.console_log("vm1").matches("guest ready").count() == 2).then_some(())
    });
    wait::until("the guest runs again", || {
        host.state("vm1").starts_with("running").then_some(())
    });
    assert_eq!(host.virsh(&["domid", "vm1"]).ok(), id);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn transient() {
    let host = Host::start();
    let document = host.document(&Document::new("vm1").xml());
    let _out = host.virsh(&["create", &document.to_string_lossy()]).ok();
    assert!(host.virsh(&["dominfo", "vm1"]).ok().contains("Persistent:     no"));
    assert!(host.virsh(&["autostart", "vm1"]).fails().contains("transient"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");
}

fn autostart() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    host.define(&Document::new("broken").kernel("/nowhere/linux").xml());
    for name in ["vm1", "broken"] {
        let _out = host.virsh(&["autostart", name]).ok();
    }
    host.stop();
    another_boot(&host);
    host.serve();
    wait::until("the guest has been started", || {
        (host.state("vm1") == "running (booted)").then_some(())
    });
    wait::until("the failure is in the log", || {
        host.log().contains("/nowhere/linux").then_some(())
    });
    let _out = host.virsh(&["autostart", "--disable", "vm1"]).ok();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    host.stop();
    another_boot(&host);
    host.serve();
    assert_eq!(host.state("vm1"), "shut off (unknown)");
}

/// As if the machine had been started again, with which autostart begins anew.
fn another_boot(host: &Host) {
    let marker = host.root().join("run/lockstep/uml/autostarted");
    wait::until("the host has looked what to start", || marker.exists().then_some(()));
    std::fs::write(marker, "another boot").expect("the marker can be written");
}

fn undefine_running() {
    let mut host = Host::start();
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let _out = host.virsh(&["undefine", "vm1"]).ok();
    assert!(host.virsh(&["dominfo", "vm1"]).ok().contains("Persistent:     no"));
    host.kill();
    host.serve();
    assert_eq!(host.state("vm1"), "running (booted)");
    assert!(host.virsh(&["dominfo", "vm1"]).ok().contains("Persistent:     no"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["list", "--all"]).ok().trim(), "");
}

fn read_only() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let uri = format!("uml+unix:///system?socket={}", host.read_only_socket().display());
    // Opened as if for writing: with `-r` the library would refuse by itself and the host would not be asked.
    let document = host.document(&Document::new("vm2").xml());
    for arguments in [
        vec!["start", "vm1"],
        vec!["undefine", "vm1"],
        vec!["autostart", "vm1"],
        vec!["desc", "vm1", "text"],
        vec!["define", document.to_str().unwrap()],
        vec!["create", document.to_str().unwrap()],
    ] {
        let mut command = Command::new("virsh");
        command
            .args(["-q", "-c", &uri])
            .args(&arguments)
            .env("HOME", host.root());
        let output = command.output().expect("virsh runs");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            message.contains("read only") || message.contains("read-only"),
            "{arguments:?}: {message}"
        );
    }
    assert!(host.virsh(&["list", "--all"]).ok().contains("vm1"));
}

fn unknown_domain() {
    let host = Host::start();
    assert!(host.virsh(&["dominfo", "nobody"]).fails().contains("nobody"));
    assert!(
        host.virsh(&["domstate", "c7a5fdbd-edaf-9455-926a-d65c16db1809"])
            .fails()
            .contains("c7a5fdbd")
    );
}
