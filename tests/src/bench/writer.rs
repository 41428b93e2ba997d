//! A writer that queues behind a driver's shared hold, and goes away once it had its turn.

use super::desk::NUMBER;
use super::record::Lock;
use driver_api::abi::lock::{EXCLUSIVE, LockKey};
use lockstep::lock::{Caller, Locks};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The name of the writer's session.
pub(super) const NAME: &str = "the suite's queued writer";

/// How long the driver waits at most until the writer stands in the queue.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has a writer ask for the lock, and returns once it waits for it.
pub(super) fn queue(locks: &Arc<Locks>, lock: Lock) {
    let before = waiting(locks);
    let own = Arc::clone(locks);
    let work = move || {
        // As the driver's own plug-in number: its Virt and Domain locks are its own.
        let Ok(call) = own.session_open(NUMBER, NAME) else {
            return;
        };
        let who = Caller {
            plugin: NUMBER,
            call: call.id,
        };
        let key = LockKey {
            rank: lock.rank,
            uuid: lock.uuid,
        };
        // A driver that holds the lock for longer than the wait is other checks' business.
        if let Ok(held) = own.acquire(who, key, EXCLUSIVE, 10_000) {
            let _given_back = own.release(who, held.handle, false);
        }
        let _ended = own.end_call(who);
    };
    if std::thread::Builder::new()
        .name("queued-writer".into())
        .spawn(work)
        .is_err()
    {
        return;
    }
    let since = Instant::now();
    while waiting(locks) <= before && since.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
}

fn waiting(locks: &Locks) -> usize {
    let status = locks.status();
    let waiters = status.locks.iter().flat_map(|lock| &lock.waiters);
    waiters.filter(|party| party.call == NAME).count()
}
