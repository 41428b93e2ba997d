//! Listening sockets: made here with their permissions, or taken over from a service manager.

use super::sys;
use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The name of the socket for everything.
pub const SOCKET: &str = "libvirt-sock";
/// The name of the socket that refuses every change.
pub const SOCKET_READ_ONLY: &str = "libvirt-sock-ro";

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Who may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Permission bits of the socket's file.
    pub mode: u32,
    /// The group that owns it; the host's own for `None`.
    pub group: Option<u32>,
}

impl Access {
    /// The owner only: a user's own host.
    pub const OWNER: Self = Self {
        mode: 0o600,
        group: None,
    };
}

/// A socket that accepts connections. Removes its file when dropped, if it made the file.
pub struct Listener {
    pub(super) io: UnixListener,
    pub(super) read_only: bool,
    file: Option<Made>,
}

/// A socket file that we made, as long as it is still the same one.
struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("path", &self.file.as_ref().map(|made| &made.path))
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(made) = &self.file
            && fs::symlink_metadata(&made.path).is_ok_and(|now| (now.dev(), now.ino()) == (made.device, made.inode))
        {
            drop(fs::remove_file(&made.path));
        }
    }
}

impl Listener {
    /// Makes the socket `path` and listens on it. A file that a dead host left there is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when a host listens there or the file is no socket; otherwise the kernel's own, naming the path.
    pub fn bind(path: &Path, read_only: bool, access: Access) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on '{}': {error}", path.display()));
        remove_stale(path).map_err(named)?;
        Self::make(path, read_only, access).map_err(named)
    }

    fn make(path: &Path, read_only: bool, access: Access) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // A socket's own mode becomes its file's mode (unix_bind), so nobody else can connect even for a moment.
        fchmod(&socket, Mode::from_raw_mode(0o600))?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        let meta = fs::symlink_metadata(path)?;
        let made = Made {
            path: path.to_owned(),
            device: meta.dev(),
            inode: meta.ino(),
        };
        let listener = Self {
            io: UnixListener::from(socket),
            read_only,
            file: Some(made),
        };
        if access.group.is_some() {
            std::os::unix::fs::chown(path, None, access.group)?;
        }
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(access.mode))?;
        listen(&listener.io, BACKLOG)?;
        Ok(listener)
    }

    /// The sockets that a service manager passed to this process (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`). One
    /// whose name or path ends in `-ro` is read-only. To be called once, before threads are started.
    ///
    /// # Errors
    /// A passed descriptor is no listening stream socket of the unix family.
    pub fn passed() -> io::Result<Vec<Self>> {
        let var = |name| std::env::var(name).unwrap_or_default();
        let Some(count) = passed_count(&var("LISTEN_PID"), &var("LISTEN_FDS"), std::process::id()) else {
            return Ok(Vec::new());
        };
        let names = var("LISTEN_FDNAMES");
        let mut names = names.split(':');
        sys::take_passed(count)
            .into_iter()
            .map(|fd| Self::adopt(fd, names.next().unwrap_or_default()))
            .collect()
    }

    fn adopt(fd: OwnedFd, name: &str) -> io::Result<Self> {
        let fits = sockopt::socket_domain(&fd)? == AddressFamily::UNIX
            && sockopt::socket_type(&fd)? == SocketType::STREAM
            && sockopt::socket_acceptconn(&fd)?;
        if !fits {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!("passed descriptor '{name}' is not a listening unix stream socket"),
            ));
        }
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        let io = UnixListener::from(fd);
        let address = io.local_addr()?;
        let by_path = address
            .as_pathname()
            .and_then(Path::to_str)
            .is_some_and(|path| path.ends_with("-ro"));
        Ok(Self {
            io,
            read_only: by_path || name.trim_end_matches(".socket").ends_with("-ro"),
            file: None,
        })
    }
}

/// How many descriptors were passed to process `me`.
fn passed_count(pid: &str, count: &str, me: u32) -> Option<u16> {
    (pid.parse() == Ok(me)).then_some(())?;
    count.parse().ok().filter(|count| *count > 0)
}

/// Removes a socket file that nobody listens on.
fn remove_stale(path: &Path) -> io::Result<()> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !meta.file_type().is_socket() {
        return Err(io::Error::new(
            ErrorKind::AddrInUse,
            "there is a file that is not a socket",
        ));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(
            ErrorKind::AddrInUse,
            "another host serves this socket; stop it first",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_socket_has_its_mode_and_is_removed_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        for mode in [0o600, 0o660] {
            let access = Access { mode, group: None };
            let listener = Listener::bind(&path, false, access).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            drop(listener);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_dead_hosts_socket_is_replaced_and_a_live_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        drop(UnixListener::bind(&path).unwrap());
        let listener = Listener::bind(&path, false, Access::OWNER).unwrap();
        let error = Listener::bind(&path, false, Access::OWNER).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("stop it first"), "{error}");
        drop(listener);
        fs::write(&path, "precious").unwrap();
        Listener::bind(&path, false, Access::OWNER).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_listener_does_not_remove_its_successors_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        let listener = Listener::bind(&path, false, Access::OWNER).unwrap();
        fs::remove_file(&path).unwrap();
        let _kept = UnixListener::bind(&path).unwrap();
        drop(listener);
        assert!(path.exists());
    }

    #[test]
    fn descriptors_are_taken_only_when_meant_for_this_process() {
        assert_eq!(passed_count("7", "2", 7), Some(2));
        for (pid, count) in [("8", "2"), ("", "2"), ("7", "0"), ("7", "x"), ("7", "-1")] {
            assert_eq!(passed_count(pid, count, 7), None);
        }
    }

    #[test]
    fn a_passed_socket_must_listen_and_its_name_tells_what_it_is_for() {
        let folder = tempfile::tempdir().unwrap();
        for (file, name, read_only) in [
            ("libvirt-sock", "virtumld.socket", false),
            ("libvirt-sock-ro", "", true),
            ("x", "virtumld-ro.socket", true),
        ] {
            let fd = OwnedFd::from(UnixListener::bind(folder.path().join(file)).unwrap());
            assert_eq!(Listener::adopt(fd, name).unwrap().read_only, read_only, "{file} {name}");
        }
        let (one, _other) = UnixStream::pair().unwrap();
        Listener::adopt(OwnedFd::from(one), "x").unwrap_err();
    }
}
