//! The manager with real threads: the attacks and faults that it must survive, one test each.

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

#[test]
fn a_forged_handle_is_refused() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = write(&locks, who, guest(1)).unwrap();
    assert_eq!(locks.release(who, held.handle ^ 1, false), Err(LockError::UnknownHold));
    assert_eq!(locks.release(who, who.call, false), Err(LockError::UnknownHold));
    locks.release(who, held.handle, false).unwrap();
    nothing_left(&locks);
}

#[test]
fn a_double_release_is_refused() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = write(&locks, who, guest(1)).unwrap();
    locks.release(who, held.handle, false).unwrap();
    assert_eq!(locks.release(who, held.handle, false), Err(LockError::UnknownHold));
}

#[test]
fn a_release_from_another_thread_is_refused_and_names_the_owner() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = write(&locks, who, guest(1)).unwrap();
    let with_the_same_call = elsewhere(&locks, UML, |_| locks.release(who, held.handle, false));
    assert!(matches!(with_the_same_call, Err(LockError::ForeignThread { .. })));
    let with_its_own_call = elsewhere(&locks, UML, |other| locks.release(other, held.handle, false));
    assert!(matches!(with_its_own_call, Err(LockError::ForeignThread { owner }) if !owner.is_empty()));
    locks.release(who, held.handle, false).unwrap();
}

#[test]
fn a_lower_level_after_a_forgotten_guard_is_refused() {
    let locks = manager();
    let who = begin(&locks, UML);
    write(&locks, who, guest(1)).unwrap();
    let error = read(&locks, who, level(UPDATE)).unwrap_err();
    assert!(matches!(
        error,
        LockError::Order {
            held: Key::Domain { .. },
            wanted: Key::Update
        }
    ));
    assert_eq!(error.code(), Code::OPERATION_INVALID);
}

#[test]
fn the_same_lock_exclusively_twice_is_refused() {
    let locks = manager();
    let who = begin(&locks, UML);
    write(&locks, who, guest(1)).unwrap();
    let key = Key::domain(UML, uuid(1));
    assert_eq!(write(&locks, who, guest(1)), Err(LockError::SelfDeadlock { key }));
    assert_eq!(read(&locks, who, guest(1)), Err(LockError::SelfDeadlock { key }));
}

#[test]
fn an_upgrade_is_refused() {
    let locks = manager();
    let who = begin(&locks, UML);
    read(&locks, who, level(UPDATE)).unwrap();
    assert_eq!(
        write(&locks, who, level(UPDATE)),
        Err(LockError::Upgrade { key: Key::Update })
    );
}

#[test]
fn filter_can_not_be_read_locked_and_unknown_levels_are_refused() {
    let locks = manager();
    let who = begin(&locks, UML);
    let error = read(&locks, who, level(FILTER)).unwrap_err();
    assert_eq!(error.code(), Code::INVALID_ARG);
    assert_eq!(
        write(&locks, who, level(250)),
        Err(LockError::UnknownLevel { rank: 250 })
    );
}

#[test]
fn a_guard_leaked_past_the_end_of_the_call_is_swept_poisoned_and_struck() {
    let locks = manager();
    let who = begin(&locks, UML);
    write(&locks, who, guest(1)).unwrap();
    read(&locks, who, guest(2)).unwrap();
    assert_eq!(locks.end_call(who), Ok(2));
    let status = locks.status();
    assert_eq!(
        (status.plugins[0].plugin.as_str(), status.plugins[0].strikes),
        ("uml", 1)
    );
    assert_eq!(status.locks.len(), 1, "a reader poisons nothing: {status:?}");
    assert!(status.locks[0].poisoned && status.locks[0].holders.is_empty());

    let who = begin(&locks, UML);
    let held = write(&locks, who, guest(1)).unwrap();
    assert_eq!(held.flags, POISONED);
    locks.clear_poison(who, held.handle).unwrap();
    locks.release(who, held.handle, false).unwrap();
    nothing_left(&locks);
}

#[test]
fn a_thread_that_dies_with_a_guard_lets_the_next_one_in() {
    let locks = manager();
    let (taken, is_taken) = mpsc::channel();
    let (die, may_die) = mpsc::channel::<()>();
    thread::scope(|s| {
        let dying = Arc::clone(&locks);
        s.spawn(move || {
            let call = dying.session_open(UML, "snoop").unwrap();
            write(&dying, caller(UML, call), guest(1)).unwrap();
            taken.send(()).unwrap();
            may_die.recv().unwrap();
        });
        is_taken.recv().unwrap();
        let waiter = s.spawn(|| {
            let who = begin(&locks, UML);
            let held = write(&locks, who, guest(1)).unwrap();
            locks.release(who, held.handle, false).unwrap();
            locks.end_call(who).unwrap();
            held.flags
        });
        until_waiting(&locks, 1);
        die.send(()).unwrap();
        assert_eq!(waiter.join().unwrap(), POISONED);
    });
    assert_eq!(locks.status().plugins[0].strikes, 1);
}

