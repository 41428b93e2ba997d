//! Our own command line, the demo, and a guest in one process tree.

use conformance::case::Case;
use conformance::guest::{Document, repository};
use conformance::host::{Host, binary, build_dir};
use conformance::need::Need::{Root, Uml, Virsh};
use std::process::{Command, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "demo_plays_to_the_end",
        needs: &[Root, Uml, Virsh],
        run: demo,
    },
    Case {
        name: "run_gives_the_console_and_the_exit_status",
        needs: &[Root, Uml],
        run: run_guest,
    },
    Case {
        name: "command_line_drives_a_whole_life",
        needs: &[Root, Uml],
        run: command_line,
    },
    Case {
        name: "command_line_without_a_host_names_the_socket",
        needs: &[],
        run: no_host,
    },
    Case {
        name: "plugins_and_locks_are_shown",
        needs: &[],
        run: shown,
    },
];

fn demo() {
    let output = Command::new(repository().join("tools/demo"))
        .arg("--built")
        .arg(build_dir())
        .stdin(Stdio::null())
        .output()
        .expect("the demo runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("processes left: 0") && text.contains("mounts left: 0"),
        "{text}"
    );
}

fn run_guest() {
    let dir = tempfile::tempdir().unwrap();
    let document = dir.path().join("guest.xml");
    std::fs::write(
        &document,
        Document::new("one").running("echo inside; poweroff -f").xml(),
    )
    .unwrap();
    let output = Command::new(binary())
        .arg("run")
        .arg(&document)
        .stdin(Stdio::null())
        .output()
        .expect("lockstep runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{:?}: {text}", output.status);
    assert!(text.contains("inside"), "{text}");
    std::fs::write(
        &document,
        Document::new("two").running("echo c > /proc/sysrq-trigger").xml(),
    )
    .unwrap();
    let output = Command::new(binary())
        .arg("run")
        .arg(&document)
        .stdin(Stdio::null())
        .output()
        .expect("lockstep runs");
    assert!(!output.status.success(), "a panic is not a success");
}

fn command_line() {
    let host = Host::start();
    let path = host.document(&Document::new("vm1").xml());
    let _out = host.lockstep(&["define", &path.to_string_lossy()]).ok();
    let _out = host.lockstep(&["start", "vm1"]).ok();
    let list = host.lockstep(&["list", "--output", "json"]).ok();
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list[0]["name"], "vm1");
    conformance::wait::until("the guest is ready", || {
        host.console_log("vm1").contains("guest ready").then_some(())
    });
    let _out = host.lockstep(&["shutdown", "vm1", "--wait=60"]).ok();
    assert!(
        host.lockstep(&["domstate", "--reason", "vm1"])
            .ok()
            .contains("shut off (shutdown)")
    );
    let _out = host.lockstep(&["undefine", "vm1"]).ok();
    let missing = host.lockstep(&["start", "vm1"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.err.contains("vm1"), "{missing:?}");
}

fn no_host() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(binary())
        .arg("--root")
        .arg(dir.path())
        .arg("list")
        .output()
        .expect("lockstep runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("run/lockstep/libvirt-sock"), "{text}");
}

fn shown() {
    let host = Host::start();
    let plugins = host.lockstep(&["plugins", "--json"]).ok();
    let plugins: serde_json::Value = serde_json::from_str(&plugins).expect("JSON");
    let text = plugins.to_string();
    assert!(text.contains("\"uml\"") && text.contains("\"nwfilter\""), "{text}");
    let locks = host.lockstep(&["locks", "--json"]).ok();
    let _locks: serde_json::Value = serde_json::from_str(&locks).expect("JSON");
}
