//! The system calls of a supervisor that no library wraps safely; everything unsafe in this room is here.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which side of [`clone_process`] this is.
#[derive(Debug)]
pub(super) enum Side {
    /// The new process.
    Child,
    /// The caller: the new process as this PID namespace counts it, and a descriptor for it.
    Parent(u32, OwnedFd),
}

/// Forks with clone3(2): namespaces by `flags` (`CLONE_NEW…`), straight into `cgroup` when given.
///
/// # Errors
/// What the kernel says; `EBUSY` when this process has more than one thread (only then would the copy be unsound:
/// a lock held by another thread would stay locked in it).
pub(super) fn clone_process(flags: i32, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is plain integers; all zero is its documented empty value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from((flags | libc::CLONE_PIDFD).cast_unsigned());
    args.pidfd = (&raw mut pidfd).expose_provenance() as u64;
    args.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    // SAFETY: no CLONE_VM, so the child gets its own copy of memory and this very stack; one thread (checked above),
    // so no lock of the C library is held elsewhere; `args` and `pidfd` outlive the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => {
            // SAFETY: the kernel has just put a new descriptor there, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent(u32::try_from(pid).unwrap_or(0), pidfd))
        }
    }
}

// The constant does not fit the c_int of the C header.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Ends this process at once, without running destructors: for a forked copy that must not touch shared state.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Replaces this process by `program`; returns only on failure.
pub(super) fn execute(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let list = |of: &[CString]| {
        let mut list: Vec<*const libc::c_char> = of.iter().map(|s| s.as_ptr()).collect();
        list.push(std::ptr::null());
        list
    };
    let (argv, env) = (list(argv), list(env));
    // SAFETY: both lists end in null and point to C strings that live across the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Sets attributes (`MOUNT_ATTR_…`) on a mount, with all below it when `recursive`; `idmap` is a user namespace.
///
/// # Errors
/// What the kernel says: `EINVAL` where the file system knows no idmapped mounts.
pub(super) fn mount_setattr(
    mount: BorrowedFd<'_>,
    attributes: u64,
    recursive: bool,
    idmap: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let attr = libc::mount_attr {
        attr_set: attributes | if idmap.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 },
        attr_clr: 0,
        propagation: 0,
        userns_fd: idmap.map_or(0, |fd| u64::from(fd.as_raw_fd().cast_unsigned())),
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: an empty path with AT_EMPTY_PATH means the descriptor itself; `attr` is of the size told.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
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

/// Sets signals aside (`ignored`) or back to what an executed program expects.
pub(super) fn set_signals(signals: impl IntoIterator<Item = i32>, ignored: bool) {
    let disposition = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    for signal in signals {
        // SAFETY: both dispositions are constants without code behind them; a wrong number is refused by the kernel.
        unsafe { libc::signal(signal, disposition) };
    }
}

/// Blocks `signal` and returns a descriptor that becomes readable when it comes.
///
/// # Errors
/// What the kernel says.
pub(super) fn signal_descriptor(signal: i32) -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigemptyset before use; a new descriptor is owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(OwnedFd::from_raw_fd(fd))
        }
    }
}

