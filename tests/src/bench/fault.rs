//! `FaultPlan`: what goes wrong in the host on purpose, and when.

use driver_api::error::{Code, Error, Origin};
use parking_lot::Mutex;
use rustix::process::{Signal, getpid, kill_process};
use std::time::Duration;

/// Which calls of the driver into the host a plan counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Counted {
    /// All that may fail without the bench being in the wrong: everything but giving back and logging.
    #[default]
    Fallible,
    /// Those that take a lock.
    Acquisitions,
    /// Those of one service.
    Service(&'static str),
}

/// What happens to the counted calls.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FaultPlan {
    /// Which calls count.
    pub counted: Counted,
    /// The counted call with this number, from 1, is refused with this code; the real service is not reached.
    pub fail: Option<(u64, Code)>,
    /// Every counted call from this one on is refused with this code.
    pub fail_from: Option<(u64, Code)>,
    /// Every counted call takes so much longer.
    pub slow: Option<Duration>,
    /// The process is killed with SIGKILL when the counted call with this number begins.
    pub kill_before: Option<u64>,
    /// The process is killed with SIGKILL when the counted call with this number has been served.
    pub kill_after: Option<u64>,
    /// Before every grant of a lock its thread waits for a random while, from this seed.
    pub noise: Option<u64>,
    /// Behind every shared hold a writer queues before the driver goes on.
    pub queued_writer: bool,
}

/// The plan in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plan: FaultPlan,
    count: u64,
    random: Option<fastrand::Rng>,
}

const GIVING_BACK: [&str; 7] = [
    "release",
    "downgrade",
    "session_close",
    "clear_poison",
    "job_end",
    "job_cancel",
    "forget",
];
const ACQUISITIONS: [&str; 5] = ["acquire", "lookup", "acquire_domains", "session_open", "adopt"];

impl Counted {
    fn counts(self, service: &str, function: &str) -> bool {
        match self {
            Self::Fallible => !GIVING_BACK.contains(&function),
            Self::Acquisitions => service == "lock/1" && ACQUISITIONS.contains(&function),
            Self::Service(wanted) => service == wanted && !GIVING_BACK.contains(&function),
        }
    }
}

/// What a call meets: its number if it counts, and whether it is refused.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    number: Option<u64>,
    pub(crate) refused: Option<Error>,
}

impl Faults {
    pub(crate) fn set(&self, plan: FaultPlan) {
        let random = plan.noise.map(fastrand::Rng::with_seed);
        *self.state.lock() = State { plan, count: 0, random };
    }

    pub(crate) fn count(&self) -> u64 {
        self.state.lock().count
    }

    pub(crate) fn wants_writer(&self) -> bool {
        self.state.lock().plan.queued_writer
    }

    /// A call of the driver arrives.
    pub(crate) fn meet(&self, service: &str, function: &str) -> Meeting {
        let (meeting, slow, kill) = {
            let mut state = self.state.lock();
            if !state.plan.counted.counts(service, function) {
                return Meeting::default();
            }
            state.count += 1;
            let number = state.count;
            let once = state.plan.fail.filter(|(nth, _)| *nth == number);
            let refused = once.or(state.plan.fail_from.filter(|(nth, _)| *nth <= number));
            let refused = refused.map(|(_, code)| {
                let message = format!("the conformance suite lets {function} of {service} fail (call {number})");
                Error::new(code, Origin::NONE, message)
            });
            let meeting = Meeting {
                number: Some(number),
                refused,
            };
            (meeting, state.plan.slow, state.plan.kill_before == Some(number))
        };
        if kill {
            die();
        }
        if let Some(time) = slow {
            std::thread::sleep(time);
        }
        meeting
    }

    /// The call was served.
    pub(crate) fn part(&self, meeting: &Meeting) {
        let kill = self.state.lock().plan.kill_after;
        if kill.is_some() && kill == meeting.number {
            die();
        }
    }

    /// How long a grant is held back.
    pub(crate) fn noise(&self) -> Option<Duration> {
        let mut state = self.state.lock();
        let random = state.random.as_mut()?;
        // Half of them not at all: a schedule in which all are late is like one in which none is.
        random.bool().then(|| Duration::from_micros(random.u64(0..3_000)))
    }
}

fn die() {
    // It can not fail for the process itself.
    let _ = kill_process(getpid(), Signal::KILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Code = Code::SYSTEM_ERROR;

    fn refused(faults: &Faults, service: &str, function: &str) -> bool {
        faults.meet(service, function).refused.is_some()
    }

    #[test]
    fn the_call_with_the_number_is_refused_and_no_other() {
        let faults = Faults::default();
        faults.set(FaultPlan {
            fail: Some((2, CODE)),
            ..FaultPlan::default()
        });
        let calls: Vec<bool> = (0..4).map(|_| refused(&faults, "event/1", "emit")).collect();
        assert_eq!(calls, [false, true, false, false]);
        assert_eq!(faults.count(), 4);
    }

    #[test]
    fn what_gives_back_is_never_counted_or_refused() {
        let faults = Faults::default();
        faults.set(FaultPlan {
            fail_from: Some((1, CODE)),
            ..FaultPlan::default()
        });
        for function in GIVING_BACK {
            assert!(!refused(&faults, "lock/1", function), "{function}");
        }
        assert_eq!(faults.count(), 0);
        assert!(refused(&faults, "lock/1", "acquire"));
    }

    #[test]
    fn only_acquisitions_are_counted_where_they_are_meant() {
        let faults = Faults::default();
        faults.set(FaultPlan {
            counted: Counted::Acquisitions,
            fail_from: Some((1, CODE)),
            ..FaultPlan::default()
        });
        assert!(!refused(&faults, "spawn/1", "spawn") && !refused(&faults, "lock/1", "job_begin"));
        assert!(refused(&faults, "lock/1", "lookup"));
    }

    #[test]
    fn a_seed_gives_the_same_noise() {
        let noise = |seed| {
            let faults = Faults::default();
            faults.set(FaultPlan {
                noise: Some(seed),
                ..FaultPlan::default()
            });
            (0..20).map(|_| faults.noise()).collect::<Vec<_>>()
        };
        assert_eq!(noise(1), noise(1));
        assert_ne!(noise(1), noise(2));
    }
}
