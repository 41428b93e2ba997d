//! Locks taken wrongly: what the types forbid is done through the host's raw table.

use super::service;
use super::which::on;
use driver_api::abi::lock::{Call, EXCLUSIVE, LockKey};
use driver_api::error::Result;
use driver_api::host::Host;
use driver_api::lock::level::{Domain, Level, Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::time::Duration;

const UPDATE: LockKey = LockKey {
    rank: Update::RANK,
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
    if on("releases_on_another_thread") && method == "suspend" {
        let guest = acquire(call, domain(uuid), EXCLUSIVE);
        drop(std::thread::spawn(move || release(call, guest)).join());
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
    if on("sleeps_with_virt") && method == "define" {
        let _virt = cx.virt_write()?;
        std::thread::sleep(Duration::from_millis(1500));
    }
    if on("keeps_a_job") && method == "reboot" {
        let mut domain = cx.domain_write(uuid)?;
        std::mem::forget(domain.begin_job("a job without an end")?);
    }
    Ok(())
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
