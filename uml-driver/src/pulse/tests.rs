//! The pulse on a clock of the test's own: guests that answer, owe an answer, are stopped or talked to.

use super::watcher::Watcher;
use crate::driver::Uml;
use crate::testing::Lab;
use driver_api::driver::{Control as _, Driver, VirtDriver};
use driver_api::types::device::Control;
use driver_api::types::domain::State;
use driver_api::types::guest::GuestId;
use driver_api::types::uuid::Uuid;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const A: &str = "11111111-1111-1111-1111-111111111111";
const B: &str = "22222222-2222-2222-2222-222222222222";
const SECOND: Duration = Duration::from_secs(1);

fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

/// A lab whose pulse is taken by hand, in steps at times of the test's choice.
struct Clinic {
    lab: Lab,
    watcher: Watcher,
    start: Instant,
}

impl Clinic {
    fn new(options: &[(&str, &str)]) -> Self {
        let lab = Lab::with_options(options);
        let clinic = Self {
            lab,
            watcher: Watcher::default(),
            start: Instant::now(),
        };
        clinic.start("vm", A);
        clinic.lab.host.heard.lock().clear();
        clinic
    }

    fn start(&self, name: &str, of: &str) {
        let xml = self.lab.xml(name, of, "");
        self.lab.cx(|cx| self.uml().define(cx, &xml, 0).unwrap());
        self.lab.cx(|cx| self.uml().start(cx, uuid(of), 0)).unwrap();
    }

    fn uml(&self) -> &Uml {
        &self.lab.uml
    }

    /// Looks at everything, so many seconds after the beginning.
    fn step(&mut self, seconds: u32) -> Option<Duration> {
        let now = self.start + SECOND * seconds;
        let next = self.watcher.step(self.lab.core(), now);
        next.map(|next| next - self.start)
    }

    /// Waits for what guests have been asked for, and looks again.
    fn hear(&mut self, seconds: u32) {
        let deadline = Instant::now() + 20 * SECOND;
        while self.watcher.owing() > 0 {
            assert!(Instant::now() < deadline, "no answer came");
            self.watcher.wait(&self.lab.core().pulse.bell, Some(deadline));
            self.step(seconds);
        }
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.lab.host.heard.lock())
    }

    /// Waits until guests' kernels have read so many commands.
    fn until_heard(&self, count: usize) {
        let deadline = Instant::now() + 20 * SECOND;
        while self.lab.host.heard.lock().len() < count {
            assert!(Instant::now() < deadline, "{:?}", self.heard());
            std::thread::yield_now();
        }
    }

    /// The guests are asked at 11 s and do not answer.
    fn fall_silent(&mut self) {
        self.lab.host.mute.store(true, Ordering::SeqCst);
        self.step(0);
        self.step(11);
        self.until_heard(1);
    }

    fn control(&self) -> Control {
        self.uml().control(uuid(A)).unwrap()
    }
}

#[test]
fn guests_are_asked_one_thing_at_a_time_and_seldom() {
    let mut clinic = Clinic::new(&[]);
    assert!(clinic.step(0).is_some_and(|next| next <= 10 * SECOND));
    clinic.step(11);
    clinic.hear(11);
    assert_eq!(clinic.heard(), ["proc meminfo"]);
    assert!(clinic.step(11).is_some_and(|next| next >= 20 * SECOND));
    clinic.step(12);
    assert_eq!(clinic.heard(), [""; 0]);
    clinic.step(21);
    clinic.hear(21);
    assert_eq!(clinic.heard(), ["proc diskstats"]);
    let vitals = clinic.lab.core().pulse.book.of(GuestId(1));
    assert_eq!(vitals.memory.and_then(|memory| memory.total), Some(53_448));
    assert_eq!(vitals.disks.len(), 1);
}

#[test]
fn figures_that_are_looked_at_are_kept_fresh_for_a_while() {
    let mut clinic = Clinic::new(&[("hang_after", "0")]);
    assert_eq!(clinic.step(0), None, "nobody wants to know anything");
    clinic.lab.core().pulse.want(GuestId(1));
    clinic.step(1);
    clinic.hear(1);
    assert_eq!(clinic.heard(), ["proc meminfo", "proc diskstats"]);
    clinic.step(7);
    clinic.hear(7);
    assert_eq!(clinic.heard().len(), 2);
    assert_eq!(clinic.step(62), None, "nobody looks any more");
    assert_eq!(clinic.heard(), [""; 0]);
}

#[test]
fn definition_may_say_how_often_figures_are_wanted() {
    let mut clinic = Clinic::new(&[("hang_after", "0")]);
    let xml = clinic.lab.xml("two", B, "").replace(
        "<devices>",
        "<devices><memballoon model='none'><stats period='3'/></memballoon>",
    );
    clinic.lab.cx(|cx| {
        clinic.uml().define(cx, &xml, 0).unwrap();
        clinic.uml().start(cx, uuid(B), 0).unwrap();
    });
    clinic.heard();
    clinic.step(3);
    clinic.hear(3);
    assert_eq!(clinic.heard().len(), 2);
    clinic.step(5);
    clinic.hear(5);
    assert_eq!(clinic.heard(), [""; 0]);
    clinic.step(6);
    clinic.hear(6);
    assert_eq!(clinic.heard().len(), 2);
}

