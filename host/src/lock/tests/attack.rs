//! What a plug-in can do wrong, by mistake or on purpose: one test for each row of the table of attacks.

use super::*;

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
