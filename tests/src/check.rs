//! `Check`: one rule of the driver author's book, how it is tried, and what its outcome may be.

use crate::bench::{Bench, Builder};
use crate::fixture::Fixtures;
use crate::runner::order::{Ended, Order};
use driver_api::error::{Code, Error};
use driver_api::types::uuid::Uuid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// How much a check weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A driver that fails it breaks the interface: the profile is not met.
    Must,
    /// Good manners: a failure is told and counted, the profile is met all the same.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "must",
            Self::Should => "should",
        })
    }
}

/// Why a check was not tried.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The plug-in does not offer the interface that the check is about.
    Interface,
    /// The check needs root.
    Privilege,
    /// The fixtures say nothing of what the check needs.
    Config,
    /// The person who runs the suite left it out.
    Asked,
    /// The run ended before it.
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interface => "interface",
            Self::Privilege => "privilege",
            Self::Config => "config",
            Self::Asked => "asked",
            Self::Stopped => "stopped",
        })
    }
}

/// What became of a check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// The driver keeps the rule.
    Passed,
    /// It does not: what was expected, what was found, in which call.
    Failed {
        /// For a reader who knows the driver and not the suite.
        text: String,
    },
    /// It was not tried, and why.
    Skipped {
        /// The kind of reason.
        reason: Reason,
        /// The reason in words.
        text: String,
    },
}

/// Why a check ends early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The rule is broken: expected, found, and in which call.
    Broken(String),
    /// It can not be tried here.
    Skip(Reason, String),
}

impl Failure {
    /// A broken rule.
    pub fn new(text: impl Into<String>) -> Self {
        Self::Broken(text.into())
    }

    /// A fixture is missing that the check can not do without.
    pub fn no_fixture(what: &str) -> Self {
        Self::Skip(
            Reason::Config,
            format!("the fixtures say nothing of {what} (see '--config')"),
        )
    }

    /// The same failure with the situation in which it was met in front.
    #[must_use]
    pub fn when(self, situation: impl fmt::Display) -> Self {
        match self {
            Self::Broken(text) => Self::Broken(format!("{situation}: {text}")),
            skip @ Self::Skip(..) => skip,
        }
    }
}

impl From<Failure> for Verdict {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Broken(text) => Self::Failed { text },
            Failure::Skip(reason, text) => Self::Skipped { reason, text },
        }
    }
}

/// The outcome of a check's steps.
pub type Outcome<T = ()> = std::result::Result<T, Failure>;

/// Turns what a driver answers into an outcome.
pub trait Expect<T> {
    /// The call must succeed.
    ///
    /// # Errors
    /// It failed; `what` says which call that was.
    fn succeeds(self, what: impl fmt::Display) -> Outcome<T>;

    /// The call must fail with one of these codes.
    ///
    /// # Errors
    /// It succeeded, or failed with another code.
    fn fails_with(self, codes: &[Code], what: impl fmt::Display) -> Outcome<Error>;
}

impl<T> Expect<T> for driver_api::error::Result<T> {
    fn succeeds(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| {
            let code = error.code().0;
            Failure::new(format!("{what}: expected success, found error {code}: {error}"))
        })
    }

    fn fails_with(self, codes: &[Code], what: impl fmt::Display) -> Outcome<Error> {
        let wanted: Vec<String> = codes.iter().map(|code| code.0.to_string()).collect();
        let wanted = wanted.join(" or ");
        match self {
            Ok(_) => Err(Failure::new(format!("{what}: expected error {wanted}, found success"))),
            Err(error) if codes.contains(&error.code()) => Ok(error),
            Err(error) => {
                let found = error.code().0;
                Err(Failure::new(format!(
                    "{what}: expected error {wanted}, found error {found}: {error}"
                )))
            }
        }
    }
}

/// Ends the check with this sentence unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::check::Failure::new(format!($($text)+)));
        }
    };
}

/// Ends the check unless what was found is what was expected; the last part says of what.
#[macro_export]
macro_rules! ensure_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            let what = format!($($what)+);
            return Err($crate::check::Failure::new(format!("{what}: expected {expected:?}, found {found:?}")));
        }
    }};
}

/// One rule and how it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Never changes, never used again: `LOCK-003`.
    pub id: &'static str,
    /// What a reader of the report sees.
    pub title: &'static str,
    /// The clause of the driver author's book that it enforces: `locks.balance`.
    pub clause: &'static str,
    /// How much it weighs.
    pub level: Level,
    /// The interfaces that the plug-in must offer; the last one also says to which profile the check belongs. None: core.
    pub needs: &'static [&'static str],
    /// Whether it needs root.
    pub privileged: bool,
    /// Why the rule exists: what goes wrong in a host when it is broken.
    pub why: &'static str,
    /// How a driver that breaks it is mended.
    pub fix: &'static str,
    /// Tries it, in a process of its own.
    pub run: fn(&Ctx) -> Outcome,
}

/// A must that needs no root.
pub(crate) const fn must(
    id: &'static str,
    title: &'static str,
    clause: &'static str,
    needs: &'static [&'static str],
    why: &'static str,
    fix: &'static str,
    run: fn(&Ctx) -> Outcome,
) -> Check {
    Check {
        id,
        title,
        clause,
        level: Level::Must,
        needs,
        privileged: false,
        why,
        fix,
        run,
    }
}

