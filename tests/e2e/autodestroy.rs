//! Guests that end with the connection of the client that started them, however it ends.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::process::signal;
use conformance::wait;
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "autodestroy_shell_that_quits_takes_its_guests_along",
        needs: &[Root, Uml, Virsh],
        run: shell_quits,
    },
    Case {
        name: "autodestroy_client_that_is_killed_takes_its_guests_along",
        needs: &[Root, Uml, PythonLibvirt],
        run: client_killed,
    },
    Case {
        name: "autodestroy_host_that_is_killed_leaves_them_to_the_next_one",
        needs: &[Root, Uml, Virsh, PythonLibvirt],
        run: host_killed,
    },
    Case {
        name: "autodestroy_later_run_of_the_same_guest_is_spared",
        needs: &[Root, Uml, PythonLibvirt],
        run: later_run,
    },
];

/// Starts guests that end with it, says so, and waits; a word on its input has it start them no more and quit.
const CLIENT: &str = r#"
import libvirt, os, sys
conn = libvirt.open(os.environ["URI"])
conn.lookupByName("vm1").createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
conn.createXML(os.environ["XML"], libvirt.VIR_DOMAIN_START_AUTODESTROY)
print("started", flush=True)
sys.stdin.readline()
"#;

/// Says when it listens, and how the first guest that stops has stopped.
const LISTENER: &str = r#"
import libvirt, os
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(os.environ["URI"])
stopped = []
def told(conn, dom, event, detail, opaque):
    if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
        stopped.append(detail)
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None)
print("listening", flush=True)
while not stopped:
    libvirt.virEventRunDefaultImpl()
print("destroyed" if stopped[0] == libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED else stopped[0], flush=True)
"#;

/// A Python script that runs, and has said its first line.
struct Script {
    child: Child,
    stdin: ChildStdin,
    out: BufReader<ChildStdout>,
}

impl Script {
    fn start(host: &Host, script: &str, first: &str) -> Self {
        let mut command = host.command("/usr/bin/python3");
        command.arg("-c").arg(script).env("URI", host.uri());
        command.env("XML", Document::new("vm2").xml());
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.expect("python3 runs");
        let mut script = Self {
            stdin: child.stdin.take().expect("a pipe"),
            out: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
        };
        assert_eq!(script.line(), first);
        script
    }

    /// What it says next.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let _count = self.out.read_line(&mut line).expect("the script speaks");
        line.trim().to_owned()
    }

    fn kill(mut self) {
        signal(i32::try_from(self.child.id()).expect("a pid fits"), Signal::KILL);
        let _status = self.child.wait().expect("it can be waited for");
    }

    fn quit(mut self) {
        drop(self.stdin);
        let status = self.child.wait().expect("it can be waited for");
        assert!(status.success(), "{status}");
    }
}

fn until_nothing_runs(host: &Host) {
    wait::until("the guests have ended", || {
        (host.virsh(&["list", "--name"]).ok().trim().is_empty() && host.supervisors().is_empty()).then_some(())
    });
}

fn shell_quits() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    host.define(&Document::new("vm2").xml());
    let mut shell = host.virsh_command();
    let mut shell = shell
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("virsh runs");
    let mut stdin = shell.stdin.take().expect("a pipe");
    let words = b"start vm1 --autodestroy\nstart vm2\nlist --name\nquit\n";
    stdin.write_all(words).expect("virsh reads");
    drop(stdin);
    let output = shell.wait_with_output().expect("virsh ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("vm1") && said.contains("vm2"), "{said}");
    wait::until("the guest has ended with its client", || {
        (host.state("vm1") == "shut off (destroyed)").then_some(())
    });
    assert_eq!(host.state("vm2"), "running (booted)");
    // One command is a connection too.
    let _out = host.virsh(&["start", "vm1", "--autodestroy"]).ok();
    wait::until("the guest has ended with the command", || {
        (host.virsh(&["list", "--name"]).ok().trim() == "vm2").then_some(())
    });
    let _out = host.virsh(&["destroy", "vm2"]).ok();
}

fn client_killed() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let client = Script::start(&host, CLIENT, "started");
    let mut listener = Script::start(&host, LISTENER, "listening");
    client.kill();
    assert_eq!(listener.line(), "destroyed");
    listener.quit();
    until_nothing_runs(&host);
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
    let _gone = host.virsh(&["domstate", "vm2"]).fails();
}

fn host_killed() {
    let mut host = Host::start();
    host.define(&Document::new("kept").xml());
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "kept"]).ok();
    let client = Script::start(&host, CLIENT, "started");
    assert_eq!(host.supervisors().len(), 3);
    host.kill();
    host.serve();
    // Nobody is served before the last host's clients are made up for.
    assert_eq!(host.virsh(&["list", "--name"]).ok().trim(), "kept");
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
    assert_eq!(host.supervisors().len(), 1);
    client.kill();
    // A host that stops in good order closes the connections itself, and waits for what follows from it.
    let client = Script::start(&host, CLIENT, "started");
    host.stop();
    assert_eq!(host.supervisors().len(), 1);
    client.kill();
    host.serve();
    assert_eq!(host.virsh(&["list", "--name"]).ok().trim(), "kept");
    let _out = host.virsh(&["destroy", "kept"]).ok();
}

fn later_run() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let client = Script::start(&host, CLIENT, "started");
    for name in ["vm1", "vm2"] {
        let _out = host.virsh(&["destroy", name]).ok();
    }
    let _out = host.virsh(&["start", "vm1"]).ok();
    let id = host.virsh(&["domid", "vm1"]).ok();
    client.quit();
    // That nothing happens has no event: another client's guest, which does end with it, is what is waited for.
    let measure = host.document(&Document::new("vm3").xml());
    let _out = host
        .virsh(&["create", &measure.to_string_lossy(), "--autodestroy"])
        .ok();
    wait::until("the other client's guest has ended", || {
        (!host.virsh(&["list", "--name"]).ok().contains("vm3")).then_some(())
    });
    assert_eq!(host.virsh(&["domid", "vm1"]).ok(), id);
    assert_eq!(host.state("vm1"), "running (booted)");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}
