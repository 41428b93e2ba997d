//! The manager with real threads: what every test of it needs.

mod attack;
mod call;
mod wait;

use super::*;
use driver_api::abi::lock::{Call, EXCLUSIVE, Held, LockKey, POISONED, TRY};
use driver_api::error::Code;
use driver_api::types::uuid::Uuid;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

const UML: u32 = 1;
const NWFILTER: u32 = 2;
const FILTER: u32 = 100;
const UPDATE: u32 = 200;
const VIRT: u32 = 300;
const DOMAIN: u32 = 400;

fn manager() -> Arc<Locks> {
    let locks = Locks::new(Limits::default());
    locks.add_plugin(UML, "uml");
    locks.add_plugin(NWFILTER, "nwfilter");
    locks
}

fn uuid(last: u8) -> Uuid {
    let mut bytes = [0; 16];
    bytes[15] = last;
    Uuid::from_bytes(bytes)
}

fn level(rank: u32) -> LockKey {
    LockKey {
        rank,
        uuid: Uuid::default(),
    }
}

fn guest(last: u8) -> LockKey {
    LockKey {
        rank: DOMAIN,
        uuid: uuid(last),
    }
}

fn caller(plugin: u32, call: Call) -> Caller {
    Caller { plugin, call: call.id }
}

/// Begins a call of the plug-in on this thread.
fn begin(locks: &Locks, plugin: u32) -> Caller {
    caller(plugin, locks.begin_call(CallSpec::new(plugin, "test")).unwrap())
}

fn read(locks: &Locks, who: Caller, key: LockKey) -> Result<Held, LockError> {
    locks.acquire(who, key, 0, 0)
}

fn write(locks: &Locks, who: Caller, key: LockKey) -> Result<Held, LockError> {
    locks.acquire(who, key, EXCLUSIVE, 0)
}

/// Runs `work` in a call on another thread and waits for it.
fn elsewhere<T: Send>(locks: &Locks, plugin: u32, work: impl FnOnce(Caller) -> T + Send) -> T {
    thread::scope(|s| {
        let helper = s.spawn(|| {
            let who = begin(locks, plugin);
            let result = work(who);
            locks.end_call(who).unwrap();
            result
        });
        helper.join().unwrap()
    })
}

/// Waits until so many threads stand in queues.
fn until_waiting(locks: &Locks, count: usize) {
    while locks.status().locks.iter().map(|l| l.waiters.len()).sum::<usize>() != count {
        thread::yield_now();
    }
}

fn nothing_left(locks: &Locks) {
    assert_eq!(locks.status().locks, []);
}
