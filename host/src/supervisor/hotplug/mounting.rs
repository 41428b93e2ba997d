//! How a file of the host gets into the mount namespace of a running guest and out of it, by a process made for that.

use super::super::identity::{mapping, open_to_all};
use super::super::node::{self, Device, Node};
use super::super::order::{Failure, FileOrder, ROOT_DIR, Step};
use super::super::sys::mount_setattr;
use super::sys;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// A guest as its mounts are seen.
#[derive(Debug)]
pub(in super::super) struct View {
    /// Its first process.
    pub(in super::super) process: OwnedFd,
    /// Whether it has a user namespace, that of an ordinary user's guest; else it runs as `user`.
    pub(in super::super) user_namespace: bool,
    pub(in super::super) user: (u32, u32),
}

/// What was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    Folder,
    Other,
}

/// Shows a file under its own path, over what is there. `walls` are folders in which the guest may make links.
pub(super) fn show(view: &View, file: &FileOrder, walls: &[PathBuf]) -> Result<Kind, Failure> {
    let path = file.path.display();
    if view.user_namespace {
        // Only there may an ordinary user mount; and a mount can be copied only out of an own namespace.
        let user = ThreadNameSpaceType::USER;
        move_into_thread_name_spaces(view.process.as_fd(), user)
            .step(|| "enter the guest's user namespace".to_owned())?;
        sys::copy_mounts().step(|| "copy the host's mounts".to_owned())?;
    }
    let source = find(&file.path, walls)?;
    let stat = rustix::fs::fstat(&source).step(|| format!("look at '{path}'"))?;
    let tree = match node::device(&stat) {
        Some(device) if !view.user_namespace => device_tree(view, device, file)?,
        _ => tree(view, &source, &stat, file)?,
    };
    let rest = match node::device(&stat) {
        // Read-only, so that the guest can not change the node's mode; who may write the device is said by that.
        Some(_) => libc::MOUNT_ATTR_RDONLY,
        None if file.writable => libc::MOUNT_ATTR_NODEV,
        None => libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_RDONLY,
    };
    mount_setattr(tree.as_fd(), libc::MOUNT_ATTR_NOSUID | rest, true, None).step(|| format!("restrict '{path}'"))?;
    let root = enter(view)?;
    let folder = FileType::from_raw_mode(stat.st_mode).is_dir();
    let place = place(&root, &file.path, folder)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(&tree, "", &place, "", flags).step(|| format!("show '{path}' to the guest"))?;
    Ok(if folder { Kind::Folder } else { Kind::Other })
}

/// Takes `layers` mounts off a path, and its place away when nothing else needs that.
pub(super) fn hide(view: &View, path: &Path, layers: u32) -> Result<(), Failure> {
    if view.user_namespace {
        let user = ThreadNameSpaceType::USER;
        move_into_thread_name_spaces(view.process.as_fd(), user)
            .step(|| "enter the guest's user namespace".to_owned())?;
    }
    let root = enter(view)?;
    let step = || format!("take '{}' from the guest", path.display());
    let (folder, name) = parent_and_name(path)?;
    // The kernel takes a mount off by its path alone; of that path only the last part is left to be looked up.
    let parent = look(&root, folder).step(step)?;
    rustix::process::fchdir(&parent).step(step)?;
    for _ in 0..layers {
        rustix::mount::unmount(name, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).step(step)?;
    }
    clear_away(&root, path);
    Ok(())
}

/// Whether none of a guest's files lies behind a link that it, or a former run of it, could have made.
///
/// # Errors
/// With the first one that does.
pub(in super::super) fn check_links(files: &[FileOrder]) -> Result<(), Failure> {
    let folders = files.iter().filter(|file| file.writable && file.path.is_dir());
    let walls: Vec<PathBuf> = folders.map(|file| file.path.clone()).collect();
    files.iter().try_for_each(|file| find(&file.path, &walls).map(drop))
}

