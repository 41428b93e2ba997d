//! Jobs: what runs on a guest, shown and stopped by stock clients.

use conformance::case::Case;
use conformance::guest::{Document, KERNEL};
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::process::{self, signal};
use conformance::wait;
use rustix::process::Signal;
use std::fs;
use std::process::{Command, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "job_start_that_hangs_is_shown_and_aborted",
        needs: &[Root, Uml, Virsh],
        run: start_aborted,
    },
    Case {
        name: "job_on_a_running_guest_is_shown_and_can_not_be_aborted",
        needs: &[Root, Uml, Virsh],
        run: conversation,
    },
];

/// What stands behind a name at the beginning of a line.
fn value(text: &str, name: &str) -> Option<String> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(rest.split_whitespace().next()?.to_owned())
}

/// A kernel that says of itself what the real one says, and then does nothing. Static, for a guest sees no libraries.
fn sleeping_kernel(host: &Host) -> String {
    let (source, path) = (host.root().join("kernel.c"), host.root().join("kernel"));
    let text = format!(
        "#include <unistd.h>\nint main(int count, char **words) {{\n\
         if (count > 1 && words[1][0] == '-') execv(\"{KERNEL}\", words);\nfor (;;) pause();\n}}\n"
    );
    fs::write(&source, text).expect("a file");
    let mut compiler = Command::new("cc");
    let made = compiler.arg("-static").arg("-o").arg(&path).arg(&source).status();
    assert!(made.expect("cc runs").success(), "cc failed");
    path.to_string_lossy().into_owned()
}

fn start_aborted() {
    let host = Host::start();
    host.define(&Document::new("vm1").kernel(&sleeping_kernel(&host)).xml());
    assert_eq!(
        value(&host.virsh(&["domjobinfo", "vm1"]).ok(), "Job type:").as_deref(),
        Some("None")
    );
    let said = host.virsh(&["domjobabort", "vm1"]).fails();
    assert!(said.contains("no job is running"), "{said}");
    let mut start = host.virsh_command();
    start
        .args(["start", "vm1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let start = start.spawn().expect("virsh runs");
    let shown = wait::until("the start is shown as a job", || {
        let shown = host.virsh(&["domjobinfo", "vm1"]).ok();
        (value(&shown, "Job type:")? == "Unbounded").then_some(shown)
    });
    assert_eq!(value(&shown, "Operation:").as_deref(), Some("Start"), "{shown}");
    assert!(value(&shown, "Time elapsed:").is_some(), "{shown}");
    // A start that has only just begun does not look yet whether it shall stop.
    wait::until("the start lets itself be aborted", || {
        (host.lockstep(&["domjobabort", "vm1"]).code == 0).then_some(())
    });
    let output = start.wait_with_output().expect("virsh ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("aborted by a client"), "{said}");
    assert!(host.state("vm1").starts_with("shut off"), "{}", host.state("vm1"));
    assert_eq!(host.supervisors().len(), 0, "{:?}", host.supervisors());
    assert_eq!(
        value(&host.lockstep(&["domjobinfo", "vm1"]).ok(), "Job type:").as_deref(),
        Some("None")
    );
}

fn conversation() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert_eq!(host.virsh(&["domcontrol", "vm1"]).ok().trim(), "ok");
    let guest = process::descendants(host.supervisors()[0].pid);
    for process in &guest {
        signal(process.pid, Signal::STOP);
    }
    let mut shutdown = host.virsh_command();
    shutdown
        .args(["shutdown", "vm1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut shutdown = shutdown.spawn().expect("virsh runs");
    let busy = wait::until("the conversation is shown as a job", || {
        let shown = host.virsh(&["domcontrol", "vm1"]).ok();
        shown.contains("job").then_some(shown)
    });
    assert!(busy.contains("background job (") && busy.contains("s)"), "{busy}");
    assert!(
        host.lockstep(&["domcontrol", "vm1"])
            .ok()
            .starts_with("background job (")
    );
    let said = host.virsh(&["domjobabort", "vm1"]).fails();
    assert!(said.contains("job 'shutdown'") && said.contains("half way"), "{said}");
    for process in &guest {
        signal(process.pid, Signal::CONT);
    }
    let _status = shutdown.wait().expect("virsh ends");
    // The guest may have heard it and be on its way already.
    let _answer = host.virsh(&["destroy", "vm1"]);
}
