//! Consoles: stock virsh on a terminal, several readers, a log without a gap.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::wait;
use std::io::Write;
use std::process::{Child, Command, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "console_virsh_types_and_reads",
        needs: &[Root, Uml, Virsh],
        run: virsh_types,
    },
    Case {
        name: "console_second_writer_is_refused_unless_forced",
        needs: &[Root, Uml, Virsh],
        run: second_writer,
    },
    Case {
        name: "console_slow_reader_never_stalls_the_guest",
        needs: &[Root, Uml, Virsh],
        run: slow_reader,
    },
    Case {
        name: "console_of_idle_domain_is_refused",
        needs: &[Virsh],
        run: idle,
    },
    Case {
        name: "console_pty_is_named_and_works",
        needs: &[Root, Uml, Virsh],
        run: pty,
    },
];

/// virsh wants a terminal; script(1) gives it one.
fn virsh_console(host: &Host, arguments: &str) -> Child {
    let line = format!("virsh -q -c '{}' console {arguments}", host.uri());
    Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("HOME", host.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("script runs")
}

fn ready(host: &Host) {
    let _out = host.virsh(&["start", "vm1"]).ok();
    wait::until("the guest is ready", || {
        host.console_log("vm1").contains("guest ready").then_some(())
    });
}

fn virsh_types() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    ready(&host);
    let mut console = virsh_console(&host, "vm1");
    let mut input = console.stdin.take().expect("a pipe");
    input
        .write_all(b"echo sum $((40 + 2))\n")
        .expect("the console takes input");
    wait::until("the guest has answered", || {
        host.console_log("vm1").contains("sum 42").then_some(())
    });
    input.write_all(b"\x1d").expect("the console takes input");
    let output = console.wait_with_output().expect("virsh ends");
    drop(input);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("sum 42"), "{text}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn second_writer() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    ready(&host);
    let mut first = virsh_console(&host, "vm1");
    let mut input = first.stdin.take().expect("a pipe");
    input
        .write_all(b"echo first-$((1 + 1))\n")
        .expect("the console takes input");
    wait::until("the first writes", || {
        host.console_log("vm1").contains("first-2").then_some(())
    });
    let refused = virsh_console(&host, "vm1").wait_with_output().expect("virsh ends");
    let text = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(text.contains("force"), "{text}");
    let mut second = virsh_console(&host, "--force vm1");
    let mut forced = second.stdin.take().expect("a pipe");
    forced
        .write_all(b"echo second-$((2 + 2))\n")
        .expect("the console takes input");
    wait::until("the second writes", || {
        host.console_log("vm1").contains("second-4").then_some(())
    });
    // The first one has been closed and ends by itself.
    let _status = first.wait().expect("virsh ends");
    forced.write_all(b"\x1d").expect("the console takes input");
    let _status = second.wait().expect("virsh ends");
    drop((input, forced));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn slow_reader() {
    let host = Host::start();
    let script = "i=0; while [ $i -lt 20000 ]; do echo line-$i-of-many; i=$((i + 1)); done; echo all-done; sleep 1000";
    host.define(&Document::new("vm1").running(script).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    // A client that opens the console and never reads.
    let mut console = virsh_console(&host, "vm1");
    wait::until("the guest has written all", || {
        host.console_log("vm1").contains("all-done").then_some(())
    });
    console.kill().expect("script can be ended");
    let _status = console.wait().expect("script can be waited for");
    let log = host.console_log("vm1");
    let numbers: Vec<u32> = log
        .lines()
        .filter_map(|line| line.strip_prefix("line-")?.strip_suffix("-of-many")?.parse().ok())
        .collect();
    assert_eq!(numbers, (0..20000).collect::<Vec<u32>>());
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn idle() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let output = virsh_console(&host, "vm1").wait_with_output().expect("virsh ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("not running"), "{text}");
}

fn pty() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    ready(&host);
    let tty = host.virsh(&["ttyconsole", "vm1"]).ok();
    assert!(tty.starts_with("/dev/pts/"), "{tty}");
    let mut pty = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(tty.trim())
        .expect("the pty opens");
    pty.write_all(b"echo by-pty-$((3 + 3))\n").expect("the pty takes input");
    wait::until("the guest has answered", || {
        host.console_log("vm1").contains("by-pty-6").then_some(())
    });
    drop(pty);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}
