//! Calls: nesting, entry levels, jobs, strikes, events and what `lockstep locks` shows.

use super::*;

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
fn a_job_is_shown_and_stopped_only_if_it_looks_whether_it_shall() {
    let locks = manager();
    let who = begin(&locks, UML);
    assert_eq!(locks.job(UML, uuid(1)), None);
    assert_eq!(locks.job_abort(UML, uuid(1)), Err(LockError::NoJob { uuid: uuid(1) }));
    let held = write(&locks, who, guest(1)).unwrap();
    let job = locks.job_begin(who, held.handle, "suspend").unwrap();
    let shown = locks.job(UML, uuid(1)).unwrap();
    assert_eq!((shown.what.as_str(), shown.cancelled), ("suspend", false));
    assert_eq!(locks.job(NWFILTER, uuid(1)), None);
    let error = locks.job_abort(UML, uuid(1)).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_INVALID);
    assert!(error.to_string().contains("'suspend'"), "{error}");
    assert!(!locks.job_cancelled(job));
    locks.job_abort(UML, uuid(1)).unwrap();
    assert!(locks.job_cancelled(job) && locks.job(UML, uuid(1)).unwrap().cancelled);
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
