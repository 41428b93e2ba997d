//! `Group`: the cgroup of one guest (version 2, alone or beside version 1), which can be killed as one.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A cgroup that holds exactly one guest's processes.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
}

impl Group {
    /// Makes the group `name` below the one that this process is in.
    ///
    /// # Errors
    /// `NotFound` without a version 2 hierarchy, `PermissionDenied` where it is not delegated to this user.
    pub(super) fn create(name: &str) -> io::Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let own = std::fs::read_to_string("/proc/self/cgroup")?;
        let base = own_folder(&mounts, &own)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no cgroup version 2 hierarchy is mounted"))?;
        let path = base.join(name);
        match std::fs::create_dir(&path) {
            // Left by a supervisor that was killed in the middle of a start: nothing can run in it.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        Ok(Self { path })
    }

    /// A group that was made earlier.
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder as clone3 wants it.
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Kills every process in it, those that are just being forked too.
    ///
    /// # Errors
    /// `NotFound` on kernels before 5.14.
    pub(super) fn kill(&self) -> io::Result<()> {
        std::fs::write(self.path.join("cgroup.kill"), "1")
    }

    /// Whether the kernel's out-of-memory killer has been here; unknown is no.
    pub(super) fn out_of_memory(&self) -> bool {
        std::fs::read_to_string(self.path.join("memory.events"))
            .is_ok_and(|text| value(&text, "oom_kill").is_some_and(|count| count > 0))
    }

    /// Processor time of all that ever ran in it, in nanoseconds.
    pub(super) fn cpu_time(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.path.join("cpu.stat")).ok()?;
        value(&text, "usage_usec").map(|usec| usec * 1000)
    }

    /// Removes the group when it is empty, waiting a short while for its last process.
    pub(super) fn remove(&self) -> io::Result<()> {
        for _ in 0..20 {
            match std::fs::remove_dir(&self.path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => self.await_change()?,
                other => return other,
            }
        }
        std::fs::remove_dir(&self.path)
    }

    fn await_change(&self) -> io::Result<()> {
        let events = File::open(self.path.join("cgroup.events"))?;
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
}

/// The folder of the version 2 group that a process is in, from its mountinfo and cgroup files.
fn own_folder(mounts: &str, own: &str) -> Option<PathBuf> {
    let group = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        if !kind.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = place.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let inside = Path::new(group).strip_prefix(root).ok()?;
        Some(Path::new(point).join(inside))
    })
}

fn value(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_alone_and_beside_version_one() {
        let alone = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let own = "0::/user.slice/user-1000.slice/app.scope\n";
        assert_eq!(
            own_folder(alone, own).unwrap(),
            Path::new("/sys/fs/cgroup/user.slice/user-1000.slice/app.scope")
        );
        let beside = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            own_folder(beside, "9:name=systemd:/\n0::/\n").unwrap(),
            Path::new("/sys/fs/cgroup/unified")
        );
        assert_eq!(own_folder("", own), None);
        let container = "30 23 0:26 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            own_folder(container, "0::/box/a").unwrap(),
            Path::new("/sys/fs/cgroup/a")
        );
        assert_eq!(own_folder(container, "0::/other"), None);
    }

    #[test]
    fn counters_are_found_by_whole_name() {
        let text = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(value(text, "oom_kill"), Some(2));
        assert_eq!(value(text, "oo"), None);
    }
}
