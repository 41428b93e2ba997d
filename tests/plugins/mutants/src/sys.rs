//! The system calls that a driver must not make.

use std::os::fd::AsRawFd;

/// Reads where nothing is.
pub(super) fn segfault() {
    // SAFETY: none; that is what this mutant is for.
    let _nothing = unsafe { std::ptr::without_provenance::<u8>(8).read_volatile() };
}

/// Stops the whole process with SIGSTOP.
pub(super) fn stop_myself() {
    // SAFETY: a system call without pointers.
    let _stopped = unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
}

/// Kills every process of this one's group.
pub(super) fn kill_my_group() {
    // SAFETY: a system call without pointers.
    let _killed = unsafe { libc::kill(0, libc::SIGKILL) };
}

/// Closes every descriptor above the first three.
pub(super) fn close_all() {
    for number in 3..1024 {
        // SAFETY: a system call without pointers; whose descriptors these are does not matter to this mutant.
        let _closed = unsafe { libc::close(number) };
    }
}

/// Makes a child that sleeps until somebody ends it; nobody waits for it.
pub(super) fn leave_a_child() {
    // SAFETY: the child calls nothing but `pause` and `_exit`, which are safe after a fork.
    unsafe {
        if libc::fork() == 0 {
            libc::pause();
            libc::_exit(0);
        }
    }
}

/// Makes a network interface that stays when its descriptor is closed.
pub(super) fn leave_a_tap() {
    let Ok(device) = std::fs::File::options().read(true).write(true).open("/dev/net/tun") else {
        return;
    };
    // SAFETY: all zeroes is a request without a name, for which the kernel makes one up.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_TAP | libc::IFF_NO_PI).unwrap_or_default();
    // SAFETY: the descriptor is open, and the request lives through both calls.
    unsafe {
        let _made = libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request);
        let _stays = libc::ioctl(device.as_raw_fd(), libc::TUNSETPERSIST, 1);
    }
}

/// Changes the mask for new files of the whole process.
pub(super) fn open_the_mask() {
    // SAFETY: a system call without pointers.
    let _before = unsafe { libc::umask(0) };
}

/// Sets a variable of the whole process's environment.
pub(super) fn set_variable() {
    #[allow(clippy::disallowed_methods, reason = "that it races is the point")]
    // SAFETY: none, since other threads may read it: that is what this mutant is for.
    unsafe {
        std::env::set_var("LOCKSTEP_MUTANT_WAS_HERE", "1");
    }
}
