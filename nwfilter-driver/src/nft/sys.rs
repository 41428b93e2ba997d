//! Socket options of netlink that have no safe call.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes of a C `int`, wherever Linux runs.
const INT: libc::socklen_t = 4;

/// Has the kernel say in words what it refuses, and has its answers leave out the message that they answer.
pub(super) fn explain(socket: BorrowedFd<'_>) -> io::Result<()> {
    for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
        let on: libc::c_int = 1;
        // SAFETY: the value is a live int and its size is given with it; the descriptor is open while it is borrowed.
        let done = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_NETLINK,
                option,
                (&raw const on).cast(),
                INT,
            )
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Runs `work` on a thread of its own in a network namespace of its own; `None` without the right to make one.
#[cfg(test)]
pub(crate) fn in_own_network<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    let unshared = || {
        // SAFETY: the thread is ours alone and lives only for `work`; a network namespace shares no memory or
        // descriptors with anything.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.ok()?;
        Some(work())
    };
    std::thread::scope(|scope| scope.spawn(unshared).join().unwrap())
}

/// A tap of that name, in the calling thread's network namespace, for frames without any header; gone when dropped.
#[cfg(test)]
pub(crate) fn tap(name: &str) -> std::os::fd::OwnedFd {
    use rustix::fs::{Mode, OFlags};
    use rustix::ioctl::{Setter, ioctl};
    const TUNSETIFF: u32 = 0x4004_54ca;
    const TAP_WITHOUT_HEADER: u16 = 0x1002;
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let descriptor = rustix::fs::open("/dev/net/tun", flags, Mode::empty()).unwrap();
    let mut request = [0_u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..18].copy_from_slice(&TAP_WITHOUT_HEADER.to_ne_bytes());
    // SAFETY: the structure of linux/if.h has 40 bytes: a name, the flags, and what this call does not look at.
    unsafe { ioctl(&descriptor, Setter::<TUNSETIFF, [u8; 40]>::new(request)) }.unwrap();
    descriptor
}
