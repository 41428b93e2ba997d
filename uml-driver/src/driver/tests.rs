//! The driver's verbs against a scripted host: states, events in their order, flags, conflicts.

use super::*;
use crate::state::machine::Phase;
use crate::state::record::Record;
use crate::testing::Lab;
use crate::testing::guests::Boots;
use driver_api::error::Error;
use driver_api::types::domain::{Reason, State};
use driver_api::types::guest::Exit;
use std::sync::atomic::Ordering;
use std::time::Instant;

mod control;
mod devices;
mod old_bugs;
mod orders;
mod ports;
mod refusals;
mod resources;
mod undone;
mod updates;

const A: &str = "11111111-1111-1111-1111-111111111111";
const B: &str = "22222222-2222-2222-2222-222222222222";

fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> u32 {
    result.unwrap_err().code().0
}

impl Lab {
    fn define(&self, name: &str, uuid: &str) -> Result<DomainBrief> {
        let xml = self.xml(name, uuid, "");
        self.cx(|cx| self.uml.define(cx, &xml, 0))
    }

    fn start(&self, of: &str) -> Result<DomainBrief> {
        self.cx(|cx| self.uml.start(cx, uuid(of), 0))
    }

    fn destroy(&self, of: &str) -> Result<()> {
        self.cx(|cx| self.uml.destroy(cx, uuid(of), 0))
    }

    /// A lab with one domain that runs, its events forgotten.
    fn running(more: &str) -> Self {
        let lab = Self::new();
        let xml = lab.xml("vm", A, more);
        lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
        lab.start(A).unwrap();
        lab.events();
        lab
    }

    fn brief(&self) -> DomainBrief {
        self.uml.by_uuid(uuid(A)).unwrap()
    }

    fn until(&self, wanted: impl Fn(&Record) -> bool) {
        let entry = self.core().table.entry(uuid(A)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        assert!(
            entry.wait_until(deadline, |r| r.is_some_and(&wanted)),
            "{:?}",
            entry.load()
        );
    }

    fn settled(&self) {
        // An exit that is told may start a guest, whose events are told in turn.
        for _ in 0..3 {
            assert!(self.host.workers.join(Duration::from_secs(20)));
            assert!(self.core().workers.join(Duration::from_secs(20)));
        }
    }
}

fn ended(tail: &str) -> Exit {
    Exit {
        code: Some(0),
        console_tail: tail.to_owned(),
        ..Exit::default()
    }
}

#[test]
fn start_returns_a_running_domain_with_an_id_and_one_event() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    let brief = lab.start(A).unwrap();
    assert_eq!(
        (brief.id, brief.state, brief.reason),
        (Some(1), State::Running, Reason::RUNNING_BOOTED)
    );
    assert_eq!(lab.events(), ["defined/0 id=-1", "started/0 id=1"]);
    assert_eq!(lab.uml.by_id(1).unwrap().name, "vm");
    assert_eq!(lab.uml.cpu_time(uuid(A)).unwrap(), 42);
    let live = lab.uml.dump_xml(uuid(A), 0).unwrap();
    assert!(live.contains("id='1'") && live.contains("/dev/pts/7"), "{live}");
    let inactive = lab.uml.dump_xml(uuid(A), flags::XML_INACTIVE).unwrap();
    assert!(
        !inactive.contains("id='1'") && !inactive.contains("/dev/pts/7"),
        "{inactive}"
    );
    assert_eq!(code(lab.start(A)), 55);
    assert!(lab.host.locks.is_idle());
}

#[test]
fn destroy_leaves_nothing_and_the_domain_can_start_again_with_a_new_id() {
    let lab = Lab::running("");
    lab.destroy(A).unwrap();
    assert_eq!((lab.brief().id, lab.brief().state), (None, State::Shutoff));
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_DESTROYED);
    assert_eq!(lab.events(), ["stopped/1 id=-1"]);
    assert!(lab.host.known().is_empty(), "the run folder was not forgotten");
    assert!(lab.core().store.statuses().unwrap().is_empty());
    assert_eq!(code(lab.destroy(A)), 55);
    assert_eq!(lab.start(A).unwrap().id, Some(2));
}

