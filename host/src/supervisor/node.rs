//! A device of the host as a node of the guest's own: what the host's says of users and modes, and that a mount of it is
//! read-only, would let the wrong ones in.

use super::order::{Failure, Step};
use rustix::fs::{CWD, FileType, Mode, Stat};
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::{Gid, Uid};
use std::path::{Path, PathBuf};

/// Where nodes are made, in the guest's root.
const FOLDER: &str = "run/node";

/// Major and minor number of `/dev/kvm`. It is made for users without any right, and leads to nothing of the machine or of
/// others: of the character devices the only one that a guest can be given.
const KVM: (u32, u32) = (10, 232);

/// A device of which a guest can have a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    kind: FileType,
    number: u64,
}

/// The device, if this file is one that a guest can have.
pub(super) fn device(stat: &Stat) -> Option<Device> {
    let (kind, number) = (FileType::from_raw_mode(stat.st_mode), stat.st_rdev);
    let kvm = kind.is_char_device() && number == rustix::fs::makedev(KVM.0, KVM.1);
    (kvm || kind.is_block_device()).then_some(Device { kind, number })
}

/// A node that has been made, until it is dropped; what was cloned of it stays.
#[derive(Debug)]
pub(super) struct Node {
    folder: PathBuf,
    pub(super) path: PathBuf,
}

impl Node {
    /// Makes a node that only this user may open, for writing only if `writable`.
    pub(super) fn make(root: &Path, device: Device, writable: bool, (uid, gid): (u32, u32)) -> Result<Self, Failure> {
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
        rustix::fs::mknodat(CWD, &node.path, device.kind, mode, device.number)
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
