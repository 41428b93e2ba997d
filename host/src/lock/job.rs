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
    // Whether it ever looked at the mark above: one that does not can not be stopped.
    heeds: bool,
}

impl Job {
    fn status(&self, now: Duration, name: impl Fn(u32) -> String) -> JobStatus {
        JobStatus {
            uuid: self.uuid.to_string(),
            plugin: name(self.plugin),
            what: self.what.clone(),
            age_ms: ms(self.since, now),
            cancelled: self.cancelled,
        }
    }
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
            heeds: false,
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

    /// Asks the job on a guest to stop, if it is one that looks whether it shall.
    pub(super) fn abort(&mut self, driver: u32, uuid: Uuid) -> Result<(), LockError> {
        let job = self.by_guest.get_mut(&Key::domain(driver, uuid));
        let job = job.ok_or(LockError::NoJob { uuid })?;
        if !job.heeds {
            let what = job.what.clone();
            return Err(LockError::JobDeaf { uuid, what });
        }
        job.cancelled = true;
        Ok(())
    }

    /// Whether it was asked to. A job that is not there any more has nothing to go on for either.
    pub(super) fn is_cancelled(&mut self, number: u64) -> bool {
        let job = self.by_number.get(&number).and_then(|key| self.by_guest.get_mut(key));
        job.is_none_or(|job| {
            job.heeds = true;
            job.cancelled
        })
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

    /// The job on a guest.
    pub(super) fn of(&self, driver: u32, uuid: Uuid, now: Duration, name: impl Fn(u32) -> String) -> Option<JobStatus> {
        let job = self.by_guest.get(&Key::domain(driver, uuid));
        job.map(|job| job.status(now, name))
    }

    pub(super) fn status(&self, now: Duration, name: impl Fn(u32) -> String) -> Vec<JobStatus> {
        let jobs = self.by_guest.values();
        jobs.map(|job| job.status(now, &name)).collect()
    }
}
