//! The one system call of this room that no library wraps safely: who has a lock on a file.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `F_WRLCK` and `SEEK_SET`, of the size that the kernel's structure has.
const WRITE_LOCK: i16 = 1;
const FROM_THE_BEGINNING: i16 = 0;

/// Whether somebody has a lock anywhere on a file that forbids to write there: the process, or -1 when the lock belongs to an
/// open file. The library's wrapper asserts that there is a process.
///
/// # Errors
/// What the kernel says.
pub(super) fn locked_by(file: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut lock = libc::flock {
        l_type: WRITE_LOCK,
        l_whence: FROM_THE_BEGINNING,
        l_start: 0,
        // Up to the end.
        l_len: 0,
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
        assert_eq!(locked_by(ours.as_fd()).unwrap(), None);
        let lock = libc::flock {
            l_type: WRITE_LOCK,
            l_whence: FROM_THE_BEGINNING,
            l_start: 100,
            l_len: 2,
            l_pid: 0,
        };
        // SAFETY: the kernel reads one `struct flock`.
        let done = unsafe { libc::fcntl(theirs.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
        assert_eq!(done, 0);
        assert_eq!(locked_by(ours.as_fd()).unwrap(), Some(-1));
    }
}