#[test]
fn graceful_destroy_asks_the_kernel_and_waits_for_its_end() {
    let lab = Lab::running("");
    let guest = lab.host.alive()[0];
    let halted = lab.root.path().join(format!("guests/{guest}/halted"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !halted.exists() && Instant::now() < deadline {
                std::thread::yield_now();
            }
            lab.host.end(guest, ended("reboot: System halted"));
        });
        lab.cx(|cx| lab.uml.destroy(cx, uuid(A), flags::DESTROY_GRACEFUL))
            .unwrap();
    });
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_DESTROYED);
    assert!(lab.host.log.lock().is_empty(), "a graceful end killed");
    lab.start(A).unwrap();
    lab.cx(|cx| lab.uml.suspend(cx, uuid(A))).unwrap();
    let paused = lab.cx(|cx| lab.uml.destroy(cx, uuid(A), flags::DESTROY_GRACEFUL));
    assert_eq!(code(paused), 55);
    lab.destroy(A).unwrap();
}

#[test]
fn guest_that_dies_at_boot_fails_the_start_with_its_last_words() {
    for (boots, words) in [
        (Boots::Dies, "cannot mount root"),
        (Boots::Panics, "no init"),
        (Boots::Elsewhere, "another console socket"),
        (Boots::Refused, "no process today"),
    ] {
        let lab = Lab::new();
        lab.define("vm", A).unwrap();
        lab.events();
        *lab.host.boots.lock() = boots;
        let error = lab.start(A).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.to_string().contains("'vm'"), "{error}");
        assert_eq!(
            (lab.brief().state, lab.brief().reason),
            (State::Shutoff, Reason::SHUTOFF_FAILED)
        );
        assert_eq!(lab.events(), ["stopped/5 id=-1"]);
        assert!(lab.host.known().is_empty(), "{boots:?}");
        *lab.host.boots.lock() = Boots::Well;
        lab.start(A).unwrap();
        assert!(lab.host.locks.is_idle());
    }
}

#[test]
fn guest_that_does_not_answer_in_time_fails_the_start_with_its_last_words() {
    let lab = Lab::with_options(&[("start_timeout", "1")]);
    lab.define("vm", A).unwrap();
    *lab.host.boots.lock() = Boots::Never;
    let error = lab.start(A).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_TIMEOUT);
    for words in ["within 1 s", "'start_timeout'", "the last words"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_FAILED);
    assert!(lab.host.known().is_empty());
}

#[test]
fn failure_under_way_of_an_undefined_domain_leaves_no_ghost() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    *lab.host.boots.lock() = Boots::Never;
    std::thread::scope(|scope| {
        let start = scope.spawn(|| lab.start(A));
        lab.until(|r| r.phase == Phase::Starting);
        lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0)).unwrap();
        lab.destroy(A).unwrap();
        start.join().unwrap().unwrap_err();
    });
    assert!(lab.uml.list().is_empty());
    *lab.host.boots.lock() = Boots::Well;
    lab.define("vm", B).unwrap();
}

#[test]
fn start_that_is_under_way_refuses_a_second_one_and_is_cancelled_by_destroy() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    *lab.host.boots.lock() = Boots::Never;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| lab.start(A));
        lab.until(|r| r.phase == Phase::Starting);
        assert_eq!((lab.brief().id, lab.brief().state), (None, State::Shutoff));
        assert_eq!(code(lab.start(A)), 55);
        lab.destroy(A).unwrap();
        let error: Error = first.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("cancelled"), "{error}");
    });
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_DESTROYED);
    assert!(lab.host.known().is_empty());
    assert_eq!(lab.events(), ["defined/0 id=-1", "stopped/1 id=-1"]);
}

#[test]
fn start_whose_job_is_cancelled_ends_with_nothing_left() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    *lab.host.boots.lock() = Boots::Never;
    std::thread::scope(|scope| {
        let start = scope.spawn(|| lab.start(A));
        lab.until(|r| r.phase == Phase::Starting);
        lab.cx(|cx| cx.cancel_job(uuid(A))).unwrap();
        let error: Error = start.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("aborted by a client"), "{error}");
    });
    assert!(lab.host.known().is_empty());
    assert_eq!(code(lab.cx(|cx| cx.cancel_job(uuid(A)))), 55);
}

