//! Whether a guest's kernel has booted so far that it can be changed: it answers long before that.
//!
//! A 6.1 kernel says that it answers in the middle of its boot. One that is given a device or asked for memory before its
//! own drivers are set up dies of it ("Segfault with no mm", two times of three). Two signs tell that they are: the boot
//! never sleeps, so the first idle moment is that of the first process, which waits for something; and the kernel opens
//! its console for that process after all drivers, which takes the interrupt of the line. (That of a disk is taken while
//! drivers are still being set up.)

use super::session::Session;
use crate::core::{Core, fault, refused};
use crate::mconsole::client::{Command, DEADLINE};
use driver_api::error::{Code, Result};
use std::time::{Duration, Instant};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// A guest that is up so long, in seconds, has booted though it was never idle and has no console.
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
            let ask = |command| {
                session.run.monitor.ask(command, DEADLINE).map_err(|failure| {
                    failure.into_error(format!(
                        "domain '{}' does not tell whether it has booted",
                        session.entry.name
                    ))
                })
            };
            if has_idled(&ask(Command::Uptime)?) || has_console(&ask(Command::Interrupts)?) {
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
fn has_idled(uptime: &str) -> bool {
    let mut numbers = uptime.split_whitespace().map_while(|word| word.parse::<f64>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(up), Some(idle)) => idle > 0.0 || up > LONG,
        _ => true,
    }
}

/// What `/proc/interrupts` says: the names of a line's users end it.
fn has_console(interrupts: &str) -> bool {
    let users = interrupts
        .lines()
        .filter_map(|line| line.split_whitespace().next_back());
    users.into_iter().any(|user| matches!(user, "console" | "ssl"))
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
            assert_eq!(has_idled(uptime), booted, "{uptime:?}");
        }
    }

    #[test]
    fn an_open_console_is_the_end_of_the_boot() {
        let early =
            "           CPU0\n  0:  92  SIGALRM  hr timer\n  4:  2  SIGIO  ubd\n  8:  1  SIGIO  mconsole\nERR: 0\n";
        assert!(!has_console(early));
        for user in ["console", "ssl"] {
            assert!(
                has_console(&early.replace("ERR", &format!("  2:  7  SIGIO  {user}\nERR"))),
                "{user}"
            );
        }
    }
}
