//! Coming up after every kind of death of the last host.

use crate::driver::Uml;
use crate::state::machine::Phase;
use crate::state::record::Record;
use crate::state::status::Status;
use crate::testing::Lab;
use crate::testing::guests::Boots;
use driver_api::driver::{Driver, VirtDriver};
use driver_api::types::domain::{Reason, State, flags};
use driver_api::types::guest::Exit;
use driver_api::types::launch::Launch;
use driver_api::types::uuid::Uuid;
use std::sync::Arc;
use std::time::{Duration, Instant};

mod definitions;
mod orphans;

const A: &str = "11111111-1111-1111-1111-111111111111";
const B: &str = "22222222-2222-2222-2222-222222222222";
const C: &str = "33333333-3333-3333-3333-333333333333";

fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn lab_with_a_guest() -> Lab {
    let lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| {
        lab.uml.define(cx, &xml, 0).unwrap();
        lab.uml.set_autostart(cx, uuid(A), true).unwrap();
        lab.uml.start(cx, uuid(A), 0).unwrap();
    });
    lab.events();
    lab
}

fn up(lab: &mut Lab) {
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
}

fn until(lab: &Lab, wanted: impl Fn(&Record) -> bool) {
    let entry = lab.core().table.entry(uuid(A)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    assert!(
        entry.wait_until(deadline, |r| r.is_some_and(&wanted)),
        "{:?}",
        entry.load()
    );
}

/// Waits until this guest has been started.
fn until_alive(lab: &Lab, guest: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !lab.host.alive().contains(&guest) {
        assert!(Instant::now() < deadline, "{:?}", lab.host.alive());
        std::thread::yield_now();
    }
}

/// A dead host has no threads: what one of them still waits for is given up, when the test has seen all.
fn bury(dead: &Uml) {
    dead.0.cancel_boot(uuid(A));
    assert!(dead.0.workers.join(Duration::from_secs(20)));
}

fn restarts() -> Exit {
    Exit {
        code: Some(0),
        console_tail: "reboot: Restarting system".to_owned(),
        ..Exit::default()
    }
}

#[test]
fn guest_is_taken_over_as_it_was_with_its_id_and_ids_go_on() {
    let mut lab = lab_with_a_guest();
    let before = lab.uml.by_uuid(uuid(A)).unwrap();
    let xml = lab.uml.dump_xml(uuid(A), 0).unwrap();
    up(&mut lab);
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap(), before);
    assert_eq!(lab.uml.dump_xml(uuid(A), 0).unwrap(), xml);
    lab.cx(|cx| lab.uml.suspend(cx, uuid(A))).unwrap();
    up(&mut lab);
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Paused);
    lab.cx(|cx| lab.uml.destroy(cx, uuid(A), 0)).unwrap();
    up(&mut lab);
    assert_eq!(lab.cx(|cx| lab.uml.start(cx, uuid(A), 0)).unwrap().id, Some(2));
}

#[test]
fn exit_while_no_host_was_there_is_told_with_its_reason() {
    let mut lab = lab_with_a_guest();
    lab.reopen();
    lab.host.deafen();
    lab.host.end(
        1,
        Exit {
            code: Some(0),
            console_tail: "reboot: Power down".to_owned(),
            ..Exit::default()
        },
    );
    up(&mut lab);
    let entry = lab.core().table.entry(uuid(A)).unwrap();
    let off = |r: Option<&crate::state::record::Record>| r.is_some_and(|r| r.run.is_none());
    assert!(entry.wait_until(Instant::now() + Duration::from_secs(20), off));
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().reason, Reason::SHUTOFF_SHUTDOWN);
}

#[test]
fn transient_domain_is_taken_over_from_its_live_document() {
    let mut lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| lab.uml.create(cx, &xml, 0)).unwrap();
    up(&mut lab);
    let brief = lab.uml.by_name("vm").unwrap();
    assert_eq!(
        (brief.persistent, brief.state, brief.id),
        (false, State::Running, Some(1))
    );
    lab.cx(|cx| lab.uml.destroy(cx, uuid(A), 0)).unwrap();
    assert!(lab.uml.list().is_empty());
}

