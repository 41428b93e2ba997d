//! What stands around a check's process: a cell that makes namespaces, and a guard inside them that outlives whatever the
//! plug-in does, tells how it ended and takes everything along.
//!
//! ```text
//!  runner --- __cell (own session, unshares) --- __guard (process 1 of the PID namespace) --- __check (the plug-in)
//!     ^---------------------- report: status and verdict -------------'        ^--- order, verdict ---'
//! ```

use super::child::{self, status_of};
use super::order::{Ended, Order, Report, Status};
use super::{cgroup, disk, memory, sys};
use crate::process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, getppid, pidfd_open, set_child_subreaper,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CapabilitySet, UnshareFlags, clear_ambient_capability_set, configure_capability_in_ambient_set};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The argument that makes this binary a cell.
pub(crate) const CELL: &str = "__cell";
/// The argument that makes this binary a guard.
pub(crate) const GUARD: &str = "__guard";
/// In place of a time limit: only see whether the walls stand.
pub(crate) const PROBE: &str = "probe";

/// How long the guard may be late before the cell ends it.
const GRACE: Duration = Duration::from_secs(5);

/// Processes and threads that there may be of this user before a check gets no more.
const PROCESSES: u64 = 8_192;

/// How many orphans are waited for before the guard looks at the time again.
const REAPED: usize = 256;

/// How often the guard looks at what a check has written.
const LOOK: Duration = Duration::from_secs(1);

/// What separates a check from the rest of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walls {
    /// PID, mount, network, IPC and UTS namespaces, as root.
    Full,
    /// A user namespace with a PID and a mount namespace in it.
    User,
    /// A session and a process group; orphans are adopted.
    Group,
}

impl Walls {
    /// The name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::User => "user",
            Self::Group => "group",
        }
    }

    /// The walls with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Full, Self::User, Self::Group]
            .into_iter()
            .find(|walls| walls.name() == name)
    }

    fn flags(self) -> UnshareFlags {
        let pid = UnshareFlags::NEWPID | UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
        match self {
            Self::Full => pid | UnshareFlags::NEWNET,
            Self::User => pid | UnshareFlags::NEWUSER,
            Self::Group => UnshareFlags::empty(),
        }
    }

    /// The best that this machine gives to this user.
    #[must_use]
    pub fn best() -> Self {
        let stand = |walls: &Self| {
            let tried = Command::new("/proc/self/exe")
                .args([CELL, walls.name(), PROBE])
                .args([&std::process::id().to_string(), ""])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            tried.is_ok_and(|status| status.success())
        };
        let root = rustix::process::geteuid().is_root();
        let first = if root { Self::Full } else { Self::User };
        if stand(&first) { first } else { Self::Group }
    }
}

