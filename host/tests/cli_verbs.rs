//! The command line as a client: what each verb asks the host, what it prints, and how it ends.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail a test as the tests do"
)]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod script;

use lockstep::rpc::codec::Listing;
use lockstep::rpc::codec::domain::{
    ConnectListAllDomains, DomainCreateWithFlags, DomainGetAutostart, DomainGetInfo, DomainGetState, DomainGetXmlDesc,
    DomainInfo, DomainIsPersistent, DomainLookupById, DomainLookupByName, DomainOpenConsole, DomainRef,
    DomainShutdownFlags, DomainState,
};
use lockstep::rpc::codec::event::ConnectDomainEventCallbackRegisterAny;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, tcgetattr};
use script::{Script, Step, answer, command, guest, lifecycle, refuse, stderr, stdout};
use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;

const RUNNING: DomainState = DomainState { state: 1, reason: 1 };

fn listing(doms: Vec<DomainRef>) -> Step {
    answer::<ConnectListAllDomains>(&Listing::new(doms, 1))
}

fn lookup() -> Step {
    answer::<DomainLookupByName>(&guest("vm", 7))
}

fn registered() -> Step {
    answer::<ConnectDomainEventCallbackRegisterAny>(&0)
}

#[test]
fn list_prints_the_table_that_virsh_prints() {
    let steps = vec![
        listing(vec![guest("off", -1), guest("vm", 7)]),
        answer::<DomainGetState>(&RUNNING),
        answer::<DomainGetState>(&DomainState { state: 5, reason: 0 }),
    ];
    let output = Script::run(steps, &["list", "--all"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = " Id   Name   State\n-----------------------\n 7    vm     running\n -    off    shut off\n\n";
    assert_eq!(stdout(&output), expected);
}

#[test]
fn list_leaves_out_a_guest_that_went_away_meanwhile() {
    let steps = vec![listing(vec![guest("vm", 7)]), refuse::<DomainGetState>(42, "gone")];
    let output = Script::run(steps, &["--quiet", "list"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), ""));
}

#[test]
fn list_for_programs_is_one_document() {
    let steps = vec![
        listing(vec![guest("a\nb", 7)]),
        answer::<DomainGetState>(&RUNNING),
        answer::<DomainGetInfo>(&DomainInfo {
            state: 1,
            max_memory: 64,
            memory: 32,
            vcpus: 1,
            cpu_time: 5,
        }),
        answer::<DomainIsPersistent>(&1),
        answer::<DomainGetAutostart>(&0),
    ];
    let output = Script::run(steps, &["--output", "json", "list"]);
    let list: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(list[0]["name"], "a\nb");
    assert_eq!(list[0]["state"], "running");
    assert_eq!((&list[0]["id"], &list[0]["max_memory_kib"]), (&7.into(), &64.into()));
    assert_eq!(
        (&list[0]["persistent"], &list[0]["autostart"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn names_can_not_move_the_cursor() {
    let steps = vec![
        listing(vec![guest("a\u{1b}[2Jb", 7)]),
        answer::<DomainGetState>(&RUNNING),
    ];
    let output = Script::run(steps, &["list"]);
    assert!(stdout(&output).contains("a\\u{1b}[2Jb"), "{}", stdout(&output));
}

#[test]
fn a_number_is_an_id_first_and_then_a_name() {
    let steps = vec![
        refuse::<DomainLookupById>(42, "no id"),
        answer::<DomainLookupByName>(&guest("7", -1)),
    ];
    let output = Script::run(steps, &["domuuid", "7"]);
    assert_eq!(stdout(&output), "c7a5fdbd-edaf-9455-926a-d65c16db1809\n");
}

#[test]
fn shutdown_waits_with_events_registered_before_the_request() {
    let steps = vec![
        lookup(),
        registered(),
        answer::<DomainShutdownFlags>(&()),
        lifecycle(&guest("vm", 7), 6, 0),
        lifecycle(&guest("vm", -1), 5, 0),
    ];
    let output = Script::run(steps, &["shutdown", "vm", "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "Domain 'vm' is shut off\n\n");
}

#[test]
fn shutdown_of_a_guest_that_crashes_instead_fails() {
    let steps = vec![
        lookup(),
        registered(),
        answer::<DomainShutdownFlags>(&()),
        lifecycle(&guest("vm", -1), 5, 2),
    ];
    let output = Script::run(steps, &["shutdown", "vm", "--wait=1h"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "error: 'vm' stopped otherwise (Crashed)\n");
}

#[test]
fn wait_that_ends_too_early_names_the_state_and_has_its_own_code() {
    let steps = vec![
        lookup(),
        registered(),
        answer::<DomainShutdownFlags>(&()),
        answer::<DomainGetState>(&RUNNING),
    ];
    let output = Script::run(steps, &["shutdown", "vm", "--wait=10ms"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(
        stderr(&output),
        "error: 'vm' has not done so in time; its state is 'running'\n"
    );
}

#[test]
fn refusals_have_the_documented_exit_codes() {
    for (libvirt, exit) in [
        (1, 1),
        (55, 1),
        (3, 5),
        (67, 5),
        (84, 5),
        (29, 6),
        (88, 6),
        (68, 4),
        (42, 1),
        (62, 1),
        (101, 1),
    ] {
        let steps = vec![lookup(), refuse::<DomainCreateWithFlags>(libvirt, "it will not")];
        let output = Script::run(steps, &["start", "vm"]);
        assert_eq!(output.status.code(), Some(exit), "libvirt code {libvirt}");
        assert_eq!(stderr(&output), "error: cannot start 'vm': it will not\n");
    }
}

#[test]
fn no_host_is_told_with_the_socket_and_the_remedy() {
    let root = tempfile::tempdir().unwrap();
    let output = command(root.path(), &["list"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let socket = root.path().join("run/lockstep/libvirt-sock");
    assert!(
        stderr(&output).contains(&format!("cannot connect to '{}'", socket.display())),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("start one with `lockstep serve`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn host_that_hangs_up_is_told() {
    let output = Script::run(vec![Step::Close], &["list"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).starts_with("error: the connection to the host was lost"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn pings_are_answered_while_an_answer_is_awaited() {
    let steps = vec![
        lookup(),
        Step::Ping,
        answer::<DomainGetXmlDesc>(&"<domain/>\n".to_owned()),
    ];
    let output = Script::run(steps, &["dumpxml", "vm"]);
    assert_eq!(stdout(&output), "<domain/>\n\n");
}

#[test]
fn reader_that_goes_away_is_no_failure() {
    let script = Script::start(vec![lookup(), answer::<DomainGetXmlDesc>(&"x".repeat(1 << 20))]);
    let mut child = script.spawn(&["dumpxml", "vm"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    script.finish();
}

#[test]
fn console_follows_the_guest_when_input_is_empty() {
    let steps = vec![
        lookup(),
        answer::<DomainOpenConsole>(&()),
        Step::Say(b"login: ".to_vec()),
        Step::Ping,
        Step::Say(b"bye\r\n".to_vec()),
        Step::Say(Vec::new()),
        Step::Finish,
    ];
    let output = Script::run(steps, &["console", "vm"]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), "login: bye\r\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn console_sends_input_as_it_is_and_leaves_with_its_end() {
    let steps = vec![
        lookup(),
        answer::<DomainOpenConsole>(&()),
        Step::Hear(b"root\x1d\n".to_vec()),
        Step::Finish,
    ];
    let script = Script::start(steps);
    let mut child = script.spawn(&["console", "vm"]);
    child.stdin.take().unwrap().write_all(b"root\x1d\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), ""),
        "{}",
        stderr(&output)
    );
    script.finish();
}

/// A terminal: our end of it, and the mode that it is in.
struct Terminal {
    ours: File,
    theirs: File,
}

impl Terminal {
    fn open() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let ours = File::from(ours);
        Self { ours, theirs }
    }

    fn mode(&self) -> Termios {
        tcgetattr(&self.theirs).unwrap()
    }

    fn read_until(&mut self, words: &str) -> String {
        let mut text = String::new();
        let mut bytes = [0; 256];
        while !text.contains(words) {
            let count = self.ours.read(&mut bytes).unwrap();
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        text
    }

    fn stdio(&self) -> Stdio {
        self.theirs.try_clone().unwrap().into()
    }
}

#[test]
fn console_leaves_with_the_escape_character_and_gives_the_terminal_back() {
    let steps = vec![
        lookup(),
        answer::<DomainOpenConsole>(&()),
        Step::Say(b"hello".to_vec()),
        Step::Hear(b"\x03x".to_vec()),
        Step::Finish,
    ];
    let script = Script::start(steps);
    let mut terminal = Terminal::open();
    let before = format!("{:?}", terminal.mode());
    let mut command = script.command(&["console", "vm"]);
    let mut child = command
        .stdin(terminal.stdio())
        .stdout(terminal.stdio())
        .stderr(terminal.stdio())
        .spawn()
        .unwrap();
    drop(command);
    let seen = terminal.read_until("hello");
    assert!(seen.contains("Escape character is ^]"), "{seen}");
    assert_ne!(format!("{:?}", terminal.mode()), before);
    // Ctrl-C is the guest's as long as the console is open.
    terminal.ours.write_all(b"\x03x\x1dnot sent").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(format!("{:?}", terminal.mode()), before);
    script.finish();
}

#[test]
fn console_gives_the_terminal_back_when_a_signal_ends_it() {
    let steps = vec![lookup(), answer::<DomainOpenConsole>(&()), Step::Say(b"hello".to_vec())];
    let script = Script::start(steps);
    let mut terminal = Terminal::open();
    let before = format!("{:?}", terminal.mode());
    let mut command = script.command(&["console", "vm"]);
    let mut child = command
        .stdin(terminal.stdio())
        .stdout(terminal.stdio())
        .stderr(terminal.stdio())
        .spawn()
        .unwrap();
    drop(command);
    terminal.read_until("hello");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(format!("{:?}", terminal.mode()), before);
    script.finish();
}

#[test]
fn colour_goes_to_terminals_that_want_it_only() {
    for (no_color, coloured) in [(None, true), (Some("1"), false)] {
        let script = Script::start(vec![listing(vec![guest("vm", 7)]), answer::<DomainGetState>(&RUNNING)]);
        let mut terminal = Terminal::open();
        let mut command = script.command(&["list"]);
        command.stdout(terminal.stdio()).env("TERM", "xterm");
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let mut child = command.spawn().unwrap();
        drop(command);
        let seen = terminal.read_until("running");
        assert_eq!(seen.contains("\x1b[32m"), coloured, "{seen:?}");
        assert_eq!(child.wait().unwrap().code(), Some(0));
        script.finish();
    }
}
