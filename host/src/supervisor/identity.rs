//! Which user a guest becomes, and how the host's files reach it without a change to their owners or modes.

use super::node;
use super::order::{Failure, FileOrder, Order, Step};
use super::sys::{self, Side};
use rustix::fs::{CWD, Stat};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use rustix::process::{WaitId, WaitIdOptions, geteuid, getgid, getuid, waitid};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The user of last resort where the dynamic range is not mapped (a container's user namespace).
const NOBODY: u32 = 65534;

/// A guest's user, and the files as it will see them.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether the guest changes to that user; else it stays the host's.
    pub(super) switch: bool,
    pub(super) files: Vec<Visible>,
}

/// A file or folder to be shown to the guest under its own path.
#[derive(Debug)]
pub(super) struct Visible {
    pub(super) path: PathBuf,
    pub(super) writable: bool,
    /// A detached mount through which its owner appears as the guest's user; without, it is shown as it is.
    pub(super) tree: Option<OwnedFd>,
}

/// Decides the user of a guest; `privileged` is a host that may change users and mount.
pub(super) fn choose(order: &Order, privileged: bool, notes: &mut Vec<String>) -> Result<Identity, Failure> {
    let all = with_program(&order.argv, &order.files);
    if !privileged {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        if let Some(other) = order.extras.user.filter(|user| *user != (uid, gid)) {
            let (user, group) = other;
            return Err(Failure {
                unsupported: true,
                ..Failure::new(format!(
                    "run the guest as user {user} and group {group}: this host is not root and has only its own user {uid} and group {gid}"
                ))
            });
        }
        notes.push("guest processes run as the host's own user".to_owned());
        let (files, _) = present(&all, (uid, gid), false)?;
        return Ok(Identity {
            uid,
            gid,
            switch: false,
            files,
        });
    }
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if let Some((uid, gid)) = order.extras.user {
        return fixed(&all, (uid, gid), &map, notes);
    }
    let mut uid = order.uid;
    if !is_mapped(&map, uid) {
        uid = NOBODY;
        notes.push(format!(
            "user {} is not available here: guests share user {NOBODY}",
            order.uid
        ));
    }
    let (mut files, mut refused) = present(&all, (uid, uid), true)?;
    if let Some((path, owner)) = refused.first() {
        notes.push(format!(
            "'{}' lies on a file system without idmapped mounts: the guest runs as its owner, user {owner}, without capabilities",
            path.display()
        ));
        uid = *owner;
        (files, refused) = present(&all, (uid, uid), true)?;
        for (path, owner) in refused.iter().filter(|(_, owner)| *owner != uid) {
            notes.push(format!(
                "'{}' of user {owner} can not be reached by the guest",
                path.display()
            ));
        }
    }
    Ok(Identity {
        uid,
        gid: uid,
        switch: true,
        files,
    })
}

/// The identity of a guest whose user was chosen by somebody, which no file system can change.
fn fixed(files: &[FileOrder], (uid, gid): (u32, u32), map: &str, notes: &mut Vec<String>) -> Result<Identity, Failure> {
    if !is_mapped(map, uid) {
        return Err(Failure {
            unsupported: true,
            ..Failure::new(format!(
                "run the guest as user {uid}, which does not exist in this container"
            ))
        });
    }
    let (files, refused) = present(files, (uid, gid), true)?;
    for (path, owner) in refused {
        notes.push(format!(
            "'{}' of user {owner} lies on a file system without idmapped mounts: the guest reaches it as user {uid} only",
            path.display()
        ));
    }
    Ok(Identity {
        uid,
        gid,
        switch: true,
        files,
    })
}

/// The files of a program that runs beside a guest, as that guest's user.
pub(super) fn beside(
    argv: &[String],
    files: &[FileOrder],
    (uid, gid): (u32, u32),
    switch: bool,
) -> Result<Identity, Failure> {
    let (files, refused) = present(&with_program(argv, files), (uid, gid), switch)?;
    if let Some((path, owner)) = refused.first() {
        return Err(Failure::new(format!(
            "show '{}' of user {owner} to user {uid}: its file system has no idmapped mounts",
            path.display()
        )));
    }
    Ok(Identity {
        uid,
        gid,
        switch,
        files,
    })
}

/// The program is one of the files that are seen.
fn with_program(argv: &[String], files: &[FileOrder]) -> Vec<FileOrder> {
    let program = argv.first().map(|program| FileOrder {
        path: PathBuf::from(program),
        writable: false,
    });
    program.into_iter().chain(files.iter().cloned()).collect()
}

