//! What no driver does: leaves its process, stops it, starves it, or turns on whoever watches it.

use rustix::process::{Pid, Signal, getpid, getppid, kill_current_process_group, kill_process, kill_process_group};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// What terminals and readers of reports could take for something else.
pub(crate) const COLOUR: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\rpass  ABI-006  drawn\nok 1 - drawn\nnot ok 2\nBail out!\n1..0\n]]>&<!-- 'x' \"y\" \u{0}\u{202e}\u{fffe}\u{9b}1m\n  ...\n  ---\n# SKIP\n";

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
        "forks" => {
            // The shell itself can not go on once nobody can fork any more.
            shell("bomb() { bomb | bomb & }; bomb; sleep 600");
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
        "leaves a daemon" => leave_a_daemon(),
        "forges" => forge(),
        "floods" => flood(),
        "stops its group" => stop_the_group(),
        "stops its parent and leaves a daemon" => {
            leave_a_daemon();
            signal(getppid(), Signal::STOP);
            stop_the_group();
        }
        "floods every descriptor" => flood_descriptors(),
        "draws" => draw(),
        "leaves in a destructor" => leave_in_a_destructor(),
        "crashes in a destructor" => {
            // SAFETY: the function has the type that is asked for.
            unsafe { libc::atexit(crash_at_exit) };
        }
        "eats memory" => eat(),
        "eats memory that is no heap" => eat_pages(),
        "fills its folder" => fill(),
        "wrecks what is beside its folder" => wreck(),
        "shuts its folder" => shut(),
        // Only what a test has put there.
        "mounts what is elsewhere" => shell("mkdir mounted && mount --bind ../../../treasure mounted"),
        "changes the machine's name" if is_walled_in() => rename_the_machine(),
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

fn stop_the_group() {
    let _stopped = kill_current_process_group(Signal::STOP);
}

/// A child writes what is no verdict to every descriptor for as long as it lives.
fn flood_descriptors() {
    // SAFETY: the child only writes and never returns; what other threads hold is of no use to it.
    if unsafe { libc::fork() } != 0 {
        return;
    }
    let line = [b'x'; 64 * 1024];
    loop {
        for number in 0..1024 {
            // SAFETY: the bytes are there; a number that is no socket's is refused.
            unsafe {
                libc::send(
                    number,
                    line.as_ptr().cast(),
                    line.len(),
                    libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                )
            };
        }
    }
}

/// Writes what terminals and readers of reports could take for something else, and leaves.
#[allow(clippy::exit, reason = "it is what this fault is")]
fn draw() {
    for _ in 0..2 {
        let _written = std::io::stdout().write_all(COLOUR.as_bytes());
        let _written = std::io::stderr().write_all(COLOUR.as_bytes());
        let _written = std::io::stderr().write_all(b"\xff\xfe no text \xed\xa0\x80\n");
    }
    std::process::exit(9);
}

extern "C" fn leave() {
    // SAFETY: it ends the process and nothing else.
    unsafe { libc::_exit(0) };
}

extern "C" fn crash_at_exit() {
    crash();
}

fn leave_in_a_destructor() {
    // SAFETY: the function has the type that is asked for.
    unsafe { libc::atexit(leave) };
}

fn eat() {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(vec![1; 64 << 20]);
        std::hint::black_box(&eaten);
    }
}

/// Pages of files that have no name: no limit of a process counts them.
fn eat_pages() {
    let page = vec![1; 1 << 20];
    let mut eaten = Vec::new();
    loop {
        let Ok(fd) = rustix::fs::memfd_create("eaten", rustix::fs::MemfdFlags::CLOEXEC) else {
            return;
        };
        let mut file = std::fs::File::from(fd);
        for _ in 0..1024 {
            let _written = file.write_all(&page);
        }
        eaten.push(file);
    }
}

/// More than any disk holds, in files that are small enough each.
fn fill() {
    let page = vec![1; 1 << 20];
    for number in 0.. {
        let Ok(mut file) = std::fs::File::create(format!("filling-{number}")) else {
            return;
        };
        for _ in 0..256 {
            let _written = file.write_all(&page);
        }
    }
}

/// Removes what is in the folder above its own: other checks' folders, and the file that it was loaded from.
fn wreck() {
    let Ok(own) = std::env::current_dir() else {
        return;
    };
    let above = own.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    // Only where it is the suite's.
    if above.join("plugin").is_dir() {
        let _removed = std::fs::remove_dir_all(above);
    }
}

/// A folder that not even its owner may look into.
fn shut() {
    use std::os::unix::fs::PermissionsExt;
    let _made = std::fs::create_dir_all("shut/inside");
    for folder in ["shut/inside", "shut"] {
        let _shut = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o000));
    }
}

fn rename_the_machine() {
    let name = b"misbehave";
    // SAFETY: the bytes are there.
    unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
}
