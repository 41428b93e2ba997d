//! The control groups of one check, one in each hierarchy of this machine: they limit how many processes and how much memory it
//! has, and whatever groups a driver makes for its guests are below them and go with them.

use super::memory;
use crate::process;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Processes and threads of one check, its guests among them.
const MOST: u32 = 2_048;

/// Controllers of version 2 that guests are kept under. Where version 1 has them, those that are left to version 2 matter to nobody.
const KEEPING: [&str; 5] = ["cpu", "cpuset", "io", "memory", "pids"];

/// How long what was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Puts a process, and all that it starts from now on, into groups of this name. Who watches it stays outside: in one group with
/// thousands of others it would hardly ever run. Where that can not be had the time limit still ends
/// whatever a check starts.
pub(super) fn place(name: &str, pid: u32) {
    for hierarchy in hierarchies() {
        let _placed = hierarchy.place(name, pid);
    }
}

/// Removes the groups of this name with all that is left below them, and ends whoever is still in one.
pub(super) fn remove(name: &str) {
    for hierarchy in hierarchies() {
        end_and_remove(&hierarchy.own.join(name));
    }
}

/// Removes the groups of a run that is dead: those whose names begin with the run's.
pub(super) fn remove_of(run: &str) {
    let beginning = format!("{run}-");
    for hierarchy in hierarchies() {
        for entry in fs::read_dir(&hierarchy.own).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&beginning) {
                end_and_remove(&entry.path());
            }
        }
    }
}

/// Whether the kernel has ended a process of the groups of this name because they had no memory left.
pub(super) fn ran_out_of_memory(name: &str) -> bool {
    let ended = |text: &str| {
        let mut counts = text.lines().filter_map(|line| line.strip_prefix("oom_kill "));
        counts.any(|count| count.trim() != "0")
    };
    // The one of version 2, and the one of version 1.
    let files = ["memory.events", "memory.oom_control"];
    hierarchies().iter().any(|hierarchy| {
        let group = hierarchy.own.join(name);
        let mut texts = files
            .iter()
            .filter_map(|file| fs::read_to_string(group.join(file)).ok());
        texts.any(|text| ended(&text))
    })
}

/// A hierarchy with the group that this process is in.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Hierarchy {
    own: PathBuf,
    /// Of version 1; none for version 2.
    controllers: Vec<String>,
}

impl Hierarchy {
    fn place(&self, name: &str, pid: u32) -> io::Result<()> {
        let has = |controller: &str| self.controllers.iter().any(|c| c == controller);
        let group = self.own.join(name);
        let made = self.lends().then_some(()).ok_or(io::ErrorKind::Unsupported.into());
        made.and_then(|()| fs::create_dir(&group))?;
        let mut entered = Ok(());
        if has("cpuset") {
            // A new group begins without any processor, and no process may enter it like this.
            for file in ["cpuset.mems", "cpuset.cpus"] {
                let inherited = fs::read_to_string(self.own.join(file)).unwrap_or_default();
                entered = entered.and_then(|()| fs::write(group.join(file), inherited.trim()));
            }
        }
        if group.join("pids.max").exists() {
            entered = entered.and_then(|()| fs::write(group.join("pids.max"), MOST.to_string()));
        }
        for file in ["memory.max", "memory.limit_in_bytes"] {
            if group.join(file).exists() {
                entered = entered.and_then(|()| fs::write(group.join(file), memory::most().to_string()));
            }
        }
        let entered = entered.and_then(|()| fs::write(group.join("cgroup.procs"), pid.to_string()));
        if entered.is_err() {
            let _removed = fs::remove_dir(&group);
        }
        entered
    }

    /// Whether a group below has the controllers of this one that guests are kept under, so that nothing is lost by being in it.
    fn lends(&self) -> bool {
        let words = |file: &str| fs::read_to_string(self.own.join(file)).unwrap_or_default();
        let (there, lent) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
        let has = |words: &str, name: &str| words.split_whitespace().any(|word| word == name);
        !self.controllers.is_empty() || has(&lent, "pids") || !KEEPING.iter().any(|name| has(&there, name))
    }
}

/// Those of this process that have controllers, and version 2.
fn hierarchies() -> Vec<Hierarchy> {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
}

