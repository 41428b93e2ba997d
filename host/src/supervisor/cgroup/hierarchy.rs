//! Where the machine's cgroup hierarchies are, version 1 and 2, and which of them lends this host a place for its guests.

use super::Controller;
use std::io;
use std::path::{Path, PathBuf};

/// The folder at the top of a version 2 hierarchy that holds the guests of a host whose own group may lend no controller.
const SHARED: &str = "lockstep";
const V2_CONTROLLERS: [Controller; 5] = [
    Controller::Cpu,
    Controller::CpuSet,
    Controller::Memory,
    Controller::Io,
    Controller::Pids,
];

/// A hierarchy of version 1 with the group of this process in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Legacy {
    pub(super) controllers: Vec<Controller>,
    pub(super) own: PathBuf,
}

/// The version 2 hierarchy with the group of this process in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unified {
    pub(super) own: PathBuf,
    /// Where it is mounted.
    top: PathBuf,
    /// Whether what is mounted is all of it.
    whole: bool,
}

/// All hierarchies as a process sees them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Hierarchies {
    pub(super) unified: Option<Unified>,
    pub(super) legacy: Vec<Legacy>,
}

impl Hierarchies {
    /// Those of this process.
    pub(super) fn find() -> io::Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let own = std::fs::read_to_string("/proc/self/cgroup")?;
        Ok(parse(&mounts, &own))
    }

    /// Why a guest has no group in which `controller` works, for the end of a sentence about it.
    pub(super) fn why_missing(&self, controller: Controller) -> String {
        let legacy = self
            .legacy
            .iter()
            .find(|legacy| legacy.controllers.contains(&controller));
        if let Some(legacy) = legacy {
            return format!("which this host may not use in '{}'", legacy.own.display());
        }
        match &self.unified {
            Some(unified) if has(&unified.own, controller) => format!(
                "which is not delegated by '{}' (run the host as root, or in a group of its own with Delegate=yes)",
                unified.own.display()
            ),
            Some(unified) if has(&unified.top, controller) => {
                format!("which is not delegated to the host's group '{}'", unified.own.display())
            }
            _ => "which this machine does not have".to_owned(),
        }
    }
}

/// From a process's mountinfo and cgroup files.
fn parse(mounts: &str, own: &str) -> Hierarchies {
    let mut found = Hierarchies::default();
    for line in mounts.lines() {
        let Some((place, kind)) = line.split_once(" - ") else {
            continue;
        };
        let mut fields = place.split(' ').skip(3);
        let (Some(root), Some(point)) = (fields.next(), fields.next()) else {
            continue;
        };
        let mut kind = kind.splitn(3, ' ');
        let (name, options) = (kind.next().unwrap_or_default(), kind.nth(1).unwrap_or_default());
        let folder = |group: &str| Some(Path::new(point).join(Path::new(group).strip_prefix(root).ok()?));
        if name == "cgroup2" && found.unified.is_none() {
            let group = own.lines().find_map(|line| line.strip_prefix("0::"));
            found.unified = group.and_then(folder).map(|own| Unified {
                own,
                top: PathBuf::from(point),
                whole: root == "/",
            });
        } else if name == "cgroup" {
            let line = own.lines().find_map(|line| {
                let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
                let all_mounted = controllers.split(',').all(|c| options.split(',').any(|o| o == c));
                (!controllers.is_empty() && all_mounted).then_some((controllers, group))
            });
            if let Some((controllers, own)) = line.and_then(|(list, group)| Some((list, folder(group)?))) {
                let controllers: Vec<_> = controllers.split(',').filter_map(Controller::from_legacy).collect();
                if !controllers.is_empty() && !found.legacy.iter().any(|l| l.controllers == controllers) {
                    found.legacy.push(Legacy { controllers, own });
                }
            }
        }
    }
    found
}

impl Unified {
    /// Makes the folder `name` where as many controllers work in it as can be had.
    ///
    /// # Errors
    /// `PermissionDenied` where nothing is delegated to this user.
    pub(super) fn make(&self, name: &str, privileged: bool) -> io::Result<PathBuf> {
        for place in self.places(privileged) {
            // Another guest's end may remove the shared folder between these steps, once.
            for _ in 0..2 {
                if place.ends_with(SHARED) && (make(&self.top, SHARED).is_err() || lend(&self.top).is_err()) {
                    let _ = std::fs::remove_dir(&place);
                    break;
                }
                if lend(&place).is_ok()
                    && let Ok(folder) = make(&place, name)
                {
                    return Ok(folder);
                }
            }
        }
        make(&self.own, name)
    }