#[test]
fn redefinition_before_the_restart_is_still_known_as_an_update() {
    let mut lab = lab_with_a_guest();
    let xml = lab.xml("vm", A, "<title>new</title>");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    up(&mut lab);
    assert!(lab.uml.by_uuid(uuid(A)).unwrap().updated);
    assert!(!lab.uml.dump_xml(uuid(A), 0).unwrap().contains("new"));
    assert!(lab.uml.dump_xml(uuid(A), flags::XML_INACTIVE).unwrap().contains("new"));
}

#[test]
fn guest_that_nobody_was_told_of_is_ended() {
    let mut lab = lab_with_a_guest();
    let statuses = lab.root.path().join("run/status");
    for entry in std::fs::read_dir(statuses).unwrap() {
        std::fs::write(entry.unwrap().path(), "half").unwrap();
    }
    up(&mut lab);
    assert!(lab.host.known().is_empty());
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Shutoff);
}

#[test]
fn run_folder_of_an_earlier_guest_does_not_cost_the_running_one() {
    let mut lab = lab_with_a_guest();
    lab.cx(|cx| {
        // The last host was killed after the domain's second start and before it had forgotten the first guest.
        let mut launch = Launch::default();
        launch.spec.domain = uuid(A);
        crate::link::HostLink::launch(&lab.host, cx, &launch, &[]).unwrap();
    });
    let path = lab.root.path().join(format!("run/status/{A}.status"));
    let mut status = Status::from_text(&std::fs::read_to_string(&path).unwrap()).unwrap();
    status.guest = 2;
    std::fs::write(&path, status.to_text()).unwrap();
    lab.host.deafen();
    lab.host.end(1, Exit::default());
    up(&mut lab);
    assert_eq!(lab.host.known(), [2]);
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Running);
    assert_eq!(
        lab.core().store.statuses().unwrap().len(),
        1,
        "the next host would lose it"
    );
}

#[test]
fn guest_that_is_gone_without_a_trace_is_mourned() {
    let mut lab = lab_with_a_guest();
    lab.host.deafen();
    lab.host.end(1, Exit::default());
    lab.cx(|cx| crate::link::HostLink::forget(&lab.host, cx, driver_api::types::guest::GuestId(1)))
        .unwrap();
    up(&mut lab);
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().reason, Reason::SHUTOFF_FAILED);
    assert_eq!(lab.events(), ["stopped/5 id=-1"]);
    assert!(lab.core().store.statuses().unwrap().is_empty());
}

#[test]
fn death_during_a_boot_leaves_the_domain_off_and_no_process() {
    let mut lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    *lab.host.boots.lock() = Boots::Never;
    let dead = lab.uml.clone();
    let (doomed, host) = (dead.clone(), Arc::clone(&lab.host));
    let start = std::thread::spawn(move || host.locks.session(|cx| doomed.start(cx, uuid(A), 0).map(drop)));
    until_alive(&lab, 1);
    up(&mut lab);
    assert!(lab.host.known().is_empty(), "{:?}", lab.host.known());
    let brief = lab.uml.by_uuid(uuid(A)).unwrap();
    assert_eq!(
        (brief.state, brief.reason, brief.id),
        (State::Shutoff, Reason::SHUTOFF_DAEMON, None)
    );
    // Nobody was told that it had started, so nobody is told that it stopped.
    assert_eq!(lab.events(), ["defined/0 id=-1"]);
    bury(&dead);
    start.join().unwrap().unwrap_err();
    *lab.host.boots.lock() = Boots::Well;
    assert_eq!(lab.cx(|cx| lab.uml.start(cx, uuid(A), 0)).unwrap().id, Some(2));
}

