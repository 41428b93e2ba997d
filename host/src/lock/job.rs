//! `Jobs`: long operations on guests; at most one each, going on while nobody holds the guest's lock.

use super::error::LockError;
use super::rank::Key;
use super::status::{JobStatus, ms};
use driver_api::types::uuid::Uuid;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The jobs that run.
#[derive(Debug, Default)]
pub struct Jobs {
    by_guest: BTreeMap<Key, Job>,
    by_number: HashMap<u64, Key>,
}

#[derive(Debug)]
struct Job {
    uuid: Uuid,
    plugin: u32,
    what: String,
    since: Duration,
    cancelled: bool,
}

impl Jobs {
    /// Begins a job on a guest whose exclusive hold was checked before.
    pub(super) fn begin(
        &mut self,
        number: u64,
        key: Key,
        what: &str,
        now: Duration,
        name: impl Fn(u32) -> String,
    ) -> Result<(), LockError> {
        let Key::Domain { uuid, driver } = key else {
            return Err(LockError::NotADomain { key });
        };
        if let Some(job) = self.by_guest.get(&key) {
            return Err(LockError::JobRunning {
                uuid,
                what: job.what.clone(),
                plugin: name(job.plugin),
                age_ms: ms(job.since, now),
            });
        }
        let job = Job {
            uuid,
            plugin: driver,
            what: what.into(),
            since: now,
            cancelled: false,
        };
        self.by_guest.insert(key, job);
        self.by_number.insert(number, key);
        Ok(())
    }

    /// Asks the job on a guest to stop.
    pub(super) fn cancel(&mut self, driver: u32, uuid: Uuid) -> Result<(), LockError> {
        let job = self.by_guest.get_mut(&Key::domain(driver, uuid));
        job.map(|j| j.cancelled = true).ok_or(LockError::NoJob { uuid })
    }

    /// Whether it was asked to. A job that is not there any more has nothing to go on for either.
    #[must_use]
    pub fn is_cancelled(&self, number: u64) -> bool {
        let job = self.by_number.get(&number).and_then(|key| self.by_guest.get(key));
        job.is_none_or(|j| j.cancelled)
    }

    /// Ends a job of this plug-in.
    pub(super) fn end(&mut self, plugin: u32, number: u64) -> Result<(), LockError> {
        let key = self.by_number.get(&number).copied().ok_or(LockError::UnknownJob)?;
        if self.by_guest.get(&key).is_none_or(|j| j.plugin != plugin) {
            return Err(LockError::UnknownJob);
        }
        self.by_number.remove(&number);
        self.by_guest.remove(&key);
        Ok(())
    }

    /// What runs on a guest.
    #[must_use]
    pub fn running(&self, driver: u32, uuid: Uuid) -> Option<&str> {
        self.by_guest.get(&Key::domain(driver, uuid)).map(|j| j.what.as_str())
    }

    pub(super) fn status(&self, now: Duration, name: impl Fn(u32) -> String) -> Vec<JobStatus> {
        self.by_guest
            .values()
            .map(|job| JobStatus {
                uuid: job.uuid.to_string(),
                plugin: name(job.plugin),
                what: job.what.clone(),
                age_ms: ms(job.since, now),
                cancelled: job.cancelled,
            })
            .collect()
    }
}
