//! The driver's only unsafe code: a helper thread with a working directory and file mode mask of its own, and the system
//! calls that make and adopt a tap, ask whether a file is locked, and tell how much of what was sent nobody has read.

use rustix::fs::Mode;
use rustix::ioctl::{Getter, Opcode, Updater, ioctl, opcode};
use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Runs `work` on a thread of its own whose working directory is `folder` and whose file mode mask is empty.
///
/// Nothing else in the process sees either. A Unix socket that is bound there to a bare name is reachable under that
/// name for every process whose working directory is the same folder, in whatever mount namespace, and its address
/// stays short however deep the folder lies.
///
/// # Errors
/// The kernel gave no thread, no separate directory, or the folder is gone.
pub(crate) fn in_folder<T: Send>(folder: BorrowedFd<'_>, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    if HAS_OWN_FOLDER.get() {
        rustix::process::fchdir(folder)?;
        let done = work();
        // A folder that is somebody's working directory would stay when it is removed.
        rustix::process::chdir("/")?;
        return done;
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("uml-mconsole".to_owned())
            .spawn_scoped(scope, || {
                have_own_folder()?;
                rustix::process::fchdir(folder)?;
                work()
            })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the helper thread panicked")))
    })
}

/// `SIOCOUTQ`.
const BYTES_UNREAD: Opcode = 0x5411;

/// How much of what was sent on a socket its receiver has not read, with what the kernel keeps beside it.
///
/// # Errors
/// It is not a socket.
pub(crate) fn unread(socket: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: the kernel writes one `int`.
    Ok(unsafe { ioctl(socket, Getter::<BYTES_UNREAD, i32>::new()) }?)
}

thread_local! {
    static HAS_OWN_FOLDER: Cell<bool> = const { Cell::new(false) };
}

/// Gives this thread a working directory and a file mode mask of its own for as long as it lives, so that [`in_folder`]
/// needs no other one: for a thread of the driver's own that asks often.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn have_own_folder() -> io::Result<()> {
    // SAFETY: CLONE_FS only gives this thread its own copy of the working directory, root and mask; no other thread's view
    // changes and no descriptor is touched.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) }?;
    rustix::process::umask(Mode::empty());
    HAS_OWN_FOLDER.set(true);
    Ok(())
}

/// `struct ifreq` as `TUNSETIFF` reads it.
#[repr(C)]
#[derive(Debug)]
struct TapRequest {
    name: [u8; 16],
    flags: u16,
    unused: [u8; 22],
}

/// `TUNSETIFF`.
const SET_INTERFACE: Opcode = opcode::write::<i32>(b'T', 202);
/// `IFF_TAP` and `IFF_NO_PI`: whole frames, nothing before them.
const TAP: u16 = 0x0002 | 0x1000;
/// `IFF_TUN_EXCL`: no device that exists already.
const NEW: u16 = 0x8000;
/// `IFF_VNET_HDR`: before each frame what is still to be summed and cut.
const HEADERS: u16 = 0x4000;

/// Makes a tap of this name of an open `/dev/net/tun`; it goes when the last copy of the descriptor is closed. With `new` it is
/// no device that exists already, else it may be one that somebody made to stay. With `headers` frames come with a virtio
/// header.
///
/// # Errors
/// What the kernel says: `EBUSY` when there is a device of this name, or somebody has it.
pub(crate) fn make_tap(tun: BorrowedFd<'_>, name: &str, new: bool, headers: bool) -> io::Result<()> {
    let mut request = TapRequest {
        name: [0; 16],
        flags: TAP | if new { NEW } else { 0 } | if headers { HEADERS } else { 0 },
        unused: [0; 22],
    };
    // The last byte stays zero.
    let place = request.name[..15]
        .get_mut(..name.len())
        .ok_or(io::ErrorKind::InvalidInput)?;
    place.copy_from_slice(name.as_bytes());
    // SAFETY: the kernel reads and writes one `struct ifreq`, 40 bytes on every 64-bit machine, which this is.
    unsafe { ioctl(tun, Updater::<SET_INTERFACE, TapRequest>::new(&mut request)) }?;
    Ok(())
}

/// `F_WRLCK`, of the size that the kernel's structure has.
const WRITE_LOCK: i16 = 1;

/// Whether somebody has a lock on this part of a file, a length of 0 meaning up to its end, that forbids to write there: the
/// process, as far as the kernel tells.
///
/// # Errors
/// What the kernel says.
pub(crate) fn locked_by(file: BorrowedFd<'_>, start: i64, length: i64) -> io::Result<Option<i32>> {
    let mut lock = libc::flock {
        l_type: WRITE_LOCK,
        // From the beginning (`SEEK_SET`).
        l_whence: 0,
        l_start: start,
        l_len: length,
        l_pid: 0,
    };
    // SAFETY: the kernel reads and writes one `struct flock`, which is initialised and outlives the call.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_lock_of_another_open_file_is_seen() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (ours, theirs) = (file.reopen().unwrap(), file.reopen().unwrap());
        assert_eq!(locked_by(ours.as_fd(), 0, 0).unwrap(), None);
        theirs.lock().unwrap();
        assert_eq!(locked_by(ours.as_fd(), 0, 0).unwrap(), None, "another kind of lock");
        let lock = libc::flock {
            l_type: WRITE_LOCK,
            // From the beginning (`SEEK_SET`).
            l_whence: 0,
            l_start: 100,
            l_len: 2,
            l_pid: 0,
        };
        // SAFETY: the kernel reads one `struct flock`.
        let done = unsafe { libc::fcntl(theirs.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
        assert_eq!(done, 0);
        assert!(locked_by(ours.as_fd(), 0, 0).unwrap().is_some());
        assert!(locked_by(ours.as_fd(), 101, 1).unwrap().is_some());
        assert_eq!(locked_by(ours.as_fd(), 102, 1).unwrap(), None);
    }
}
