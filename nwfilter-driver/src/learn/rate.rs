//! `Bucket`: how many frames of one port are looked at, so that a guest that sends as fast as it can costs nothing.

use std::time::Duration;

/// Frames that may come at once.
const BURST: u32 = 50;
/// How long one more takes: 10 a second.
const EACH: Duration = Duration::from_millis(100);

/// A token bucket; times are counted from any fixed moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// When it would be full again; at [`BURST`] times [`EACH`] ahead of now it is empty.
    full: Duration,
    flood: bool,
}

/// The bucket is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flood {
    /// Whether it was not in flood before: it is told once until the port has been quiet for long enough to fill it.
    pub begins: bool,
    /// When to look again.
    pub until: Duration,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            full: Duration::ZERO,
            flood: false,
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// There is none. Look again when there are several, not for each one.
    pub fn take(&mut self, now: Duration) -> Result<(), Flood> {
        if self.full <= now {
            self.full = now;
            self.flood = false;
        }
        if self.full + EACH > now + EACH * BURST {
            let begins = !self.flood;
            self.flood = true;
            return Err(Flood {
                begins,
                until: now + EACH * (BURST / 5),
            });
        }
        self.full += EACH;
        Ok(())
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_ten_a_second_and_a_flood_begins_once() {
        let mut bucket = Bucket::new();
        let mut now = Duration::from_secs(1000);
        for _ in 0..50 {
            assert_eq!(bucket.take(now), Ok(()));
        }
        let flood = bucket.take(now).unwrap_err();
        assert!(flood.begins);
        assert_eq!(flood.until, now + Duration::from_secs(1));
        let mut taken = 0;
        // A flood of 100 frames a second for 20 seconds.
        for _ in 0..2000 {
            now += Duration::from_millis(10);
            match bucket.take(now) {
                Ok(()) => taken += 1,
                Err(flood) => assert!(!flood.begins),
            }
        }
        assert_eq!(taken, 200);
        now += Duration::from_secs(5);
        for _ in 0..50 {
            assert_eq!(bucket.take(now), Ok(()));
        }
        assert!(bucket.take(now).unwrap_err().begins);
    }
}
