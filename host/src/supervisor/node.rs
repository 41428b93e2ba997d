//! A block device of the host as a node of the guest's own: what the host's says of users and modes, and that a mount of it
//! is read-only, would let the wrong ones in.

use super::order::{Failure, Step};
use rustix::fs::{CWD, FileType, Mode, Stat};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::{Gid, Uid};
use std::path::{Path, PathBuf};

/// Where nodes are made, in the guest's root.
const FOLDER: &str = "run/node";

/// The device, if this file is one.
pub(super) fn device(stat: &Stat) -> Option<u64> {
    FileType::from_raw_mode(stat.st_mode)
        .is_block_device()
        .then_some(stat.st_rdev)
}

/// A node that has been made, until it is dropped; what was cloned of it stays.
#[derive(Debug)]
pub(super) struct Node {
    folder: PathBuf,
    pub(super) path: PathBuf,
}

impl Node {
    /// Makes a node that only this user may open, for writing only if `writable`.
    pub(super) fn make(root: &Path, device: u64, writable: bool, (uid, gid): (u32, u32)) -> Result<Self, Failure> {
        let folder = root.join(FOLDER);
        std::fs::create_dir_all(&folder).step(|| "make a folder for a device".to_owned())?;
        // Not with `nodev`, as all else in the guest's root is.
        rustix::mount::mount(
            "lockstep-node",
            &folder,
            "tmpfs",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            Some(c"size=4k,nr_inodes=3,mode=0700"),
        )
        .step(|| "mount a place for a device".to_owned())?;
        let node = Self {
            path: folder.join("device"),
            folder,
        };
        let mode = Mode::from_raw_mode(if writable { 0o600 } else { 0o400 });
        let owner = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::mknodat(CWD, &node.path, FileType::BlockDevice, mode, device)
            .and_then(|()| rustix::fs::chown(&node.path, Some(owner.0), Some(owner.1)))
            .step(|| "make the node of a device".to_owned())?;
        Ok(node)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // In a namespace of its own; nothing is left of it either way.
        let _ = rustix::mount::unmount(&self.folder, UnmountFlags::DETACH);
    }
}
