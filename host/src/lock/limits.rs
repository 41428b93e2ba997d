//! `Limits`: how long a lock is waited for and held before somebody is told, and how many breaches are borne.

use super::rank::Key;
use std::time::Duration;

/// The manager's limits; the defaults are the host's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long Filter is waited for.
    pub filter: Duration,
    /// How long Update is waited for.
    pub update: Duration,
    /// How long Virt is waited for.
    pub virt: Duration,
    /// How long Domain is waited for.
    pub domain: Duration,
    /// The longest wait that a plug-in can ask for.
    pub longest_wait: Duration,
    /// The watchdog warns about a hold of this age, and again whenever the age has doubled.
    pub warn_after: Duration,
    /// The watchdog reports a hold of this age as an error, with what the kernel says of the thread.
    pub error_after: Duration,
    /// So many breaches quarantine a plug-in...
    pub strikes: usize,
    /// ...if they happen within this time.
    pub strike_window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            filter: Duration::from_secs(30),
            update: Duration::from_secs(30),
            virt: Duration::from_secs(30),
            domain: Duration::from_secs(10),
            longest_wait: Duration::from_secs(24 * 60 * 60),
            warn_after: Duration::from_secs(5),
            error_after: Duration::from_secs(60),
            strikes: 3,
            strike_window: Duration::from_secs(10 * 60),
        }
    }
}

impl Limits {
    /// How long a lock is waited for when nobody says otherwise.
    #[must_use]
    pub const fn wait(&self, key: Key) -> Duration {
        match key {
            Key::Filter => self.filter,
            Key::Update => self.update,
            Key::Virt { .. } => self.virt,
            Key::Domain { .. } => self.domain,
        }
    }
}
