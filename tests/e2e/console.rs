//! Consoles: stock virsh on a terminal, several readers, a log without a gap.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::wait;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

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

/// Stock virsh on a terminal, which script(1) gives it.
pub(crate) struct VirshConsole {
    child: Child,
    input: ChildStdin,
    output: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl VirshConsole {
    fn open(host: &Host, arguments: &str) -> Self {
        Self::open_at(host, arguments, "guest ready")
    }

    /// The same on a console that has already said these words.
    pub(crate) fn open_at(host: &Host, arguments: &str, words: &str) -> Self {
        let mut child = command(host, arguments).spawn().expect("script runs");
        let input = child.stdin.take().expect("a pipe");
        let mut pipe = child.stdout.take().expect("a pipe");
        let output = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&output);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                sink.lock().expect("no reader panics").extend(&buffer[..count]);
            }
        });
        let console = Self {
            child,
            input,
            output,
            reader,
        };
        // virsh throws away what is typed before it has made its terminal raw; what the console said before comes after.
        wait::until("virsh shows the console", || {
            console.text().contains(words).then_some(())
        });
        console
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().expect("no reader panics")).into_owned()
    }

    pub(crate) fn type_(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).expect("the console takes input");
    }

    /// Waits for virsh to end and gives all that it showed.
    pub(crate) fn ended(mut self) -> String {
        let _status = self.child.wait().expect("script can be waited for");
        drop(self.input);
        self.reader.join().expect("the reader ends");
        String::from_utf8_lossy(&self.output.lock().expect("no reader panics")).into_owned()
    }
}

fn command(host: &Host, arguments: &str) -> Command {
    let mut command = Command::new("script");
    command.args([
        "-qec",
        &format!("virsh -q -c '{}' console {arguments}", host.uri()),
        "/dev/null",
    ]);
    command
        .env("HOME", host.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What virsh shows when it can not open the console.
fn refused(host: &Host, arguments: &str) -> String {
    let output = command(host, arguments).output().expect("script runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
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
    let mut console = VirshConsole::open(&host, "vm1");
    console.type_("echo sum $((40 + 2))\n");
    wait::until("virsh shows the answer", || {
        console.text().contains("sum 42").then_some(())
    });
    console.type_("\x1d");
    let _text = console.ended();
    assert!(host.console_log("vm1").contains("sum 42"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn second_writer() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    ready(&host);
    let mut first = VirshConsole::open(&host, "vm1");
    first.type_("echo first-$((1 + 1))\n");
    wait::until("the first writes", || {
        host.console_log("vm1").contains("first-2").then_some(())
    });
    let text = refused(&host, "vm1");
    assert!(text.contains("force"), "{text}");
    let mut second = VirshConsole::open(&host, "--force vm1");
    second.type_("echo second-$((2 + 2))\n");
    wait::until("the second writes", || {
        host.console_log("vm1").contains("second-4").then_some(())
    });
    // The first one has been closed and ends by itself.
    let _text = first.ended();
    second.type_("\x1d");
    let _text = second.ended();
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn slow_reader() {
    let host = Host::start();
    let script = "i=0; while [ $i -lt 20000 ]; do echo line-$i-of-many; i=$((i + 1)); done; echo all-done; sleep 1000";
    host.define(&Document::new("vm1").running(script).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    // A client that opens the console and never reads.
    let mut console = command(&host, "vm1").spawn().expect("script runs");
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
    let text = refused(&host, "vm1");
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
