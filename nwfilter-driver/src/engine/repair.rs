//! Undoing what somebody else did to our tables, and how often.

use super::Engine;
use driver_api::error::Result;
use std::time::Duration;

impl Engine {
    /// Makes the rules anew if the kernel's differ from what should be in force; in what they differed.
    ///
    /// # Errors
    /// The kernel can not be asked, or refuses; the next change begins with it then.
    pub fn repair(&self) -> Result<Vec<String>> {
        let mut force = self.force.lock();
        if force.state.ports.is_empty() && !force.doubt {
            return Ok(Vec::new());
        }
        let backend = force.backend(&self.opener)?;
        let found = backend.deviations(&force.state.desired)?;
        if found.is_empty() {
            force.doubt = false;
            return Ok(found);
        }
        force.doubt = true;
        backend.install(&force.state.desired)?;
        force.doubt = false;
        Ok(found)
    }
}

/// When the next repair may be: at once after a quiet time, else ever more seldom, so that two who both think that they
/// own the tables do not spend the machine on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    wait: Duration,
    last: Option<Duration>,
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// So many times the last wait without a repair are a quiet time.
const QUIET: u32 = 4;

impl Patience {
    pub(crate) const fn new() -> Self {
        Self {
            wait: FIRST,
            last: None,
        }
    }

    /// How long to wait at the time `now` before a repair; times are counted from any fixed moment.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        let Some(last) = self.last else {
            return Duration::ZERO;
        };
        (last + self.wait).saturating_sub(now)
    }

    /// A repair was made.
    pub(crate) fn repaired(&mut self, now: Duration) {
        let quiet = self
            .last
            .is_none_or(|last| now.saturating_sub(last) >= self.wait * QUIET);
        self.wait = if quiet { FIRST } else { (self.wait * 2).min(LONGEST) };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fight_is_slowed_down_and_a_quiet_time_ends_it() {
        let mut patience = Patience::new();
        let mut now = Duration::from_secs(100);
        assert_eq!(patience.wait(now), Duration::ZERO);
        patience.repaired(now);
        let mut waits = Vec::new();
        for _ in 0..10 {
            let wait = patience.wait(now);
            waits.push(wait.as_millis());
            now += wait;
            assert_eq!(patience.wait(now), Duration::ZERO);
            patience.repaired(now);
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
        now += LONGEST * QUIET;
        patience.repaired(now);
        assert_eq!(patience.wait(now), FIRST);
    }
}
