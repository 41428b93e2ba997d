//! `Order`: what a check's process is told, and `Ended`: what became of it.

use crate::bench::Facts;
use crate::check::Verdict;
use crate::fixture::Fixtures;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// The name that stands for "ask the plug-in who it is" where an order names a check.
pub(crate) const INSPECT: &str = "INSPECT";

/// One check to be run, as its process reads it from descriptor 0.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The check's id.
    pub(crate) check: String,
    /// The phase, when this is not the check's first process.
    pub(crate) phase: Option<String>,
    /// What the process that began the phase says to it.
    pub(crate) argument: String,
    /// The plug-in to load.
    pub(crate) plugin: PathBuf,
    /// The plug-in as its author named it.
    pub(crate) given: PathBuf,
    /// The daemon to speak to, in place of a plug-in.
    pub(crate) uri: Option<String>,
    /// The host's own binary, for checks that speak to a real host.
    pub(crate) lockstep: Option<PathBuf>,
    /// The driver's name.
    pub(crate) driver: String,
    /// The check's folder.
    pub(crate) root: PathBuf,
    /// Where the check writes what it is about to do, for whoever looks at a hang.
    pub(crate) progress: PathBuf,
    /// Documents and timings.
    pub(crate) fixtures: Fixtures,
    /// The run's seed.
    pub(crate) seed: u64,
    /// Whether the check runs as root in namespaces of its own.
    pub(crate) privileged: bool,
    /// A number that only whoever read the order knows: a verdict without it is none.
    pub(crate) nonce: String,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Not, within its time.
    TimedOut,
    /// By the kernel, when all processes of the check together had taken so many bytes of memory.
    Starved(u64),
    /// Not before it had filled its folder with so many bytes that it was ended.
    Overfull(u64),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with {code}"),
            Self::Signalled(signal) => write!(f, "was killed by {}", signal_name(*signal)),
            Self::TimedOut => f.write_str("did not end within its time"),
            Self::Starved(bytes) => write!(f, "was killed for taking more than {} of memory", amount(*bytes)),
            Self::Overfull(bytes) => write!(f, "wrote more than {} into its folder", amount(*bytes)),
        }
    }
}

/// What became of a check's process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// How it ended.
    pub status: Status,
    /// What it said, if it said anything.
    pub verdict: Option<Verdict>,
    /// What it found out about the plug-in, when that was the order.
    pub(crate) facts: Option<Facts>,
}

impl Ended {
    /// Whether a phase passed and then ended as it should.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.status == Status::Exited(TOLD) && self.verdict == Some(Verdict::Passed)
    }

    /// Whether it was killed by SIGKILL: what a phase that kills itself is expected to do.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.status == Status::Signalled(9) && self.verdict.is_none()
    }

    /// The verdict: what it said, if the way in which it ended bears that out.
    #[must_use]
    pub fn judge(&self, doing: Option<&str>, seconds: u64) -> Verdict {
        let doing = doing.map(|doing| format!(" in {doing}")).unwrap_or_default();
        let status = self.status;
        let text = match (&self.verdict, status) {
            (Some(verdict), Status::Exited(TOLD)) => return verdict.clone(),
            (_, Status::TimedOut) => format!("it did not end within {seconds} s: it hangs{doing}"),
            (_, Status::Overfull(_)) => format!("it was ended: it {status}{doing}"),
            (Some(verdict @ Verdict::Failed { .. }), _) => return verdict.clone(),
            (Some(_), Status::Exited(0)) => String::from(
                "every step passed, but then the process exited with 0 before its own end: the plug-in ends it in a destructor",
            ),
            (Some(_), _) => format!("every step passed, but then the process {status} while it ended"),
            (None, Status::Exited(CHANNEL_LOST)) => String::from(
                "the process could not tell its verdict: the plug-in closed descriptors that are not its own",
            ),
            (None, _) => format!("the process ended without a verdict: it {status}{doing}"),
        };
        Verdict::Failed { text }
    }
}

/// The exit code of a process that told its verdict and came to its own end. No plug-in that leaves early says so by chance.
pub(crate) const TOLD: i32 = 120;

/// The exit code of a process whose channel for verdicts was closed.
pub(crate) const CHANNEL_LOST: i32 = 121;

/// What a check's process writes: one line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Word {
    pub(crate) nonce: String,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) facts: Option<Facts>,
}

/// What the guard of a check's process writes: one line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) nonce: String,
    pub(crate) ended: Ended,
}

fn amount(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{} MiB", bytes >> 20),
        gib => format!("{gib} GiB"),
    }
}

pub(super) fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: Status, verdict: Option<Verdict>) -> Verdict {
        let ended = Ended {
            status,
            verdict,
            facts: None,
        };
        ended.judge(Some("start"), 30)
    }

    fn text(verdict: Verdict) -> String {
        match verdict {
            Verdict::Failed { text } => text,
            other => panic!("{other:?} is no failure"),
        }
    }

    #[test]
    fn a_pass_counts_only_if_the_process_ends_well() {
        assert_eq!(ended(Status::Exited(TOLD), Some(Verdict::Passed)), Verdict::Passed);
        let bad = [
            Status::Exited(0),
            Status::Exited(1),
            Status::Signalled(11),
            Status::TimedOut,
            Status::Overfull(4 << 30),
            Status::Starved(4 << 30),
        ];
        for status in bad {
            text(ended(status, Some(Verdict::Passed)));
        }
        assert!(text(ended(Status::Exited(0), Some(Verdict::Passed))).contains("in a destructor"));
        assert!(text(ended(Status::Starved(512 << 20), None)).contains("taking more than 512 MiB of memory in start"));
        assert!(text(ended(Status::Overfull(4 << 30), None)).contains("more than 4 GiB into its folder in start"));
    }

    #[test]
    fn an_end_without_a_verdict_is_told_with_its_signal_and_place() {
        let said = text(ended(Status::Signalled(11), None));
        assert_eq!(
            said,
            "the process ended without a verdict: it was killed by SIGSEGV in start"
        );
        assert!(text(ended(Status::Exited(0), None)).contains("exited with 0"));
        assert!(text(ended(Status::TimedOut, None)).contains("within 30 s: it hangs in start"));
        assert!(text(ended(Status::Exited(CHANNEL_LOST), None)).contains("descriptors"));
    }
}
