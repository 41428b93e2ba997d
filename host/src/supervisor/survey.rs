//! What is left in a guest's run folder: a supervisor at work, or the record of an end, found or made up for.

use super::control::{Reply, Request, line, take_line};
use super::order::{CONTROL, ENDED, Ended, ORDER, Order, ProcessName, RUNNING, Running};
use super::record::{self, Durable};
use super::{parcel, peer, process};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// How long a supervisor that lives may take to answer or to finish.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A guest as its run folder tells of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) order: Order,
    pub(super) running: Option<Running>,
    pub(super) now: Now,
}

/// Whether it still runs.
#[derive(Debug)]
pub(super) enum Now {
    /// Under this supervisor.
    Alive(OwnedFd),
    Ended(Ended),
}

/// Finds out about the guest in `dir`.
///
/// # Errors
/// A record is damaged or can not be read.
pub(super) fn survey(dir: &Path, boot_id: &str) -> io::Result<Found> {
    let order: Order = record::read(dir, ORDER)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("there is no '{ORDER}'")))?;
    let mut running: Option<Running> = record::read(dir, RUNNING)?;
    if record::read::<Ended>(dir, ENDED)?.is_none() && order.boot_id == boot_id {
        if running.is_none() {
            // Its host died in the middle of a start; the supervisor answers when that is over, either way.
            let _ = ask(dir, &Request::Status, PATIENCE);
            running = record::read(dir, RUNNING)?;
        }
        if let Some(supervisor) = running.as_ref().and_then(|running| alive(dir, running)) {
            return Ok(Found {
                order,
                running,
                now: Now::Alive(supervisor),
            });
        }
    }
    let ended = settle(dir, &order, running.as_ref(), boot_id)?;
    Ok(Found {
        order,
        running,
        now: Now::Ended(ended),
    })
}

/// The supervisor, when it is the very process that was started and the control socket is its own.
fn alive(dir: &Path, running: &Running) -> Option<OwnedFd> {
    let supervisor = open(running.supervisor)?;
    let answers = peer::connect(dir, CONTROL).is_ok_and(|stream| peer::pid(&stream) == Some(running.supervisor.pid));
    if answers {
        return Some(supervisor);
    }
    // It is about to end, or it is not what it was: the guest must not outlive it unwatched.
    if !await_end(&supervisor, PATIENCE) {
        let _ = pidfd_send_signal(&supervisor, Signal::KILL);
        await_end(&supervisor, PATIENCE);
    }
    None
}

/// How a guest ended whose supervisor is gone; when it left no word, its remains are cleared away and a record is made.
pub(super) fn settle(dir: &Path, order: &Order, running: Option<&Running>, boot_id: &str) -> io::Result<Ended> {
    if let Some(ended) = record::read(dir, ENDED)? {
        return Ok(ended);
    }
    if let Some(running) = running.filter(|running| running.boot_id == boot_id) {
        clear(running);
    }
    let ended = Ended {
        supervisor_lost: true,
        console_tail: log_tail(order, 4096),
        ..Ended::default()
    };
    record::write(dir, ENDED, &ended, Durable::Yes)?;
    Ok(ended)
}

/// Makes sure that nothing of a guest is left. The kernel has killed it with its supervisor; this waits for that.
fn clear(running: &Running) {
    let groups = running.groups();
    let _ = groups.kill();
    if let Some(guest) = open(running.guest) {
        let _ = pidfd_send_signal(&guest, Signal::KILL);
        await_end(&guest, PATIENCE);
    }
    if let Err(e) = groups.remove() {
        let paths: Vec<_> = groups.paths().collect();
        tracing::warn!(cgroups = ?paths, error = %e, "a lost guest's cgroup stays");
    }
}

/// A descriptor of exactly this process, if it still lives.
pub(super) fn open(name: ProcessName) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(name.pid).ok()?)?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // Looked at after the descriptor was opened: the number can not pass to another process any more.
    process::lives(name).then_some(descriptor)
}

/// Waits for the end of a process; `false` when it did not come in time.
pub(super) fn await_end(process: &OwnedFd, patience: Duration) -> bool {
    let timeout = Timespec::try_from(patience).ok();
    let mut state = [PollFd::new(process, PollFlags::IN)];
    matches!(rustix::io::retry_on_intr(|| poll(&mut state, timeout.as_ref())), Ok(1))
}

/// Asks the supervisor of `dir` one thing and waits at most `patience` for each part of the answer.
pub(super) fn ask(dir: &Path, request: &Request, patience: Duration) -> io::Result<Reply> {
    ask_with(dir, request, &[], patience)
}

/// The same with descriptors.
pub(super) fn ask_with(
    dir: &Path,
    request: &Request,
    descriptors: &[BorrowedFd<'_>],
    patience: Duration,
) -> io::Result<Reply> {
    let mut stream = peer::connect(dir, CONTROL)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    parcel::send(&stream, &line(request), descriptors)?;
    let mut text = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        if let Some(line) = take_line(&mut text) {
            return Ok(serde_json::from_slice(&line)?);
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => text.extend_from_slice(&chunk[..count]),
        }
    }
}

/// The end of the first console's log.
fn log_tail(order: &Order, bytes: u64) -> String {
    let read = || -> Option<Vec<u8>> {
        let mut file = std::fs::File::open(order.consoles.first()?.logs.first()?).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(bytes))).ok()?;
        let mut tail = Vec::new();
        file.take(bytes).read_to_end(&mut tail).ok()?;
        Some(tail)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