/// What a check has: a plug-in, a folder of its own, fixtures, a seed.
#[derive(Clone, Debug)]
pub struct Ctx {
    pub(crate) order: Order,
}

impl Ctx {
    /// The plug-in's file: a copy that only this run knows.
    #[must_use]
    pub fn plugin(&self) -> &Path {
        &self.order.plugin
    }

    /// The file as the author named it, for what lies beside it and for texts.
    #[must_use]
    pub fn plugin_as_given(&self) -> &Path {
        &self.order.given
    }

    /// This check's own folder: empty at its start, removed at its end. Phases of one check share it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.order.root
    }

    /// Documents and timings for this driver.
    #[must_use]
    pub const fn fixtures(&self) -> &Fixtures {
        &self.order.fixtures
    }

    /// The seed of this run, mixed with the check's id: everything random comes from it.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.order.check.bytes().fold(self.order.seed, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// A source of random numbers that starts from [`Ctx::seed`].
    #[must_use]
    pub fn random(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed())
    }

    /// Whether the check runs as root, in namespaces of its own.
    #[must_use]
    pub const fn privileged(&self) -> bool {
        self.order.privileged
    }

    /// The phase in which this process runs the check: `None` in its first process (see [`Ctx::run_phase`]).
    #[must_use]
    pub fn phase(&self) -> Option<&str> {
        self.order.phase.as_deref()
    }

    /// What the process that began this phase says to it.
    #[must_use]
    pub fn phase_argument(&self) -> &str {
        &self.order.argument
    }

    /// Runs this check once more, in a new process on the same root, with `phase` told to it: how a host that is killed
    /// and started again is played. Answers how that process ended.
    ///
    /// # Errors
    /// The process can not be started.
    pub fn run_phase(&self, phase: &str, argument: impl Into<String>) -> Outcome<Ended> {
        let order = Order {
            phase: Some(phase.to_owned()),
            argument: argument.into(),
            ..self.order.clone()
        };
        let run = crate::runner::child::run(&order);
        run.map_err(|error| Failure::new(format!("phase '{phase}' can not be started: {error}")))
    }

    /// As [`Ctx::run_phase`], for a phase that must pass.
    ///
    /// # Errors
    /// It failed or did not end as it should: in its own words.
    pub fn phase_passes(&self, phase: &str, argument: impl Into<String>) -> Outcome {
        let ended = self.run_phase(phase, argument)?;
        match ended.judge(crate::runner::child::last_progress(&self.order).as_deref(), 0) {
            Verdict::Passed => Ok(()),
            Verdict::Failed { text } => Err(Failure::Broken(text)),
            Verdict::Skipped { reason, text } => Err(Failure::Skip(reason, text)),
        }
    }

    /// A bench with the driver made and brought up: what most checks begin with.
    ///
    /// # Errors
    /// The plug-in is refused or does not come up, in the host's own words.
    pub fn bench(&self) -> Outcome<Bench> {
        self.builder().open()
    }

    /// A bench to be set up first: services hidden, faults, options, another root.
    #[must_use]
    pub fn builder(&self) -> Builder {
        Builder::new(self)
    }

    /// The name of this check's `n`th domain.
    #[must_use]
    pub fn name(&self, n: usize) -> String {
        format!("check-{n}")
    }

    /// The UUID of this check's `n`th domain.
    #[must_use]
    pub fn uuid(&self, n: usize) -> Uuid {
        let mut random = fastrand::Rng::with_seed(self.seed() ^ (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        // Version 4, variant 1: some documents are checked that strictly.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid::from_bytes(bytes)
    }

    /// A valid document of the `n`th domain, from the fixtures.
    #[must_use]
    pub fn domain(&self, n: usize) -> String {
        self.domain_as(&self.fixtures().domain.valid, &self.name(n), self.uuid(n))
    }

    /// Another valid document of the `n`th domain: same name and UUID, something else in it.
    #[must_use]
    pub fn changed_domain(&self, n: usize) -> String {
        self.domain_as(&self.fixtures().domain.second, &self.name(n), self.uuid(n))
    }

    /// A template of the fixtures with its places filled in.
    #[must_use]
    pub fn domain_as(&self, template: &str, name: &str, uuid: Uuid) -> String {
        self.fill(template, name, uuid)
    }

    /// A valid document of the `n`th filter.
    #[must_use]
    pub fn filter(&self, n: usize) -> String {
        self.fill(&self.fixtures().filter.valid, &self.name(n), self.uuid(n))
    }

    /// Another valid document of the `n`th filter: same name and UUID, other rules.
    #[must_use]
    pub fn changed_filter(&self, n: usize) -> String {
        self.fill(&self.fixtures().filter.second, &self.name(n), self.uuid(n))
    }

    /// A folder below the root, made.
    ///
    /// # Errors
    /// It can not be made.
    pub fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.root().join(name);
        std::fs::create_dir_all(&path)
            .map_err(|error| Failure::new(format!("cannot make '{}': {error}", path.display())))?;
        Ok(path)
    }

    fn fill(&self, template: &str, name: &str, uuid: Uuid) -> String {
        let beside = self.plugin_as_given().parent().unwrap_or(Path::new("/"));
        template
            .replace("@NAME@", name)
            .replace("@UUID@", &uuid.to_string())
            .replace("@DRIVER@", &self.order.driver)
            .replace("@ROOT@", &self.root().to_string_lossy())
            .replace("@BESIDE@", &beside.to_string_lossy())
    }
}
