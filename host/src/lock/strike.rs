//! `Plugins`: who the plug-ins are, what rules they broke, and which are quarantined for it.

use super::status::PluginStatus;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How many breaches are counted where none quarantines.
const MOST_SHOWN: usize = 1000;

/// The plug-ins that the manager knows.
#[derive(Debug)]
pub struct Plugins {
    known: BTreeMap<u32, Record>,
    limit: usize,
    window: Duration,
}

#[derive(Debug, Default)]
struct Record {
    name: Option<Arc<str>>,
    strikes: VecDeque<Duration>,
    distrusted: bool,
    quarantined: Option<String>,
}

impl Plugins {
    /// No plug-ins yet; `limit` strikes within `window` quarantine one, and 0 never does.
    #[must_use]
    pub const fn new(limit: usize, window: Duration) -> Self {
        Self {
            known: BTreeMap::new(),
            limit,
            window,
        }
    }

    /// Gives a number its name.
    pub fn add(&mut self, plugin: u32, name: &str) {
        self.known.entry(plugin).or_default().name = Some(name.into());
    }

    /// The first breach of this one is enough.
    pub fn distrust(&mut self, plugin: u32) {
        self.known.entry(plugin).or_default().distrusted = true;
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self, plugin: u32) -> String {
        self.known
            .get(&plugin)
            .and_then(|r| r.name.as_ref())
            .map_or_else(|| format!("#{plugin}"), ToString::to_string)
    }

    /// Counts a breach; true when it is the one that quarantines the plug-in.
    pub fn strike(&mut self, plugin: u32, why: &str, now: Duration) -> bool {
        let record = self.known.entry(plugin).or_default();
        let limit = match self.limit {
            0 => None,
            _ if record.distrusted => Some(1),
            limit => Some(limit),
        };
        record.strikes.retain(|at| now.saturating_sub(*at) < self.window);
        // What lies beyond the limit changes nothing any more and must not grow.
        if record.strikes.len() >= limit.unwrap_or(MOST_SHOWN) {
            record.strikes.pop_front();
        }
        record.strikes.push_back(now);
        if record.quarantined.is_some() || limit.is_none_or(|limit| record.strikes.len() < limit) {
            return false;
        }
        record.quarantined = Some(match record.strikes.len() {
            1 => format!("a breach of the lock rules: {why}"),
            breaches => format!("{breaches} breaches of the lock rules, the last: {why}"),
        });
        true
    }

    /// Why a plug-in may not change anything any more.
    #[must_use]
    pub fn quarantine(&self, plugin: u32) -> Option<&str> {
        self.known.get(&plugin)?.quarantined.as_deref()
    }

    /// Those that broke a rule.
    pub(super) fn status(&self, now: Duration) -> Vec<PluginStatus> {
        let recent = |record: &Record| {
            let within = |at: &&Duration| now.saturating_sub(**at) < self.window;
            record.strikes.iter().filter(within).count()
        };
        self.known
            .iter()
            .map(|(plugin, record)| PluginStatus {
                plugin: self.name(*plugin),
                strikes: recent(record),
                quarantined: record.quarantined.clone(),
            })
            .filter(|status| status.strikes > 0 || status.quarantined.is_some())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }

    #[test]
    fn three_strikes_within_the_window_quarantine() {
        let mut plugins = Plugins::new(3, minutes(10));
        plugins.add(1, "uml");
        assert!(!plugins.strike(1, "a", minutes(0)));
        assert!(!plugins.strike(1, "b", minutes(1)));
        assert_eq!(plugins.quarantine(1), None);
        assert!(plugins.strike(1, "c", minutes(2)));
        assert_eq!(plugins.quarantine(1), Some("3 breaches of the lock rules, the last: c"));
        assert!(!plugins.strike(1, "d", minutes(3)), "told once");
        assert_eq!(plugins.quarantine(2), None);
    }

    #[test]
    fn one_strike_is_enough_for_a_distrusted_plug_in_and_none_when_none_ever_is() {
        let mut plugins = Plugins::new(3, minutes(10));
        plugins.distrust(1);
        assert!(plugins.strike(1, "a", minutes(0)));
        assert_eq!(plugins.quarantine(1), Some("a breach of the lock rules: a"));
        assert!(!plugins.strike(2, "a", minutes(0)), "the others have their three");
        let mut lenient = Plugins::new(0, minutes(10));
        lenient.distrust(1);
        for plugin in [1, 2] {
            for _ in 0..2 * MOST_SHOWN {
                assert!(!lenient.strike(plugin, "a", minutes(0)));
            }
            assert_eq!(lenient.quarantine(plugin), None);
        }
        assert_eq!(lenient.status(minutes(0))[0].strikes, MOST_SHOWN);
    }

    #[test]
    fn old_strikes_are_forgotten() {
        let mut plugins = Plugins::new(3, minutes(10));
        assert!(!plugins.strike(1, "a", minutes(0)));
        assert!(!plugins.strike(1, "b", minutes(1)));
        assert!(!plugins.strike(1, "c", minutes(10)));
        assert_eq!(plugins.status(minutes(10))[0].strikes, 2);
        assert!(plugins.status(minutes(60)).is_empty());
    }
}
