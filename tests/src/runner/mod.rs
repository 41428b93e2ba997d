//! The runner: what is asked becomes a plan, each check of it runs in a process of its own, outcomes become reports.

mod base;
mod brake;
mod cell;
mod cgroup;
pub(crate) mod child;
mod disk;
pub mod guard;
mod memory;
pub(crate) mod order;
pub mod outcome;
pub mod plan;
pub mod report;
mod sys;

pub use brake::Stop;
pub use order::{Ended, Status};

use crate::bench::Facts;
use crate::check::{Reason, Verdict};
use crate::fixture::{self, Fixtures};
use base::Base;
use brake::{Brake, Patience};
use guard::Walls;
use order::{INSPECT, Order};
use outcome::{Outcome, Run};
use parking_lot::Mutex;
use plan::{Plan, Planned, Selection};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Bytes of the largest file that is taken for a plug-in.
const LARGEST: u64 = 2 << 30;

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
    /// After how many checks that hung the run is given up; never when none is said.
    pub give_up: Option<usize>,
    /// How long the whole run may take.
    pub deadline: Duration,
    /// Whether SIGINT, SIGTERM and SIGHUP end the run in order, with a report.
    pub interruptible: bool,
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
            give_up: Some(5),
            deadline: Duration::from_secs(3600),
            interruptible: false,
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
    #[error("cannot read the plug-in '{}': {cause} ('cargo build' puts it there; 'cargo test' does not)", path.display())]
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
    /// Somebody takes the connection at the URI and says nothing.
    #[error("'{uri}' does not answer within {seconds} s: is it a daemon of libvirt's protocol?")]
    Silent {
        /// The URI.
        uri: String,
        /// How long it was waited for.
        seconds: u64,
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
    base: Base,
    copy: PathBuf,
    given: PathBuf,
    fixtures: Fixtures,
    walls: Walls,
    seed: u64,
    timeout: Duration,
    brake: Brake,
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
        is_plausible(&given).map_err(unreadable)?;
        let brake = options.brake()?;
        let fixtures = Fixtures::find(&given, options.config.as_deref())?;
        let base = options.base()?;
        // A copy: where it lies and who may write there is the installer's business and not the plug-in's, and a build
        // beside this run must not change what is tested.
        let folder = base.folder("plugin").map_err(step("make a folder for the plug-in"))?;
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
            brake,
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
        let facts = ask(uri, options.timeout)?;
        Ok(Self {
            base: options.base()?,
            copy: given.clone(),
            given,
            fixtures,
            walls: options.walls.unwrap_or_else(Walls::best),
            seed: options.seed.unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX))),
            timeout: options.timeout,
            brake: options.brake()?,
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
        let progress = self.base.path().join(format!("{id}.progress"));
        std::fs::write(&progress, "")?;
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
            progress,
            fixtures: self.fixtures.clone(),
            seed: self.seed,
            privileged: self.walls == Walls::Full,
            nonce: nonce()?,
        };
        let group = format!("{}-{id}", self.base.name());
        let tried = cell::run(&order, &group, self.walls, self.timeout, &self.brake);
        if !self.base.is_kept() {
            // What can not be removed now goes with the whole folder at the end, or is told then.
            let _removed = base::remove(&root);
        }
        if tried.as_ref().is_ok_and(|tried| tried.hung) {
            self.brake.hung();
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
        if let Some(stop) = self.brake.is_pulled() {
            let verdict = Verdict::Skipped {
                reason: Reason::Stopped,
                text: stop.to_string(),
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
        let outcomes: Vec<Outcome> = done.into_inner().into_iter().flatten().collect();
        Run {
            plugin: self.given.clone(),
            facts: self.facts.clone(),
            seed: self.seed,
            walls: self.walls,
            profiles: plan.profiles,
            missing: plan.missing,
            stopped: outcome::held_up(self.brake.is_pulled_so_far(), &outcomes),
            outcomes,
            took: began.elapsed(),
        }
    }

    /// Ends the session; answers the folder of the checks if it stays.
    #[must_use]
    pub fn close(self) -> Option<PathBuf> {
        self.base.is_kept().then(|| self.base.path().to_path_buf())
    }
}

impl Options {
    fn base(&self) -> Result<Base, Error> {
        Base::new(self.keep).map_err(step("make a folder for the checks"))
    }

    fn brake(&self) -> Result<Brake, Error> {
        let patience = Patience {
            hangs: self.give_up,
            whole: self.deadline,
        };
        Brake::new(patience, self.interruptible).map_err(step("watch over the run"))
    }
}

/// Asks a daemon what it offers, for as long as a check may take.
fn ask(uri: &str, patience: Duration) -> Result<Facts, Error> {
    let (tell, told) = std::sync::mpsc::channel();
    let asked = uri.to_owned();
    // A connection on which nothing comes waits for ever; its thread ends with this process.
    std::thread::spawn(move || tell.send(crate::checks::wire::facts(&asked)));
    let uri = uri.to_owned();
    match told.recv_timeout(patience) {
        Ok(facts) => facts.map_err(|cause| Error::Daemon { uri, cause }),
        Err(_) => Err(Error::Silent {
            uri,
            seconds: patience.as_secs(),
        }),
    }
}

/// Whether a file can be a plug-in, so that copying it comes to an end.
fn is_plausible(path: &Path) -> io::Result<()> {
    let about = path.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file: a plug-in is a shared library"));
    }
    if about.len() > LARGEST {
        let size = about.len() >> 20;
        let most = LARGEST >> 20;
        return Err(io::Error::other(format!(
            "it is {size} MiB large, and no plug-in is larger than {most} MiB"
        )));
    }
    Ok(())
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
