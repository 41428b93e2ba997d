//! The runner: what is asked becomes a plan, each check of it runs in a process of its own, outcomes become reports.

mod cell;
mod cgroup;
pub(crate) mod child;
pub mod guard;
pub(crate) mod order;
pub mod outcome;
pub mod plan;
pub mod report;
mod sys;

pub use order::{Ended, Status};

use crate::bench::Facts;
use crate::check::{Reason, Verdict};
use crate::fixture::{self, Fixtures};
use guard::Walls;
use order::{INSPECT, Order};
use outcome::{Outcome, Run};
use parking_lot::Mutex;
use plan::{Plan, Planned, Selection};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How the suite is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which checks.
    pub selection: Selection,
    /// Fixtures, instead of those beside the plug-in.
    pub config: Option<PathBuf>,
    /// Where all that is random begins; drawn when not given.
    pub seed: Option<u64>,
    /// How many checks at once.
    pub jobs: usize,
    /// How long one check may take.
    pub timeout: Duration,
    /// Whether the checks' folders stay.
    pub keep: bool,
    /// The host's binary for checks of the wire; without one this program is the host itself.
    pub lockstep: Option<PathBuf>,
    /// What separates checks from the machine; the best that there is when not said.
    pub walls: Option<Walls>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            selection: Selection::default(),
            config: None,
            seed: None,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            timeout: Duration::from_secs(120),
            keep: false,
            lockstep: None,
            walls: None,
        }
    }
}