    /// The folder `name`, wherever it was made.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let places = self.places(true).into_iter().chain(self.places(false));
        places.map(|place| place.join(name)).find(|folder| folder.exists())
    }

    /// Where a guest's group can be. A group other than the root of all lends controllers only while no process is in it
    /// itself, and this very process is in its own one.
    fn places(&self, privileged: bool) -> Vec<PathBuf> {
        let mut places = vec![self.own.clone()];
        if privileged && self.whole {
            places.push(self.top.join(SHARED));
        } else if !privileged {
            // A user's service manager keeps processes in the leaves and lends controllers to them.
            let above = self.own.ancestors().skip(1);
            places.extend(
                above
                    .take_while(|above| above.starts_with(&self.top))
                    .map(Path::to_owned),
            );
        }
        places
    }
}

/// Removes the folder above a guest's group that was made for guests alone, when this was the last one.
pub(super) fn remove_shared(group: &Path) {
    if let Some(above) = group.parent().filter(|above| above.ends_with(SHARED)) {
        let _ = std::fs::remove_dir(above);
    }
}

/// Lets every controller that the group has work in the groups below it.
fn lend(group: &Path) -> io::Result<()> {
    let file = group.join("cgroup.subtree_control");
    let lent = words(&file);
    for controller in V2_CONTROLLERS {
        let name = controller.unified();
        if has(group, controller) && !lent.iter().any(|lent| lent == name) {
            std::fs::write(&file, format!("+{name}"))?;
        }
    }
    Ok(())
}

fn make(above: &Path, name: &str) -> io::Result<PathBuf> {
    let folder = above.join(name);
    match std::fs::create_dir(&folder) {
        // Left by a supervisor that was killed in the middle of a start: nothing can run in it.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(folder),
        other => other.map(|()| folder),
    }
}

impl Legacy {
    /// Makes the folder `name` in which processes can be.
    ///
    /// # Errors
    /// `PermissionDenied` for an ordinary user.
    pub(super) fn make(&self, name: &str) -> io::Result<PathBuf> {
        let folder = make(&self.own, name)?;
        if self.controllers.contains(&Controller::CpuSet) {
            // A new group begins without any processor, and no process may enter it like this.
            for file in ["cpuset.mems", "cpuset.cpus"] {
                let inherited = std::fs::read_to_string(self.own.join(file))?;
                let done = std::fs::write(folder.join(file), inherited.trim());
                if done.is_err() {
                    let _ = std::fs::remove_dir(&folder);
                }
                done?;
            }
        }
        Ok(folder)
    }
}

/// Whether a group of version 2 has a controller.
pub(super) fn has(group: &Path, controller: Controller) -> bool {
    let listed = words(&group.join("cgroup.controllers"));
    listed.iter().any(|name| name == controller.unified())
}

/// The words of a file; none when it can not be read.
pub(super) fn words(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(mounts: &str, own: &str) -> Option<PathBuf> {
        parse(mounts, own).unified.map(|unified| unified.own)
    }

    #[test]
    fn the_own_group_is_found_alone_and_beside_version_one() {
        let alone = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let own = "0::/user.slice/user-1000.slice/app.scope\n";
        assert_eq!(
            unified(alone, own).unwrap(),
            Path::new("/sys/fs/cgroup/user.slice/user-1000.slice/app.scope")
        );
        let beside = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      34 31 0:31 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
                      35 31 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found = parse(beside, "9:name=systemd:/\n3:memory:/box/a\n1:cpu,cpuacct:/x:y\n0::/\n");
        assert_eq!(found.unified.unwrap().own, Path::new("/sys/fs/cgroup/unified"));
        let legacy: Vec<_> = found
            .legacy
            .iter()
            .map(|l| (l.controllers.clone(), l.own.clone()))
            .collect();
        assert_eq!(
            legacy,
            [
                (
                    vec![Controller::Cpu, Controller::CpuAccount],
                    PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/x:y")
                ),
                (vec![Controller::Memory], PathBuf::from("/sys/fs/cgroup/memory/box/a")),
            ]
        );
        assert_eq!(unified("", own), None);
        let container = "30 23 0:26 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(unified(container, "0::/box/a").unwrap(), Path::new("/sys/fs/cgroup/a"));
        assert_eq!(unified(container, "0::/other"), None);
    }
}
