//! The driver's only unsafe code: a helper thread with a working directory and file mode mask of its own, and the system
//! call that makes a tap.

use rustix::fs::Mode;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use std::io;
use std::os::fd::BorrowedFd;

/// Runs `work` on a thread of its own whose working directory is `folder` and whose file mode mask is empty.
///
/// Nothing else in the process sees either. A Unix socket that is bound there to a bare name is reachable under that
/// name for every process whose working directory is the same folder, in whatever mount namespace, and its address
/// stays short however deep the folder lies.
///
/// # Errors
/// The kernel gave no thread, no separate directory, or the folder is gone.
pub(crate) fn in_folder<T: Send>(folder: BorrowedFd<'_>, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("uml-mconsole".to_owned())
            .spawn_scoped(scope, || {
                // SAFETY: CLONE_FS only gives this short-lived thread its own copy of the working directory, root and
                // mask; no other thread's view changes and no descriptor is touched.
                unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) }?;
                rustix::process::umask(Mode::empty());
                rustix::process::fchdir(folder)?;
                work()
            })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the helper thread panicked")))
    })
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
/// `IFF_TAP`, `IFF_NO_PI` and `IFF_TUN_EXCL`: whole frames, nothing before them, and no device that exists already.
const TAP: u16 = 0x0002 | 0x1000 | 0x8000;

/// Makes a tap of this name of an open `/dev/net/tun`; it goes when the last copy of the descriptor is closed.
///
/// # Errors
/// What the kernel says: `EBUSY` when there is a device of this name.
pub(crate) fn make_tap(tun: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let mut request = TapRequest {
        name: [0; 16],
        flags: TAP,
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
