//! The transition table of a domain's phases: pure, and the only place that says what may follow what.

use driver_api::types::domain::State;

/// Where a domain is in its life; see the drawing in [`super`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Phase {
    /// No process.
    #[default]
    Off,
    /// A process is being made or does not answer yet.
    Starting,
    /// The guest answers.
    Running,
    /// The guest's processor is stopped.
    Paused,
    /// The guest ended and is being started again under the same id.
    Restarting,
    /// The guest panicked and is to be remembered as crashed; its process is gone.
    Crashed,
}

/// What a client can ask of a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "libvirt's own verbs")]
pub enum Verb {
    Start,
    Shutdown,
    Reboot,
    Suspend,
    Resume,
    Destroy,
    /// Its devices or its memory are changed while it runs.
    Change,
    Reset,
}

/// What happens to a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A start begins.
    Begin,
    /// The guest answers for the first time.
    Ready,
    /// The guest's processor stopped.
    Stopped,
    /// The guest's processor goes on.
    Continued,
    /// The guest ended and is to be started again.
    Again,
    /// Nothing of the guest is left.
    Ended,
    /// Nothing of the guest is left, and it is remembered as crashed.
    EndedCrashed,
}

impl Phase {
    /// Every phase, for tables and tests.
    pub const ALL: [Self; 6] = [
        Self::Off,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Crashed,
    ];

    /// The phase after `step`, or `None` when that can not happen here.
    #[must_use]
    pub const fn after(self, step: Step) -> Option<Self> {
        Some(match (self, step) {
            (Self::Off | Self::Crashed, Step::Begin) => Self::Starting,
            (Self::Starting | Self::Restarting, Step::Ready) | (Self::Paused, Step::Continued) => Self::Running,
            (Self::Running, Step::Stopped) => Self::Paused,
            (Self::Running | Self::Paused, Step::Again) => Self::Restarting,
            (Self::Running | Self::Paused, Step::EndedCrashed) => Self::Crashed,
            (Self::Starting | Self::Running | Self::Paused | Self::Restarting | Self::Crashed, Step::Ended) => {
                Self::Off
            }
            _ => return None,
        })
    }

    /// Whether `verb` may begin here.
    ///
    /// # Errors
    /// Why not, as the end of a sentence about the domain; the client's code is 55.
    pub const fn permits(self, verb: Verb) -> Result<(), &'static str> {
        match (self, verb) {
            (Self::Off | Self::Crashed, Verb::Start)
            | (
                Self::Running,
                Verb::Shutdown | Verb::Reboot | Verb::Suspend | Verb::Destroy | Verb::Change | Verb::Reset,
            )
            // Suspending what is paused changes nothing and is no error, as elsewhere in libvirt.
            | (Self::Paused, Verb::Suspend | Verb::Resume | Verb::Destroy | Verb::Reset)
            | (Self::Starting | Self::Restarting | Self::Crashed, Verb::Destroy) => Ok(()),
            (Self::Running | Self::Paused, Verb::Start) => Err("is running already"),
            (Self::Starting, _) => Err("is being started"),
            (Self::Restarting, _) => Err("is being restarted"),
            (Self::Running, Verb::Resume) => Err("is not paused"),
            (Self::Paused, Verb::Shutdown | Verb::Reboot | Verb::Change) => Err("is paused and can not react: resume it first"),
            (Self::Off, _) => Err("is not running"),
            (Self::Crashed, _) => Err("has crashed and is not running"),
        }
    }

    /// The state that clients see.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Off | Self::Starting => State::Shutoff,
            Self::Running | Self::Restarting => State::Running,
            Self::Paused => State::Paused,
            Self::Crashed => State::Crashed,
        }
    }

    /// Whether clients see an id: the guest answered, and it is not over.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }

    /// The name in status documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Crashed => "crashed",
        }
    }

    /// The phase with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEPS: [Step; 7] = [
        Step::Begin,
        Step::Ready,
        Step::Stopped,
        Step::Continued,
        Step::Again,
        Step::Ended,
        Step::EndedCrashed,
    ];

    #[test]
    fn the_table_is_the_drawing() {
        use Phase::{Crashed, Off, Paused, Restarting, Running, Starting};
        use Step::{Again, Begin, Continued, Ended, EndedCrashed, Ready, Stopped};
        let drawn = [
            (Off, Begin, Starting),
            (Crashed, Begin, Starting),
            (Starting, Ready, Running),
            (Starting, Ended, Off),
            (Running, Stopped, Paused),
            (Running, Again, Restarting),
            (Running, Ended, Off),
            (Running, EndedCrashed, Crashed),
            (Paused, Continued, Running),
            (Paused, Again, Restarting),
            (Paused, Ended, Off),
            (Paused, EndedCrashed, Crashed),
            (Restarting, Ready, Running),
            (Restarting, Ended, Off),
            (Crashed, Ended, Off),
        ];
        for phase in Phase::ALL {
            for step in STEPS {
                let to = drawn
                    .iter()
                    .find(|row| row.0 == phase && row.1 == step)
                    .map(|row| row.2);
                assert_eq!(phase.after(step), to, "{phase:?} {step:?}");
            }
        }
    }

    #[test]
    fn what_is_permitted_has_a_next_phase() {
        for phase in Phase::ALL {
            for (verb, step) in [
                (Verb::Start, Step::Begin),
                (Verb::Resume, Step::Continued),
                (Verb::Destroy, Step::Ended),
                (Verb::Shutdown, Step::Ended),
                (Verb::Reboot, Step::Again),
            ] {
                if phase.permits(verb).is_ok() {
                    assert!(phase.after(step).is_some(), "{phase:?} {verb:?}");
                }
            }
        }
    }

    #[test]
    fn names_are_distinct_and_read_back() {
        for phase in Phase::ALL {
            assert_eq!(Phase::named(phase.name()), Some(phase));
        }
        assert_eq!(Phase::named("asleep"), None);
    }

    proptest! {
        #[test]
        fn whatever_happens_a_domain_with_a_process_can_end_and_one_without_can_start(
            steps in prop::collection::vec(prop::sample::select(&STEPS[..]), 0..40)
        ) {
            let mut phase = Phase::Off;
            for step in steps {
                let before = phase;
                phase = phase.after(step).unwrap_or(phase);
                // An id appears only when a guest answers for the first time, and nothing revives a guest that is over.
                if phase.is_active() && !before.is_active() {
                    prop_assert_eq!(before, Phase::Starting);
                }
                prop_assert_eq!(phase.is_active(), phase.state().is_active());
                if matches!(phase, Phase::Off | Phase::Crashed) {
                    prop_assert!(phase.permits(Verb::Start).is_ok());
                } else {
                    prop_assert!(phase.permits(Verb::Destroy).is_ok());
                    prop_assert_eq!(phase.after(Step::Ended), Some(Phase::Off));
                }
            }
        }
    }
}
