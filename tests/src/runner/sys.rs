//! The one system call of the runner that no library wraps safely.

use rustix::thread::UnshareFlags;
use std::io;

/// Gives this process namespaces of its own; a PID namespace counts from its next child on.
///
/// # Errors
/// What the kernel says: `EPERM` without the privilege, `ENOSPC` where namespaces are limited.
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    let namespaces = flags.difference(UnshareFlags::FILES | UnshareFlags::FS);
    // SAFETY: only a separate table of descriptors could make another thread's descriptors mean something else, and that
    // flag was taken out.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }.map_err(io::Error::from)
}
