//! States, starts, ends and what is kept of them.

use super::*;
use crate::state::table::Entry;

/// Shutdown only ever failed, without any error set.
#[test]
fn old_bug_0_1_shutdown_never_worked() {
    let lab = Lab::running("");
    lab.host.heard.lock().clear();
    lab.cx(|cx| lab.uml.shutdown(cx, uuid(A), 0)).unwrap();
    assert_eq!(*lab.host.heard.lock(), ["cad"]);
    lab.host.end(1, ended("reboot: Power down"));
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_SHUTDOWN);
    let idle = lab.cx(|cx| lab.uml.shutdown(cx, uuid(A), 0)).unwrap_err();
    assert_eq!(idle.code(), Code::OPERATION_INVALID);
    assert!(idle.to_string().contains("'vm' is not running"), "{idle}");
}

/// The name of a guest was taken from the wrong buffer, so that no guest was ever seen to run.
#[test]
fn old_bug_0_2_no_guest_became_running() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    let brief = lab.start(A).unwrap();
    assert_eq!((brief.id, brief.state), (Some(1), State::Running));
    assert_eq!(lab.brief(), brief);
    assert_eq!(lab.uml.by_id(1).unwrap().name, "vm");
}

/// `dumpxml` took the lock of the driver and kept it; so did destroying what there was not.
#[test]
fn old_bug_0_3_dumpxml_kept_the_lock() {
    let lab = Lab::running("");
    for _ in 0..3 {
        lab.uml.dump_xml(uuid(A), 0).unwrap();
        assert_eq!(code(lab.destroy(B)), 42);
        assert!(lab.host.locks.is_idle());
    }
    lab.destroy(A).unwrap();
    lab.start(A).unwrap();
}

/// A reboot in the guest was taken for its end: it was killed, its taps and filters were removed.
#[test]
fn old_bug_0_8_a_reboot_was_taken_for_the_end() {
    let lab = Lab::new();
    lab.define_with("vm", A, &["br0/clean"]);
    lab.start(A).unwrap();
    let before = (lab.brief(), lab.network.taps(), lab.filtered());
    lab.events();
    lab.host.end(1, ended("reboot: Restarting system"));
    lab.settled();
    assert_eq!((lab.brief(), lab.network.taps(), lab.filtered()), before);
    assert_eq!(lab.events(), ["reboot id=1"]);
    assert_eq!(lab.host.alive(), [2]);
}

/// Destroy sent a signal and looked no further; a guest that was killed was shown as running for ever.
#[test]
fn old_bug_0_9_destroy_did_not_wait() {
    let lab = Lab::running("");
    lab.destroy(A).unwrap();
    assert!(lab.host.alive().is_empty() && lab.host.known().is_empty());
    lab.start(A).unwrap();
    let killed = Exit {
        signal: Some(9),
        ..Exit::default()
    };
    lab.host.end(2, killed);
    assert_eq!(
        (lab.brief().state, lab.brief().reason),
        (State::Shutoff, Reason::SHUTOFF_CRASHED)
    );
    assert!(lab.host.known().is_empty());
}

/// A definition that could not be written cost the running domain.
#[test]
fn old_bug_1_15_a_failed_write_dropped_the_domain() {
    let lab = Lab::running("");
    let file = lab.conf().join("vm.xml");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("taken")).unwrap();
    let xml = lab.xml("vm", A, "<title>new</title>");
    assert_eq!(code(define(&lab, &xml)), 38);
    assert_eq!((lab.brief().state, lab.brief().persistent), (State::Running, true));
    assert!(!lab.uml.dump_xml(uuid(A), flags::XML_INACTIVE).unwrap().contains("new"));
    lab.destroy(A).unwrap();
}

/// Defining and undefining were told to nobody.
#[test]
fn old_bug_1_19_definitions_were_not_told() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    lab.define("vm", A).unwrap();
    lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0)).unwrap();
    assert_eq!(
        lab.events(),
        ["defined/0 id=-1", "defined/1 id=-1", "undefined/0 id=-1"]
    );
}

/// Two starts at the same time made two guests on the same disks.
#[test]
fn old_bug_1_22_two_starts_made_two_guests() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    *lab.host.boots.lock() = Boots::Never;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| lab.start(A));
        lab.until(|r| r.phase == Phase::Starting);
        let xml = lab.xml("vm", A, "");
        assert_eq!(code(lab.start(A)), 55);
        assert_eq!(code(lab.cx(|cx| lab.uml.create(cx, &xml, 0))), 55);
        lab.destroy(A).unwrap();
        first.join().unwrap().unwrap_err();
    });
    assert!(lab.host.launches.lock().len() <= 1);
}

