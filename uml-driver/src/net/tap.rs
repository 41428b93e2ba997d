//! Making a tap: the one device that netlink can not make.

use crate::sys;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The longest name of a network device, in bytes.
const NAME_BYTES: usize = 15;

/// Whether the kernel takes this as a device's name, and UML within an argument.
pub(crate) fn name_fits(name: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%' | ',' | '=' | '"' | '\'');
    (1..=NAME_BYTES).contains(&name.len()) && name != "." && name != ".." && !name.contains(odd)
}

/// Makes a tap of this name; `None` when a device of this name exists.
///
/// With `headers` a guest that opens it by itself gets large packets whole. Without, frames come and go bare: UML knows no
/// virtio header on a descriptor that it was born with, so the host's kernel cuts large packets and sums what is not summed
/// yet before a frame gets here.
///
/// # Errors
/// What the kernel says.
pub(super) fn make(name: &str, headers: bool) -> io::Result<Option<OwnedFd>> {
    let tap = control()?;
    match sys::make_tap(tap.as_fd(), name, true, headers) {
        Ok(()) => Ok(Some(tap)),
        // What `IFF_TUN_EXCL` says of any device, before the kernel looks what kind it is.
        Err(e) if e.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Opens a tap that somebody made to stay.
///
/// # Errors
/// What the kernel says: `EBUSY` when somebody has it open, `EINVAL` when it is no tap of this kind.
pub(super) fn adopt(name: &str, headers: bool) -> io::Result<OwnedFd> {
    let tap = control()?;
    sys::make_tap(tap.as_fd(), name, false, headers)?;
    Ok(tap)
}

fn control() -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(open("/dev/net/tun", flags, Mode::empty())?)
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
            "a,b",
            "a=b",
            "a\"b",
        ] {
            assert!(!name_fits(name), "{name}");
        }
    }
}
