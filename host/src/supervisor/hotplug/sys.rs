//! The system calls of the helper that changes a running guest's mounts.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Gives this process a copy of its mount namespace.
///
/// # Errors
/// `EPERM` without the right to do so in its user namespace.
pub(super) fn copy_mounts() -> io::Result<()> {
    // SAFETY: only the mount namespace is left, no table that other threads share.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }.map_err(Into::into)
}

/// Closes every descriptor but these and those for speech and complaints.
///
/// # Errors
/// What the kernel says.
pub(super) fn keep_open(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut numbers: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd().cast_unsigned()).collect();
    numbers.extend([1, 2, u32::MAX]);
    numbers.sort_unstable();
    let mut first = 0;
    for kept in numbers {
        if first < kept {
            // SAFETY: called in a forked copy that touches none of its other descriptors from here on, not even to close
            // them, since it ends by _exit.
            if unsafe { libc::syscall(libc::SYS_close_range, first, kept - 1, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        first = kept.saturating_add(1);
    }
    Ok(())
}

/// Makes a detached mount writable.
///
/// # Errors
/// What the kernel says: `EPERM` where it was locked read-only.
pub(super) fn make_writable(mount: BorrowedFd<'_>) -> io::Result<()> {
    let attr = libc::mount_attr {
        attr_set: 0,
        attr_clr: libc::MOUNT_ATTR_RDONLY,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: an empty path with AT_EMPTY_PATH means the descriptor itself; `attr` is of the size told.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
