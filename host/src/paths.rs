//! `Paths`: the folders that a host keeps things in, and the sockets that it is found at.

use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What `sun_path` holds besides its closing NUL.
const SOCKET_PATH_MAX: usize = 107;

/// Why the folders can not be told or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An ordinary user without home.
    #[error("cannot tell where to keep things: neither {variable} nor HOME is set; set one or use --root DIR")]
    NoHome {
        /// The variable that would have helped.
        variable: &'static str,
    },
    /// The kernel can not bind such a socket.
    #[error("'{}' is {length} bytes long and a socket's path may have {SOCKET_PATH_MAX}: choose a shorter --root", path.display())]
    TooLong {
        /// The socket.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// A root that does not name a place by itself.
    #[error("cannot make '{}' an absolute path: {cause}", path.display())]
    Root {
        /// The root as given.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A folder can not be made or given its mode.
    #[error("cannot make folder '{}': {cause}", path.display())]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

/// Where one host keeps everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paths {
    /// Definitions and `lockstep.toml`.
    pub conf: PathBuf,
    /// What must survive a reboot of the machine besides definitions.
    pub state: PathBuf,
    /// What is gone after a reboot of the machine: sockets and run-time state.
    pub run: PathBuf,
    /// Logs of guests.
    pub log: PathBuf,
    /// Whether this host runs as root.
    pub privileged: bool,
}

/// One driver's own folders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DriverPaths {
    /// Definitions.
    pub conf: PathBuf,
    /// What must survive a reboot of the machine.
    pub state: PathBuf,
    /// What is gone after a reboot of the machine.
    pub run: PathBuf,
    /// Logs of guests.
    pub log: PathBuf,
}

impl Paths {
    /// The folders below `root`, or else the system's for root and the XDG ones for an ordinary user. Nothing is made.
    ///
    /// # Errors
    /// No home, or a socket path that the kernel refuses.
    pub fn find(root: Option<&Path>) -> Result<Self, Error> {
        let privileged = rustix::process::geteuid().is_root();
        let paths = match root {
            Some(root) => {
                let absolute = std::path::absolute(root).map_err(|cause| Error::Root {
                    path: root.to_owned(),
                    cause,
                })?;
                Self::below(&absolute, privileged)
            }
            None if privileged => Self::below(Path::new("/"), true),
            None => Self::of_user(|name| std::env::var_os(name))?,
        };
        let path = paths.readonly_socket();
        let length = path.as_os_str().as_bytes().len();
        if length > SOCKET_PATH_MAX {
            return Err(Error::TooLong { path, length });
        }
        Ok(paths)
    }

    fn below(root: &Path, privileged: bool) -> Self {
        Self {
            conf: root.join("etc/lockstep"),
            state: root.join("var/lib/lockstep"),
            run: root.join("run/lockstep"),
            log: root.join("var/log/lockstep"),
            privileged,
        }
    }

    /// The XDG base folders; a relative one counts as unset, as their specification demands.
    fn of_user(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let set = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = |name: &'static str, fallback: &str| {
            let home = || set("HOME").map(|home| home.join(fallback));
            set(name).or_else(home).ok_or(Error::NoHome { variable: name })
        };
        let state = base("XDG_STATE_HOME", ".local/state")?.join("lockstep");
        Ok(Self {
            conf: base("XDG_CONFIG_HOME", ".config")?.join("lockstep"),
            // Without a session there is no XDG_RUNTIME_DIR. Run-time state then outlives a reboot, which its readers
            // notice by the boot id in it.
            run: base("XDG_RUNTIME_DIR", ".cache")?.join("lockstep"),
            log: state.join("log"),
            state,
            privileged: false,
        })
    }

    /// The socket for everything.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run.join("libvirt-sock")
    }

    /// The socket that refuses every change.
    #[must_use]
    pub fn readonly_socket(&self) -> PathBuf {
        self.run.join("libvirt-sock-ro")
    }

    /// A driver's own folders.
    #[must_use]
    pub fn driver(&self, name: &str) -> DriverPaths {
        DriverPaths {
            conf: self.conf.join(name),
            state: self.state.join(name),
            run: self.run.join(name),
            log: self.log.join(name),
        }
    }

    /// Makes the host's folders, as many as are missing, and gives each its mode: only the run folder of a system's
    /// host may be passed by others, since the sockets in it have an owner and a mode of their own.
    ///
    /// # Errors
    /// Names the folder.
    pub fn make(&self) -> Result<(), Error> {
        let run_mode = if self.privileged { 0o755 } else { 0o700 };
        for (path, mode) in [
            (&self.conf, 0o700),
            (&self.state, 0o700),
            (&self.log, 0o700),
            (&self.run, run_mode),
        ] {
            make_dir(path, mode)?;
        }
        Ok(())
    }

    /// Makes a driver's folders, as many as are missing. Guests run as another user than the host, so the run folder of
    /// a system's host can be passed, but not read, by others.
    ///
    /// # Errors
    /// Names the folder.
    pub fn make_driver(&self, name: &str) -> Result<DriverPaths, Error> {
        let paths = self.driver(name);
        let run_mode = if self.privileged { 0o711 } else { 0o700 };
        for (path, mode) in [
            (&paths.conf, 0o700),
            (&paths.state, 0o700),
            (&paths.log, 0o700),
            (&paths.run, run_mode),
        ] {
            make_dir(path, mode)?;
        }
        Ok(paths)
    }
}

