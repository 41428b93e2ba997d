//! Making a tap: the one device that netlink can not make.

use crate::sys;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The longest name of a network device, in bytes.
const NAME_BYTES: usize = 15;

/// Whether the kernel takes this as a device's name.
pub(crate) fn name_fits(name: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%');
    (1..=NAME_BYTES).contains(&name.len()) && name != "." && name != ".." && !name.contains(odd)
}

/// Makes a tap of this name; `None` when a device of this name exists.
///
/// Frames come and go bare: UML knows no virtio header on a descriptor that it was born with, so the host's kernel cuts
/// large packets and sums what is not summed yet before a frame gets here.
///
/// # Errors
/// What the kernel says.
pub(super) fn make(name: &str) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let tap = open("/dev/net/tun", flags, Mode::empty())?;
    match sys::make_tap(tap.as_fd(), name) {
        Ok(()) => Ok(Some(tap)),
        // What `IFF_TUN_EXCL` says of any device, before the kernel looks what kind it is.
        Err(e) if e.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_kernel_takes() {
        for name in ["lab0", "a", "x23456789012345", "tap.1", "ä"] {
            assert!(name_fits(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "x234567890123456",
            "a/b",
            "a b",
            "a:1",
            "lab%d",
            "a\n",
            "a\u{a0}b",
        ] {
            assert!(!name_fits(name), "{name}");
        }
    }
}
