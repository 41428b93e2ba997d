//! Whether a guest's kernel has booted so far that it can be changed: it answers long before that.
//!
//! A 6.1 kernel says that it answers in the middle of its boot. One that is given a device or asked for memory before its
//! own drivers are set up dies of it ("Segfault with no mm", two times of three). The boot never sleeps; the first idle
//! moment is that of the first process, which waits for something.

use super::session::Session;
use crate::core::{Core, fault, refused};
use crate::mconsole::client::{Command, DEADLINE};
use driver_api::error::{Code, Result};
use std::time::{Duration, Instant};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// A guest that is up so long, in seconds, has booted though it was never idle: its programs may work without a pause.
const LONG: f64 = 10.0;
/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

impl Core {
    /// Waits until the guest of a session has booted.
    ///
    /// # Errors
    /// 55 when it takes too long, 78 when the wait is cancelled, and what the kernel's silence is.
    pub(super) fn until_booted(&self, session: &Session<'_>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = session.run.monitor.ask(Command::Uptime, DEADLINE);
            let answer = answer.map_err(|failure| {
                failure.into_error(format!(
                    "domain '{}' does not tell whether it has booted",
                    session.entry.name
                ))
            })?;
            if has_booted(&answer) {
                return Ok(());
            }
            if session.is_cancelled() || self.is_closing() {
                return Err(fault(Code(78), "the wait for the guest's boot was cancelled"));
            }
            if Instant::now() >= deadline {
                return Err(refused(session.entry, "is still booting: try again when it is up"));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// What `/proc/uptime` (seconds up, seconds idle) says. An answer without numbers is that of a kernel without it.
fn has_booted(uptime: &str) -> bool {
    let mut numbers = uptime.split_whitespace().map_while(|word| word.parse::<f64>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(up), Some(idle)) => idle > 0.0 || up > LONG,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_idle_moment_is_the_end_of_the_boot() {
        for (uptime, booted) in [
            ("\n0.90 0.00\n", false),
            ("9.99 0.00", false),
            ("1.88 0.05\n", true),
            ("10.01 0.00", true),
            ("", true),
        ] {
            assert_eq!(has_booted(uptime), booted, "{uptime:?}");
        }
    }
}
