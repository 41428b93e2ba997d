//! `Status`: what `lockstep locks` shows, a copy made in one short look at the table.

use super::rank::Key;
use super::table::Table;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Everything that is held, waited for, running or set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Locks in use or poisoned, in lock order.
    pub locks: Vec<LockStatus>,
    /// Jobs on guests.
    pub jobs: Vec<JobStatus>,
    /// Plug-ins that have a strike or are quarantined.
    pub plugins: Vec<PluginStatus>,
}

/// One lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockStatus {
    /// The level's name.
    pub level: String,
    /// The level's position in the order.
    pub rank: u32,
    /// The driver whose table or guest it is.
    pub driver: Option<String>,
    /// The guest.
    pub uuid: Option<String>,
    /// Whether its last exclusive holder left without giving it back.
    pub poisoned: bool,
    /// Who has it.
    pub holders: Vec<Party>,
    /// Who waits for it, first come first.
    pub waiters: Vec<Party>,
}

/// A holder of a lock, or a waiter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// `shared` or `exclusive`.
    pub mode: String,
    /// The thread's name.
    pub thread: String,
    /// The thread's number in `/proc/self/task`.
    pub tid: i32,
    /// The plug-in.
    pub plugin: String,
    /// The call or session.
    pub call: String,
    /// The client for whom the call is made.
    pub client: Option<u64>,
    /// When it began, in milliseconds of the manager's clock, which only ages mean anything on.
    pub since_ms: u64,
    /// How long it has been holding or waiting, in milliseconds.
    pub age_ms: u64,
    /// A waiter's place in the queue, from 1.
    pub position: Option<usize>,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "thread '{}' in call '{}' of plug-in '{}'",
            self.thread, self.call, self.plugin
        )?;
        if let Some(client) = self.client {
            write!(f, " for client {client}")?;
        }
        write!(f, " for {} ms", self.age_ms)
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// The guest.
    pub uuid: String,
    /// The plug-in that runs it.
    pub plugin: String,
    /// What it does.
    pub what: String,
    /// How long it has been running, in milliseconds.
    pub age_ms: u64,
    /// Whether somebody asked it to stop.
    pub cancelled: bool,
}

/// A plug-in that broke the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginStatus {
    /// The plug-in.
    pub plugin: String,
    /// Strikes within the window.
    pub strikes: usize,
    /// Why it may not change anything any more.
    pub quarantined: Option<String>,
}

/// Whole milliseconds from one clock reading to the next.
pub(super) fn ms(from: Duration, to: Duration) -> u64 {
    u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX)
}

impl<W> Table<W> {
    /// A copy of the table for people.
    #[must_use]
    pub fn status(&self, now: Duration) -> Status {
        let mut keys: Vec<Key> = self.locks.keys().copied().collect();
        keys.sort_unstable();
        Status {
            locks: keys.into_iter().map(|key| self.lock_status(key, now)).collect(),
            jobs: self.jobs.status(now, |plugin| self.plugins.name(plugin)),
            plugins: self.plugins.status(now),
        }
    }

    fn lock_status(&self, key: Key, now: Duration) -> LockStatus {
        let lock = self.locks.get(&key);
        let (driver, uuid) = match key {
            Key::Filter | Key::Update => (None, None),
            Key::Virt { driver } => (Some(driver), None),
            Key::Domain { uuid, driver } => (Some(driver), Some(uuid)),
        };
        let waiters = lock.map(|l| l.waiting()).into_iter().flatten().enumerate();
        LockStatus {
            level: key.level().into(),
            rank: key.rank(),
            driver: driver.map(|d| self.plugins.name(d)),
            uuid: uuid.map(|u| u.to_string()),
            poisoned: lock.is_some_and(|l| l.poisoned),
            holders: self.holders(key, now),
            waiters: waiters
                .map(|(i, ticket)| Party {
                    position: Some(i + 1),
                    ..self.party(ticket.call, ticket.mode, ticket.since, now)
                })
                .collect(),
        }
    }

    /// Who holds a lock now.
    pub(super) fn holders(&self, key: Key, now: Duration) -> Vec<Party> {
        let handles = self.locks.get(&key).map(|l| l.holders()).into_iter().flatten();
        handles
            .filter_map(|handle| self.holds.get(&handle))
            .map(|hold| self.party(hold.call, hold.mode, hold.since, now))
            .collect()
    }

    fn party(&self, call: u64, mode: super::rank::Mode, since: Duration, now: Duration) -> Party {
        let frame = self.calls.get(&call);
        let info = frame.and_then(|f| self.threads.get(&f.thread)).map(|t| &t.info);
        Party {
            mode: mode.to_string(),
            thread: info.map_or_else(String::new, |i| i.name.to_string()),
            tid: info.map_or(0, |i| i.tid),
            plugin: frame.map_or_else(String::new, |f| self.plugins.name(f.plugin)),
            call: frame.map_or_else(String::new, |f| f.name.to_string()),
            client: frame.and_then(|f| f.client),
            since_ms: ms(Duration::ZERO, since),
            age_ms: ms(since, now),
            position: None,
        }
    }
}
