//! `Outcome` of one check and `Run` of all: what was found, what it means for the profiles, and the exit code.

use super::brake::Stop;
use super::guard::Walls;
use super::is_forgiven;
use crate::bench::Facts;
use crate::check::{Check, Level, Reason, Verdict};
use crate::profile::{self, Profile};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What became of one check.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The check.
    pub check: &'static Check,
    /// What became of it.
    pub verdict: Verdict,
    /// What its process wrote.
    pub output: String,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// Whether the driver broke a rule that it must keep.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Failed { .. }) && self.check.level == Level::Must
    }

    /// Whether the driver broke a rule that it should keep.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(self.verdict, Verdict::Failed { .. }) && self.check.level == Level::Should
    }

    /// Why it was skipped, if it was.
    #[must_use]
    pub const fn skipped(&self) -> Option<(Reason, &String)> {
        match &self.verdict {
            Verdict::Skipped { reason, text } => Some((*reason, text)),
            _ => None,
        }
    }
}

/// Why a plan is not through, if it is not: when the last of its checks hang, nothing is given up for it.
pub(super) fn held_up(stop: Option<Stop>, outcomes: &[Outcome]) -> Option<Stop> {
    let is_left = |outcome: &Outcome| matches!(outcome.skipped(), Some((Reason::Stopped, _)));
    stop.filter(|stop| matches!(stop, Stop::Interrupted(_)) || outcomes.iter().any(is_left))
}

/// All that a run found.
#[derive(Clone, Debug)]
pub struct Run {
    /// The plug-in as its author named it.
    pub plugin: PathBuf,
    /// Who it says it is; the host's words when it is refused.
    pub facts: Result<Facts, String>,
    /// The run's seed.
    pub seed: u64,
    /// What stood between the checks and the machine.
    pub walls: Walls,
    /// The profiles that are judged.
    pub profiles: Vec<Profile>,
    /// Profiles that were asked for and are not offered.
    pub missing: Vec<String>,
    /// Why it ended before its plan was through, if it did.
    pub stopped: Option<Stop>,
    /// One for each check of the plan, in order.
    pub outcomes: Vec<Outcome>,
    /// How long it took.
    pub took: Duration,
}

/// Whether a driver keeps what a profile promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProfileVerdict {
    /// Every must passed.
    Met,
    /// So many musts failed.
    Broken(usize),
    /// None failed, but so many were skipped.
    Unproven(usize),
    /// None of its checks was asked for.
    Untried,
}

impl fmt::Display for ProfileVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Met => f.write_str("met"),
            Self::Broken(count) => write!(f, "NOT MET: {count} musts failed"),
            Self::Unproven(count) => write!(f, "not proven: {count} musts were skipped"),
            Self::Untried => f.write_str("not tried"),
        }
    }
}

/// The exit codes of `conformance run`.
pub mod exit {
    /// No must failed, and the profiles that are judged are met.
    pub const PASS: u8 = 0;
    /// A must failed (with `--strict` a should too), or so many checks hung that the run was given up.
    pub const FAILURES: u8 = 1;
    /// The suite could not run, or no check of it ran: none was chosen, or all were skipped.
    pub const CANNOT_RUN: u8 = 2;
    /// Nothing failed, but a must of a profile was skipped, a profile that was asked for is not offered, or the run took longer
    /// than it may.
    pub const PROFILE_NOT_MET: u8 = 3;
    /// And the number of the signal that ended the run: 130 for SIGINT, 143 for SIGTERM.
    pub const INTERRUPTED: u8 = 128;
}

