//! `Groups`: the cgroups of one guest, one in each hierarchy of version 2 and 1, in which it is limited, counted and killed.

mod hierarchy;
mod knob;
mod plan;
mod readback;
mod usage;

pub(super) use plan::{Refusal, check};

use hierarchy::Hierarchies;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a group may take until its last process has left it.
const PATIENCE: Duration = Duration::from_secs(2);
const NAP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// What the kernel can limit or count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Controller {
    Cpu,
    CpuAccount,
    CpuSet,
    Memory,
    Io,
    Pids,
}

impl Controller {
    /// Its name in version 2, which accounts for processor time without one.
    const fn unified(self) -> &'static str {
        match self {
            Self::Cpu | Self::CpuAccount => "cpu",
            Self::CpuSet => "cpuset",
            Self::Memory => "memory",
            Self::Io => "io",
            Self::Pids => "pids",
        }
    }

    fn from_legacy(name: &str) -> Option<Self> {
        Some(match name {
            "cpu" => Self::Cpu,
            "cpuacct" => Self::CpuAccount,
            "cpuset" => Self::CpuSet,
            "memory" => Self::Memory,
            "blkio" => Self::Io,
            "pids" => Self::Pids,
            _ => return None,
        })
    }
}

/// A guest's group in a hierarchy of version 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct LegacyGroup {
    pub(super) controllers: Vec<Controller>,
    pub(super) path: PathBuf,
}

/// Where a controller works on a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seat {
    pub(super) version: Version,
    pub(super) path: PathBuf,
}

/// Of the interface files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    One,
    Two,
}

/// The groups that hold exactly one guest's processes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Groups {
    unified: Option<PathBuf>,
    legacy: Vec<LegacyGroup>,
}

impl Groups {
    /// Makes groups `name` below the ones that this process is in, wherever that is possible; and why there is none of
    /// version 2, the only one that can be killed as a whole.
    pub(super) fn create(name: &str, privileged: bool) -> (Self, Option<io::Error>) {
        let found = match Hierarchies::find() {
            Ok(found) => found,
            Err(e) => return (Self::default(), Some(e)),
        };
        let legacy = found.legacy.iter().filter_map(|hierarchy| {
            let path = hierarchy.make(name).ok()?;
            Some(LegacyGroup {
                controllers: hierarchy.controllers.clone(),
                path,
            })
        });
        let legacy = legacy.collect();
        let none = || io::Error::new(io::ErrorKind::NotFound, "no cgroup version 2 hierarchy is mounted");
        let unified = found
            .unified
            .ok_or_else(none)
            .and_then(|own| own.make(name, privileged));
        match unified {
            Ok(path) => {
                // A UML guest of which only one process was killed would hang instead of ending.
                let _ = std::fs::write(path.join("memory.oom.group"), "1");
                let unified = Some(path);
                (Self { unified, legacy }, None)
            }
            Err(e) => (Self { unified: None, legacy }, Some(e)),
        }
    }

    /// The groups `name` that a start left behind which did not come to its end.
    pub(super) fn left(name: &str) -> Self {
        let found = Hierarchies::find().unwrap_or_default();
        let unified = found.unified.and_then(|own| own.find(name));
        let legacy = found.legacy.into_iter().filter_map(|hierarchy| {
            let path = hierarchy.own.join(name);
            path.exists().then_some(LegacyGroup {
                controllers: hierarchy.controllers,
                path,
            })
        });
        Self {
            unified,
            legacy: legacy.collect(),
        }
    }

    /// Groups that were made earlier.
    pub(super) fn at(unified: Option<&Path>, legacy: &[LegacyGroup]) -> Self {
        Self {
            unified: unified.map(Path::to_owned),
            legacy: legacy.to_vec(),
        }
    }

    pub(super) fn unified(&self) -> Option<&Path> {
        self.unified.as_deref()
    }

    pub(super) fn legacy(&self) -> &[LegacyGroup] {
        &self.legacy
    }

