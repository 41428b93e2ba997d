//! What an exit means and what follows from it: pure decisions over the supervisor's report and the definition's wishes.

use crate::state::status::Intent;
use driver_api::types::domain::{DomainEventKind, Lifecycle, Reason, State, detail};
use driver_api::types::guest::Exit;

/// How a guest came to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It shut itself down.
    PoweredOff,
    /// It asked for a reboot.
    Rebooted,
    /// Its kernel panicked, with the reason if it was told.
    Panicked(String),
    /// The host ended it because a client wanted that.
    Destroyed,
    /// The same, and it is to begin anew.
    Reset,
    /// Something on the host's side ended it, in words.
    Lost(String),
}

/// The last word of a guest kernel on its console, where it tells which way it goes down. Printed at the highest
/// priority, so `quiet` does not hide it.
fn last_word(console: &str) -> Option<Intent> {
    console.lines().rev().find_map(|line| {
        if line.contains("reboot: Restarting system") {
            Some(Intent::Reboot)
        } else if line.contains("reboot: Power down") || line.contains("reboot: System halted") {
            Some(Intent::Shutdown)
        } else {
            None
        }
    })
}

/// Tells how a guest ended.
///
/// A guest runs with `noreboot`, so a reboot and a power-off both end the process with code 0. What a client asked for
/// wins, since an init may map ctrl-alt-del to either; without a wish the console's last word decides.
#[must_use]
pub fn classify(exit: &Exit, intent: Intent, panic: Option<&str>) -> Ending {
    if intent == Intent::Destroy {
        return Ending::Destroyed;
    }
    if intent == Intent::Reset {
        return Ending::Reset;
    }
    if let Some(reason) = panic {
        return Ending::Panicked(reason.to_owned());
    }
    if exit.out_of_memory {
        return Ending::Lost("the host's memory limit for it was exceeded".to_owned());
    }
    if exit.supervisor_lost {
        return Ending::Lost("its supervisor was killed".to_owned());
    }
    match (exit.code, exit.signal) {
        (Some(0), _) => match (intent, last_word(&exit.console_tail)) {
            (Intent::Reboot, _) | (Intent::None, Some(Intent::Reboot)) => Ending::Rebooted,
            _ => Ending::PoweredOff,
        },
        (_, Some(signal::ABORT)) => Ending::Panicked(String::new()),
        _ if exit.requested => Ending::Destroyed,
        (_, Some(signal)) => Ending::Lost(format!("it was killed by signal {signal}")),
        (Some(code), None) => Ending::Lost(format!("it ended with exit code {code}")),
        (None, None) => Ending::Lost("nobody saw how it ended".to_owned()),
    }
}

impl Ending {
    /// What an administrator should know of it; `None` for an end that somebody wanted.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Panicked(reason) if reason.is_empty() => {
                Some("crashed: the guest's kernel aborted without telling why".to_owned())
            }
            Self::Panicked(reason) => Some(format!("crashed: the guest's kernel panicked ('{}')", reason.trim())),
            Self::Lost(why) => Some(format!("ended from outside: {why}")),
            Self::PoweredOff | Self::Rebooted | Self::Destroyed | Self::Reset => None,
        }
    }
}

/// Signal numbers that have a meaning here.
mod signal {
    /// What a UML kernel raises at its own panic.
    pub(super) const ABORT: i32 = 6;
}

/// What a definition wants to happen (`<on_poweroff>` and its kin).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Action {
    /// Nothing more.
    #[default]
    Destroy,
    /// Start it again; so is `rename-restart` read, as a new name for a known guest would help nobody.
    Restart,
    /// Remember it as crashed. A UML guest has no process any more then, so for an orderly end this is `Destroy`.
    Preserve,
}

/// The three wishes of a definition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// `<on_poweroff>`.
    pub poweroff: Action,
    /// `<on_reboot>`.
    pub reboot: Action,
    /// `<on_crash>`.
    pub crash: Action,
}

/// What is to be done after a guest's end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The domain is over: its state from now on, the reason, and the events in their order.
    Over(State, Reason, Vec<DomainEventKind>),
    /// It is started again under its id; these events come at once, and REBOOT when it answers.
    Again(Reason, Vec<DomainEventKind>),
}

const fn lifecycle(event: Lifecycle, detail: u32) -> DomainEventKind {
    DomainEventKind::Lifecycle(event, detail)
}