#[test]
fn a_panic_poisons_an_exclusive_hold_only_and_strikes_once() {
    let locks = manager();
    let who = begin(&locks, UML);
    let shared = read(&locks, who, level(UPDATE)).unwrap();
    let one = write(&locks, who, guest(1)).unwrap();
    let two = write(&locks, who, guest(2)).unwrap();
    for held in [two, one, shared] {
        locks.release(who, held.handle, true).unwrap();
    }
    assert_eq!(locks.end_call(who), Ok(0));
    let status = locks.status();
    assert_eq!(status.locks.iter().filter(|l| l.poisoned).count(), 2);
    assert_eq!(status.locks.len(), 2);
    assert_eq!(status.plugins[0].strikes, 1, "one call, one strike");
}

#[test]
fn a_timeout_names_the_holder_and_lets_those_behind_in() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = read(&locks, who, level(UPDATE)).unwrap();
    thread::scope(|s| {
        let writer = s.spawn(|| {
            elsewhere(&locks, NWFILTER, |writer| {
                // It must not give up before the reader stands behind it, which this thread arranges.
                locks.acquire(writer, level(UPDATE), EXCLUSIVE, 300)
            })
        });
        until_waiting(&locks, 1);
        let reader = s.spawn(|| {
            elsewhere(&locks, UML, |reader| {
                read(&locks, reader, level(UPDATE)).map(|h| locks.release(reader, h.handle, false))
            })
        });
        let error = writer.join().unwrap().unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_TIMEOUT);
        assert!(error.to_string().contains("in call 'test' of plug-in 'uml'"), "{error}");
        // Its wait ends though the first reader never gave the lock back.
        reader.join().unwrap().unwrap().unwrap();
    });
    locks.release(who, held.handle, false).unwrap();
    nothing_left(&locks);
    assert!(locks.status().plugins.is_empty(), "a timeout is no breach");
}

#[test]
fn a_call_can_not_wait_past_its_own_deadline() {
    let locks = manager();
    let who = begin(&locks, UML);
    write(&locks, who, guest(1)).unwrap();
    let error = thread::scope(|s| {
        let hasty = s.spawn(|| {
            let call = locks
                .begin_call(CallSpec::new(UML, "hasty").within(Duration::from_millis(20)))
                .unwrap();
            assert!((1..=20).contains(&call.deadline_ms));
            let error = write(&locks, caller(UML, call), guest(1)).unwrap_err();
            locks.end_call(caller(UML, call)).unwrap();
            error
        });
        hasty.join().unwrap()
    });
    assert!(matches!(error, LockError::Timeout { .. }));
}

#[test]
fn a_plug_in_can_not_release_what_its_caller_holds() {
    let locks = manager();
    let outer = begin(&locks, UML);
    let held = read(&locks, outer, level(UPDATE)).unwrap();
    let spec = CallSpec::new(NWFILTER, "attach_port").entry(Entry::Level(UPDATE));
    let inner = caller(NWFILTER, locks.begin_call(spec).unwrap());
    assert!(matches!(
        locks.release(inner, held.handle, false),
        Err(LockError::NotOwner { plugin, .. }) if plugin == "uml"
    ));
    assert!(matches!(
        locks.release(
            Caller {
                plugin: NWFILTER,
                ..outer
            },
            held.handle,
            false
        ),
        Err(LockError::ForeignCall { .. })
    ));
    assert!(matches!(
        locks.release(outer, held.handle, false),
        Err(LockError::NotInnermost { .. })
    ));
    locks.end_call(inner).unwrap();
    locks.release(outer, held.handle, false).unwrap();
}

#[test]
fn an_inner_call_sees_what_its_caller_holds_and_its_sweep_takes_only_its_own() {
    let locks = manager();
    let outer = begin(&locks, NWFILTER);
    let filters = write(&locks, outer, level(FILTER)).unwrap();
    let update = write(&locks, outer, level(UPDATE)).unwrap();
    let spec = CallSpec::new(UML, "rebuild").entry(Entry::Level(UPDATE));
    let call = locks.begin_call(spec).unwrap();
    assert_eq!((call.level, call.exclusive), (UPDATE, 1));
    let inner = caller(UML, call);
    assert!(matches!(
        write(&locks, inner, level(FILTER)),
        Err(LockError::SelfDeadlock { .. })
    ));
    read(&locks, inner, level(VIRT)).unwrap();
    write(&locks, inner, guest(1)).unwrap();
    assert_eq!(locks.end_call(inner), Ok(2));
    assert_eq!(locks.require(outer, UPDATE), Ok(Mode::Exclusive));
    locks.release(outer, update.handle, false).unwrap();
    locks.release(outer, filters.handle, false).unwrap();
    assert_eq!(locks.end_call(outer), Ok(0));
}

