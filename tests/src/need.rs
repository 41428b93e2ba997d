//! What a case needs of the machine, and how its absence is told.

use std::path::Path;
use std::process::{Command, Stdio};

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Root, as the system's host has it.
    Root,
    /// `linux.uml`, from the package `user-mode-linux`.
    Uml,
    /// `virsh`, from `libvirt-clients`.
    Virsh,
    /// The Python binding, from `python3-libvirt`.
    PythonLibvirt,
    /// `dbus-daemon`, from `dbus`, and what makes a service for it: `python3-dbus` and `python3-gi`.
    Dbus,
    /// `virt-install`, from `virtinst`.
    VirtInstall,
    /// `mmdebstrap` and `dnsmasq`, for a Debian guest and its addresses.
    Debian,
    /// `qemu-storage-daemon` and `qemu-img`, for disks on bus `virtio`.
    Storage,
    /// `slirp4netns`, for interfaces of type `user`.
    UserNetwork,
    /// `qemu-system-x86_64`, and apt for a kernel of its guests.
    Qemu,
    /// `libvirtd`, from `libvirt-daemon`.
    Libvirtd,
    /// `/dev/fuse`, for folders that do not answer.
    Fuse,
    /// The commits that `tests/museum/releases.txt` names.
    History,
}

impl Need {
    /// Why the need is not met, or `None` when it is.
    #[must_use]
    pub fn missing(self) -> Option<&'static str> {
        let met = match self {
            Self::Root => rustix::process::geteuid().is_root(),
            Self::Uml => on_path("linux.uml"),
            Self::Virsh => on_path("virsh"),
            Self::PythonLibvirt => Path::new("/usr/lib/python3/dist-packages/libvirt.py").exists(),
            Self::Dbus => {
                let modules = ["dbus/__init__.py", "gi/__init__.py"];
                let found = |module: &&str| Path::new("/usr/lib/python3/dist-packages").join(module).exists();
                on_path("dbus-daemon") && modules.iter().all(found)
            }
            Self::VirtInstall => on_path("virt-install"),
            Self::Debian => on_path("mmdebstrap") && on_path("dnsmasq"),
            Self::Storage => on_path("qemu-storage-daemon") && on_path("qemu-img"),
            Self::UserNetwork => on_path("slirp4netns"),
            Self::Qemu => on_path("qemu-system-x86_64") && on_path("apt-get"),
            Self::Libvirtd => on_path("libvirtd") || Path::new("/usr/sbin/libvirtd").exists(),
            Self::Fuse => std::fs::File::options()
                .read(true)
                .write(true)
                .open("/dev/fuse")
                .is_ok(),
            Self::History => has_history(),
        };
        (!met).then_some(match self {
            Self::Root => "not root",
            Self::Uml => "no linux.uml",
            Self::Virsh => "no virsh",
            Self::PythonLibvirt => "no python3-libvirt",
            Self::Dbus => "no dbus",
            Self::VirtInstall => "no virt-install",
            Self::Debian => "no mmdebstrap or no dnsmasq",
            Self::Storage => "no qemu-storage-daemon or no qemu-img",
            Self::UserNetwork => "no slirp4netns",
            Self::Qemu => "no qemu-system-x86_64 or no apt",
            Self::Libvirtd => "no libvirtd",
            Self::Fuse => "no /dev/fuse",
            Self::History => "no history",
        })
    }
}

fn has_history() -> bool {
    let museum = crate::guest::repository().join("tools/museum");
    let checked = Command::new(museum).arg("--check").stderr(Stdio::null()).status();
    checked.is_ok_and(|status| status.success())
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()))
}