/// Unblocks every signal.
pub(super) fn unblock_signals() {
    // SAFETY: the set is initialised by sigemptyset before use.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Closes every descriptor from `first` on, whoever opened it.
pub(super) fn close_from(first: u32) {
    // SAFETY: called when this process starts, before anything in it owns a descriptor above the standard ones.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// Puts a copy of `fd` at `number`, open across execve; whatever was there is closed.
///
/// # Errors
/// What the kernel says.
pub(super) fn place(fd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: called just before execve in a process that owns its descriptors by number from here on.
    if unsafe { libc::dup2(fd.as_raw_fd(), number) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Turns address space randomisation off for the program that is executed next.
///
/// # Errors
/// What the kernel says.
pub(super) fn no_randomisation() -> io::Result<()> {
    // SAFETY: personality takes a plain number.
    if unsafe { libc::personality(u64::from(libc::ADDR_NO_RANDOMIZE.cast_unsigned())) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A filter as the kernel takes it; it refers to `program`.
///
/// # Errors
/// `InvalidInput` for one that is too long.
pub(super) fn program_of(program: &[libc::sock_filter]) -> io::Result<libc::sock_fprog> {
    Ok(libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_ptr().cast_mut(),
    })
}

/// Puts a filter before every system call of this process and of all that it becomes or starts; for good.
///
/// # Errors
/// `EINVAL` on a kernel without seccomp filters, `EACCES` for a process that may still gain privileges.
pub(super) fn filter_system_calls(program: &[libc::sock_filter]) -> io::Result<()> {
    let filter = program_of(program)?;
    // SAFETY: `filter` points to as many statements as it tells; the kernel copies them and never writes.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Takes every capability out of the bounding set, so that no program can get it back.
///
/// # Errors
/// `EPERM` without the right to do so.
pub(super) fn empty_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: plain numbers.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            let error = io::Error::last_os_error();
            // Past the last capability that this kernel knows.
            return if error.raw_os_error() == Some(libc::EINVAL) {
                Ok(())
            } else {
                Err(error)
            };
        }
    }
    Ok(())
}

/// Takes over descriptor 0, which the host has given this process for its order.
pub(super) fn take_stdin() -> OwnedFd {
    // SAFETY: called once when the supervisor starts; std's stdin handle is never used in it.
    unsafe { OwnedFd::from_raw_fd(0) }
}

/// The kernel's name for this machine's run, the size of a page and the like are read elsewhere; this is the length
/// of one clock tick in nanoseconds, the unit of processor times in /proc.
pub(super) fn tick_nanoseconds() -> u64 {
    // SAFETY: plain numbers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    1_000_000_000 / u64::try_from(ticks).unwrap_or(100).max(1)
}

/// What a set of Landlock rules is about, as the kernel takes it (`struct landlock_ruleset_attr`).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LandlockRules {
    /// Rights to files.
    pub(super) files: u64,
    /// Rights to the network; since version 4.
    pub(super) network: u64,
    /// What does not reach beyond the own domain; since version 6.
    pub(super) scopes: u64,
}

/// A rule about all beneath a folder (`struct landlock_path_beneath_attr`).
#[repr(C, packed)]
struct LandlockBeneath {
    allowed: u64,
    folder: i32,
}

/// The version of the kernel's Landlock.
///
/// # Errors
/// `ENOSYS` on a kernel without it, `EOPNOTSUPP` where it is turned off.
pub(super) fn landlock_version() -> io::Result<u32> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the kernel looks at no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, VERSION) };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

/// A new set of rules.
///
/// # Errors
/// What the kernel says; `E2BIG` when it is asked for what it does not know.
pub(super) fn landlock_rules(rules: &LandlockRules) -> io::Result<OwnedFd> {
    // An older kernel knows a shorter structure, and takes a longer one whose rest is zero.
    // SAFETY: `rules` is of the size told; the kernel copies it.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::from_ref(rules),
            size_of::<LandlockRules>(),
            0,
        )
    };
    match i32::try_from(fd) {
        // SAFETY: the kernel has just made it, and nobody else owns it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Allows rights to all that is beneath `folder`.
///
/// # Errors
/// What the kernel says.
pub(super) fn landlock_allow(rules: BorrowedFd<'_>, allowed: u64, folder: i32) -> io::Result<()> {
    const BENEATH: u32 = 1;
    let rule = LandlockBeneath { allowed, folder };
    // SAFETY: `rule` is what this kind of rule is made of; the kernel copies it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            rules.as_raw_fd(),
            BENEATH,
            std::ptr::from_ref(&rule),
            0,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Puts rules in force for this process and all that it becomes or starts; for good.
///
/// # Errors
/// What the kernel says; `EPERM` for a process that may still gain privileges.
pub(super) fn landlock_restrict(rules: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain numbers.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Makes a system call with numbers only, to see who answers it.
#[cfg(test)]
pub(super) fn call(number: libc::c_long, [a, b, c]: [usize; 3]) -> io::Result<libc::c_long> {
    // SAFETY: the tests' arguments are numbers, or addresses that no kernel reads or writes at.
    match unsafe { libc::syscall(number, a, b, c) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// What the null device, which knows no requests, says of one.
#[cfg(test)]
pub(super) fn asked<const REQUEST: rustix::ioctl::Opcode>() -> rustix::io::Errno {
    let null = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: the device looks at no argument.
    unsafe { rustix::ioctl::ioctl(&null, rustix::ioctl::NoArg::<REQUEST>::new()) }.unwrap_err()
}