/// Why the suite can not run at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such plug-in.
    #[error("cannot read the plug-in '{}': {cause}", path.display())]
    Plugin {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Nobody answers at the URI.
    #[error("cannot speak to '{uri}': {cause}")]
    Daemon {
        /// The URI.
        uri: String,
        /// Why.
        cause: lockstep::client::Error,
    },
    /// The fixtures.
    #[error(transparent)]
    Fixtures(#[from] fixture::Error),
    /// Folders or processes.
    #[error("cannot {what}: {cause}")]
    Step {
        /// What was tried.
        what: String,
        /// Why it failed.
        cause: io::Error,
    },
}

fn step(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    |cause| Error::Step {
        what: what.into(),
        cause,
    }
}

/// One plug-in on its way through the suite.
#[derive(Debug)]
pub struct Session {
    base: tempfile::TempDir,
    copy: PathBuf,
    given: PathBuf,
    fixtures: Fixtures,
    walls: Walls,
    seed: u64,
    timeout: Duration,
    keep: bool,
    uri: Option<String>,
    lockstep: Option<PathBuf>,
    facts: Result<Facts, String>,
}

impl Session {
    /// Copies the plug-in to where only this run knows it, and asks it who it is (in a process of its own).
    ///
    /// # Errors
    /// The file or the fixtures can not be read, or no process can be started.
    pub fn open(plugin: &Path, options: &Options) -> Result<Self, Error> {
        let unreadable = |cause| Error::Plugin {
            path: plugin.to_path_buf(),
            cause,
        };
        let given = std::fs::canonicalize(plugin).map_err(unreadable)?;
        let fixtures = Fixtures::find(&given, options.config.as_deref())?;
        let base = base()?;
        // A copy: where it lies and who may write there is the installer's business and not the plug-in's, and a build
        // beside this run must not change what is tested.
        let folder = base.path().join("plugin");
        std::fs::create_dir(&folder).map_err(step("make a folder for the plug-in"))?;
        let copy = folder.join(given.file_name().unwrap_or_default());
        std::fs::copy(&given, &copy).map_err(unreadable)?;
        tighten(&copy).map_err(step("set the mode of the plug-in's copy"))?;
        let mut session = Self {
            base,
            copy,
            given,
            fixtures,
            walls: options.walls.unwrap_or_else(Walls::best),
            seed: options.seed.unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX))),
            timeout: options.timeout,
            keep: options.keep,
            uri: None,
            lockstep: options.lockstep.clone(),
            facts: Err(String::new()),
        };
        session.facts = session.inspect()?;
        Ok(session)
    }

    /// Asks the daemon at this URI what it offers; only checks of the wire will be tried on it.
    ///
    /// # Errors
    /// The fixtures can not be read, or nobody answers.
    pub fn open_daemon(uri: &str, options: &Options) -> Result<Self, Error> {
        let given = PathBuf::from(uri);
        let fixtures = Fixtures::find(&given, options.config.as_deref())?;
        let facts = crate::checks::wire::facts(uri).map_err(|cause| Error::Daemon {
            uri: uri.to_owned(),
            cause,
        })?;
        Ok(Self {
            base: base()?,
            copy: given.clone(),
            given,
            fixtures,
            walls: options.walls.unwrap_or_else(Walls::best),
            seed: options.seed.unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX))),
            timeout: options.timeout,
            keep: options.keep,
            uri: Some(uri.to_owned()),
            lockstep: None,
            facts: Ok(facts),
        })
    }

    /// Who the plug-in says it is; the host's words when it is refused.
    ///
    /// # Errors
    /// The host refuses the plug-in.
    pub fn facts(&self) -> Result<&Facts, &str> {
        self.facts.as_ref().map_err(String::as_str)
    }

    /// The seed of this run.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// What stands between a check and this machine.
    #[must_use]
    pub const fn walls(&self) -> Walls {
        self.walls
    }

    /// The folder of all checks.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.base.path()
    }

    fn inspect(&self) -> Result<Result<Facts, String>, Error> {
        let tried = self.run_order(INSPECT).map_err(step("start a process"))?;
        if let Some(facts) = tried.ended.and_then(|ended| ended.facts) {
            return Ok(Ok(facts));
        }
        Ok(Err(match tried.verdict {
            Verdict::Failed { text } | Verdict::Skipped { text, .. } => text,
            Verdict::Passed => String::from("the plug-in said nothing of itself"),
        }))
    }

    fn run_order(&self, id: &str) -> io::Result<cell::Tried> {
        let root = self.base.path().join(id);
        std::fs::create_dir(&root)?;
        let driver = self.facts.as_ref().map(|facts| facts.name.clone());
        let order = Order {
            check: id.to_owned(),
            phase: None,
            argument: String::new(),
            plugin: self.copy.clone(),
            given: self.given.clone(),
            uri: self.uri.clone(),
            lockstep: self.lockstep.clone(),
            driver: driver.unwrap_or_default(),
            root: root.clone(),
            progress: self.base.path().join(format!("{id}.progress")),
            fixtures: self.fixtures.clone(),
            seed: self.seed,
            privileged: self.walls == Walls::Full,
            nonce: nonce()?,
        };
        let tried = cell::run(&order, self.walls, self.timeout);
        if !self.keep {
            // What a check made unreadable goes with the whole folder at the end, or is told then.
            let _removed = std::fs::remove_dir_all(&root);
        }
        tried
    }

    /// The plan for what was asked.
    #[must_use]
    pub fn plan(&self, selection: &Selection) -> Plan {
        let selection = Selection {
            wire: selection.wire || self.uri.is_some(),
            ..selection.clone()
        };
        Plan::new(&selection, self.facts(), self.walls == Walls::Full)
    }

    /// Tries one check, or says why not.
    #[must_use]
    pub fn try_one(&self, planned: &Planned) -> Outcome {
        let began = Instant::now();
        let outcome = |verdict, output, took| Outcome {
            check: planned.check,
            verdict,
            output,
            took,
        };
        if let Some((reason, text)) = &planned.skip {
            let verdict = Verdict::Skipped {
                reason: *reason,
                text: text.clone(),
            };
            return outcome(verdict, String::new(), Duration::ZERO);
        }
        match self.run_order(planned.check.id) {
            Ok(tried) => outcome(tried.verdict, tried.output, tried.took),
            Err(error) => {
                let text = format!("the check's process can not be started: {error}");
                outcome(Verdict::Failed { text }, String::new(), began.elapsed())
            }
        }
    }

    /// Tries a whole plan, several checks at once; `seen` is told of each outcome in the plan's order.
    #[must_use]
    pub fn try_all(&self, plan: Plan, jobs: usize, seen: &(dyn Fn(&Outcome) + Sync)) -> Run {
        let began = Instant::now();
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<Option<Outcome>>> = Mutex::new(plan.checks.iter().map(|_| None).collect());
        let told = Mutex::new(0);
        let work = || {
            while let Some((index, planned)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                plan.checks.get(index).map(|planned| (index, planned))
            } {
                let outcome = self.try_one(planned);
                done.lock()[index] = Some(outcome);
                let mut told = told.lock();
                loop {
                    let ready = done.lock().get(*told).cloned().flatten();
                    let Some(outcome) = ready else {
                        break;
                    };
                    seen(&outcome);
                    *told += 1;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..jobs.clamp(1, 64) {
                scope.spawn(work);
            }
            work();
        });
        Run {
            plugin: self.given.clone(),
            facts: self.facts.clone(),
            seed: self.seed,
            walls: self.walls,
            profiles: plan.profiles,
            missing: plan.missing,
            outcomes: done.into_inner().into_iter().flatten().collect(),
            took: began.elapsed(),
        }
    }

    /// Ends the session; answers the folder of the checks if it stays.
    #[must_use]
    pub fn close(mut self) -> Option<PathBuf> {
        if self.keep {
            self.base.disable_cleanup(true);
            return Some(self.base.path().to_path_buf());
        }
        None
    }
}

fn base() -> Result<tempfile::TempDir, Error> {
    let made = tempfile::Builder::new().prefix("conformance-").tempdir();
    made.map_err(step("make a folder for the checks"))
}

/// Only its owner may write it: as root the host loads nothing else.
fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    if let Some(folder) = path.parent() {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn nonce() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a reason for a skip is forgiven in a profile.
#[must_use]
pub(crate) const fn is_forgiven(reason: Reason) -> bool {
    matches!(reason, Reason::Interface)
}
