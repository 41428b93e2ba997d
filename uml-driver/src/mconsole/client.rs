//! The mconsole client: one fixed command, one bounded answer, from the very process that is meant.

use super::conversation::Conversation;
use super::packet::{Answer, BadPacket};
use crate::plan::order::Order;
use crate::sys;
use driver_api::error::{Code, Error, Origin};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat, unlinkat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a guest kernel may take for an answer; measured answers take 0.1 to 60 ms.
pub const DEADLINE: Duration = Duration::from_millis(1500);

/// How long it may take for a change; measured answers take 0.1 to 110 ms on a machine with nothing else to do. What it does
/// after it was given up for silent nobody knows, so this is longer than for a question.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How the names of reply sockets begin.
const REPLY: &str = "reply-";

/// The commands that are sent as they are; those about a device are [`Order`]s. There is none with text from outside: the
/// kernel matches by prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Which kernel is it; harmless, allowed in every state.
    Version,
    /// Stops the guest's processor.
    Stop,
    /// Lets it go on.
    Go,
    /// Presses ctrl-alt-del: the guest's init decides what that means.
    CtrlAltDel,
    /// Ends the kernel at once, as a switched-off machine.
    Halt,
    /// The guest's figures of memory.
    Meminfo,
    /// The guest's figures of its block devices.
    Diskstats,
    /// How long the guest has been up, and idle.
    Uptime,
    /// Which of its devices are in use.
    Interrupts,
    /// Writes into the kernel's log that the agent is to shut the guest down.
    AgentShutdown,
    /// Writes into the kernel's log that the agent is to reboot the guest.
    AgentReboot,
}

impl Command {
    /// Every command, for tables and tests.
    pub const ALL: [Self; 11] = [
        Self::Version,
        Self::Stop,
        Self::Go,
        Self::CtrlAltDel,
        Self::Halt,
        Self::Meminfo,
        Self::Diskstats,
        Self::Uptime,
        Self::Interrupts,
        Self::AgentShutdown,
        Self::AgentReboot,
    ];

    /// The text that is sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Stop => "stop",
            Self::Go => "go",
            Self::CtrlAltDel => "cad",
            Self::Halt => "halt",
            Self::Meminfo => "proc meminfo",
            Self::Diskstats => "proc diskstats",
            Self::Uptime => "proc uptime",
            Self::Interrupts => "proc interrupts",
            // The kernel writes the text as it is: without the end of the line it would wait for the next text.
            Self::AgentShutdown => "log lockstep-agent: shutdown\n",
            Self::AgentReboot => "log lockstep-agent: reboot\n",
        }
    }

    /// Whether a stopped kernel survives it: others were seen to hang or abort it.
    #[must_use]
    pub const fn is_safe_while_stopped(self) -> bool {
        matches!(self, Self::Version | Self::Go)
    }
}

/// Why a command got no good answer.
#[derive(Debug)]
pub enum Failure {
    /// There is no socket, or nobody behind it: the kernel is not there (any more).
    Gone(io::Error),
    /// The socket could not be used for another reason.
    Io(io::Error),
    /// Ten commands wait unread already: the kernel is frozen.
    Full,
    /// No whole answer came in time.
    Silent(Duration),
    /// The kernel refused, with its error number and its words.
    Refused(i32, String),
    /// The answer made no sense.
    Nonsense(BadPacket),
    /// The answer came from another process than the guest's first.
    Stranger(i32),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(cause) => write!(f, "the guest kernel's console socket is gone: {cause}"),
            Self::Io(cause) => write!(f, "the guest kernel's console socket failed: {cause}"),
            Self::Full => f.write_str("the guest kernel does not read its console: it is frozen"),
            Self::Silent(after) => write!(f, "the guest kernel did not answer within {} ms", after.as_millis()),
            Self::Refused(code, text) => write!(f, "the guest kernel refused: '{text}' ({code})"),
            Self::Nonsense(packet) => write!(f, "the guest kernel's answer makes no sense: {packet}"),
            Self::Stranger(pid) => write!(f, "process {pid} answered instead of the guest kernel"),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// This failure as a client sees it: 68 when the guest was too slow, else 9.
    #[must_use]
    pub fn into_error(self, what: impl Into<String>) -> Error {
        let code = match self {
            Self::Full | Self::Silent(_) => Code::OPERATION_TIMEOUT,
            _ => Code::OPERATION_FAILED,
        };
        Error::new(code, Origin::UML, what).because(self)
    }
}

