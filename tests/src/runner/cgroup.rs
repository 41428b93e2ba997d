//! A limit on how many processes a check may have, where this machine lets us set one.

use std::io;
use std::path::{Path, PathBuf};

/// Processes and threads of one check, its guests among them.
const MOST: u32 = 2_048;

/// Puts this process, and all that it starts, into a group with a limit on processes. Where that can not be had the time
/// limit still ends whatever a check starts.
pub(super) fn enter() {
    let _limited = own().is_some_and(|group| enter_below(&group).is_ok());
}

fn enter_below(parent: &Path) -> io::Result<()> {
    let group = parent.join(format!("conformance-{}", std::process::id()));
    std::fs::create_dir(&group)?;
    let entered = std::fs::write(group.join("pids.max"), MOST.to_string())
        .and_then(|()| std::fs::write(group.join("cgroup.procs"), "0"));
    if entered.is_err() {
        let _removed = std::fs::remove_dir(&group);
    }
    entered
}

/// The folder of the group that this process is in, in the hierarchy that counts processes.
fn own() -> Option<PathBuf> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let place = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        match controllers {
            "pids" => Some(Path::new("/sys/fs/cgroup/pids").join(path)),
            "" => {
                let group = Path::new("/sys/fs/cgroup").join(path);
                let given = std::fs::read_to_string(group.join("cgroup.subtree_control")).ok()?;
                given.split_whitespace().any(|name| name == "pids").then_some(group)
            }
            _ => None,
        }
    };
    groups.lines().find_map(place)
}

/// Removes the group of a cell that has ended.
pub(super) fn remove(pid: u32) {
    if let Some(parent) = own() {
        // There is none where none could be made.
        let _removed = std::fs::remove_dir(parent.join(format!("conformance-{pid}")));
    }
}
