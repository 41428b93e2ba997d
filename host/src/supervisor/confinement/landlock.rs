//! Landlock: rules for files, sockets and signals that hold for a process and all its children, whatever user they have.

use super::super::sys;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Rights to files by the version of the interface that brought them (`LANDLOCK_ACCESS_FS_...`).
mod access {
    pub(super) const FIRST: u64 = 0x1fff;
    pub(super) const REFER: u64 = 1 << 13;
    pub(super) const TRUNCATE: u64 = 1 << 14;
    pub(super) const IOCTL_DEVICE: u64 = 1 << 15;
    pub(super) const MAKE_CHARACTER: u64 = 1 << 6;
    pub(super) const MAKE_BLOCK: u64 = 1 << 11;
}

/// Bind and connect of TCP sockets (`LANDLOCK_ACCESS_NET_...`).
const TCP: u64 = 3;
/// Abstract unix sockets and signals (`LANDLOCK_SCOPE_...`): only within the own domain.
const SCOPES: u64 = 3;
/// No older kernel's version is asked about, and no newer one's is known here.
const NEWEST: u32 = 6;

/// What is handled, by the kernel's version of the interface: nothing of it is allowed unless a rule says so.
fn handled(version: u32, network: bool) -> sys::LandlockRules {
    let since = |first: u32, rights: u64| if version >= first { rights } else { 0 };
    sys::LandlockRules {
        files: access::FIRST | since(2, access::REFER) | since(3, access::TRUNCATE) | since(5, access::IOCTL_DEVICE),
        network: if network { 0 } else { since(4, TCP) },
        scopes: since(6, SCOPES),
    }
}

/// Keeps this process and all that it becomes or starts to what is in its root, for good: no device nodes, no TCP unless
/// `network`, no abstract sockets and no signals beyond itself. Returns the version of the interface that was used.
///
/// The root itself and not each file is what the rule names: files that are shown later must be reached as well, and what
/// may be written there is what is mounted so.
///
/// # Errors
/// `ENOSYS` or `EOPNOTSUPP` on a kernel without it.
pub(in crate::supervisor) fn restrict(network: bool) -> io::Result<u32> {
    let version = sys::landlock_version()?.min(NEWEST);
    let rules = handled(version, network);
    let set = sys::landlock_rules(&rules)?;
    let root = std::fs::File::open("/")?;
    let allowed = rules.files & !(access::MAKE_CHARACTER | access::MAKE_BLOCK);
    sys::landlock_allow(set.as_fd(), allowed, root.as_raw_fd())?;
    sys::landlock_restrict(set.as_fd())?;
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[test]
    fn each_version_is_asked_only_for_what_it_knows() {
        let files: Vec<u64> = (1..=6).map(|version| handled(version, false).files).collect();
        assert_eq!(files, [0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff]);
        let rest: Vec<_> = (1..=6)
            .map(|v| (handled(v, false).network, handled(v, false).scopes))
            .collect();
        assert_eq!(rest, [(0, 0), (0, 0), (0, 0), (3, 0), (3, 0), (3, 3)]);
        assert_eq!(handled(6, true).network, 0);
    }

    #[test]
    fn tcp_and_abstract_sockets_of_others_are_out_of_reach() {
        // Rules are a thread's alone; a kernel without them is said so by `restrict`.
        let Ok(version) = sys::landlock_version() else { return };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap();
        let name = SocketAddr::from_abstract_name(format!("lockstep-test-{}", std::process::id())).unwrap();
        let other = UnixDatagram::bind_addr(&name).unwrap();
        let tries = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            restrict(false).unwrap();
            let denied = |result: io::Result<()>| {
                result.is_err_and(|e| matches!(e.raw_os_error(), Some(libc::EACCES | libc::EPERM)))
            };
            let socket = UnixDatagram::unbound().unwrap();
            let file = std::env::temp_dir().join(format!("lockstep-landlock-{}", std::process::id()));
            let made = std::fs::write(&file, "x").and_then(|()| std::fs::remove_file(&file));
            (
                denied(TcpStream::connect(port).map(drop)),
                denied(TcpListener::bind("127.0.0.1:0").map(drop)),
                denied(socket.send_to_addr(b"x", &name).map(drop)),
                made.is_ok(),
            )
        });
        let (network, scopes) = (version >= 4, version >= 6);
        assert_eq!(tries.join().unwrap(), (network, network, scopes, true));
        drop(other);
    }
}