/// From a process's `mountinfo` and `cgroup` files (proc(5), cgroups(7)).
fn parse(mounts: &str, groups: &str) -> Vec<Hierarchy> {
    let find = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let controllers: Vec<String> = controllers
            .split(',')
            .filter(|c| !c.is_empty())
            .map(str::to_owned)
            .collect();
        let named = controllers.iter().any(|c| c.contains('='));
        let own = mounts.lines().find_map(|mount| folder(mount, &controllers, path));
        own.filter(|_| !named).map(|own| Hierarchy { own, controllers })
    };
    groups.lines().filter_map(find).collect()
}

/// Where a line of `mountinfo` shows this group, if it is of that hierarchy.
fn folder(mount: &str, controllers: &[String], path: &str) -> Option<PathBuf> {
    let (place, kind) = mount.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let fits = match (kind.next()?, controllers) {
        ("cgroup2", []) => true,
        ("cgroup", [_, ..]) => {
            let options: Vec<&str> = kind.nth(1)?.split(',').collect();
            controllers.iter().all(|c| options.contains(&c.as_str()))
        }
        _ => false,
    };
    let below = Path::new(path).strip_prefix(root).ok()?;
    fits.then(|| Path::new(point).join(below))
}

/// Removes a group, and ends who is in it: somebody that no namespace held, or that is just going.
fn end_and_remove(group: &Path) {
    let until = Instant::now() + PATIENCE;
    loop {
        remove_tree(group);
        if !group.exists() || Instant::now() >= until {
            return;
        }
        end(group, group.file_name().unwrap_or_default());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends who is in a group or in one below it, which all are below the one of this name: no other one has that name, while a
/// driver names those below as it likes.
fn end(group: &Path, name: &OsStr) {
    let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // Zero is one of another PID namespace.
    let numbers = processes.lines().filter_map(|line| line.parse().ok());
    for pid in numbers.filter(|pid| *pid > 0) {
        let is_in_it = || {
            let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            is_below(&groups, name)
        };
        process::signal_if(pid, Signal::KILL, is_in_it);
    }
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            end(&entry.path(), name);
        }
    }
}

/// Whether a process's `cgroup` file (cgroups(7)) has it in a group of this name or below one.
fn is_below(groups: &str, name: &OsStr) -> bool {
    let mut paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.any(|path| Path::new(path).components().any(|part| part.as_os_str() == name))
}

/// Removes a group and those below it, deepest first. Files in it go with it.
fn remove_tree(group: &Path) {
    let below = fs::read_dir(group).into_iter().flatten().filter_map(Result::ok);
    for entry in below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_tree(&entry.path());
    }
    // There is none where none could be made.
    let _removed = fs::remove_dir(group);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_found_where_they_are_mounted() {
        let mounts = "30 1 0:25 / /sys/fs/cgroup/pids rw shared:3 - cgroup cgroup rw,pids\n\
            31 1 0:26 /box /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            32 1 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
            33 1 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let groups = "5:pids:/user\n4:cpu,cpuacct:/box/a\n3:memory:/\n1:name=systemd:/x\n0::/user/b\n";
        let found = parse(mounts, groups);
        let places: Vec<_> = found.iter().map(|h| h.own.to_str().unwrap()).collect();
        let expected = [
            "/sys/fs/cgroup/pids/user",
            "/sys/fs/cgroup/cpu,cpuacct/a",
            "/sys/fs/cgroup/unified/user/b",
        ];
        assert_eq!(places, expected);
        assert_eq!(found[1].controllers, ["cpu", "cpuacct"]);
        // Of a group that is above what is mounted nothing can be said.
        assert_eq!(parse(mounts, "4:cpu,cpuacct:/other\n"), []);
    }

    #[test]
    fn who_is_in_a_group_is_told_from_who_is_in_one_that_is_called_like_it() {
        let is_below = |groups: &str| super::is_below(groups, OsStr::new("conformance-abcdef-VIRT-001"));
        assert!(is_below("4:pids:/box/conformance-abcdef-VIRT-001\n0::/user\n"));
        assert!(is_below("0::/user/conformance-abcdef-VIRT-001/guest-1\n"));
        for other in [
            "0::/user/conformance-abcdef-VIRT-0010\n",
            "0::/user/guest-1\n",
            "1:name=conformance-abcdef-VIRT-001:/\n",
            "0::/my-conformance-abcdef-VIRT-001/guest-1\n",
            "",
        ] {
            assert!(!is_below(other), "{other}");
        }
    }

    #[test]
    fn a_group_goes_with_those_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join("conformance-1");
        fs::create_dir_all(group.join("guest-1/below")).unwrap();
        fs::create_dir_all(group.join("guest-2")).unwrap();
        remove_tree(&group);
        assert!(!group.exists());
    }
}
