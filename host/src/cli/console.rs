//! The verb `console`: a guest's console on this terminal, or on pipes where there is none.

use super::Session;
use super::args::Domain;
use super::exit::{Context, Failure};
use super::output::{Output, remark};
use super::signals::Signals;
use super::terminal::RawTerminal;
use crate::client::Connection;
use crate::client::connection::Woken;
use crate::client::stream::{Packet, Stream};
use crate::rpc::codec::domain::DomainRef;
use clap::Subcommand;
use driver_api::types::domain::flags;
use rustix::event::PollFlags;
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

/// Ctrl and `]`, as telnet and virsh have it.
const ESCAPE: u8 = 0x1d;

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Attach to a guest's console; leave it with ^] (Ctrl and ])
    ///
    /// On a terminal every key goes to the guest, except ^] which leaves. Without one, standard input is sent as it
    /// is, and its end leaves; one that is empty from the start, such as /dev/null, only follows the console until the
    /// guest stops.
    Console {
        /// Which guest.
        #[command(flatten)]
        domain: Domain,
        /// Which console, by its alias; the first one unless told otherwise
        #[arg(long, value_name = "ALIAS")]
        devname: Option<String>,
        /// Take the console from whoever has it
        #[arg(long)]
        force: bool,
        /// Fail where others could write to the console at the same time
        #[arg(long)]
        safe: bool,
    },
}

impl Verb {
    pub(super) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let Self::Console {
            domain,
            devname,
            force,
            safe,
        } = self;
        let force = if *force { flags::CONSOLE_FORCE } else { 0 };
        let safe = if *safe { flags::CONSOLE_SAFE } else { 0 };
        let mut connection = session.connect()?;
        let dom = connection.find_domain(domain.word())?;
        show(session, &mut connection, &dom, devname.as_deref(), force | safe)
    }
}

/// How an attachment ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The guest closed it.
    ByGuest,
    /// The person left with ^].
    ByEscape,
    /// This signal came.
    BySignal(u8),
    /// The time was over.
    ByDeadline,
}

/// Attaches to a console until the guest, the person or a signal ends it.
///
/// # Errors
/// What the host says, or this side's terminal.
pub fn show(
    session: &Session,
    connection: &mut Connection,
    dom: &DomainRef,
    device: Option<&str>,
    flags: u32,
) -> Result<(), Failure> {
    let signals = Signals::watch().context(|| "cannot watch signals".to_owned())?;
    let opened = Stream::open(connection, dom, device, flags);
    let stream = opened.context(|| format!("cannot open the console of '{}'", dom.name))?;
    let manner = Manner {
        greeting: format!(
            "Connected to domain '{}'
Escape character is ^] (Ctrl + ])",
            dom.name
        ),
        deadline: None,
        leave_with_input: true,
    };
    match attach(session.out, connection, stream, &signals, &manner)? {
        Ended::ByGuest | Ended::ByEscape | Ended::ByDeadline => Ok(()),
        Ended::BySignal(number) => Err(Failure::Silent(128 + number)),
    }
}

/// How a console is shown.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Said to a person at a terminal, and to nobody else.
    pub greeting: String,
    /// When it ends at the latest.
    pub deadline: Option<Instant>,
    /// Whether the end of an input that was not empty ends it; the end of an empty one never does.
    pub leave_with_input: bool,
}

/// Moves bytes between this side and an open console.
///
/// # Errors
/// What the host says, or this side's terminal.
pub fn attach(
    out: Output,
    connection: &mut Connection,
    stream: Stream,
    signals: &Signals,
    manner: &Manner,
) -> Result<Ended, Failure> {
    let terminal = RawTerminal::take().context(|| "cannot set up the terminal".to_owned())?;
    if terminal.is_some() {
        remark(format_args!("{}\r", manner.greeting));
    }
    let keys = Keys::new(terminal.is_some(), manner.leave_with_input);
    let ended = shuttle(out, connection, &stream, signals, manner.deadline, keys);
    drop(terminal);
    match ended? {
        // An orderly goodbye could wait for a host that does not answer; a signal shall not.
        hurried @ (Ended::BySignal(_) | Ended::ByDeadline) => Ok(hurried),
        ended => {
            stream.finish(connection)?;
            Ok(ended)
        }
    }
}

fn shuttle(
    out: Output,
    connection: &mut Connection,
    stream: &Stream,
    signals: &Signals,
    deadline: Option<Instant>,
    mut keys: Keys,
) -> Result<Ended, Failure> {
    let stdin = io::stdin();
    loop {
        while let Some(packet) = stream.take(connection)? {
            match packet {
                Packet::Data(bytes) => out.bytes(&bytes)?,
                Packet::End => return Ok(Ended::ByGuest),
            }
        }
        // A guest that does not read stops our reading, not our memory.
        let mut others = vec![(signals.fd(), PollFlags::IN)];
        if !keys.at_end && connection.is_flushed() {
            others.push((stdin.as_fd(), PollFlags::IN));
        }
        match connection.wait(deadline, &others)? {
            Woken::Other(0) => {
                if let Some(number) = signals.take() {
                    return Ok(Ended::BySignal(number));
                }
            }
            Woken::Other(_) => {
                let (typed, left) = keys.read().context(|| "cannot read standard input".to_owned())?;
                if !typed.is_empty() {
                    stream.send(connection, typed)?;
                }
                if left {
                    return Ok(Ended::ByEscape);
                }
            }
            Woken::Deadline => return Ok(Ended::ByDeadline),
            Woken::Socket => {}
        }
    }
}

/// What comes from standard input.
struct Keys {
    escape: bool,
    leave_with_input: bool,
    spoke: bool,
    at_end: bool,
    buffer: [u8; 4096],
}

impl Keys {
    const fn new(escape: bool, leave_with_input: bool) -> Self {
        Self {
            escape,
            leave_with_input,
            spoke: false,
            at_end: false,
            buffer: [0; 4096],
        }
    }

    /// The bytes for the guest, and whether the person, or the input's end, leaves after them.
    fn read(&mut self) -> io::Result<(&[u8], bool)> {
        let count = match rustix::io::read(io::stdin(), &mut self.buffer) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Ok((&[], false)),
            // What a terminal says that has hung up.
            Err(rustix::io::Errno::IO) => 0,
            Err(error) => return Err(error.into()),
        };
        self.at_end = count == 0;
        self.spoke |= count > 0;
        let typed = &self.buffer[..count];
        match typed.iter().position(|key| self.escape && *key == ESCAPE) {
            Some(left) => Ok((&typed[..left], true)),
            None => Ok((typed, self.at_end && self.spoke && self.leave_with_input)),
        }
    }
}
