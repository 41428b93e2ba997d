//! Takes over the descriptors that a service manager passed to this process by number.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first passed descriptor, by the protocol of `sd_listen_fds`.
const FIRST: RawFd = 3;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Owns the `count` descriptors passed from number 3 on. Only the first call gets any.
pub(super) fn take_passed(count: u16) -> Vec<OwnedFd> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Vec::new();
    }
    (FIRST..FIRST + RawFd::from(count))
        .filter(|fd| {
            // SAFETY: F_GETFD only asks whether the number is open; it touches no memory.
            unsafe { libc::fcntl(*fd, libc::F_GETFD) != -1 }
        })
        .map(|fd| {
            // SAFETY: the number is open, and by the manager's promise (LISTEN_PID names this process) it was passed
            // for us to own. The flag above sees to it that this happens once, so there is one owner.
            unsafe { OwnedFd::from_raw_fd(fd) }
        })
        .collect()
}