/// A start had succeeded when there was a process, and was told with an id of -1.
#[test]
fn old_bug_1_25_start_meant_no_more_than_a_process() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    lab.events();
    for boots in [Boots::Dies, Boots::Panics] {
        *lab.host.boots.lock() = boots;
        lab.start(A).unwrap_err();
        assert_eq!(lab.events(), ["stopped/5 id=-1"]);
    }
    *lab.host.boots.lock() = Boots::Well;
    let id = lab.start(A).unwrap().id.unwrap();
    assert_eq!(lab.events(), [format!("started/0 id={id}")]);
}

/// Of a guest that died early its taps, its filters and a ghost of a domain stayed.
#[test]
fn old_bug_1_26_early_deaths_left_ghosts() {
    let lab = Lab::new();
    *lab.host.boots.lock() = Boots::Dies;
    let xml = lab.xml("vm", A, "").replace(
        "<devices>",
        "<devices><interface type='bridge'><source bridge='br0'/><filterref filter='clean'/></interface>",
    );
    lab.cx(|cx| lab.uml.create(cx, &xml, 0)).unwrap_err();
    assert!(lab.uml.list().is_empty() && lab.uml.by_name("vm").is_none());
    lab.is_clear();
    assert!(lab.host.known().is_empty());
    *lab.host.boots.lock() = Boots::Well;
    lab.cx(|cx| lab.uml.create(cx, &xml, 0)).unwrap();
}

/// Serial lines had no aliases, so that nobody could name one.
#[test]
fn old_bug_1_28_serial_lines_had_no_names() {
    let lab = Lab::new();
    define(&lab, &with_devices(&lab, "<serial type='pty'/><serial type='pty'/>")).unwrap();
    lab.start(A).unwrap();
    let place = |alias| lab.uml.console(uuid(A), Some(alias)).unwrap().index;
    assert_ne!(place("serial0"), place("serial1"));
    assert!(
        lab.uml
            .dump_xml(uuid(A), 0)
            .unwrap()
            .contains("<alias name='serial1'/>")
    );
}

/// Destroying an idle domain succeeded, with an event.
#[test]
fn old_bug_1_30_what_was_off_was_destroyed() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    lab.events();
    assert_eq!(code(lab.destroy(A)), 55);
    assert!(lab.events().is_empty());
}

/// The daemon took its guests with it, or forgot them, and made second ones.
#[test]
fn old_bug_4_6_and_4_7_guests_ended_with_the_daemon_or_were_lost() {
    let mut lab = Lab::running("");
    let before = lab.brief();
    lab.uml.close(Duration::from_secs(20)).unwrap();
    assert_eq!(lab.host.alive(), [1]);
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    assert_eq!(lab.brief(), before);
    assert_eq!(code(lab.start(A)), 55);
    assert_eq!(lab.host.alive(), [1]);
    assert!(lab.host.log.lock().is_empty(), "a guest was killed");
}

/// One guest that did not answer stopped everything, since its lock and the driver's were held meanwhile.
#[test]
fn old_bug_5_8_one_stuck_guest_stopped_all() {
    let lab = Lab::running("");
    lab.define("two", B).unwrap();
    lab.start(B).unwrap();
    lab.destroy(A).unwrap();
    *lab.host.boots.lock() = Boots::Never;
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| lab.start(A));
        lab.until(|r| r.phase == Phase::Starting);
        lab.cx(|cx| lab.uml.suspend(cx, uuid(B))).unwrap();
        lab.cx(|cx| lab.uml.resume(cx, uuid(B))).unwrap();
        assert_eq!(lab.uml.list().len(), 2);
        // Also what is stuck can be looked at, and its definition changed.
        lab.uml.dump_xml(uuid(A), 0).unwrap();
        lab.define("vm", A).unwrap();
        lab.destroy(B).unwrap();
        let entry = |entry: &Entry| entry.load().is_some_and(|record| record.phase == Phase::Starting);
        assert!(entry(&lab.core().table.entry(uuid(A)).unwrap()), "nothing was stuck");
        lab.destroy(A).unwrap();
        stuck.join().unwrap().unwrap_err();
    });
}
