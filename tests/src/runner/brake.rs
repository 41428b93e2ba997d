//! `Brake`: what ends a run before its plan is through, seen at once by everyone who waits for a check.

use lockstep::cli::signals::Signals;
use parking_lot::Mutex;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Why a run ended before its plan was through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// This signal came.
    Interrupted(u8),
    /// So many checks hung that the others would too.
    Hangs(usize),
    /// The whole run took longer than it may.
    OutOfTime(Duration),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(signal) => {
                let name = super::order::signal_name(i32::from(*signal));
                write!(f, "interrupted by {name}")
            }
            Self::Hangs(count) => write!(
                f,
                "given up after {count} checks that hung: what hangs there would hold up the others too (--give-up)"
            ),
            Self::OutOfTime(limit) => {
                let seconds = limit.as_secs();
                write!(
                    f,
                    "given up after {seconds} s: the whole run may not take longer (--deadline)"
                )
            }
        }
    }
}

/// When a run is given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// After so many checks that hung; never when there is none.
    pub(super) hangs: Option<usize>,
    /// After this time.
    pub(super) whole: Duration,
}

/// The brake of one run.
#[derive(Debug)]
pub(super) struct Brake {
    patience: Patience,
    until: Instant,
    signals: Option<Signals>,
    // Of all waiters' descriptors the other end: closed when the brake is pulled, which wakes all of them and stays.
    held: Mutex<Option<OwnedFd>>,
    pulled: OwnedFd,
    state: Mutex<(usize, Option<Stop>)>,
}

impl Brake {
    /// A brake; `signals` pull it if they are watched.
    ///
    /// # Errors
    /// No descriptor, or no handlers for signals, are to be had.
    pub(super) fn new(patience: Patience, signals: bool) -> io::Result<Self> {
        let (pulled, held) = pipe_with(PipeFlags::CLOEXEC)?;
        let now = Instant::now();
        Ok(Self {
            patience,
            // A time that no clock can tell is none.
            until: now
                .checked_add(patience.whole)
                .unwrap_or(now + Duration::from_secs(u64::from(u32::MAX))),
            signals: signals.then(Signals::watch).transpose()?,
            held: Mutex::new(Some(held)),
            pulled,
            state: Mutex::new((0, None)),
        })
    }

    fn pull(&self, why: Stop) {
        self.state.lock().1.get_or_insert(why);
        *self.held.lock() = None;
    }

    /// Why the run is to end, if it is.
    pub(super) fn is_pulled(&self) -> Option<Stop> {
        if let Some(signal) = self.signals.as_ref().and_then(Signals::take) {
            self.pull(Stop::Interrupted(signal));
        } else if Instant::now() >= self.until {
            self.pull(Stop::OutOfTime(self.patience.whole));
        }
        self.state.lock().1
    }

    /// Why the run ended early, without a look at the clock: what comes after the last check stops nothing.
    pub(super) fn is_pulled_so_far(&self) -> Option<Stop> {
        self.state.lock().1
    }

    /// One more check hung.
    pub(super) fn hung(&self) {
        let count = {
            let mut state = self.state.lock();
            state.0 += 1;
            state.0
        };
        if self.patience.hangs.is_some_and(|most| count >= most) {
            self.pull(Stop::Hangs(count));
        }
    }

    /// Until when to wait at most.
    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// What becomes readable or ends when [`Brake::is_pulled`] should be asked.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let signals = self.signals.as_ref().map(Signals::fd);
        std::iter::once(self.pulled.as_fd()).chain(signals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brake(hangs: Option<usize>, whole: Duration) -> Brake {
        Brake::new(Patience { hangs, whole }, false).expect("a brake")
    }

    #[test]
    fn so_many_hangs_pull_it_and_the_first_reason_stays() {
        let brake = brake(Some(2), Duration::from_secs(3600));
        brake.hung();
        assert_eq!(brake.is_pulled(), None);
        brake.hung();
        brake.hung();
        assert_eq!(brake.is_pulled(), Some(Stop::Hangs(2)));
        brake.pull(Stop::Interrupted(2));
        assert_eq!(brake.is_pulled(), Some(Stop::Hangs(2)));
    }

    #[test]
    fn the_end_of_its_time_pulls_it_and_no_number_of_hangs_does_if_none_was_said() {
        let brake = brake(None, Duration::MAX);
        for _ in 0..1000 {
            brake.hung();
        }
        assert_eq!(brake.is_pulled(), None);
        let over = self::brake(None, Duration::ZERO);
        assert_eq!(over.is_pulled(), Some(Stop::OutOfTime(Duration::ZERO)));
    }

    #[test]
    fn whoever_waits_is_woken() {
        let brake = brake(Some(1), Duration::from_secs(3600));
        brake.hung();
        let mut fds: Vec<_> = brake
            .fds()
            .map(|fd| rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN))
            .collect();
        assert_eq!(rustix::event::poll(&mut fds, None), Ok(1));
    }
}
