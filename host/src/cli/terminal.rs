//! `RawTerminal`: the terminal hands every key on as it is, until this is dropped.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal};

/// A terminal on standard input in raw mode; dropping it, also in a panic, brings the old mode back.
#[derive(Debug)]
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Takes the terminal on standard input; `None` when there is none there.
    ///
    /// # Errors
    /// The terminal refuses.
    pub fn take() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Drain, &raw)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that has gone away needs no mode.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}
