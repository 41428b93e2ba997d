//! `Limit`: at most so many lines in a while from one place in the code, with a count of those left out.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Lines let through in each [`WINDOW`].
const BURST: u32 = 10;
/// How long a burst is counted.
const WINDOW: Duration = Duration::from_secs(5);

/// One place in the code that logs what a guest or a client can cause at will.
#[derive(Debug)]
pub struct Limit {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    since: Option<Instant>,
    passed: u32,
    suppressed: u64,
}

impl Limit {
    /// Nothing logged yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                since: None,
                passed: 0,
                suppressed: 0,
            }),
        }
    }

    /// Whether one more line may be written at `now`: the number of lines left out since the last one, or `None`.
    #[must_use]
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            state.since = Some(now);
            state.passed = 0;
        }
        if state.passed == BURST {
            state.suppressed += 1;
            return None;
        }
        state.passed += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::new()
    }
}

/// `tracing::event!` that is silent once its place in the code has written 10 lines within 5 seconds; the next line
/// let through has the number of those left out in the field `suppressed`.
#[macro_export]
macro_rules! limited_event {
    ($level:expr, $($rest:tt)+) => {{
        static LIMIT: $crate::logging::limit::Limit = $crate::logging::limit::Limit::new();
        if let Some(suppressed) = LIMIT.pass(::std::time::Instant::now()) {
            ::tracing::event!($level, suppressed, $($rest)+);
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_passes_then_the_rest_is_counted_until_the_window_ends() {
        let limit = Limit::new();
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(limit.pass(start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(limit.pass(start + WINDOW / 2), None);
        }
        assert_eq!(limit.pass(start + WINDOW), Some(7));
        assert_eq!(limit.pass(start + WINDOW), Some(0));
    }

    #[test]
    fn macro_takes_what_tracing_takes() {
        limited_event!(tracing::Level::WARN, client = 3, "odd frame");
    }
}