impl Run {
    /// The verdict on each profile.
    #[must_use]
    pub fn verdicts(&self) -> Vec<(Profile, ProfileVerdict)> {
        let verdict = |profile: Profile| {
            let musts = self
                .outcomes
                .iter()
                .filter(|outcome| outcome.check.level == Level::Must && profile::of(outcome.check) == profile);
            let (mut tried, mut failed, mut skipped) = (0, 0, 0);
            for outcome in musts {
                match &outcome.verdict {
                    Verdict::Passed => tried += 1,
                    Verdict::Failed { .. } => failed += 1,
                    Verdict::Skipped { reason, .. } if !is_forgiven(*reason) => skipped += 1,
                    Verdict::Skipped { .. } => {}
                }
            }
            let verdict = match (tried, failed, skipped) {
                (_, 1.., _) => ProfileVerdict::Broken(failed),
                (_, 0, 1..) => ProfileVerdict::Unproven(skipped),
                (0, 0, 0) => ProfileVerdict::Untried,
                (_, 0, 0) => ProfileVerdict::Met,
            };
            (profile, verdict)
        };
        self.profiles.iter().copied().map(verdict).collect()
    }

    /// Whether a check counts as failed; `strict` counts what a driver should do as what it must do.
    #[must_use]
    pub fn counts_as_failure(outcome: &Outcome, strict: bool) -> bool {
        outcome.is_failure() || (strict && outcome.is_warning())
    }

    /// Why the run is no success beside what failed in it: it was ended, or nothing failed and that is not enough.
    #[must_use]
    pub fn shortfall(&self, strict: bool) -> Option<String> {
        if let Some(stop) = self.stopped {
            return Some(stop.to_string());
        }
        let failed = |outcome: &Outcome| Self::counts_as_failure(outcome, strict);
        if self.exit(strict) == exit::PASS || self.outcomes.iter().any(failed) {
            return None;
        }
        let unmet = self.verdicts().into_iter();
        let unmet = unmet.filter(|(_, verdict)| matches!(verdict, ProfileVerdict::Unproven(_)));
        let unmet = unmet.map(|(profile, verdict)| format!("profile {}: {verdict}", profile.name));
        let missing = self
            .missing
            .iter()
            .map(|name| format!("profile {name}: the plug-in does not offer it"));
        let reasons: Vec<String> = missing.chain(unmet).collect();
        Some(match (self.outcomes.is_empty(), reasons.as_slice()) {
            (true, []) => String::from("no check was chosen"),
            (false, []) => String::from("every check was skipped: nothing was tested"),
            _ => reasons.join("; "),
        })
    }

    /// How many passed, failed, were warned of and were skipped.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let count = |test: fn(&Outcome) -> bool| self.outcomes.iter().filter(|outcome| test(outcome)).count();
        Counts {
            passed: count(|outcome| outcome.verdict == Verdict::Passed),
            failed: count(Outcome::is_failure),
            warned: count(Outcome::is_warning),
            skipped: count(|outcome| outcome.skipped().is_some()),
        }
    }

    /// The exit code for this run; `strict` counts warnings as failures.
    #[must_use]
    pub fn exit(&self, strict: bool) -> u8 {
        if let Some(Stop::Interrupted(signal)) = self.stopped {
            return exit::INTERRUPTED.saturating_add(signal);
        }
        let counts = self.counts();
        let hangs = matches!(self.stopped, Some(Stop::Hangs(_)));
        if counts.failed > 0 || hangs || (strict && counts.warned > 0) {
            return exit::FAILURES;
        }
        if !self.missing.is_empty() || self.stopped.is_some() {
            return exit::PROFILE_NOT_MET;
        }
        if counts.passed + counts.warned == 0 {
            return exit::CANNOT_RUN;
        }
        let unproven = |(_, verdict): &(Profile, ProfileVerdict)| matches!(verdict, ProfileVerdict::Unproven(_));
        if self.verdicts().iter().any(unproven) {
            return exit::PROFILE_NOT_MET;
        }
        exit::PASS
    }
}

/// Numbers of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Kept rules.
    pub passed: usize,
    /// Broken musts.
    pub failed: usize,
    /// Broken shoulds.
    pub warned: usize,
    /// Not tried.
    pub skipped: usize,
}
