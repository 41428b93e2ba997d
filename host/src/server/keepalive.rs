//! `Pulse`: when to ask a silent client whether it still lives, and when to give it up.

use parking_lot::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// Nothing before this moment.
    Wait(Instant),
    /// Ask.
    Ping,
    /// Give up.
    Dead,
}

#[derive(Debug)]
struct State {
    last: Instant,
    unanswered: u32,
}

/// When to ask a silent client, and when to give it up.
#[derive(Debug)]
pub(super) struct Pulse {
    interval: Duration,
    count: u32,
    state: Mutex<State>,
    enabled: Notify,
}

impl Pulse {
    pub(super) fn new(interval: Duration, count: u32) -> Self {
        Self {
            interval,
            count,
            state: Mutex::new(State {
                last: Instant::now(),
                unanswered: 0,
            }),
            enabled: Notify::new(),
        }
    }

    /// The client said that it answers pings.
    pub(super) fn enable(&self) {
        if !self.interval.is_zero() {
            self.enabled.notify_one();
        }
    }

    /// Something came from the client.
    pub(super) fn heard(&self) {
        self.heard_at(Instant::now());
    }

    fn heard_at(&self, now: Instant) {
        *self.state.lock() = State {
            last: now,
            unanswered: 0,
        };
    }

    fn due(&self, now: Instant) -> Due {
        let mut state = self.state.lock();
        let next = state.last + self.interval;
        if now < next {
            return Due::Wait(next);
        }
        if state.unanswered >= self.count {
            return Due::Dead;
        }
        state.unanswered += 1;
        state.last = now;
        Due::Ping
    }

    /// Calls `ping` whenever the client has been silent for too long; returns when it is dead.
    pub(super) async fn watch(&self, ping: impl Fn()) {
        self.enabled.notified().await;
        loop {
            match self.due(Instant::now()) {
                Due::Wait(until) => tokio::time::sleep_until(until.into()).await,
                Due::Ping => ping(),
                Due::Dead => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_asked_count_times_and_dead_one_interval_later() {
        let second = Duration::from_secs(1);
        let pulse = Pulse::new(second, 2);
        let start = Instant::now();
        pulse.heard_at(start);
        assert_eq!(pulse.due(start), Due::Wait(start + second));
        assert_eq!(pulse.due(start + second), Due::Ping);
        assert_eq!(pulse.due(start + second), Due::Wait(start + second * 2));
        assert_eq!(pulse.due(start + second * 2), Due::Ping);
        assert_eq!(pulse.due(start + second * 3), Due::Dead);
    }

    #[test]
    fn whatever_comes_starts_the_count_anew() {
        let second = Duration::from_secs(1);
        let pulse = Pulse::new(second, 1);
        let start = Instant::now();
        pulse.heard_at(start);
        assert_eq!(pulse.due(start + second), Due::Ping);
        pulse.heard_at(start + second);
        assert_eq!(pulse.due(start + second * 2), Due::Ping);
    }
}