/// Parents get the usual mode: they are the system's (`/var/lib`) or the user's (`~/.config`). The mode is set again
/// since the process's umask may have taken bits off it.
fn make_dir(path: &Path, mode: u32) -> Result<(), Error> {
    let make = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => std::fs::set_permissions(path, Permissions::from_mode(mode)),
        }
    };
    make().map_err(|cause| Error::Make {
        path: path.to_owned(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn root_moves_everything() {
        let paths = Paths::find(Some(Path::new("/r"))).unwrap();
        assert_eq!(paths.conf, Path::new("/r/etc/lockstep"));
        assert_eq!(paths.state, Path::new("/r/var/lib/lockstep"));
        assert_eq!(paths.log, Path::new("/r/var/log/lockstep"));
        assert_eq!(paths.socket(), Path::new("/r/run/lockstep/libvirt-sock"));
        assert_eq!(paths.readonly_socket(), Path::new("/r/run/lockstep/libvirt-sock-ro"));
        assert_eq!(paths.driver("uml").conf, Path::new("/r/etc/lockstep/uml"));
        assert!(Paths::find(Some(Path::new("r"))).unwrap().conf.is_absolute());
    }

    #[test]
    fn user_gets_xdg_folders() {
        let vars = |name: &str| match name {
            "HOME" => Some("/h".into()),
            "XDG_RUNTIME_DIR" => Some("/run/user/7".into()),
            "XDG_STATE_HOME" => Some("relative".into()),
            _ => None,
        };
        let paths = Paths::of_user(vars).unwrap();
        assert_eq!(paths.conf, Path::new("/h/.config/lockstep"));
        assert_eq!(paths.state, Path::new("/h/.local/state/lockstep"));
        assert_eq!(paths.log, Path::new("/h/.local/state/lockstep/log"));
        assert_eq!(paths.socket(), Path::new("/run/user/7/lockstep/libvirt-sock"));
        assert!(!paths.privileged);
        let error = Paths::of_user(|_| None).unwrap_err();
        assert!(
            error.to_string().contains("neither XDG_STATE_HOME nor HOME is set"),
            "{error}"
        );
    }

    #[test]
    fn root_too_long_for_a_socket_is_refused() {
        let error = Paths::find(Some(Path::new(&format!("/{}", "x".repeat(100))))).unwrap_err();
        assert!(error.to_string().contains("choose a shorter --root"), "{error}");
    }

    #[test]
    fn folders_are_made_once_with_their_modes() {
        let root = tempfile::tempdir().unwrap();
        let mut paths = Paths::find(Some(root.path())).unwrap();
        for (privileged, run, driver_run) in [(true, 0o755, 0o711), (false, 0o700, 0o700)] {
            paths.privileged = privileged;
            let _ = std::fs::remove_dir_all(&paths.run);
            paths.make().unwrap();
            paths.make().unwrap();
            let driver = paths.make_driver("uml").unwrap();
            assert_eq!(
                [
                    mode(&paths.conf),
                    mode(&paths.state),
                    mode(&paths.log),
                    mode(&paths.run)
                ],
                [0o700, 0o700, 0o700, run]
            );
            assert_eq!([mode(&driver.conf), mode(&driver.run)], [0o700, driver_run]);
        }
        std::fs::write(paths.run.join("blocked"), "").unwrap();
        assert!(
            paths
                .make_driver("blocked")
                .unwrap_err()
                .to_string()
                .contains("run/lockstep/blocked")
        );
    }
}
