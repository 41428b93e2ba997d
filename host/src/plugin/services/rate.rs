//! `Rate`: how many log lines a plug-in may write; the rest is counted.

use std::time::Duration;

/// Lines in a second, in the long run.
const PER_SECOND: f64 = 1_000.0;
/// Lines at once.
const BURST: f64 = 5_000.0;

/// A bucket of lines that fills with time.
#[derive(Debug)]
pub(super) struct Rate {
    tokens: f64,
    last: Duration,
    dropped: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            tokens: BURST,
            last: Duration::ZERO,
            dropped: 0,
        }
    }
}

impl Rate {
    /// Whether a line may be written at `now`; if so, how many were dropped before it.
    pub(super) fn take(&mut self, now: Duration) -> Option<u64> {
        let gained = now.saturating_sub(self.last).as_secs_f64() * PER_SECOND;
        self.tokens = (self.tokens + gained).min(BURST);
        self.last = now;
        if self.tokens < 1.0 {
            self.dropped += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_a_flood_is_counted_and_time_heals() {
        let mut rate = Rate::default();
        let start = Duration::from_secs(1);
        assert_eq!((0..5_000).filter_map(|_| rate.take(start)).count(), 5_000);
        assert_eq!(rate.take(start), None);
        assert_eq!(rate.take(start), None);
        assert_eq!(rate.take(start + Duration::from_millis(2)), Some(2));
        assert_eq!(rate.take(start + Duration::from_millis(2)), Some(0));
        assert_eq!(rate.take(start + Duration::from_millis(2)), None);
    }
}
