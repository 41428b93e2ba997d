//! The system calls that a driver must not make.

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

/// Kills every process of the parent's group.
pub(super) fn kill_my_parents_group() {
    // SAFETY: system calls without pointers. A group of 0 or 1 is nobody's who can be seen here, and is left alone.
    unsafe {
        let group = libc::getpgid(libc::getppid());
        if group > 1 {
            let _killed = libc::kill(-group, libc::SIGKILL);
        }
    }
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

/// Makes children that make children, at most `levels` deep, which all sleep.
pub(super) fn fork_bomb(levels: u32) {
    // SAFETY: the children call nothing but `fork`, `pause` and `_exit`.
    unsafe {
        for _ in 0..levels {
            if libc::fork() < 0 {
                break;
            }
        }
        // The first process goes on, all others sleep: it alone has the name that it began with.
    }
}

/// The number of this process.
pub(super) fn me() -> i32 {
    // SAFETY: a system call without pointers.
    unsafe { libc::getpid() }
}

/// Sleeps until killed, without running anything of the library on the way.
pub(super) fn sleep_for_ever() -> ! {
    loop {
        // SAFETY: a system call without pointers.
        let _woken = unsafe { libc::pause() };
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