#[test]
fn a_call_that_promises_a_level_which_is_not_held_does_not_begin() {
    let locks = manager();
    let who = begin(&locks, UML);
    let spec = || CallSpec::new(NWFILTER, "attach_port").entry(Entry::Level(UPDATE));
    assert!(matches!(locks.begin_call(spec()), Err(LockError::Entry { .. })));
    read(&locks, who, level(UPDATE)).unwrap();
    write(&locks, who, guest(1)).unwrap();
    assert!(matches!(locks.begin_call(spec()), Err(LockError::Entry { .. })));
    assert!(locks.begin_call(spec().entry(Entry::Any)).is_ok());
}

#[test]
fn a_service_can_ask_what_a_forged_token_really_holds() {
    let locks = manager();
    let who = begin(&locks, UML);
    assert_eq!(
        locks.require(who, UPDATE),
        Err(LockError::NotHeld {
            wanted: "Update".into()
        })
    );
    read(&locks, who, level(UPDATE)).unwrap();
    assert_eq!(locks.require(who, UPDATE), Ok(Mode::Shared));
}

#[test]
fn a_nested_read_passes_a_writer_who_waits() {
    let locks = manager();
    let who = begin(&locks, UML);
    let first = read(&locks, who, level(UPDATE)).unwrap();
    thread::scope(|s| {
        let writer = s.spawn(|| {
            elsewhere(&locks, NWFILTER, |w| {
                write(&locks, w, level(UPDATE)).map(|h| locks.release(w, h.handle, false))
            })
        });
        until_waiting(&locks, 1);
        let second = read(&locks, who, level(UPDATE)).unwrap();
        locks.release(who, first.handle, false).unwrap();
        until_waiting(&locks, 1);
        locks.release(who, second.handle, false).unwrap();
        writer.join().unwrap().unwrap().unwrap();
    });
    nothing_left(&locks);
}

#[test]
fn a_loan_passes_a_writer_who_waits_and_is_good_once() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = read(&locks, who, level(UPDATE)).unwrap();
    let loan = locks.lend(who, held.handle).unwrap();
    thread::scope(|s| {
        let writer = s.spawn(|| {
            elsewhere(&locks, NWFILTER, |w| {
                write(&locks, w, level(UPDATE)).map(|h| locks.release(w, h.handle, false))
            })
        });
        until_waiting(&locks, 1);
        let helper = s.spawn(|| {
            assert_eq!(locks.adopt(NWFILTER, loan).unwrap_err(), LockError::UnknownLoan);
            let adopted = locks.adopt(UML, loan).unwrap();
            let helper = caller(UML, adopted.call);
            assert_eq!(adopted.call.level, UPDATE);
            assert!(matches!(locks.adopt(UML, loan), Err(LockError::InsideCall { .. })));
            assert_eq!(locks.end_call(helper), Ok(0), "what was lent goes with its session");
            assert_eq!(locks.adopt(UML, loan).unwrap_err(), LockError::UnknownLoan);
        });
        helper.join().unwrap();
        locks.release(who, held.handle, false).unwrap();
        writer.join().unwrap().unwrap().unwrap();
    });
    nothing_left(&locks);
}

#[test]
fn a_loan_ends_with_the_hold_it_was_made_from_and_exclusive_holds_are_not_lent() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = read(&locks, who, level(UPDATE)).unwrap();
    let loan = locks.lend(who, held.handle).unwrap();
    locks.release(who, held.handle, false).unwrap();
    let adopted = thread::scope(|s| s.spawn(|| locks.adopt(UML, loan).map(|_| ())).join().unwrap());
    assert_eq!(adopted, Err(LockError::UnknownLoan));
    let held = write(&locks, who, level(UPDATE)).unwrap();
    assert!(matches!(
        locks.lend(who, held.handle),
        Err(LockError::NotLendable { .. })
    ));
}

