//! Processes: who descends from this one, what they are, and how they are ended safely.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeMap;
use std::fs;

/// Makes this process the parent of every orphan among its descendants (prctl(2), `PR_SET_CHILD_SUBREAPER`).
pub fn adopt_orphans() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("the kernel adopts orphans");
}

/// One line of `/proc`: a process, its parent and its command line.
#[derive(Clone, Debug)]
pub struct Process {
    /// The process.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// `Z` for one that is dead and not yet waited for.
    pub state: char,
    /// The arguments, or the name in brackets when there are none.
    pub command: String,
}

/// Every process that this one can see.
#[must_use]
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

/// One process, or `None` when it is gone.
#[must_use]
pub fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold blanks and parentheses itself: the last one closes it.
    let (head, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut command = String::from_utf8_lossy(&arguments).replace('\0', " ").trim().to_owned();
    if command.is_empty() {
        command = format!("[{}]", head.split_once('(')?.1);
    }
    Some(Process {
        pid,
        parent,
        state,
        command,
    })
}

/// Whether the process exists and is not merely waiting to be reaped.
#[must_use]
pub fn is_alive(pid: i32) -> bool {
    read(pid).is_some_and(|process| process.state != 'Z')
}

/// Everything below this process that is not dead.
#[must_use]
pub fn descendants(of: i32) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all() {
        children.entry(process.parent).or_default().push(process);
    }
    let (mut found, mut next) = (Vec::new(), vec![of]);
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            next.push(child.pid);
            if child.state != 'Z' {
                found.push(child);
            }
        }
    }
    found
}

/// Ends what is left below this process and says what it was.
///
/// Namespace leaders and supervisors come first in the list of descendants, so that guest code never outlives the
/// process that traces it: a supervisor takes its guest's whole PID namespace along.
pub fn end_descendants() -> Vec<String> {
    let me = i32::try_from(std::process::id()).expect("a pid fits");
    let mut left = Vec::new();
    loop {
        let found = descendants(me);
        if found.is_empty() {
            return left;
        }
        left.extend(found.iter().map(|p| format!("  {} {}", p.pid, p.command)));
        for process in found.iter().filter(|p| p.parent == me) {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _gone = rustix::process::kill_process(pid, Signal::KILL);
                let _reaped = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            }
        }
    }
}

/// Ends everything below this process, also what makes more of itself faster than it can be ended one by one.
///
/// A process that is stopped makes no other and still counts against a limit: so all are stopped first, until none runs.
pub fn end_swarm() {
    const ROUNDS: usize = 100;
    let me = i32::try_from(std::process::id()).expect("a pid fits");
    for _ in 0..ROUNDS {
        let running: Vec<Process> = descendants(me)
            .into_iter()
            .filter(|process| !matches!(process.state, 'T' | 't'))
            .collect();
        if running.is_empty() {
            break;
        }
        for process in running {
            signal_if(process.pid, Signal::STOP, || is_still(&process));
        }
    }
    for process in descendants(me) {
        signal_if(process.pid, Signal::KILL, || is_still(&process));
    }
    let _left = end_descendants();
}

/// Whether a number is still that of a child of the same parent.
fn is_still(process: &Process) -> bool {
    read(process.pid).is_some_and(|now| now.parent == process.parent)
}

/// Sends a signal to whoever has this number now, if that is still whom it is meant for: where processes come and go by the
/// thousand a number that was read a moment ago may be somebody else's.
pub fn signal_if(pid: i32, signal: Signal, is_meant: impl Fn() -> bool) {
    let found = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    // Asked while the descriptor holds on to the process.
    if let Some(found) = found.filter(|_| is_meant()) {
        let _gone = pidfd_send_signal(&found, signal);
    }
}

/// Sends a signal; the process may be gone already.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _gone = rustix::process::kill_process(pid, signal);
    }
}
