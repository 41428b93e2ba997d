//! The driver's only unsafe code: a helper thread with a working directory and file mode mask of its own.

use rustix::fs::Mode;
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
