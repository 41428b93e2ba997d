//! Who is at the other end of a unix socket, and sockets in folders with paths of any length.

use rustix::fs::{CWD, Mode, OFlags};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Whether the peer is the same user or root. The folder's mode says so too; this holds when somebody loosened it.
pub(super) fn is_own(stream: &UnixStream) -> bool {
    socket_peercred(stream.as_fd()).is_ok_and(|peer| peer.uid.is_root() || peer.uid == geteuid())
}

/// The process that listens at the other end.
pub(super) fn pid(stream: &UnixStream) -> Option<u32> {
    let peer = socket_peercred(stream.as_fd()).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}

/// Connects to the socket `name` in `dir`, however long that path is.
pub(super) fn connect(dir: &Path, name: &str) -> io::Result<UnixStream> {
    // A socket address holds 107 bytes of path; through a descriptor of the folder it is always short.
    let folder = rustix::fs::openat(
        CWD,
        dir,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_deep_in_the_tree_is_reached_and_its_owner_known() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let folder = std::fs::File::open(&deep).unwrap();
        let _listener = UnixListener::bind(format!("/proc/self/fd/{}/s", folder.as_raw_fd())).unwrap();
        let stream = connect(&deep, "s").unwrap();
        assert!(is_own(&stream));
        assert_eq!(pid(&stream), Some(std::process::id()));
    }
}
