//! Waiting for a condition that no event announces, with a deadline that only a broken build meets.

use std::time::{Duration, Instant};

/// How long anything may take before a test calls it broken; never a measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none within [`PATIENCE`].
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ask)
}

/// The same with another deadline, for what is long even on an idle machine.
///
/// # Panics
/// When there is no answer within `patience`.
#[track_caller]
pub fn within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