/// The file as it is now, not followed through links that the guest could have made.
fn find(path: &Path, walls: &[PathBuf]) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let wall = walls
        .iter()
        .filter(|wall| path.starts_with(wall) && path != wall.as_path());
    let Some(wall) = wall.min_by_key(|wall| wall.components().count()) else {
        return rustix::fs::open(path, flags, Mode::empty()).step(|| format!("find '{}'", path.display()));
    };
    let base = rustix::fs::open(wall, flags | OFlags::DIRECTORY, Mode::empty())
        .step(|| format!("find '{}'", wall.display()))?;
    let rest = path.strip_prefix(wall).unwrap_or(path);
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(&base, rest, flags, Mode::empty(), resolve).step(|| {
        format!(
            "find '{}' (links in '{}', where the guest may write, are not followed)",
            path.display(),
            wall.display()
        )
    })
}

/// A detached mount of it, through which the guest's user can do what was ordered.
fn tree(view: &View, source: &OwnedFd, stat: &rustix::fs::Stat, file: &FileOrder) -> Result<OwnedFd, Failure> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let path = file.path.display();
    let clone = |flags| rustix::mount::open_tree(source, "", flags).step(|| format!("clone the mount of '{path}'"));
    if view.user_namespace || stat.st_uid == view.user.0 || open_to_all(stat, file.writable) {
        // With what is mounted in it: a user namespace may not look beneath a mount that it inherited.
        return clone(flags | OpenTreeFlags::AT_RECURSIVE);
    }
    let space = mapping((stat.st_uid, stat.st_gid), view.user).step(|| format!("make a user mapping for '{path}'"))?;
    let tree = clone(flags)?;
    mount_setattr(tree.as_fd(), 0, false, Some(space.as_fd())).step(|| {
        format!(
            "show '{path}' of user {} to the guest's user {} (its file system has no idmapped mounts)",
            stat.st_uid, view.user.0
        )
    })?;
    Ok(tree)
}

/// A detached mount of a node that is the guest's own.
fn device_tree(view: &View, device: Device, file: &FileOrder) -> Result<OwnedFd, Failure> {
    let step = || format!("make a node for '{}'", file.path.display());
    // What is mounted here is seen by this process alone, and gone with it.
    sys::copy_mounts().step(step)?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).step(step)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("lockstep", ROOT_DIR, "tmpfs", flags, Some(c"size=64k,mode=0700")).step(step)?;
    let node = Node::make(Path::new(ROOT_DIR), device, file.writable, view.user)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    rustix::mount::open_tree(CWD, &node.path, flags).step(step)
}

/// Moves this process into the guest's mount namespace; its root.
fn enter(view: &View) -> Result<OwnedFd, Failure> {
    let mounts = ThreadNameSpaceType::MOUNT;
    move_into_thread_name_spaces(view.process.as_fd(), mounts).step(|| "enter the guest's mounts".to_owned())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/", flags, Mode::empty()).step(|| "open the guest's root".to_owned())
}

/// What is at `path` (relative to the root) in the guest; links are not followed.
fn look(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::openat2(
        root,
        path,
        flags,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH,
    )
}

fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

fn parent_and_name(path: &Path) -> Result<(&Path, &OsStr), Failure> {
    let relative = relative(path);
    match (relative.parent(), relative.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(Failure::new(format!("find a place for '{}'", path.display()))),
    }
}

/// Where a file or folder is to be seen, made when it is not there.
fn place(root: &OwnedFd, path: &Path, folder: bool) -> Result<OwnedFd, Failure> {
    let step = || format!("make a place for '{}'", path.display());
    let found = match look(root, relative(path)) {
        Err(Errno::NOENT) => {
            make(root, path, folder)?;
            look(root, relative(path))
        }
        other => other,
    };
    let found = found.step(step)?;
    let stat = rustix::fs::fstat(&found).step(step)?;
    if FileType::from_raw_mode(stat.st_mode).is_dir() != folder {
        let kinds = if folder { ("folder", "file") } else { ("file", "folder") };
        return Err(Failure::new(format!(
            "show the {} '{}': the guest has a {} there",
            kinds.0,
            path.display(),
            kinds.1
        )));
    }
    Ok(found)
}

