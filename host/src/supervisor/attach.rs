//! Consoles as the host reaches them: a tail to read, a stream to look at and to type into.

use super::control::{Reply, Request};
use super::guests::{Guests, system, unknown};
use super::order::console_socket;
use super::table::State;
use super::{peer, survey};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::GuestId;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How a console is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConsoleMode {
    /// May type (one at a time), not only read.
    pub write: bool,
    /// Takes the place of the present writer.
    pub force: bool,
    /// Begin with what the console said before (64 KiB at most).
    pub history: bool,
}

impl Guests {
    /// The last whole lines of a guest's first console, at most `bytes` of them; of one that is gone, its last words.
    ///
    /// # Errors
    /// 38 when there is no such guest or its supervisor does not answer.
    pub fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if let Some(tail) = self.last_words(guest, bytes)? {
            return Ok(tail);
        }
        match survey::ask(&self.dir(guest), &Request::Tail { bytes }, survey::PATIENCE) {
            Ok(Reply::Tail(text)) => Ok(text),
            other => {
                // It may have ended between the two looks.
                let ended = self.await_gone(guest, Instant::now() + Duration::from_secs(1));
                match self.last_words(guest, bytes)? {
                    Some(tail) if ended => Ok(tail),
                    _ => Err(system(format!(
                        "cannot read the console of guest '{}': {other:?}",
                        guest.0
                    ))),
                }
            }
        }
    }

    fn last_words(&self, guest: GuestId, bytes: usize) -> Result<Option<String>> {
        let table = self.shared.table.lock();
        let entry = table.entries.get(&guest).ok_or_else(|| unknown(guest))?;
        Ok(match &entry.state {
            State::Alive { .. } => None,
            State::Gone(exit) => {
                let mut from = exit.console_tail.len().saturating_sub(bytes);
                while !exit.console_tail.is_char_boundary(from) {
                    from += 1;
                }
                Some(exit.console_tail[from..].to_owned())
            }
        })
    }

    /// Opens console `index` of a guest: what it says can be read from the stream, what is written is typed.
    ///
    /// # Errors
    /// 9 when somebody else writes to it, 8 when there is no such console, 38 when there is no such guest or it ends.
    pub fn open_console(&self, guest: GuestId, index: u32, mode: ConsoleMode) -> Result<UnixStream> {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let none = |consoles: usize| {
            let message = format!("guest '{}' has no console {index}, only {consoles} of them", guest.0);
            Error::new(Code::INVALID_ARG, Origin::DOMAIN, message)
        };
        let (ordered, most) = {
            let table = self.shared.table.lock();
            let order = &table.entries.get(&guest).ok_or_else(|| unknown(guest))?.order;
            let ordered = order.consoles.len();
            (ordered, ordered + order.extras.spare_consoles as usize)
        };
        if place >= most {
            return Err(none(ordered));
        }
        let failed = |e: io::Error| system(format!("cannot open console {index} of guest '{}'", guest.0)).because(e);
        let (stream, answer) = match introduce(&self.dir(guest), place, mode) {
            // Spare: nothing is plugged in there.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.dir(guest).exists() => return Err(none(ordered)),
            other => other.map_err(failed)?,
        };
        if answer == "ok" {
            return Ok(stream);
        }
        let message = format!("console {index} of guest '{}' is {answer}", guest.0);
        Err(Error::new(Code::OPERATION_FAILED, Origin::DOMAIN, message))
    }
}

fn introduce(dir: &Path, index: usize, mode: ConsoleMode) -> io::Result<(UnixStream, String)> {
    let mut stream = peer::connect(dir, &console_socket(index))?;
    let words = [
        if mode.write { "rw" } else { "ro" },
        if mode.force { " force" } else { "" },
        if mode.history { "" } else { " new" },
        "\n",
    ];
    stream.write_all(words.concat().as_bytes())?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answer = Vec::new();
    let mut byte = [0_u8; 1];
    // Byte by byte: what follows the line belongs to the caller.
    loop {
        stream.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            break;
        }
        answer.push(byte[0]);
    }
    stream.set_read_timeout(None)?;
    Ok((stream, String::from_utf8_lossy(&answer).into_owned()))
}
