//! Locks taken wrongly: what the types forbid is done through the host's raw table.

use super::service;
use super::which::on;
use driver_api::abi::lock::{Call, EXCLUSIVE, LockKey};
use driver_api::error::{Code, Result};
use driver_api::host::Host;
use driver_api::lock::level::{Domain, Filter, Level, Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const UPDATE: LockKey = LockKey {
    rank: Update::RANK,
    uuid: Uuid::from_bytes([0; 16]),
};

const FILTER: LockKey = LockKey {
    rank: Filter::RANK,
    uuid: Uuid::from_bytes([0; 16]),
};

const fn domain(uuid: Uuid) -> LockKey {
    LockKey {
        rank: Domain::RANK,
        uuid,
    }
}

/// Takes a lock without a guard; the handle.
fn acquire(call: Call, key: LockKey, flags: u32) -> Option<u64> {
    let (table, obj) = service::lock()?;
    let held = (table.acquire)(obj, call, key, flags, 1000).into_result();
    held.ok().map(|held| held.handle)
}

fn release(call: Call, handle: Option<u64>) {
    if let (Some((table, obj)), Some(handle)) = (service::lock(), handle) {
        drop((table.release)(obj, call, handle, 0).into_result());
    }
}

/// The last guest that was started, for the mutant that takes two.
static LAST: Mutex<Option<Uuid>> = Mutex::new(None);

/// What is done with locks before a start.
pub(super) fn before_start(host: &Host, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
    let call = cx.call();
    if on("order_wrong_when_a_is_greater") {
        let before = LAST.lock().replace(uuid);
        let second = before.filter(|before| *before != uuid);
        let own = acquire(call, domain(uuid), EXCLUSIVE);
        let other = second.and_then(|other| acquire(call, domain(other), EXCLUSIVE));
        release(call, other);
        release(call, own);
    }
    if on("panics_when_a_lock_is_refused") {
        match cx.update_read() {
            Ok(update) => drop(update),
            Err(error) => panic!("a mutant counts on every lock: {error}"),
        }
    }
    if on("waits_for_a_helper_that_reads_again") {
        helper_reads_again(host, cx)?;
    }
    Ok(())
}

/// Whether what takes long in the first calls was done.
fn is_warm() -> bool {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    CALLS.fetch_add(1, Ordering::SeqCst) >= 4
}

/// What is done with locks in other methods.
pub(super) fn before(method: &str, cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Result<()> {
    let call = cx.call();
    if on("takes_update_after_domain") && method == "suspend" {
        let guest = acquire(call, domain(uuid), EXCLUSIVE);
        let update = acquire(call, UPDATE, 0);
        release(call, update);
        release(call, guest);
    }
    if on("releases_twice") && method == "suspend" {
        let guest = acquire(call, domain(uuid), EXCLUSIVE);
        release(call, guest);
        release(call, guest);
    }
    if on("spawns_under_a_lock") && method == "suspend" {
        let guest = acquire(call, domain(uuid), EXCLUSIVE);
        service::survivors(call);
        release(call, guest);
    }
    if on("forgets_a_guard") && method == "suspend" {
        std::mem::forget(cx.domain_write(uuid)?);
    }
    if on("panics_while_holding") && method == "set_autostart" {
        let _domain = cx.domain_write(uuid)?;
        panic!("a mutant panics with a lock in its hand");
    }
    if on("sleeps_with_virt") && method == "set_autostart" && !is_warm() {
        let _virt = cx.virt_write()?;
        std::thread::sleep(Duration::from_millis(600));
    }
    if on("keeps_a_job") && method == "reboot" {
        let mut domain = cx.domain_write(uuid)?;
        std::mem::forget(domain.begin_job("a job without an end")?);
    }
    Ok(())
}

/// How many calls are in the part of a definition that only one at a time was meant to be in.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// One of them.
#[derive(Debug)]
pub(super) struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The way in, which is another one for who does not come alone.
pub(super) fn inside(cx: &mut Cx<'_, Unlocked>, uuid: Uuid) -> Inside {
    let (alone, inside) = (INSIDE.fetch_add(1, Ordering::SeqCst) == 0, Inside);
    if !on("takes_the_slow_path_in_another_order") {
        return inside;
    }
    // The fast path is not so fast that nobody could come meanwhile.
    std::thread::sleep(Duration::from_millis(3));
    if !alone {
        let call = cx.call();
        let guest = acquire(call, domain(uuid), EXCLUSIVE);
        let update = acquire(call, UPDATE, 0);
        release(call, update);
        release(call, guest);
    }
    inside
}

/// A lock of the driver's own, for filters and ports.
static OWN: Mutex<()> = Mutex::new(());

/// It is held while the host is asked for its locks, under which others ask for it.
pub(super) fn own() -> Option<MutexGuard<'static, ()>> {
    if !on("holds_its_own_lock_while_it_asks") {
        return None;
    }
    let own = OWN.lock();
    std::thread::sleep(Duration::from_millis(20));
    Some(own)
}

/// The same for who has a lock of the host's already; it waits for a while.
pub(super) fn own_under_a_lock() -> Result<()> {
    if on("holds_its_own_lock_while_it_asks") && OWN.try_lock_for(Duration::from_secs(2)).is_none() {
        return Err(super::error(Code::RESOURCE_BUSY, "somebody else changes filters"));
    }
    Ok(())
}

/// Takes what comes before the lock that the caller holds.
pub(super) fn filter_under_update(call: Call) {
    let filter = acquire(call, FILTER, EXCLUSIVE);
    release(call, filter);
}

/// A thread that looks for what may be left of a domain, at its leisure and with a lock in its hand; once is enough.
pub(super) fn tidy_up_later(host: &Host, uuid: Uuid) {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if ONCE.swap(true, Ordering::SeqCst) {
        return;
    }
    let host = host.clone();
    let (has_it, begun) = std::sync::mpsc::channel();
    drop(std::thread::spawn(move || {
        host.session("tidying up", |cx| {
            let _domain = cx.domain_write(uuid)?;
            drop(has_it);
            std::thread::sleep(Duration::from_secs(9));
            Ok(())
        })
    }));
    // Never said: whoever waits goes on when the lock was given or refused.
    let _begun: std::result::Result<(), _> = begun.recv();
}

/// What is done when a method has failed.
pub(super) fn after_failure(cx: &mut Cx<'_, Unlocked>, uuid: Uuid) {
    if on("leaks_a_guard_on_error") {
        let _kept = acquire(cx.call(), domain(uuid), EXCLUSIVE);
    }
}

/// What a read does with locks, of which it must take none.
pub(super) fn in_read(host: &Host) {
    if on("reads_take_a_lock") {
        drop(host.session("a read", |cx| cx.virt_read().map(drop)));
    }
}

/// The same for what is told of filters.
pub(super) fn in_filter_read(host: &Host) {
    if on("filter_reads_take_a_lock") {
        drop(host.session("a read", |cx| cx.update_read().map(drop)));
    }
}

/// Reads under a lock that is held already, on another thread: nobody minds as long as no writer waits between the two.
pub(super) fn helper_reads_again(host: &Host, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
    let _update = cx.update_read()?;
    let host = host.clone();
    let helper = std::thread::spawn(move || host.session("helper", |cx| cx.update_read().map(drop)));
    match helper.join() {
        Ok(read) => read,
        Err(_) => Ok(()),
    }
}