#[test]
fn guest_that_owes_an_answer_is_shown_as_hung_and_recovers() {
    let mut clinic = Clinic::new(&[("hang_after", "30")]);
    clinic.fall_silent();
    clinic.step(40);
    assert_eq!(clinic.control(), Control::Ok);
    assert!(clinic.uml().messages(uuid(A)).unwrap().is_empty());
    clinic.step(41);
    assert!(matches!(clinic.control(), Control::Silent(_)));
    let messages = clinic.uml().messages(uuid(A)).unwrap();
    assert!(
        messages.iter().any(|message| message.starts_with("hung")),
        "{messages:?}"
    );
    // It is a guest like any other in all else.
    assert_eq!(clinic.uml().by_uuid(uuid(A)).unwrap().state, State::Running);
    clinic.lab.host.mute.store(false, Ordering::SeqCst);
    // The first question was read and not answered: it is put again.
    clinic.step(72);
    clinic.hear(72);
    assert_eq!(clinic.control(), Control::Ok);
    assert!(clinic.uml().messages(uuid(A)).unwrap().is_empty());
}

#[test]
fn silent_guest_delays_no_other() {
    let mut clinic = Clinic::new(&[("hang_after", "30")]);
    clinic.fall_silent();
    clinic.lab.host.mute.store(false, Ordering::SeqCst);
    clinic.start("two", B);
    clinic.step(31);
    let deadline = Instant::now() + 20 * SECOND;
    while clinic.lab.core().pulse.book.of(GuestId(2)).memory.is_none() {
        assert!(Instant::now() < deadline, "the second guest was not heard");
        clinic.step(40);
        clinic.watcher.wait(&clinic.lab.core().pulse.bell, Some(deadline));
        clinic.step(40);
    }
    clinic.step(41);
    let book = &clinic.lab.core().pulse.book;
    assert!(book.of(GuestId(1)).silent.is_some());
    assert!(book.of(GuestId(2)).silent.is_none());
    assert_eq!(clinic.uml().control(uuid(B)).unwrap(), Control::Ok);
}

#[test]
fn paused_guest_owes_nothing_and_is_not_asked() {
    let mut clinic = Clinic::new(&[("hang_after", "30")]);
    clinic.fall_silent();
    clinic.step(41);
    assert!(matches!(clinic.control(), Control::Silent(_)));
    clinic.lab.host.mute.store(false, Ordering::SeqCst);
    clinic.lab.cx(|cx| clinic.uml().suspend(cx, uuid(A))).unwrap();
    assert_eq!(clinic.control(), Control::Ok);
    clinic.heard();
    assert_eq!(clinic.step(80), None);
    assert_eq!(clinic.heard(), [""; 0]);
    clinic.lab.cx(|cx| clinic.uml().resume(cx, uuid(A))).unwrap();
    assert!(clinic.step(81).is_some());
    clinic.step(92);
    clinic.hear(92);
    assert_eq!(clinic.control(), Control::Ok);
}

#[test]
fn guest_that_is_talked_to_is_not_asked_meanwhile() {
    let mut clinic = Clinic::new(&[("hang_after", "30")]);
    clinic.step(0);
    let talk = clinic.lab.core().pulse.talk(GuestId(1));
    clinic.step(11);
    assert_eq!((clinic.heard(), clinic.watcher.owing()), (Vec::new(), 0));
    drop(talk);
    clinic.step(22);
    clinic.hear(22);
    assert_eq!(clinic.heard().len(), 1);
}

#[test]
fn guest_that_may_stop_hears_only_what_a_stopped_one_survives() {
    let mut clinic = Clinic::new(&[("hang_after", "30")]);
    clinic.step(0);
    clinic.lab.host.mute.store(true, Ordering::SeqCst);
    clinic.lab.cx(|cx| clinic.uml().suspend(cx, uuid(A))).unwrap_err();
    clinic.lab.host.mute.store(false, Ordering::SeqCst);
    clinic.heard();
    clinic.step(11);
    clinic.hear(11);
    assert_eq!(clinic.heard(), ["version"]);
}

#[test]
fn nothing_is_remembered_of_a_guest_that_is_gone() {
    let mut clinic = Clinic::new(&[("hang_after", "30")]);
    clinic.fall_silent();
    clinic.lab.cx(|cx| clinic.uml().destroy(cx, uuid(A), 0)).unwrap();
    clinic.step(41);
    assert_eq!(clinic.watcher.owing(), 0);
    assert!(clinic.lab.core().pulse.book.is_empty());
    clinic.uml().control(uuid(A)).unwrap_err();
}

#[test]
fn thread_asks_by_itself_and_ends_with_the_driver() {
    let mut lab = Lab::with_options(&[("hang_after", "1")]);
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.cx(|cx| lab.uml.start(cx, uuid(A), 0)).unwrap();
    let deadline = Instant::now() + 20 * SECOND;
    while lab.core().pulse.book.of(GuestId(1)).memory.is_none() {
        assert!(Instant::now() < deadline, "nobody asked");
        std::thread::yield_now();
    }
    lab.uml.close(20 * SECOND).unwrap();
    // A driver that nobody closed takes its thread along, too.
    lab.reopen();
    lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
    let workers = lab.core().pulse.workers.clone();
    lab.reopen();
    assert!(workers.join(20 * SECOND));
}
