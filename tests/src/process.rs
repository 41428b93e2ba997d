//! Processes: who descends from this one, what they are, and how they are ended safely.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

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
    /// Of its first thread: `Z` when that has ended, whatever the others do.
    pub state: char,
    /// Its threads; the first counts as long as any other runs.
    pub threads: usize,
    /// The arguments, or the name in brackets when there are none.
    pub command: String,
}

impl Process {
    /// Whether it has ended and nobody has waited for it yet.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads <= 1
    }

    /// Whether it does nothing until it is continued or killed.
    fn is_stopped(&self) -> bool {
        let stands = |state: char| matches!(state, 'T' | 't');
        if self.state != 'Z' {
            return stands(self.state);
        }
        // Its first thread has ended: the others tell.
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid));
        let mut stats = threads.into_iter().flatten().flatten().filter_map(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
            stat.rsplit_once(')')?.1.trim_start().chars().next()
        });
        stats.all(|state| stands(state) || matches!(state, 'Z' | 'X'))
    }
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
    // The twentieth of the line, proc_pid_stat(5).
    let threads = fields.nth(15)?.parse().ok()?;
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut command = String::from_utf8_lossy(&arguments).replace('\0', " ").trim().to_owned();
    if command.is_empty() {
        command = format!("[{}]", head.split_once('(')?.1);
    }
    Some(Process {
        pid,
        parent,
        state,
        threads,
        command,
    })
}

/// Whether the process exists and is not merely waiting to be reaped.
#[must_use]
pub fn is_alive(pid: i32) -> bool {
    read(pid).is_some_and(|process| !process.is_dead())
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
            if !child.is_dead() {
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
        for process in &found {
            if process.parent == me {
                // Its number stays its own until it is waited for below.
                signal(process.pid, Signal::KILL);
            } else {
                signal_if(process.pid, Signal::KILL, || is_still(process));
            }
        }
        for pid in found
            .iter()
            .filter(|p| p.parent == me)
            .filter_map(|p| Pid::from_raw(p.pid))
        {
            let _reaped = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        }
    }
}

/// Ends everything below this process, also what makes more of itself faster than it can be ended one by one.
pub fn end_swarm() {
    let me = i32::try_from(std::process::id()).expect("a pid fits");
    kill_swarm(me);
    let _left = end_descendants();
}

/// Ends everything below a child of this process, which adopts its orphans. The child itself is stopped and stays so: if it ended
/// meanwhile, what is left below it would come to somebody else and be found no more.
pub fn end_swarm_below(child: i32) {
    const PATIENCE: Duration = Duration::from_secs(2);
    signal(child, Signal::STOP);
    let until = Instant::now() + PATIENCE;
    loop {
        kill_swarm(child);
        // Only its parent can wait for what was killed; it is gone when it counts as dead.
        if descendants(child).is_empty() || Instant::now() >= until {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills everything below a process. One that is stopped makes no other and still counts against a limit: so all are stopped
/// first, until none runs.
fn kill_swarm(of: i32) {
    const ROUNDS: usize = 100;
    for _ in 0..ROUNDS {
        let running: Vec<Process> = descendants(of)
            .into_iter()
            .filter(|process| !process.is_stopped())
            .collect();
        if running.is_empty() {
            break;
        }
        for process in running {
            signal_if(process.pid, Signal::STOP, || is_still(&process));
        }
    }
    for process in descendants(of) {
        signal_if(process.pid, Signal::KILL, || is_still(&process));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn who_runs_on_without_its_first_thread_is_alive_and_is_ended() {
        const SOURCE: &str = "#include <pthread.h>\n#include <unistd.h>\n\
            static void *stay(void *none) { for (;;) pause(); return none; }\n\
            int main(void) { pthread_t thread; pthread_create(&thread, 0, stay, 0); pthread_exit(0); }\n";
        let folder = tempfile::tempdir().expect("a folder");
        let (source, program) = (folder.path().join("stay.c"), folder.path().join("stay"));
        fs::write(&source, SOURCE).expect("a file");
        let mut compiler = Command::new("cc");
        compiler.args(["-pthread", "-o"]).arg(&program).arg(&source);
        assert!(compiler.status().expect("a compiler").success());
        let mut above = Command::new("sh")
            .args(["-c", "\"$0\" & wait"])
            .arg(&program)
            .spawn()
            .expect("a shell");
        let pid = i32::try_from(above.id()).expect("a pid fits");
        let headless = crate::wait::until("its first thread has ended", || {
            let found = descendants(pid);
            found.into_iter().find(|process| process.state == 'Z')
        });
        assert!(is_alive(headless.pid) && headless.threads == 2, "{headless:?}");
        end_swarm_below(pid);
        assert!(!is_alive(headless.pid));
        above.kill().expect("killed");
        above.wait().expect("gone");
    }
}