/// Decides what follows.
#[must_use]
pub fn outcome(ending: &Ending, policy: Policy) -> Outcome {
    let panicked = lifecycle(Lifecycle::Crashed, detail::CRASHED_PANICKED);
    let crashed = lifecycle(Lifecycle::Stopped, detail::STOPPED_CRASHED);
    let failed = lifecycle(Lifecycle::Stopped, detail::STOPPED_FAILED);
    match ending {
        Ending::Reset => Outcome::Again(Reason::RUNNING_BOOTED, Vec::new()),
        Ending::PoweredOff if policy.poweroff == Action::Restart => Outcome::Again(Reason::RUNNING_BOOTED, Vec::new()),
        Ending::Rebooted if policy.reboot == Action::Restart => Outcome::Again(Reason::RUNNING_BOOTED, Vec::new()),
        Ending::PoweredOff | Ending::Rebooted => Outcome::Over(
            State::Shutoff,
            Reason::SHUTOFF_SHUTDOWN,
            vec![
                lifecycle(Lifecycle::Shutdown, detail::SHUTDOWN_FINISHED),
                lifecycle(Lifecycle::Stopped, detail::STOPPED_SHUTDOWN),
            ],
        ),
        Ending::Panicked(_) => match policy.crash {
            Action::Restart => Outcome::Again(Reason::RUNNING_CRASHED, vec![panicked]),
            Action::Preserve => Outcome::Over(State::Crashed, Reason::CRASHED_PANICKED, vec![panicked, crashed]),
            Action::Destroy => Outcome::Over(State::Shutoff, Reason::SHUTOFF_CRASHED, vec![panicked, crashed]),
        },
        Ending::Destroyed => Outcome::Over(
            State::Shutoff,
            Reason::SHUTOFF_DESTROYED,
            vec![lifecycle(Lifecycle::Stopped, detail::STOPPED_DESTROYED)],
        ),
        // The same reason, as elsewhere in libvirt: only the events tell a guest that was killed from one that panicked.
        Ending::Lost(_) => Outcome::Over(State::Shutoff, Reason::SHUTOFF_CRASHED, vec![failed]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exit(code: Option<i32>, signal: Option<i32>) -> Exit {
        Exit {
            code,
            signal,
            ..Exit::default()
        }
    }

    fn ended_well(tail: &str) -> Exit {
        Exit {
            console_tail: tail.to_owned(),
            ..exit(Some(0), None)
        }
    }

    const RESTARTS: &str = "reboot: Power down\nlogin:\n[    3.1] reboot: Restarting system\n";
    const POWERS_DOWN: &str = "reboot: Restarting system\n[    3.1] reboot: Power down\n\n";

    #[test]
    fn own_reboot_and_power_off_are_told_apart_by_the_last_word() {
        assert_eq!(classify(&ended_well(RESTARTS), Intent::None, None), Ending::Rebooted);
        assert_eq!(
            classify(&ended_well(POWERS_DOWN), Intent::None, None),
            Ending::PoweredOff
        );
        assert_eq!(classify(&ended_well(""), Intent::None, None), Ending::PoweredOff);
    }

    #[test]
    fn what_was_asked_for_wins_over_what_init_made_of_it() {
        assert_eq!(
            classify(&ended_well(POWERS_DOWN), Intent::Reboot, None),
            Ending::Rebooted
        );
        assert_eq!(
            classify(&ended_well(RESTARTS), Intent::Shutdown, None),
            Ending::PoweredOff
        );
    }

    #[test]
    fn panic_is_told_by_its_notification_though_the_host_had_to_kill_it() {
        // As the first process of its namespace a panicked guest survives its own abort and spins.
        let killed = Exit {
            requested: true,
            ..exit(None, Some(9))
        };
        assert_eq!(
            classify(&killed, Intent::None, Some("boom")),
            Ending::Panicked("boom".to_owned())
        );
        assert_eq!(
            classify(&exit(None, Some(6)), Intent::Shutdown, None),
            Ending::Panicked(String::new())
        );
        assert_eq!(classify(&killed, Intent::Destroy, Some("boom")), Ending::Destroyed);
        assert_eq!(classify(&killed, Intent::None, None), Ending::Destroyed);
    }

    #[test]
    fn foul_play_is_named() {
        let oom = Exit {
            out_of_memory: true,
            ..exit(None, Some(9))
        };
        let orphan = Exit {
            supervisor_lost: true,
            ..Exit::default()
        };
        let mut words = Vec::new();
        for exit in [oom, orphan, exit(None, Some(9)), exit(Some(1), None), Exit::default()] {
            let Ending::Lost(why) = classify(&exit, Intent::Reboot, None) else {
                panic!("{exit:?}");
            };
            words.push(why);
        }
        words.sort();
        words.dedup();
        assert_eq!(words.len(), 5);
    }

    #[test]
    fn wishes_are_obeyed_each_at_its_own_ending() {
        let restart_all = Policy {
            poweroff: Action::Restart,
            reboot: Action::Restart,
            crash: Action::Restart,
        };
        let panicked = Ending::Panicked(String::new());
        for ending in [&Ending::PoweredOff, &Ending::Rebooted, &panicked] {
            assert!(matches!(outcome(ending, restart_all), Outcome::Again(..)), "{ending:?}");
            assert!(matches!(
                outcome(ending, Policy::default()),
                Outcome::Over(State::Shutoff, ..)
            ));
        }
        let keep = Policy {
            crash: Action::Preserve,
            ..Policy::default()
        };
        let Outcome::Over(State::Crashed, Reason::CRASHED_PANICKED, events) = outcome(&panicked, keep) else {
            panic!("not preserved");
        };
        assert_eq!(
            events,
            [
                lifecycle(Lifecycle::Crashed, detail::CRASHED_PANICKED),
                lifecycle(Lifecycle::Stopped, detail::STOPPED_CRASHED)
            ]
        );
    }

    proptest! {
        #[test]
        fn whoever_is_over_gets_exactly_one_stopped_event_and_it_is_the_last(
            code in prop::option::of(0..3),
            signal in prop::option::of(1..32),
            intent in prop::sample::select(&[Intent::None, Intent::Shutdown, Intent::Reboot, Intent::Destroy, Intent::Reset][..]),
            panic: bool,
            restart: bool,
        ) {
            let action = if restart { Action::Restart } else { Action::Preserve };
            let policy = Policy { poweroff: action, reboot: action, crash: action };
            let ending = classify(&exit(code, signal), intent, panic.then_some("p"));
            if let Outcome::Over(state, _, events) = outcome(&ending, policy) {
                prop_assert!(!state.is_active());
                let stopped = |kind: &DomainEventKind| matches!(kind, DomainEventKind::Lifecycle(Lifecycle::Stopped, _));
                prop_assert_eq!(events.iter().filter(|kind| stopped(kind)).count(), 1);
                prop_assert!(events.last().is_some_and(stopped));
            } else {
                prop_assert!(intent == Intent::Reset || restart && intent != Intent::Destroy);
            }
        }
    }
}
