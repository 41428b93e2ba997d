//! The process in which one check is tried: its side of the channel, and how another process starts it.

use super::order::{CHANNEL_LOST, Ended, INSPECT, Order, Status, TOLD, Word};
use crate::bench::Facts;
use crate::catalogue;
use crate::check::{Ctx, Verdict};
use rustix::io::{fcntl_dupfd_cloexec, pwrite};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, set_parent_process_death_signal};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;

/// The argument that makes this binary the process of a check.
pub(crate) const ARGUMENT: &str = "__check";

/// Where the channel is put: above what a plug-in opens, and closes by counting up.
const CHANNEL: i32 = 900;

/// Longer texts are cut: the channel must hold a whole verdict while nobody reads.
const LONGEST: usize = 32 * 1024;

/// Bytes of the channel that are looked at: a verdict, and what a plug-in may have put there before it.
const MOST_SAID: u64 = 1 << 20;

/// Where the check says what it is about to do.
static PROGRESS: OnceLock<OwnedFd> = OnceLock::new();

/// Bytes of a line of progress.
const PROGRESS_BYTES: usize = 128;

/// Says what the check is about to do, for whoever looks at a hang. A plug-in that closed the file only loses that.
pub(crate) fn progress(what: &str) {
    let Some(file) = PROGRESS.get() else {
        return;
    };
    let mut line = [b' '; PROGRESS_BYTES];
    let length = what.len().min(PROGRESS_BYTES);
    line[..length].copy_from_slice(&what.as_bytes()[..length]);
    let _written = pwrite(file, &line, 0);
}

/// What a check said last that it was about to do.
pub(crate) fn last_progress(order: &Order) -> Option<String> {
    // The plug-in may have written there too, as much as it liked.
    let mut line = Vec::new();
    let file = File::open(&order.progress).ok()?;
    file.take(PROGRESS_BYTES as u64).read_to_end(&mut line).ok()?;
    let text = String::from_utf8(line).ok()?;
    let text = text.trim();
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// The process itself.
pub(crate) fn main() -> ExitCode {
    // Of its own session: nothing reaches the terminal, and a signal to "our group" stays here.
    let _leader = rustix::process::setsid();
    // Where memory runs short this process is to go, and nobody who watches it.
    let _first = std::fs::write("/proc/self/oom_score_adj", "500");
    // Whoever waits for this process must not be outlived.
    let _tied = set_parent_process_death_signal(Some(Signal::KILL));
    let (order, mut channel) = match take_order() {
        Ok(taken) => taken,
        Err(error) => {
            eprintln!("conformance: this process was given no order: {error}");
            return ExitCode::from(2);
        }
    };
    let mut word = Word {
        nonce: order.nonce.clone(),
        verdict: None,
        facts: None,
    };
    match catch_unwind(AssertUnwindSafe(|| run_order(order))) {
        Ok(Said::Verdict(verdict)) => word.verdict = Some(cut(verdict)),
        Ok(Said::Facts(facts)) => word.facts = Some(facts),
        Err(_) => {
            let text = String::from("the check itself panicked; its message is among what the process wrote");
            word.verdict = Some(Verdict::Failed { text });
        }
    }
    let told = serde_json::to_vec(&word).map_err(io::Error::from).and_then(|mut line| {
        line.push(b'\n');
        channel.write_all(&line)
    });
    progress("a destructor, or whatever runs while the process ends");
    let code = if told.is_ok() { TOLD } else { CHANNEL_LOST };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

enum Said {
    Verdict(Verdict),
    Facts(Facts),
}

fn run_order(order: Order) -> Said {
    let broken = |text: String| Said::Verdict(Verdict::Failed { text });
    if order.check == INSPECT {
        return match (Ctx { order }).builder().candidate() {
            Ok(candidate) => Said::Facts(Facts::of(&candidate)),
            Err(failure) => Said::Verdict(failure.into()),
        };
    }
    let Some(check) = catalogue::find(&order.check) else {
        return broken(format!("no check is called '{}'", order.check));
    };
    match (check.run)(&Ctx { order }) {
        Ok(()) => Said::Verdict(Verdict::Passed),
        Err(failure) => Said::Verdict(failure.into()),
    }
}

fn cut(verdict: Verdict) -> Verdict {
    let short = |text: String| match text.len() {
        ..=LONGEST => text,
        length => format!("{} ... ({length} bytes)", &text[..text.floor_char_boundary(LONGEST)]),
    };
    match verdict {
        Verdict::Failed { text } => Verdict::Failed { text: short(text) },
        Verdict::Skipped { reason, text } => Verdict::Skipped {
            reason,
            text: short(text),
        },
        Verdict::Passed => Verdict::Passed,
    }
}

fn take_order() -> io::Result<(Order, UnixStream)> {
    let high = fcntl_dupfd_cloexec(rustix::stdio::stdin(), CHANNEL)?;
    let channel = UnixStream::from(high);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let mut line = String::new();
    BufReader::new(&channel).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let progress = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&order.progress)?;
    if let Ok(high) = fcntl_dupfd_cloexec(&progress, CHANNEL + 1) {
        PROGRESS.get_or_init(|| high);
    }
    std::env::set_current_dir(&order.root)?;
    Ok((order, channel))
}

/// A check's process that was started.
pub(crate) struct Running {
    pub(crate) child: Child,
    channel: UnixStream,
    nonce: String,
}

/// Starts the process of an order; `placed` is told its number before it does anything.
pub(super) fn start(order: &Order, placed: impl FnOnce(u32)) -> io::Result<Running> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let child = Command::new("/proc/self/exe")
        .arg(ARGUMENT)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    placed(child.id());
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    // A process that died before it read has said so by its end.
    let _sent = ours.write_all(&line);
    Ok(Running {
        child,
        channel: ours,
        nonce: order.nonce.clone(),
    })
}

impl Running {
    pub(crate) fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }

    /// What it said, and how it ended as its parent found.
    pub(crate) fn ended(mut self, status: Status) -> Ended {
        let mut said = Vec::new();
        // Somebody below may hold the other end for ever, and write to it: what is there is there, up to a bound.
        if self.channel.set_nonblocking(true).is_ok() {
            // An error is the end of what is there; it is kept all the same.
            let _end = (&mut self.channel).take(MOST_SAID).read_to_end(&mut said);
        }
        let nonce = &self.nonce;
        let word = said
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Word>(line).ok())
            .find(|word| word.nonce == *nonce);
        let (verdict, facts) = word.map_or((None, None), |word| (word.verdict, word.facts));
        Ended { status, verdict, facts }
    }
}

/// Starts the process of an order and waits for its end, however long that takes.
pub(crate) fn run(order: &Order) -> io::Result<Ended> {
    let running = start(order, |_| {})?;
    let Some(pid) = running.pid() else {
        return Err(io::Error::other("the process has no number"));
    };
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(running.ended(status_of(status))),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// What the kernel says of an end.
pub(crate) fn status_of(status: WaitStatus) -> Status {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, Some(signal)) => Status::Signalled(signal),
        (None, None) => Status::Exited(-1),
    }
}