#[test]
fn downgrade_lets_readers_in_and_ends_what_only_a_writer_may_do() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = write(&locks, who, guest(1)).unwrap();
    thread::scope(|s| {
        let reader = s.spawn(|| {
            elsewhere(&locks, UML, |r| {
                read(&locks, r, guest(1)).map(|h| locks.release(r, h.handle, false))
            })
        });
        until_waiting(&locks, 1);
        locks.downgrade(who, held.handle).unwrap();
        reader.join().unwrap().unwrap().unwrap();
    });
    assert!(matches!(
        locks.downgrade(who, held.handle),
        Err(LockError::NotExclusive { .. })
    ));
    assert!(matches!(
        locks.clear_poison(who, held.handle),
        Err(LockError::NotExclusive { .. })
    ));
    assert!(matches!(
        locks.job_begin(who, held.handle, "x"),
        Err(LockError::NotExclusive { .. })
    ));
    locks.release(who, held.handle, false).unwrap();
}

#[test]
fn try_answers_busy_at_once() {
    let locks = manager();
    let who = begin(&locks, UML);
    write(&locks, who, guest(1)).unwrap();
    let error = elsewhere(&locks, UML, |w| locks.acquire(w, guest(1), EXCLUSIVE | TRY, 0)).unwrap_err();
    assert_eq!(error.code(), Code::RESOURCE_BUSY);
    assert!(error.to_string().contains("plug-in 'uml'"), "{error}");
}

#[test]
fn several_guests_are_taken_in_uuid_order_all_or_none() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = locks
        .acquire_domains(who, &[uuid(3), uuid(1), uuid(2)], EXCLUSIVE, 0)
        .unwrap();
    let shown: Vec<_> = locks.status().locks.iter().map(|l| l.uuid.clone().unwrap()).collect();
    assert_eq!(shown, [uuid(1), uuid(2), uuid(3)].map(|u| u.to_string()));
    locks.release(who, held[1].handle, false).unwrap();
    let left: Vec<_> = locks.status().locks.iter().map(|l| l.uuid.clone().unwrap()).collect();
    assert_eq!(
        left,
        [uuid(2), uuid(3)].map(|u| u.to_string()),
        "answers stand in the order that was asked"
    );
    locks.release(who, held[0].handle, false).unwrap();
    assert_eq!(
        locks.acquire_domains(who, &[uuid(4), uuid(4)], EXCLUSIVE, 0),
        Err(LockError::DomainTwice { uuid: uuid(4) })
    );
    // Guest 2 is still held here, so another thread gets neither 1 nor 2.
    let other = elsewhere(&locks, UML, |w| {
        let refused = locks.acquire_domains(w, &[uuid(2), uuid(1)], EXCLUSIVE | TRY, 0);
        (refused, locks.status().locks.len())
    });
    assert!(matches!(other, (Err(LockError::Busy { .. }), 1)), "{other:?}");
    // What lies below what is held is refused, and nothing of the set stays behind.
    assert!(matches!(
        locks.acquire_domains(who, &[uuid(3), uuid(1)], EXCLUSIVE, 0),
        Err(LockError::Order { .. })
    ));
    assert_eq!(locks.status().locks.len(), 1);
}

#[test]
fn lookup_holds_the_table_until_the_guest_is_held_and_not_longer() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = write(&locks, who, guest(1)).unwrap();
    thread::scope(|s| {
        let finder = s.spawn(|| {
            elsewhere(&locks, UML, |w| {
                let held = locks.lookup(w, uuid(1), EXCLUSIVE, 0).unwrap();
                let levels: Vec<_> = locks.status().locks.into_iter().map(|l| l.level).collect();
                locks.release(w, held.handle, false).unwrap();
                levels
            })
        });
        until_waiting(&locks, 1);
        assert_eq!(locks.status().locks[0].level, "Virt");
        locks.release(who, held.handle, false).unwrap();
        assert_eq!(finder.join().unwrap(), ["Domain"]);
    });
    nothing_left(&locks);
}

#[test]
fn at_most_one_job_runs_on_a_guest_and_it_outlives_the_guard() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = write(&locks, who, guest(1)).unwrap();
    assert_eq!(locks.job_cancel(UML, uuid(1)), Err(LockError::NoJob { uuid: uuid(1) }));
    let job = locks.job_begin(who, held.handle, "start").unwrap();
    locks.release(who, held.handle, false).unwrap();
    let held = write(&locks, who, guest(1)).unwrap();
    let error = locks.job_begin(who, held.handle, "shutdown").unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_INVALID);
    assert!(error.to_string().contains("job 'start' of plug-in 'uml'"), "{error}");
    assert!(!locks.job_cancelled(job));
    locks.job_cancel(UML, uuid(1)).unwrap();
    assert!(locks.job_cancelled(job) && locks.status().jobs[0].cancelled);
    assert_eq!(locks.job_end(NWFILTER, job), Err(LockError::UnknownJob));
    locks.job_end(UML, job).unwrap();
    assert_eq!(locks.job_end(UML, job), Err(LockError::UnknownJob));
    let job = locks.job_begin(who, held.handle, "shutdown").unwrap();
    locks.job_end(UML, job).unwrap();
}