    /// Every folder, for people.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let legacy = self.legacy.iter().map(|group| group.path.as_path());
        self.unified.as_deref().into_iter().chain(legacy)
    }

    /// The version 2 folder as clone3 wants it.
    pub(super) fn open(&self) -> Option<File> {
        File::open(self.unified.as_ref()?).ok()
    }

    /// Gives the version 2 group up, in which no process could be started.
    pub(super) fn leave_unified(&mut self) {
        if let Some(path) = self.unified.take() {
            let _ = remove(&path);
        }
    }

    /// Where `controller` works on this guest.
    pub(super) fn seat(&self, controller: Controller) -> Option<Seat> {
        if let Some(group) = self.legacy.iter().find(|group| group.controllers.contains(&controller)) {
            return Some(Seat {
                version: Version::One,
                path: group.path.clone(),
            });
        }
        let unified = self.unified.as_ref()?;
        hierarchy::has(unified, controller).then(|| Seat {
            version: Version::Two,
            path: unified.clone(),
        })
    }

    /// Puts a process that has no children yet into the version 1 groups whose figures are always wanted: memory, and
    /// processor time where version 2 does not count it. Entering a group makes the kernel stop all forks of the machine
    /// for a moment, so groups that only limit are entered when there is a limit.
    pub(super) fn enter(&self, pid: u32) -> io::Result<()> {
        let counted = |group: &&LegacyGroup| {
            group.controllers.contains(&Controller::Memory)
                || self.unified.is_none() && group.controllers.contains(&Controller::CpuAccount)
        };
        for group in self.legacy.iter().filter(counted) {
            std::fs::write(group.path.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// Puts a process that has no children yet into every version 1 group in which `leader` is.
    pub(super) fn follow(&self, pid: u32, leader: u32) -> io::Result<()> {
        for group in &self.legacy {
            let list = group.path.join("cgroup.procs");
            if hierarchy::words(&list).contains(&leader.to_string()) {
                std::fs::write(list, pid.to_string())?;
            }
        }
        Ok(())
    }

    /// Moves all processes of a guest into the version 1 group of a controller, those that are just being forked too.
    /// `root` is its first process.
    pub(super) fn gather(&self, controller: Controller, root: u32) -> io::Result<()> {
        let Some(group) = self.legacy.iter().find(|group| group.controllers.contains(&controller)) else {
            return Ok(());
        };
        let list = group.path.join("cgroup.procs");
        loop {
            // In this order: who is forked after the look at the group is either in it or not yet in the members.
            let there = hierarchy::words(&list);
            let outside: Vec<u32> = self
                .members(root)
                .into_iter()
                .filter(|pid| !there.contains(&pid.to_string()))
                .collect();
            if outside.is_empty() {
                return Ok(());
            }
            for pid in outside {
                match std::fs::write(&list, pid.to_string()) {
                    // It has just ended.
                    Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {}
                    other => other?,
                }
            }
        }
    }

    /// Kills every process of the guest, those that are just being forked too.
    ///
    /// # Errors
    /// `NotFound` without version 2 and on kernels before 5.14.
    pub(super) fn kill(&self) -> io::Result<()> {
        let path = self.unified.as_ref().ok_or(io::ErrorKind::NotFound)?;
        std::fs::write(path.join("cgroup.kill"), "1")
    }

    /// Whether the kernel's out-of-memory killer has been here; unknown is no.
    pub(super) fn out_of_memory(&self) -> bool {
        let counter = self.seat(Controller::Memory).map(|seat| match seat.version {
            Version::One => seat.path.join("memory.oom_control"),
            Version::Two => seat.path.join("memory.events"),
        });
        counter
            .and_then(|file| std::fs::read_to_string(file).ok())
            .is_some_and(|text| value(&text, "oom_kill").is_some_and(|count| count > 0))
    }

    /// Removes the groups when they are empty, waiting a short while for the last process.
    ///
    /// # Errors
    /// The first one that stays.
    pub(super) fn remove(&self) -> io::Result<()> {
        let mut result = Ok(());
        for path in self.paths() {
            result = result.and(remove(path));
        }
        if let Some(unified) = &self.unified {
            hierarchy::remove_shared(unified);
        }
        result
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match std::fs::remove_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => await_change(path)?,
            other => return other,
        }
    }
}

fn await_change(path: &Path) -> io::Result<()> {
    let Ok(events) = File::open(path.join("cgroup.events")) else {
        // Version 1 tells nobody when its last process is gone.
        poll(&mut [], Some(&NAP))?;
        return Ok(());
    };
    // The kernel raises POLLPRI when "populated" changes after a read.
    if io::read_to_string(&events)?.contains("populated 0") {
        return Ok(());
    }
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&timeout))?;
    Ok(())
}

/// The number behind a key in a file of such pairs.
fn value(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_whole_name() {
        let text = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(value(text, "oom_kill"), Some(2));
        assert_eq!(value(text, "oo"), None);
    }
}
