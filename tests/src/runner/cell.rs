//! One check from the outside: a cell is started, what it writes is taken, and in the end it is gone, whatever it did.

use super::brake::{Brake, Stop};
use super::child;
use super::guard::{CELL, Walls};
use super::order::{Ended, Order, Report, Status};
use crate::check::{Reason, Verdict};
use crate::process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How much later than the guard's and the cell's own limits the runner steps in.
const GRACE: Duration = Duration::from_secs(10);

/// How much is kept of what a check writes.
const KEPT: usize = 64 * 1024;

/// How much is kept of what a guard says: a verdict and a little more.
const KEPT_REPORT: usize = 1 << 20;

/// What became of one check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tried {
    pub(crate) verdict: Verdict,
    pub(crate) ended: Option<Ended>,
    pub(crate) output: String,
    pub(crate) took: Duration,
    /// Whether it did not come to an end by itself.
    pub(crate) hung: bool,
    /// Why it was not waited for, if it was not.
    pub(crate) stopped: Option<Stop>,
}

/// Bytes of a stream, the first of them kept.
#[derive(Debug)]
struct Stream {
    fd: Option<OwnedFd>,
    bytes: Vec<u8>,
    dropped: usize,
}

impl Stream {
    fn new(fd: impl Into<OwnedFd>) -> Self {
        Self {
            fd: Some(fd.into()),
            bytes: Vec::new(),
            dropped: 0,
        }
    }

    /// Takes what is there; closes at the end.
    fn take(&mut self, most: usize) {
        let Some(fd) = &self.fd else {
            return;
        };
        let mut buffer = [0; 16 * 1024];
        match rustix::io::read(fd, &mut buffer[..]) {
            Ok(0) => self.fd = None,
            Ok(count) => {
                let room = most.saturating_sub(self.bytes.len()).min(count);
                self.bytes.extend_from_slice(&buffer[..room]);
                self.dropped += count - room;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.fd = None,
        }
    }

    /// Takes all that is there now.
    fn drain(&mut self, most: usize) {
        let Some(fd) = &self.fd else {
            return;
        };
        if rustix::io::ioctl_fionbio(fd, true).is_err() {
            return;
        }
        // Somebody that got away may write for ever: a bounded look is enough for what the check itself wrote.
        for _ in 0..64 {
            let before = self.bytes.len() + self.dropped;
            self.take(most);
            if self.fd.is_none() || self.bytes.len() + self.dropped == before {
                return;
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!("\n... and {} bytes more\n", self.dropped));
        }
        text
    }
}

/// Runs one order within its time, in cgroups of this name and behind these walls, unless the brake is pulled meanwhile.
pub(super) fn run(order: &Order, group: &str, walls: Walls, limit: Duration, brake: &Brake) -> io::Result<Tried> {
    let began = Instant::now();
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut cell = Command::new("/proc/self/exe")
        .args([CELL, walls.name(), &limit.as_millis().to_string()])
        .args([&std::process::id().to_string(), group])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    // A cell that died before it read says so by its end.
    let _sent = ours.write_all(&line);
    let pid = Pid::from_raw(i32::try_from(cell.id()).unwrap_or(0));
    let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut streams = streams(&mut cell, ours)?;
    let over = attend(&mut streams, &pidfd, began + limit + GRACE, brake);
    if walls == Walls::Group && over != Over::Ended {
        // Tied to it are its guard and the check, and nothing that the plug-in started.
        process::end_swarm_below(pid.as_raw_pid());
    }
    // Over, or overdue: then it is ended from here, and the kernel ends its guard and, in a namespace, all below with it.
    let _ended = cell.kill();
    cell.wait()?;
    super::cgroup::remove(group);
    streams[0].drain(KEPT_REPORT);
    for stream in &mut streams[1..] {
        stream.drain(KEPT);
    }
    let ended = report(&streams[0].bytes, &order.nonce);
    let doing = child::last_progress(order);
    let stopped = match over {
        Over::Stopped(stop) => Some(stop),
        Over::Ended | Over::Overdue => None,
    };
    let verdict = match (stopped, &ended) {
        (Some(stop), _) => Verdict::Skipped {
            reason: Reason::Stopped,
            text: stop.to_string(),
        },
        (None, Some(ended)) => ended.judge(doing.as_deref(), limit.as_secs()),
        (None, None) => Verdict::Failed {
            text: format!(
                "nobody could tell how the check ended: its guard is gone too{}",
                doing.map(|doing| format!(" (it was in {doing})")).unwrap_or_default()
            ),
        },
    };
    let timed_out = ended.as_ref().is_some_and(|ended| ended.status == Status::TimedOut);
    Ok(Tried {
        verdict,
        hung: timed_out || over == Over::Overdue,
        stopped,
        ended,
        output: format!("{}{}", streams[1].text(), streams[2].text()),
        took: began.elapsed(),
    })
}

fn streams(cell: &mut Child, channel: UnixStream) -> io::Result<[Stream; 3]> {
    let none = || io::Error::other("a process without its streams");
    let stdout = cell.stdout.take().ok_or_else(none)?;
    let stderr = cell.stderr.take().ok_or_else(none)?;
    Ok([Stream::new(channel), Stream::new(stdout), Stream::new(stderr)])
}

/// Why a cell is waited for no longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    Ended,
    Overdue,
    Stopped(Stop),
}

/// Takes what is written until the cell has ended, the time is over or the brake is pulled.
fn attend(streams: &mut [Stream; 3], cell: &OwnedFd, until: Instant, brake: &Brake) -> Over {
    loop {
        if let Some(stop) = brake.is_pulled() {
            return Over::Stopped(stop);
        }
        let left = until.min(brake.until()).saturating_duration_since(Instant::now());
        if left.is_zero() {
            return brake.is_pulled().map_or(Over::Overdue, Over::Stopped);
        }
        let time = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let open: Vec<usize> = (0..streams.len()).filter(|i| streams[*i].fd.is_some()).collect();
        let (over, ready) = {
            let mut fds = vec![PollFd::new(cell, PollFlags::IN)];
            let streams = open.iter().filter_map(|i| streams[*i].fd.as_ref());
            fds.extend(streams.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
            fds.extend(brake.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            match poll(&mut fds, Some(&time)) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return Over::Overdue,
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            (ready[0], ready)
        };
        for (place, index) in open.iter().enumerate() {
            if ready[place + 1] {
                streams[*index].take(if *index == 0 { KEPT_REPORT } else { KEPT });
            }
        }
        if over {
            return Over::Ended;
        }
    }
}

fn report(bytes: &[u8], nonce: &str) -> Option<Ended> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Report>(line).ok())
        .find(|report| report.nonce == nonce)
        .map(|report| report.ended)
}