#[test]
fn a_job_needs_a_guest() {
    let locks = manager();
    let who = begin(&locks, UML);
    let held = write(&locks, who, level(VIRT)).unwrap();
    assert!(matches!(
        locks.job_begin(who, held.handle, "x"),
        Err(LockError::NotADomain { .. })
    ));
}

#[test]
fn three_bad_calls_quarantine_a_plug_in_and_only_it() {
    let locks = manager();
    for _ in 0..3 {
        assert!(!locks.is_quarantined(UML));
        let who = begin(&locks, UML);
        write(&locks, who, guest(1)).unwrap();
        for _ in 0..5 {
            assert!(read(&locks, who, level(UPDATE)).is_err());
        }
        locks.end_call(who).unwrap();
    }
    assert!(locks.is_quarantined(UML) && !locks.is_quarantined(NWFILTER));
    let error = locks.check_quarantine(UML).unwrap_err();
    assert!(error.to_string().contains("plug-in 'uml' is quarantined"), "{error}");
}

#[test]
fn events_are_let_go_when_the_last_guard_of_the_thread_is_gone() {
    let locks = manager();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    locks.on_released_all(Box::new(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
    }));
    let outer = begin(&locks, UML);
    let update = read(&locks, outer, level(UPDATE)).unwrap();
    let inner = caller(
        NWFILTER,
        locks
            .begin_call(CallSpec::new(NWFILTER, "attach_port").entry(Entry::Level(UPDATE)))
            .unwrap(),
    );
    read(&locks, inner, level(UPDATE)).unwrap();
    locks.end_call(inner).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 0, "the caller still holds Update");
    assert_eq!(locks.holds_above(UPDATE), Ok(()));
    assert_eq!(locks.holds_above(0), Err(LockError::HoldsLocks { held: Key::Update }));
    locks.release(outer, update.handle, false).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(locks.holds_above(0), Ok(()));
    write(&locks, outer, guest(1)).unwrap();
    locks.end_call(outer).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2, "a sweep lets them go too");
}

#[test]
fn a_call_that_panics_in_the_host_ends_all_the_same() {
    let locks = manager();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        locks.with_call(CallSpec::new(UML, "boom"), |call| {
            write(&locks, caller(UML, call), guest(1)).unwrap();
            panic!("on purpose");
        })
    }));
    assert!(caught.is_err());
    assert!(locks.session_open(UML, "after").is_ok(), "the thread is free again");
    assert!(locks.status().locks[0].holders.is_empty());
}

#[test]
fn status_shows_holders_waiters_and_their_places() {
    let locks = manager();
    let call = locks.begin_call(CallSpec::new(UML, "start").client(7)).unwrap();
    let who = caller(UML, call);
    let held = write(&locks, who, guest(1)).unwrap();
    thread::scope(|s| {
        let waiter = thread::Builder::new().name("second".into());
        let waiter = waiter
            .spawn_scoped(s, || {
                let who = begin(&locks, UML);
                let held = read(&locks, who, guest(1)).unwrap();
                locks.release(who, held.handle, false).unwrap();
            })
            .unwrap();
        until_waiting(&locks, 1);
        let status = locks.status();
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<status::Status>(&json).unwrap(), status);
        let lock = &status.locks[0];
        assert_eq!(
            (lock.level.as_str(), lock.rank, lock.driver.as_deref()),
            ("Domain", 400, Some("uml"))
        );
        assert_eq!(lock.uuid.as_deref(), Some("00000000-0000-0000-0000-000000000001"));
        let holder = &lock.holders[0];
        assert_eq!(
            (holder.mode.as_str(), holder.call.as_str(), holder.client),
            ("exclusive", "start", Some(7))
        );
        let waiter_shown = &lock.waiters[0];
        assert_eq!(
            (
                waiter_shown.mode.as_str(),
                waiter_shown.thread.as_str(),
                waiter_shown.position
            ),
            ("shared", "second", Some(1))
        );
        assert!(std::path::Path::new(&format!("/proc/self/task/{}", waiter_shown.tid)).exists());
        locks.release(who, held.handle, false).unwrap();
        waiter.join().unwrap();
    });
    nothing_left(&locks);
}
