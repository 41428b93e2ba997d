//! The system calls by which one process answers those of another, and what a tap tells of itself.

use super::super::sys::program_of;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A system call that waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Asked {
    pub(in super::super) id: u64,
    /// Who waits, as this PID namespace counts it.
    pub(in super::super) pid: u32,
    pub(in super::super) args: [u64; 6],
}

/// Room for `struct seccomp_notif` of any kernel: a later one may have appended to the 80 bytes that are known here.
#[repr(C, align(8))]
struct Space([u8; 512]);

/// Puts a filter before every system call of this process and of all that it becomes or starts; for good. What the
/// filter answers with `SECCOMP_RET_USER_NOTIF` waits at the returned descriptor.
///
/// # Errors
/// `EINVAL` on a kernel without listeners, `EBUSY` when a filter of this process has one already, `EACCES` for a process
/// that may still gain privileges.
pub(in super::super) fn filter_and_listen(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let filter = program_of(program)?;
    let listen = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Without the second flag (before Linux 5.19) a signal makes the caller ask again after it was answered.
    for flags in [listen | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, listen] {
        // SAFETY: `filter` points to as many statements as it tells; the kernel copies them and never writes.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const filter,
            )
        };
        if let Ok(fd) = i32::try_from(fd)
            && fd >= 0
        {
            // SAFETY: the kernel has just made this descriptor, which nobody else owns.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

/// Takes the next call. To be used once when `listener` is readable: it waits when there is nothing.
///
/// # Errors
/// `ENOENT` when the caller is gone or was interrupted.
pub(in super::super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Asked> {
    let mut space = Space([0; 512]);
    // SAFETY: the kernel writes a seccomp_notif, which fits; it wants the space zeroed, and so it is.
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut space) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: large and aligned enough, and any bytes make plain integers.
    let asked: libc::seccomp_notif = unsafe { std::ptr::read((&raw const space).cast()) };
    Ok(Asked {
        id: asked.id,
        pid: asked.pid,
        args: asked.data.args,
    })
}

/// Whether the caller still waits: until then its process number can not have passed to another.
pub(in super::super) fn waits(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads eight bytes.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
}

/// Makes descriptor `number` of the caller another name of `fd`; what it was is closed.
///
/// # Errors
/// `ENOENT` when the caller is gone, `EBADF` for a number that it may not have.
pub(in super::super) fn give(listener: BorrowedFd<'_>, id: u64, fd: BorrowedFd<'_>, number: u32) -> io::Result<()> {
    let addition = libc::seccomp_notif_addfd {
        id,
        flags: u32::try_from(libc::SECCOMP_ADDFD_FLAG_SETFD).unwrap_or(0),
        srcfd: fd.as_raw_fd().cast_unsigned(),
        newfd: number,
        newfd_flags: 0,
    };
    // SAFETY: the kernel reads a seccomp_notif_addfd of the size that the request's number tells.
    let given = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ADDFD,
            &raw const addition,
        )
    };
    if given < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Lets the call return 0, or fail with `errno`.
///
/// # Errors
/// `ENOENT` when the caller is gone.
pub(in super::super) fn answer(listener: BorrowedFd<'_>, id: u64, errno: i32) -> io::Result<()> {
    let mut answer = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: -errno,
        flags: 0,
    };
    // SAFETY: the kernel reads a seccomp_notif_resp of the size that the request's number tells.
    let sent = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    if sent != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The name and the flags (`IFF_...`) of the tap that is open in `fd`.
///
/// # Errors
/// `ENOTTY` for what is no tap, `EBADFD` for one that has no device.
pub(in super::super) fn tap(fd: BorrowedFd<'_>) -> io::Result<(Vec<u8>, u16)> {
    let mut request = [0_u8; size_of::<libc::ifreq>()];
    // SAFETY: the kernel writes a struct ifreq, which is what there is room for.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNGETIFF, request.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let (name, flags) = super::tap::parse(&request);
    Ok((name.to_owned(), flags))
}