/// The cell: makes the namespaces and waits for the guard in them.
pub(crate) fn cell(arguments: &[String]) -> ExitCode {
    let [walls, limit, runner, group] = arguments else {
        return ExitCode::from(2);
    };
    let Some(walls) = Walls::named(walls) else {
        return ExitCode::from(2);
    };
    let _leader = rustix::process::setsid();
    let _tied = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid().is_some_and(|parent| parent.as_raw_pid().to_string() != *runner) {
        // It died before this process was tied to it.
        return ExitCode::FAILURE;
    }
    match wall_in(walls).and_then(|()| guarded(walls, limit, group)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("conformance: the check can not be walled in: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wall_in(walls: Walls) -> io::Result<()> {
    if walls == Walls::Group {
        // No namespace ends them with the guard: this process must find them to end them.
        set_child_subreaper(Some(rustix::process::getpid()))?;
        return Ok(());
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    sys::unshare(walls.flags())?;
    if walls == Walls::User {
        // Its own number inside as outside: a driver must not take itself for root.
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
        // The guard is another program, to which a user who is not root takes no capability along otherwise.
        let mut sets = rustix::thread::capabilities(None)?;
        sets.inheritable |= CapabilitySet::SYS_ADMIN;
        rustix::thread::set_capabilities(None, sets)?;
        configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)?;
    }
    Ok(())
}

fn guarded(walls: Walls, limit: &str, group: &str) -> io::Result<ExitCode> {
    let mut guard = Command::new("/proc/self/exe")
        .args([GUARD, walls.name(), limit, group])
        .spawn()?;
    if limit == PROBE {
        return Ok(if guard.wait()?.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let time = Duration::from_millis(limit.parse().unwrap_or(0)) + GRACE;
    let ended = Pid::from_raw(i32::try_from(guard.id()).unwrap_or(0))
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        .is_some_and(|pidfd| ready(&pidfd, time));
    if !ended {
        guard.kill()?;
    }
    // With process 1 the kernel ends all others of the namespace, and only then lets this return.
    let code = guard.wait()?;
    if walls == Walls::Group {
        process::end_swarm();
    }
    Ok(if code.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether something comes from a descriptor within this time.
fn ready(fd: &OwnedFd, time: Duration) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let time = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    matches!(poll(&mut fds, Some(&time)), Ok(count) if count > 0)
}

/// The guard: starts the check, waits for it within its time, tells how it ended.
pub(crate) fn guard(arguments: &[String]) -> ExitCode {
    let [walls, limit, group] = arguments else {
        return ExitCode::from(2);
    };
    let walls = Walls::named(walls).unwrap_or(Walls::Group);
    let _tied = set_parent_process_death_signal(Some(Signal::KILL));
    if let Err(error) = furnish(walls) {
        eprintln!("conformance: the check's namespaces can not be set up: {error}");
        return ExitCode::FAILURE;
    }
    if limit == PROBE {
        return ExitCode::SUCCESS;
    }
    let time = Duration::from_millis(limit.parse().unwrap_or(0));
    match watch(walls, group, time) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: the check can not be watched: {error}");
            ExitCode::FAILURE
        }
    }
}

fn furnish(walls: Walls) -> io::Result<()> {
    if walls == Walls::Group {
        set_child_subreaper(Some(rustix::process::getpid()))?;
        return Ok(());
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let hardened = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", hardened, None)?;
    if walls == Walls::Full {
        // Absent `ip` costs a check only the loopback device, which is told where one is wanted.
        let _up = Command::new("ip")
            .args(["link", "set", "lo", "up"])
            .stderr(Stdio::null())
            .status();
    } else {
        clear_ambient_capability_set()?;
    }
    Ok(())
}

fn watch(walls: Walls, group: &str, time: Duration) -> io::Result<()> {
    let mut channel = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
    let mut line = String::new();
    BufReader::new(&channel).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    if walls != Walls::Group {
        seal(&order)?;
    }
    limit_resources();
    let ended = attend(&order, group, time)?;
    let report = Report {
        nonce: order.nonce,
        ended,
    };
    let mut line = serde_json::to_vec(&report)?;
    line.push(b'\n');
    // As process 1 this one takes all others along when it ends.
    let told = channel.write_all(&line);
    if walls == Walls::Group {
        process::end_swarm();
    }
    told
}

/// Leaves a check its own folder and where it tells its progress; what is beside, the plug-in's copy and other checks'
/// folders, can not be changed from here.
fn seal(order: &Order) -> io::Result<()> {
    let Some(base) = order.root.parent() else {
        return Ok(());
    };
    for own in [&order.root, &order.progress] {
        mount_bind(own, own)?;
    }
    mount_bind_recursive(base, base)?;
    // In a user namespace nothing may be taken away that holds already.
    let holds = statvfs(base)?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let kept = kept.into_iter().filter(|(flag, _)| holds.contains(*flag));
    let flags = kept.fold(MountFlags::BIND | MountFlags::RDONLY, |flags, (_, flag)| flags | flag);
    mount_remount(base, flags, c"")?;
    Ok(())
}

fn limit_resources() {
    let limit = |resource, most| {
        let both = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // A hard limit that is lower already does as well.
        let _set = setrlimit(resource, both);
    };
    limit(Resource::Core, 0);
    limit(Resource::Fsize, disk::MOST);
    limit(Resource::Data, memory::most());
    // Root is not bound by it and has a cgroup; it counts all of a user's processes, this check's or not.
    limit(Resource::Nproc, PROCESSES);
}

fn attend(order: &Order, group: &str, time: Duration) -> io::Result<Ended> {
    let deadline = Instant::now() + time;
    let mut look = Instant::now() + LOOK;
    let running = child::start(order, |pid| cgroup::place(group, pid))?;
    let own = running.pid();
    let pidfd = own.map(|pid| pidfd_open(pid, PidfdFlags::empty())).transpose()?;
    loop {
        // Orphans of the check come here too; they must not pile up, nor come so fast that the time is forgotten over them.
        for _ in 0..REAPED {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == own => {
                    let status = match status_of(status) {
                        Status::Signalled(9) if cgroup::ran_out_of_memory(group) => Status::Starved(memory::most()),
                        status => status,
                    };
                    return Ok(running.ended(status));
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(running.ended(Status::TimedOut));
        }
        if Instant::now() >= look {
            if disk::is_overfull(&order.root) {
                return Ok(running.ended(Status::Overfull(disk::MOST)));
            }
            look = Instant::now() + LOOK;
        }
        if let Some(pidfd) = &pidfd {
            ready(pidfd, left.min(Duration::from_millis(200)));
        }
    }
}