/// The way to one guest kernel.
///
/// The guest resolves the reply address in its own mount namespace, relative to its own working directory, which is its
/// run folder; so the reply socket is bound in that folder under a bare name. Depth of the folder does not matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Monitor {
    /// The guest's run folder as the host sees it.
    pub run_dir: PathBuf,
    /// The kernel's socket, relative to the run folder.
    pub socket: PathBuf,
    /// The guest's first process; answers of any other are refused. 0 takes any.
    pub pid: u32,
}

impl Monitor {
    /// Sends `command` and waits for the whole answer, at most `within`.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn ask(&self, command: Command, within: Duration) -> Result<String, Failure> {
        self.exchange(command.text(), within)
    }

    /// The same with an order about a device. Never while the kernel is stopped.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn order(&self, order: &Order, within: Duration) -> Result<String, Failure> {
        self.exchange(order.text(), within)
    }

    fn exchange(&self, command: &str, within: Duration) -> Result<String, Failure> {
        let deadline = Instant::now() + within;
        let mut conversation = self.open()?;
        conversation.send(command)?;
        loop {
            wait_readable(conversation.as_fd(), deadline).map_err(io_failure)?;
            match conversation.hear()? {
                Some(answer) => return answer.into_text(),
                None if Instant::now() >= deadline => return Err(Failure::Silent(within)),
                None => {}
            }
        }
    }

    /// Removes the reply sockets of a host that did not live to do it. Only before anybody of this host speaks to the guest.
    pub fn remove_replies(&self) {
        let Ok(folder) = open_folder(&self.run_dir) else { return };
        let Ok(entries) = std::fs::read_dir(&self.run_dir) else {
            return;
        };
        for name in entries.flatten().map(|entry| entry.file_name()) {
            // The folder is the guest's to write: whatever it is, only its name goes.
            if name.as_encoded_bytes().starts_with(REPLY.as_bytes())
                && let Err(errno) = unlinkat(&folder, &name, AtFlags::empty())
            {
                tracing::debug!(?name, error = %errno, "an old reply socket could not be removed");
            }
        }
    }

    /// Opens the way to the kernel without saying anything yet.
    ///
    /// # Errors
    /// [`Failure::Gone`] when there is no kernel, [`Failure::Io`].
    pub fn open(&self) -> Result<Conversation, Failure> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let folder = open_folder(&self.run_dir).map_err(Failure::Gone)?;
        let target = open_socket(folder.as_fd(), &self.socket).map_err(Failure::Gone)?;
        let name = format!("{REPLY}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = sys::in_folder(folder.as_fd(), || bound_socket(&name)).map_err(Failure::Io)?;
        let conversation = Conversation::new(socket, folder, name, self.pid);
        // Through the descriptor: exactly the inode that was looked at, and never too long for an address.
        let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", target.as_raw_fd())).map_err(io_failure)?;
        connect(&conversation, &address).map_err(|errno| Failure::Gone(errno.into()))?;
        Ok(conversation)
    }
}

impl Answer {
    /// The text, or the kernel's refusal.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub fn into_text(self) -> Result<String, Failure> {
        match self.error {
            0 => Ok(self.text),
            error => Err(Failure::Refused(error, self.text)),
        }
    }
}

pub(super) fn io_failure(errno: rustix::io::Errno) -> Failure {
    Failure::Io(errno.into())
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// The kernel's socket as a bare inode. The folder is the guest's to write, so no link in it is followed: it could
/// lead a command to somebody else.
fn open_socket(folder: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat2(folder, path, flags, Mode::empty(), inside)?;
    let stat = statat(&file, "", AtFlags::EMPTY_PATH)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Socket {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a socket"))
    }
}

fn bound_socket(name: &str) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_passcred(&socket, true)?;
    bind(&socket, &SocketAddrUnix::new(name)?)?;
    Ok(socket)
}

/// Waits until something is there to read, or until the deadline: the caller looks again either way.
fn wait_readable(socket: BorrowedFd<'_>, deadline: Instant) -> rustix::io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    };
    match poll(&mut [PollFd::from_borrowed_fd(socket, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests;
