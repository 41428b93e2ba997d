//! `Now`: the moment on both clocks, one for waiting and one for the file.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment. Leases run by the first clock, which nobody sets and which goes on while the machine sleeps; the second one
/// only says in the file when that will be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Now {
    /// Since the machine started.
    pub up: Duration,
    /// Since 1970.
    pub wall: Duration,
}

impl Now {
    /// This moment.
    #[must_use]
    pub fn read() -> Self {
        let up = clock_gettime(ClockId::Boottime);
        let up = Duration::new(
            u64::try_from(up.tv_sec).unwrap_or(0),
            u32::try_from(up.tv_nsec).unwrap_or(0),
        );
        // A clock before 1970 only means that leases in the file are old.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { up, wall }
    }
}