/// Whether this process may change users and mount: euid 0 that is not a mere name in a container without rights.
pub(super) fn is_privileged() -> bool {
    use rustix::thread::{CapabilitySet, capabilities};
    let wanted = CapabilitySet::SYS_ADMIN | CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::CHOWN;
    geteuid().is_root() && capabilities(None).is_ok_and(|sets| sets.effective.contains(wanted))
}

type Refused = Vec<(PathBuf, u32)>;

/// The files as user and group can reach them, and those (with their owners) that they can not.
fn present(files: &[FileOrder], to: (u32, u32), map: bool) -> Result<(Vec<Visible>, Refused), Failure> {
    let mut namespaces: HashMap<(u32, u32), OwnedFd> = HashMap::new();
    let mut refused = Vec::new();
    let mut visible = Vec::new();
    for file in files {
        let shown = || format!("find '{}'", file.path.display());
        let stat = rustix::fs::stat(&file.path).step(shown)?;
        let mut tree = None;
        // A device gets a node of the guest's own.
        let mapped = map && node::device(&stat).is_none();
        if mapped && stat.st_uid != to.0 && !open_to_all(&stat, file.writable) {
            let space = match namespaces.entry((stat.st_uid, stat.st_gid)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(
                    mapping((stat.st_uid, stat.st_gid), to)
                        .step(|| format!("make a user mapping for '{}'", file.path.display()))?,
                ),
            };
            tree = mapped_tree(&file.path, space).ok();
            if tree.is_none() {
                refused.push((file.path.clone(), stat.st_uid));
            }
        }
        visible.push(Visible {
            path: file.path.clone(),
            writable: file.writable,
            tree,
        });
    }
    Ok((visible, refused))
}

/// Whether anybody may do with it what the guest will: read it, write it, and enter or execute what its owner may.
pub(super) fn open_to_all(stat: &Stat, writable: bool) -> bool {
    let wanted = 0o004 | if writable { 0o002 } else { 0 } | ((stat.st_mode & 0o100) >> 6);
    stat.st_mode & wanted == wanted
}

fn mapped_tree(path: &Path, space: &OwnedFd) -> io::Result<OwnedFd> {
    let tree = rustix::mount::open_tree(
        CWD,
        path,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )?;
    sys::mount_setattr(tree.as_fd(), 0, false, Some(space.as_fd()))?;
    Ok(tree)
}

/// A user namespace in which `owner` (user and group) on the disk is `to` for whoever looks through the mount.
pub(super) fn mapping(owner: (u32, u32), to: (u32, u32)) -> io::Result<OwnedFd> {
    let (wait, release) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match sys::clone_process(libc::CLONE_NEWUSER, None)? {
        Side::Child => {
            // A namespace lives as long as a process or descriptor refers to it; the copy only has to wait.
            drop(release);
            let _ = rustix::io::read(&wait, &mut [0_u8; 1]);
            sys::exit_now(0)
        }
        Side::Parent(pid, pidfd) => {
            drop(wait);
            let space = write_maps(
                pid,
                &format!("{} {} 1\n", owner.0, to.0),
                &format!("{} {} 1\n", owner.1, to.1),
            )
            .and_then(|()| Ok(OwnedFd::from(std::fs::File::open(format!("/proc/{pid}/ns/user"))?)));
            drop(release);
            while matches!(
                waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED),
                Err(Errno::INTR)
            ) {}
            space
        }
    }
}

/// Writes the identity maps of a process in a new user namespace.
pub(super) fn write_maps(pid: u32, users: &str, groups: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/{pid}/uid_map"), users)?;
    std::fs::write(format!("/proc/{pid}/gid_map"), groups)
}

/// Whether the user namespace with this uid_map has a user `uid`.
fn is_mapped(map: &str, uid: u32) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        (first..first + count).contains(&u64::from(uid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_may_use_needs_no_mapping() {
        let open = |mode, writable| {
            let mut stat = rustix::fs::stat("/").unwrap();
            stat.st_mode = mode;
            open_to_all(&stat, writable)
        };
        assert!(open(0o100_644, false) && open(0o100_666, true) && open(0o100_755, false) && open(0o040_755, false));
        assert!(
            !open(0o100_640, false) && !open(0o100_644, true) && !open(0o100_744, false) && !open(0o040_750, false)
        );
    }

    #[test]
    fn a_user_outside_of_a_containers_range_is_noticed() {
        assert!(is_mapped("         0          0 4294967295\n", 1_900_000_000));
        assert!(!is_mapped("0 100000 65536\n", 1_900_000_000));
        assert!(is_mapped("0 100000 65536\n", NOBODY));
        assert!(!is_mapped("", 0));
    }
}