#[test]
fn death_while_a_restarted_guest_boots_does_not_cost_the_guest() {
    let mut lab = lab_with_a_guest();
    *lab.host.boots.lock() = Boots::Never;
    lab.host.end(1, restarts());
    until_alive(&lab, 2);
    let dead = lab.uml.clone();
    *lab.host.boots.lock() = Boots::Well;
    up(&mut lab);
    let brief = lab.uml.by_uuid(uuid(A)).unwrap();
    assert_eq!((brief.state, brief.id), (State::Running, Some(1)));
    until(&lab, |r| r.phase == Phase::Running);
    assert!(lab.core().workers.join(Duration::from_secs(20)));
    assert_eq!(lab.host.alive(), [3]);
    assert_eq!(lab.host.known(), [3]);
    assert_eq!(lab.events(), ["reboot id=1"]);
    assert_eq!(lab.core().store.statuses().unwrap()[0].1.guest, 3);
    bury(&dead);
}

#[test]
fn death_between_an_end_and_the_restart_does_not_cost_the_guest() {
    for transient in [false, true] {
        let mut lab = lab_with_a_guest();
        if transient {
            lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0)).unwrap();
        }
        let dead = lab.uml.clone();
        lab.reopen();
        let ended = dead.0.table.entry(uuid(A)).unwrap().load().unwrap();
        dead.0
            .promise_restart(&dead.0.table.entry(uuid(A)).unwrap(), &ended, Reason::RUNNING_CRASHED);
        lab.host.deafen();
        lab.host.end(1, restarts());
        lab.events();
        up(&mut lab);
        until(&lab, |r| r.phase == Phase::Running);
        assert!(lab.core().workers.join(Duration::from_secs(20)));
        let brief = lab.uml.by_uuid(uuid(A)).unwrap();
        assert_eq!((brief.id, brief.persistent), (Some(1), !transient));
        assert_eq!(brief.reason, Reason::RUNNING_CRASHED);
        assert_eq!(lab.host.known(), [2]);
    }
}

#[test]
fn restart_that_fails_under_the_next_host_ends_the_domain_with_its_event() {
    let mut lab = lab_with_a_guest();
    let dead = lab.uml.clone();
    let entry = dead.0.table.entry(uuid(A)).unwrap();
    dead.0
        .promise_restart(&entry, &entry.load().unwrap(), Reason::RUNNING_BOOTED);
    lab.host.deafen();
    lab.host.end(1, restarts());
    *lab.host.boots.lock() = Boots::Dies;
    up(&mut lab);
    until(&lab, |r| r.phase == Phase::Off);
    assert!(lab.core().workers.join(Duration::from_secs(20)));
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().reason, Reason::SHUTOFF_FAILED);
    assert_eq!(lab.events(), ["stopped/5 id=-1"]);
    assert!(lab.host.known().is_empty() && lab.core().store.statuses().unwrap().is_empty());
}

#[test]
fn stopping_host_waits_for_no_boot_and_leaves_restarts_to_the_next_one() {
    let mut lab = lab_with_a_guest();
    for name in ["two", "zwo"] {
        let xml = lab.xml(name, if name == "two" { B } else { C }, "");
        lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
        let of = lab.uml.by_name(name).unwrap().uuid;
        lab.cx(|cx| lab.uml.set_autostart(cx, of, true)).unwrap();
    }
    *lab.host.boots.lock() = Boots::Never;
    lab.host.end(1, restarts());
    until_alive(&lab, 2);
    std::thread::scope(|scope| {
        let starts = scope.spawn(|| lab.cx(|cx| lab.uml.autostart(cx)));
        until_alive(&lab, 3);
        assert!(lab.uml.close(Duration::ZERO).is_err());
        starts.join().unwrap().unwrap();
    });
    assert_eq!(
        lab.host.alive(),
        [2],
        "one autostart was not cancelled, or another began"
    );
    let dead = lab.uml.clone();
    *lab.host.boots.lock() = Boots::Well;
    up(&mut lab);
    until(&lab, |r| r.phase == Phase::Running);
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().id, Some(1));
    bury(&dead);
}