#[test]
fn suspend_and_resume_switch_states_with_events_and_survive_repetition() {
    let lab = Lab::running("");
    let suspend = || lab.cx(|cx| lab.uml.suspend(cx, uuid(A)));
    let resume = || lab.cx(|cx| lab.uml.resume(cx, uuid(A)));
    assert_eq!(code(resume()), 55);
    suspend().unwrap();
    assert_eq!(
        (lab.brief().state, lab.brief().reason),
        (State::Paused, Reason::PAUSED_USER)
    );
    suspend().unwrap();
    assert_eq!(code(lab.cx(|cx| lab.uml.shutdown(cx, uuid(A), 0))), 55);
    assert_eq!(code(lab.cx(|cx| lab.uml.reboot(cx, uuid(A), 0))), 55);
    resume().unwrap();
    assert_eq!(
        (lab.brief().state, lab.brief().reason),
        (State::Running, Reason::RUNNING_UNPAUSED)
    );
    assert_eq!(lab.events(), ["suspended/0 id=1", "resumed/0 id=1"]);
    suspend().unwrap();
    lab.destroy(A).unwrap();
    assert_eq!(code(suspend()), 55);
    assert_eq!(code(resume()), 55);
    let paused = lab.cx(|cx| lab.uml.start(cx, uuid(A), flags::START_PAUSED)).unwrap();
    assert_eq!(paused.state, State::Paused);
    assert_eq!(lab.events()[2..], ["started/0 id=2", "suspended/0 id=2"]);
}

#[test]
fn guest_that_stops_without_an_answer_can_be_resumed() {
    let lab = Lab::running("");
    let resume = || lab.cx(|cx| lab.uml.resume(cx, uuid(A)));
    lab.host.mute.store(true, Ordering::SeqCst);
    assert_eq!(code(lab.cx(|cx| lab.uml.suspend(cx, uuid(A)))), 68);
    assert_eq!(lab.brief().state, State::Running);
    lab.host.mute.store(false, Ordering::SeqCst);
    resume().unwrap();
    assert_eq!(code(resume()), 55);
    // The scripted kernel would not take this while it is stopped.
    lab.cx(|cx| lab.uml.shutdown(cx, uuid(A), 0)).unwrap();
    assert!(lab.events().is_empty());
}

#[test]
fn own_power_off_and_reboot_of_a_guest_do_as_the_definition_says() {
    let lab = Lab::running("");
    lab.host.end(1, ended("reboot: Restarting system"));
    lab.settled();
    assert_eq!((lab.brief().id, lab.brief().state), (Some(1), State::Running));
    assert_eq!(lab.events(), ["reboot id=1"]);
    assert_eq!(lab.host.alive(), [2]);
    lab.host.end(2, ended("reboot: Power down"));
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_SHUTDOWN);
    assert_eq!(lab.events(), ["shutdown/0 id=-1", "stopped/0 id=-1"]);

    let lab = Lab::running("<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot>");
    lab.host.end(1, ended("reboot: Power down"));
    lab.settled();
    assert_eq!(lab.events(), ["reboot id=1"]);
    lab.host.end(2, ended("reboot: Restarting system"));
    assert_eq!(lab.brief().state, State::Shutoff);
}

#[test]
fn asked_for_reboot_restarts_also_a_guest_whose_init_powers_off() {
    let lab = Lab::running("");
    lab.cx(|cx| lab.uml.reboot(cx, uuid(A), flags::SHUTDOWN_ACPI)).unwrap();
    lab.host.end(1, ended("reboot: Power down"));
    lab.settled();
    assert_eq!(lab.events(), ["reboot id=1"]);
    lab.cx(|cx| lab.uml.shutdown(cx, uuid(A), 0)).unwrap();
    lab.host.end(2, ended("reboot: Restarting system"));
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_SHUTDOWN);
}

#[test]
fn panic_is_told_and_the_spinning_guest_is_killed() {
    let lab = Lab::running("");
    lab.host.panic(1, "boom");
    lab.until(|r| r.phase == Phase::Off);
    lab.settled();
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_CRASHED);
    assert_eq!(lab.host.log.lock()[..], ["kill 1"]);

    let lab = Lab::running("<on_crash>preserve</on_crash>");
    lab.host.panic(1, "boom");
    lab.until(|r| r.phase == Phase::Crashed);
    lab.settled();
    assert_eq!((lab.brief().state, lab.brief().id), (State::Crashed, None));
    lab.destroy(A).unwrap();
    assert_eq!(lab.brief().state, State::Shutoff);
    assert_eq!(lab.events()[1..], ["stopped/2 id=-1", "stopped/1 id=-1"]);
}

