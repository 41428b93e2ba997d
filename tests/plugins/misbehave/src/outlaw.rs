//! What no driver does: leaves its process, stops it, starves it, or turns on whoever watches it.

use rustix::process::{Pid, Signal, getpid, getppid, kill_current_process_group, kill_process, kill_process_group};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Does what the fault says, if it is one of these; comes back from some.
pub(crate) fn play(fault: &str) {
    match fault {
        "loops" => loop {
            std::hint::spin_loop();
        },
        "stops" => signal(Some(getpid()), Signal::STOP),
        #[allow(clippy::exit, reason = "it is what this fault is")]
        "exits well" => std::process::exit(0),
        #[allow(clippy::exit, reason = "it is what this fault is")]
        "exits badly" => std::process::exit(7),
        "aborts" => std::process::abort(),
        "segfaults" => crash(),
        "closes descriptors" => close_all(),
        "kills its parent" => {
            let parent = getppid();
            signal(parent, Signal::STOP);
            if let Some(parent) = parent.filter(|parent| *parent != Pid::INIT) {
                let _killed = kill_process_group(parent, Signal::KILL);
            }
            signal(parent, Signal::KILL);
        }
        "kills its group" => {
            let _killed = kill_current_process_group(Signal::KILL);
        }
        // Never where process 1 is the machine's own.
        "kills everybody" if is_walled_in() => {
            // As kill(2) says: all that this process may signal.
            let _killed = kill_process_group(Pid::INIT, Signal::KILL);
        }
        "forks" => shell("bomb() { bomb | bomb & }; bomb; sleep 600"),
        "leaves a daemon" => leave_a_daemon(),
        "forges" => forge(),
        "floods" => flood(),
        _ => {}
    }
}

/// Whether process 1 is the guard of a check.
fn is_walled_in() -> bool {
    let first = std::fs::read("/proc/1/cmdline").unwrap_or_default();
    first.split(|byte| *byte == 0).any(|word| word == b"__guard")
}

fn signal(pid: Option<Pid>, signal: Signal) {
    if let Some(pid) = pid {
        let _sent = kill_process(pid, signal);
    }
}

fn crash() {
    let nowhere = std::ptr::null_mut::<u8>();
    // SAFETY: it is not sound, and that is what this fault is: nothing is mapped there.
    unsafe { nowhere.write_volatile(1) };
}

fn shell(script: &str) {
    let _ended = Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .status();
}

/// A child of another session that holds the output open, ignores what it can and forgets its parent.
fn leave_a_daemon() {
    let started = Command::new("/bin/sh")
        .args([
            "-c",
            "trap '' TERM HUP INT; (trap '' TERM HUP INT; setsid sleep 600) & sleep 600",
        ])
        .stdin(Stdio::null())
        .process_group(0)
        .spawn();
    drop(started);
}

fn close_all() {
    for number in 3..4096 {
        // SAFETY: it is not sound, and that is what this fault is: descriptors of others are closed under them.
        unsafe { libc::close(number) };
    }
}

/// Writes a verdict of its own to whatever takes it.
fn forge() {
    let word =
        b"{\"nonce\":\"00000000000000000000000000000000\",\"verdict\":{\"verdict\":\"passed\"},\"facts\":null}\n";
    for number in 0..4096 {
        // SAFETY: as for closing: it is whoever's descriptor that is.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        let _written = rustix::io::write(fd, word);
    }
    signal(Some(getpid()), Signal::KILL);
}

fn flood() {
    let line = [b'x'; 8 * 1024];
    while std::io::stdout().write_all(&line).is_ok() {}
}