/// Makes a place in the guest's root. That stays read-only for the guest: this is done through another mount of it.
fn make(root: &OwnedFd, path: &Path, folder: bool) -> Result<(), Failure> {
    let step = || format!("make a place for '{}'", path.display());
    let (parent, name) = parent_and_name(path)?;
    let device = rustix::fs::fstat(root).step(step)?.st_dev;
    for above in parent.ancestors() {
        match look(root, above) {
            Ok(found) if rustix::fs::fstat(&found).step(step)?.st_dev == device => break,
            Ok(_) => {
                return Err(Failure::new(format!(
                    "make a place for '{}': the guest sees the folder '/{}', and there is none in it",
                    path.display(),
                    above.display()
                )));
            }
            Err(Errno::NOENT) => {}
            Err(e) => return Err(e).step(step),
        }
    }
    let mut at = own_root(root).step(step)?;
    for part in parent.components() {
        at = folder_in(&at, part).step(step)?;
    }
    if folder {
        return folder_in(&at, Component::Normal(name)).map(drop).step(step);
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(&at, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(Errno::EXIST) => Ok(()),
        Err(e) => Err(e).step(step),
    }
}

/// The guest's root alone, without what is mounted in it, and writable.
fn own_root(root: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(root, "", flags)?;
    sys::make_writable(tree.as_fd())?;
    Ok(tree)
}

fn folder_in(at: &OwnedFd, part: Component<'_>) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(at, part.as_os_str(), Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(e.into()),
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, part.as_os_str(), flags, Mode::empty())?)
}

/// Removes an empty place and the empty folders above it, as far as they lie in the guest's root: whoever plugs a thousand
/// files one after the other must not fill it.
fn clear_away(root: &OwnedFd, path: &Path) {
    let Ok(own) = own_root(root) else { return };
    let path = relative(path);
    let mut flags = match rustix::fs::openat2(
        &own,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH,
    ) {
        Ok(_) => AtFlags::REMOVEDIR,
        Err(_) => AtFlags::empty(),
    };
    for place in path.ancestors().filter(|place| !place.as_os_str().is_empty()) {
        // What is mounted on a folder would go with it; and one that holds something refuses.
        let shown = look(root, place).is_ok_and(|seen| !same(&seen, &own, place));
        if shown || rustix::fs::unlinkat(&own, place, flags).is_err() {
            return;
        }
        flags = AtFlags::REMOVEDIR;
    }
}

/// Whether what the guest sees at `place` is what lies there in its root.
fn same(seen: &OwnedFd, own: &OwnedFd, place: &Path) -> bool {
    let below = rustix::fs::statat(own, place, AtFlags::SYMLINK_NOFOLLOW);
    match (rustix::fs::fstat(seen), below) {
        (Ok(seen), Ok(below)) => (seen.st_dev, seen.st_ino) == (below.st_dev, below.st_ino),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_but_for_those_that_a_guest_could_have_made() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("share/deep")).unwrap();
        std::fs::write(at("secret"), "").unwrap();
        std::fs::write(at("share/deep/file"), "").unwrap();
        std::os::unix::fs::symlink(at("secret"), at("share/disk")).unwrap();
        std::os::unix::fs::symlink("deep", at("share/link")).unwrap();
        std::os::unix::fs::symlink(at("secret"), at("link")).unwrap();
        let walls = [at("share"), at("share/deep")];
        assert!(find(&at("link"), &walls).is_ok() && find(&at("share"), &walls).is_ok());
        assert!(find(&at("share/deep/file"), &walls).is_ok());
        assert!(find(&at("share/disk"), &[]).is_ok());
        for inside in ["share/disk", "share/link/file", "share/deep/../../secret"] {
            let failure = find(&at(inside), &walls).unwrap_err();
            assert!(
                failure.to_string().contains("where the guest may write"),
                "{inside}: {failure}"
            );
        }
    }
}
