//! What the host orders from a supervisor and what the supervisor records: the files of a guest's run folder.

use super::cgroup::{Groups, LegacyGroup};
use super::confinement::{InForce, Layers};
use super::extras::Extras;
use driver_api::types::guest::VisibleFile;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What was ordered, written by the host before the supervisor starts.
pub(super) const ORDER: &str = "order.json";
/// What runs, written by the supervisor before the guest's program is executed.
pub(super) const RUNNING: &str = "running.json";
/// How it ended, written by the supervisor (or by the host when the supervisor was lost).
pub(super) const ENDED: &str = "exit.json";
/// The supervisor's control socket.
pub(super) const CONTROL: &str = "control";
/// The folder that the guest sees as its run folder.
pub(super) const GUEST_DIR: &str = "guest";
/// The notification socket inside of [`GUEST_DIR`].
pub(super) const NOTIFY: &str = "guest/notify";
/// The empty folder on which the guest's root is mounted, in its own mount namespace only.
pub(super) const ROOT_DIR: &str = "root";
/// What the supervisor has to say when nobody listens.
pub(super) const SUPERVISOR_LOG: &str = "supervisor.log";

/// The viewer socket of console `index`.
pub(super) fn console_socket(index: usize) -> String {
    format!("console{index}.sock")
}

/// Everything that a supervisor needs to know; self-contained, so that a host of another version can read it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) driver: String,
    pub(super) domain: String,
    pub(super) name: String,
    /// The guest's run folder (the one that holds [`ORDER`]) as the host sees it.
    pub(super) run_dir: PathBuf,
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) consoles: Vec<ConsoleOrder>,
    pub(super) files: Vec<FileOrder>,
    /// How many descriptors come with the order for the guest.
    #[serde(default)]
    pub(super) descriptors: usize,
    pub(super) memory_bytes: u64,
    /// The user that the guest becomes when the host may change users.
    pub(super) uid: u32,
    pub(super) log_bytes: u64,
    pub(super) log_files: u32,
    pub(super) boot_id: String,
    /// Which of the layers around it are wanted.
    #[serde(default)]
    pub(super) layers: Layers,
    /// What a plain guest has not.
    #[serde(default)]
    pub(super) extras: Extras,
}

impl Order {
    /// The name of the guest's cgroups: guests of different roots must not meet, so the folder of all guests is in it.
    pub(super) fn group_name(&self) -> String {
        use std::os::unix::fs::MetadataExt;
        let root = self.run_dir.parent().and_then(|root| std::fs::metadata(root).ok());
        let (device, number) = root.map_or((0, 0), |meta| (meta.dev(), meta.ino()));
        format!("lockstep-guest-{device:x}-{number:x}-{}", self.id)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct ConsoleOrder {
    /// Its name when it is taken out.
    #[serde(default)]
    pub(super) alias: String,
    pub(super) pty: bool,
    pub(super) logs: Vec<PathBuf>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct FileOrder {
    pub(super) path: PathBuf,
    pub(super) writable: bool,
}

impl From<&VisibleFile> for FileOrder {
    fn from(file: &VisibleFile) -> Self {
        Self {
            path: file.path.clone(),
            writable: file.writable,
        }
    }
}

/// A process that can not be mistaken for a later one with the same number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct ProcessName {
    pub(super) pid: u32,
    /// Clock ticks from the start of the machine to that of the process (field 22 of its stat file).
    pub(super) start: u64,
}

/// A guest that runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) supervisor: ProcessName,
    pub(super) guest: ProcessName,
    pub(super) boot_id: String,
    /// Its group of version 2.
    pub(super) cgroup: Option<PathBuf>,
    /// Its groups of version 1.
    #[serde(default)]
    pub(super) legacy_cgroups: Vec<LegacyGroup>,
    #[serde(default)]
    pub(super) in_force: InForce,
    pub(super) ptys: Vec<String>,
    pub(super) not_isolated: Vec<String>,
}

impl Running {
    /// The groups of the guest.
    pub(super) fn groups(&self) -> Groups {
        Groups::at(self.cgroup.as_deref(), &self.legacy_cgroups)
    }
}

/// A notification of the guest with its place in the order of all.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) seq: u64,
    pub(super) bytes: Vec<u8>,
}

/// A guest that is gone.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) out_of_memory: bool,
    pub(super) supervisor_lost: bool,
    pub(super) requested: bool,
    /// The last notifications, oldest first.
    pub(super) notifications: Vec<Note>,
    /// The last one that a host has confirmed.
    pub(super) confirmed: u64,
    pub(super) console_tail: String,
    /// Why it never started.
    pub(super) failure: Option<Failure>,
}

/// A step of a start that did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    /// What was tried, with the object's name.
    pub(super) step: String,
    /// The system's reason, if there is one.
    pub(super) errno: Option<i32>,
    /// Whether it is what this machine can not do at all.
    #[serde(default)]
    pub(super) unsupported: bool,
}

impl Failure {
    pub(super) fn new(step: impl Into<String>) -> Self {
        Self {
            step: step.into(),
            errno: None,
            unsupported: false,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.step)?;
        match self.errno {
            Some(errno) => write!(f, ": {}", std::io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }
}

/// Names the step that an operation belonged to.
pub(super) trait Step<T> {
    /// Turns an error into a [`Failure`] of the step that `name` tells.
    fn step(self, name: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<std::io::Error>> Step<T> for Result<T, E> {
    fn step(self, name: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|e| {
            let e: std::io::Error = e.into();
            match e.raw_os_error() {
                Some(errno) => Failure {
                    step: name(),
                    errno: Some(errno),
                    unsupported: false,
                },
                None => Failure::new(format!("{}: {e}", name())),
            }
        })
    }
}

/// The supervisor's answer to an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Report {
    Started(Running),
    Failed(Failure),
}
