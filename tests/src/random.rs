//! A small generator of random numbers whose seed is told, so that a failure can be repeated.

use std::time::SystemTime;

/// xorshift64*.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Begins with `LOCKSTEP_SEED`, or with a seed of the moment, and prints it.
    #[must_use]
    pub fn from_environment() -> Self {
        let given = std::env::var("LOCKSTEP_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.subsec_nanos());
            u64::from(std::process::id()) << 32 | u64::from(now) | 1
        });
        eprintln!("LOCKSTEP_SEED={seed}");
        Self(seed)
    }

    /// A number from 0 to `limit` - 1.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}
