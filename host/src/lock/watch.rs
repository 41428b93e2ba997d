//! `Watchdog`: tells when a lock is held for too long, by whom, and what the kernel says of that thread. It never acts.

use super::manager::Locks;
use super::status::{LockStatus, Party, Status};
use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// A watchdog at work; dropping it stops and joins its thread.
#[derive(Debug)]
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches a manager until dropped, or until the manager is gone.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn start(locks: &Arc<Locks>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let limits = *locks.limits();
        // Twice within the shortest age that matters, so that no report is late by more than half of it.
        let pause = (limits.warn_after.min(limits.error_after) / 2).max(Duration::from_millis(1));
        let locks: Weak<Locks> = Arc::downgrade(locks);
        let thread = std::thread::Builder::new()
            .name("lock-watchdog".into())
            .spawn(move || {
                let mut watch = Watch::new(limits.warn_after, limits.error_after);
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    let Some(locks) = locks.upgrade() else { return };
                    watch.look(&locks.status()).iter().for_each(report);
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the lock watchdog died of a panic");
        }
    }
}

/// A hold that is too old.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Overdue {
    level: String,
    uuid: Option<String>,
    holder: Party,
    waiters: usize,
    severe: bool,
}

/// What was told already.
#[derive(Debug)]
struct Watch {
    warn_ms: u64,
    error_ms: u64,
    told: HashMap<Hold, Told>,
}

/// What tells one hold from every other without its handle: no thread takes one lock twice in one moment, and if it
/// did, one word for both would do.
type Hold = (u32, Option<String>, Option<String>, i32, u64);

#[derive(Clone, Copy, Debug)]
struct Told {
    /// The age at which the next word is due.
    next_ms: u64,
    severe: bool,
}

impl Watch {
    fn new(warn_after: Duration, error_after: Duration) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        Self {
            warn_ms: ms(warn_after),
            error_ms: ms(error_after),
            told: HashMap::new(),
        }
    }

    /// The holds about which something is to be said now: at the first limit, whenever the age has doubled since the
    /// last word, and once at the second limit.
    fn look(&mut self, status: &Status) -> Vec<Overdue> {
        let before = std::mem::take(&mut self.told);
        let mut overdue = Vec::new();
        for lock in &status.locks {
            for holder in lock
                .holders
                .iter()
                .filter(|h| h.age_ms >= self.warn_ms.min(self.error_ms))
            {
                let hold = (
                    lock.rank,
                    lock.driver.clone(),
                    lock.uuid.clone(),
                    holder.tid,
                    holder.since_ms,
                );
                let told = before.get(&hold).copied();
                let severe = holder.age_ms >= self.error_ms;
                let due = told.is_none_or(|t| holder.age_ms >= t.next_ms || (severe && !t.severe));
                if due {
                    overdue.push(Overdue::new(lock, holder, severe));
                }
                let next_ms = if due {
                    holder.age_ms.saturating_mul(2)
                } else {
                    told.map_or(0, |t| t.next_ms)
                };
                self.told.insert(hold, Told { next_ms, severe });
            }
        }
        overdue
    }
}

impl Overdue {
    fn new(lock: &LockStatus, holder: &Party, severe: bool) -> Self {
        Self {
            level: lock.level.clone(),
            uuid: lock.uuid.clone(),
            holder: holder.clone(),
            waiters: lock.waiters.len(),
            severe,
        }
    }
}

fn report(overdue: &Overdue) {
    let Overdue {
        level,
        uuid,
        holder,
        waiters,
        severe,
    } = overdue;
    let Party {
        thread,
        tid,
        plugin,
        call,
        client,
        mode,
        age_ms: held_ms,
        ..
    } = holder;
    let dom = uuid.as_deref();
    if *severe {
        let (wchan, stack) = (of_thread(*tid, "wchan"), of_thread(*tid, "stack"));
        tracing::error!(%level, dom, %mode, held_ms, waiters, %thread, tid, %plugin, %call, client, %wchan, %stack,
            "a lock has been held for far too long");
    } else {
        tracing::warn!(%level, dom, %mode, held_ms, waiters, %thread, tid, %plugin, %call, client,
            "a lock has been held for long");
    }
}

/// What the kernel says of a thread: where it sleeps (`wchan`), how it came there (`stack`, for root only).
fn of_thread(tid: i32, file: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/{file}"));
    text.map_or_else(|error| format!("({error})"), |text| text.trim().replace('\n', " < "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{CallSpec, Caller, Limits};
    use driver_api::abi::lock::{EXCLUSIVE, LockKey};
    use driver_api::types::uuid::Uuid;

    fn status(since_ms: u64, age_ms: u64) -> Status {
        let holder = Party {
            since_ms,
            mode: "exclusive".into(),
            thread: "worker".into(),
            tid: 1,
            plugin: "uml".into(),
            call: "start".into(),
            client: None,
            age_ms,
            position: None,
        };
        Status {
            locks: vec![LockStatus {
                level: "Update".into(),
                rank: 200,
                driver: None,
                uuid: None,
                poisoned: false,
                holders: vec![holder],
                waiters: Vec::new(),
            }],
            ..Status::default()
        }
    }

    /// The ages at which something was said, and how loud.
    fn said(hold_ages: &[(u64, u64)]) -> Vec<(u64, bool)> {
        let mut watch = Watch::new(Duration::from_secs(1), Duration::from_secs(10));
        hold_ages
            .iter()
            .flat_map(|(hold, age)| watch.look(&status(*hold, *age)))
            .map(|overdue| (overdue.holder.age_ms, overdue.severe))
            .collect()
    }

    #[test]
    fn a_warning_comes_once_and_then_when_the_age_has_doubled() {
        let ages: Vec<_> = (1..=19).map(|n| (1, n * 500)).collect();
        assert_eq!(
            said(&ages),
            [(1000, false), (2000, false), (4000, false), (8000, false)]
        );
    }

    #[test]
    fn the_second_limit_is_an_error_at_once() {
        let ages = [(1, 9000), (1, 9500), (1, 10_000), (1, 10_500), (1, 20_000)];
        assert_eq!(said(&ages), [(9000, false), (10_000, true), (20_000, true)]);
    }

    #[test]
    fn another_hold_of_the_same_lock_starts_anew() {
        assert_eq!(said(&[(1, 1000), (2, 500), (2, 1000)]), [(1000, false), (1000, false)]);
    }

    #[test]
    fn a_hold_in_the_table_is_seen_with_its_thread() {
        let locks = Locks::new(Limits::default());
        let call = locks.begin_call(CallSpec::new(1, "start")).unwrap();
        let who = Caller {
            plugin: 1,
            call: call.id,
        };
        let key = LockKey {
            rank: 200,
            uuid: Uuid::default(),
        };
        locks.acquire(who, key, EXCLUSIVE, 0).unwrap();
        let mut shown = locks.status();
        shown.locks[0].holders[0].age_ms = 1000;
        let overdue = Watch::new(Duration::from_secs(1), Duration::from_secs(1)).look(&shown);
        assert!(overdue[0].severe);
        // Another thread asks about this one, as the watchdog does.
        let wchan = std::thread::scope(|s| s.spawn(|| of_thread(overdue[0].holder.tid, "wchan")).join().unwrap());
        assert!(!wchan.starts_with('('), "{wchan}");
    }

    #[test]
    fn dropping_it_ends_its_thread() {
        let locks = Locks::new(Limits::default());
        drop(Watchdog::start(&locks).unwrap());
        assert_eq!(Arc::strong_count(&locks), 1);
    }
}
