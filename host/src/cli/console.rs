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

/// Ctrl and `]`, as telnet and virsh have it.
const ESCAPE: u8 = 0x1d;

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Attach to a guest's console; leave it with ^] (Ctrl and ])
    ///
    /// On a terminal every key goes to the guest, except ^] which leaves. Without one, standard input is sent as it
    /// is, and the verb returns when the guest stops or SIGINT comes; the end of standard input ends nothing.
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
    let mut signals = Signals::watch().context(|| "cannot watch signals".to_owned())?;
    let opened = Stream::open(connection, dom, device, flags);
    let stream = opened.context(|| format!("cannot open the console of '{}'", dom.name))?;
    let words = [
        format!("Connected to domain '{}'", dom.name),
        "Escape character is ^] (Ctrl + ])".to_owned(),
    ];
    match attach(session.out, connection, stream, &mut signals, &words)? {
        Ended::ByGuest | Ended::ByEscape => Ok(()),
        Ended::BySignal(number) => Err(Failure::Silent(128 + number)),
    }
}

/// Moves bytes between this side and an open console. `greeting` is said only to a person at a terminal.
///
/// # Errors
/// What the host says, or this side's terminal.
pub fn attach(
    out: Output,
    connection: &mut Connection,
    stream: Stream,
    signals: &mut Signals,
    greeting: &[String],
) -> Result<Ended, Failure> {
    let terminal = RawTerminal::take().context(|| "cannot set up the terminal".to_owned())?;
    if terminal.is_some() {
        greeting.iter().for_each(|line| remark(format_args!("{line}\r")));
    }
    let ended = shuttle(out, connection, &stream, signals, terminal.is_some());
    drop(terminal);
    match ended? {
        // An orderly goodbye could wait for a host that does not answer; a signal shall not.
        by_signal @ Ended::BySignal(_) => Ok(by_signal),
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
    signals: &mut Signals,
    escape: bool,
) -> Result<Ended, Failure> {
    let stdin = io::stdin();
    let mut at_end = false;
    let mut keys = [0; 4096];
    loop {
        while let Some(packet) = stream.take(connection)? {
            match packet {
                Packet::Data(bytes) => out.bytes(&bytes)?,
                Packet::End => return Ok(Ended::ByGuest),
            }
        }
        // A guest that does not read stops our reading, not our memory.
        let mut others = vec![(signals.fd(), PollFlags::IN)];
        if !at_end && connection.is_flushed() {
            others.push((stdin.as_fd(), PollFlags::IN));
        }
        match connection.wait(None, &others)? {
            Woken::Other(0) => {
                if let Some(number) = signals.take() {
                    return Ok(Ended::BySignal(number));
                }
            }
            Woken::Other(_) => {
                let count = match rustix::io::read(&stdin, &mut keys) {
                    Ok(count) => count,
                    Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
                    // What a terminal says that has hung up.
                    Err(rustix::io::Errno::IO) => 0,
                    Err(error) => {
                        return Err(io::Error::from(error)).context(|| "cannot read standard input".to_owned());
                    }
                };
                at_end = count == 0;
                let typed = &keys[..count];
                let left = typed.iter().position(|key| escape && *key == ESCAPE);
                let typed = &typed[..left.unwrap_or(count)];
                if !typed.is_empty() {
                    stream.send(connection, typed)?;
                }
                if left.is_some() {
                    return Ok(Ended::ByEscape);
                }
            }
            Woken::Socket | Woken::Deadline => {}
        }
    }
}