#[test]
fn guest_that_crashes_as_soon_as_it_runs_is_not_restarted_for_ever() {
    let lab = Lab::running("<on_crash>restart</on_crash>");
    for guest in 1..=6 {
        assert_eq!(lab.brief().state, State::Running);
        lab.host.panic(guest, "again");
        lab.until(|r| r.phase == Phase::Off || r.runs_on(GuestId(guest + 1)));
        lab.settled();
    }
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_CRASHED);
}

#[test]
fn killed_guest_is_crashed_with_one_stopped_event() {
    let lab = Lab::running("");
    let exit = Exit {
        signal: Some(9),
        ..Exit::default()
    };
    lab.host.end(1, exit);
    assert_eq!(
        (lab.brief().state, lab.brief().reason),
        (State::Shutoff, Reason::SHUTOFF_CRASHED)
    );
    assert_eq!(lab.events(), ["stopped/5 id=-1"]);
    assert!(lab.host.known().is_empty());
}

#[test]
fn redefinition_of_a_running_domain_counts_from_its_next_start() {
    let lab = Lab::running("");
    let xml = lab.xml("vm", A, "<title>new</title>");
    let brief = lab.cx(|cx| lab.uml.define(cx, &xml, flags::DEFINE_VALIDATE)).unwrap();
    assert!(brief.updated);
    assert!(!lab.uml.dump_xml(uuid(A), 0).unwrap().contains("new"));
    assert!(lab.uml.dump_xml(uuid(A), flags::XML_INACTIVE).unwrap().contains("new"));
    lab.destroy(A).unwrap();
    assert!(!lab.brief().updated);
    assert!(lab.uml.dump_xml(uuid(A), 0).unwrap().contains("new"));
}

#[test]
fn transient_domain_lives_as_long_as_its_guest() {
    let lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    let brief = lab.cx(|cx| lab.uml.create(cx, &xml, 0)).unwrap();
    assert!(!brief.persistent);
    assert_eq!(code(lab.cx(|cx| lab.uml.create(cx, &xml, 0))), 55);
    assert_eq!(code(lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0))), 55);
    assert_eq!(code(lab.cx(|cx| lab.uml.set_autostart(cx, uuid(A), true))), 55);
    lab.destroy(A).unwrap();
    assert!(lab.uml.list().is_empty());
    assert_eq!(lab.events(), ["started/0 id=1", "stopped/1 id=-1"]);
    *lab.host.boots.lock() = Boots::Dies;
    assert_eq!(code(lab.cx(|cx| lab.uml.create(cx, &xml, 0))), 1);
    assert!(lab.uml.list().is_empty());
    assert!(lab.uml.by_name("vm").is_none());
}

#[test]
fn undefined_running_domain_becomes_transient_and_defined_transient_one_stays() {
    let lab = Lab::running("");
    lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0)).unwrap();
    assert!(!lab.brief().persistent);
    lab.define("vm", A).unwrap();
    assert_eq!(lab.events(), ["undefined/0 id=1", "defined/0 id=1"]);
    lab.destroy(A).unwrap();
    assert!(lab.brief().persistent);
}

#[test]
fn console_is_found_by_alias_or_first_and_only_of_a_running_domain() {
    let lab = Lab::running("");
    let first = lab.uml.console(uuid(A), None).unwrap();
    assert_eq!((first.guest, first.index), (GuestId(1), 0));
    assert_eq!(lab.uml.console(uuid(A), Some("console0")).unwrap(), first);
    assert_eq!(code(lab.uml.console(uuid(A), Some("console9"))), 8);
    lab.destroy(A).unwrap();
    assert_eq!(code(lab.uml.console(uuid(A), None)), 55);
    let lines = "<serial type='pty'/><serial type='null'/><serial type='pty'><alias name='ua-log'/></serial>";
    let xml = lab.xml("vm", A, "").replace("<console type='pty'/>", lines);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.start(A).unwrap();
    // Without a console the first serial line is meant; one that leads nowhere is none.
    for (alias, index) in [(None, 0), (Some("serial0"), 0), (Some("ua-log"), 1)] {
        assert_eq!(lab.uml.console(uuid(A), alias).unwrap().index, index, "{alias:?}");
    }
    assert_eq!(code(lab.uml.console(uuid(A), Some("serial1"))), 8);
    lab.destroy(A).unwrap();
    assert_eq!(code(lab.uml.console(uuid(B), None)), 42);
}
