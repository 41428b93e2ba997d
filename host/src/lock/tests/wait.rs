//! Waiting: queues, deadlines, loans, several guests at once, look-ups.

use super::*;

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
