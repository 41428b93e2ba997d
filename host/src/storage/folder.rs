//! `Folder`: a pool's folder, opened; everything in it is reached from the open folder and by one name.

use super::permissions::Permissions;
use super::taken::Taken;
use super::volume::{Request, Volume};
use super::{LIST_MAX, NO_VOLUME, VOLUME_EXISTS, fault, image, sys};
use driver_api::error::{Code, Error, Result};
use rustix::fs::{AtFlags, CWD, Dir, FallocateFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Bytes of the file system that a folder is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// All of it.
    pub capacity: u64,
    /// What is taken of it.
    pub allocation: u64,
    /// What this host may still take.
    pub available: u64,
}

/// An open folder.
pub(super) struct Folder {
    fd: OwnedFd,
    path: String,
}

/// The bits of a file that is made without any.
const FILE_MODE: u32 = 0o600;

impl Folder {
    /// Opens the folder.
    ///
    /// # Errors
    /// 9 when it is not there, 38 when it can not be opened.
    pub(super) fn open(path: &str) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self {
                fd,
                path: path.to_owned(),
            }),
            Err(Errno::NOENT) => {
                let message = format!("the folder '{path}' is not there: make it, or have the pool built (pool-build)");
                Err(fault(Code::OPERATION_FAILED, message))
            }
            Err(Errno::NOTDIR) => Err(fault(Code::OPERATION_FAILED, format!("'{path}' is not a folder"))),
            Err(errno) => Err(system(format!("cannot open the folder '{path}'"), errno)),
        }
    }

    /// Makes the folder, with what is missing above it, unless it is there.
    ///
    /// # Errors
    /// 38.
    pub(super) fn make(path: &str, permissions: Permissions) -> Result<()> {
        let failed = |cause: std::io::Error| {
            fault(Code::SYSTEM_ERROR, format!("cannot make the folder '{path}'")).because(cause)
        };
        if let Some(parent) = std::path::Path::new(path).parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let there = match std::fs::create_dir(path) {
            Ok(()) => false,
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => true,
            Err(cause) => return Err(failed(cause)),
        };
        let folder = Self::open(path)?;
        let Permissions { mode, owner, group } = permissions;
        // As long as nobody says otherwise others may pass, as guests must, but not list.
        let mode = mode.or((!there).then_some(0o711));
        own(&folder.fd, mode, owner, group)
            .map_err(|errno| system(format!("cannot give the folder '{path}' its owner and mode"), errno))
    }

    /// Removes the folder, which must be empty.
    ///
    /// # Errors
    /// 9 when it is not empty, 38.
    pub(super) fn remove(path: &str) -> Result<()> {
        std::fs::remove_dir(path).map_err(|cause| {
            let code = if cause.kind() == std::io::ErrorKind::DirectoryNotEmpty {
                Code::OPERATION_FAILED
            } else {
                Code::SYSTEM_ERROR
            };
            fault(code, format!("cannot remove the folder '{path}'")).because(cause)
        })
    }

    /// How much room there is.
    ///
    /// # Errors
    /// 38.
    pub(super) fn figures(&self) -> Result<Figures> {
        let told = rustix::fs::fstatvfs(&self.fd)
            .map_err(|errno| system(format!("cannot tell the room in the folder '{}'", self.path), errno))?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Ok(Figures {
            capacity: bytes(told.f_blocks),
            allocation: bytes(told.f_blocks.saturating_sub(told.f_bfree)),
            available: bytes(told.f_bavail),
        })
    }

    /// The names of the volumes, sorted.
    ///
    /// # Errors
    /// 9 when they are more than the protocol carries, 38 when the folder can not be read.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        self.at_most(LIST_MAX)
    }

    fn at_most(&self, max: usize) -> Result<Vec<String>> {
        let failed = |errno| system(format!("cannot read the folder '{}'", self.path), errno);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A name that is no text can not be said on the wire, nor written to a document.
            let Some(name) = entry
                .file_name()
                .to_str()
                .ok()
                .filter(|name| !name.contains(char::is_control))
            else {
                continue;
            };
            let is_file = match entry.file_type() {
                FileType::RegularFile => true,
                FileType::Symlink | FileType::Unknown => rustix::fs::statat(&self.fd, name, AtFlags::empty())
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile),
                _ => false,
            };
            if !is_file {
                continue;
            }
            if names.len() == max {
                let message = format!(
                    "the folder '{}' has more than {max} files: no list of volumes holds them",
                    self.path
                );
                return Err(fault(Code::OPERATION_FAILED, message));
            }
            names.push(name.to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The volume of that name.
    ///
    /// # Errors
    /// 50 when there is none, 38 when it can not be looked at.
    pub(super) fn volume(&self, name: &str) -> Result<Volume> {
        let path = format!("{}/{name}", self.path.trim_end_matches('/'));
        let failed = |cause: std::io::Error| {
            fault(Code::SYSTEM_ERROR, format!("cannot look at the volume '{path}'")).because(cause)
        };
        // Opening a pipe or a device does something to it; to name a file does not.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP) => return Err(self.no_volume(name)),
            Err(errno) => return Err(failed(errno.into())),
        };
        let named = File::from(fd);
        let meta = named.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(self.no_volume(name));
        }
        let mut header = Vec::new();
        // What a user's host may not read is told by its size alone.
        match File::open(format!("/proc/self/fd/{}", named.as_raw_fd())) {
            Ok(file) => drop(
                file.take(image::HEADER as u64)
                    .read_to_end(&mut header)
                    .map_err(failed)?,
            ),
            Err(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(cause) => return Err(failed(cause)),
        }
        let (format, capacity) = image::look(&header, meta.len());
        Ok(Volume {
            name: name.to_owned(),
            path,
            format,
            capacity,
            allocation: meta.blocks().saturating_mul(512),
            physical: meta.len(),
            permissions: Permissions {
                mode: Some(meta.permissions().mode() & 0o7777),
                owner: Some(meta.uid()),
                group: Some(meta.gid()),
            },
        })
    }

    /// Makes a raw volume. One that can not be made whole is not left.
    ///
    /// # Errors
    /// 90 when there is a file of that name, 38 when there is no room or the file system can not reserve it.
    pub(super) fn create(&self, request: &Request) -> Result<()> {
        self.create_with(request, |fd| fill(fd, request))
    }

    fn create_with(&self, request: &Request, fill: impl Fn(&OwnedFd) -> rustix::io::Result<()>) -> Result<()> {
        let name = request.name.as_str();
        let failed = |errno| match errno {
            Errno::EXIST => {
                let message = format!("there is a file '{name}' in the folder '{}' already", self.path);
                fault(VOLUME_EXISTS, message)
            }
            errno => system(format!("cannot make '{name}' in the folder '{}'", self.path), errno),
        };
        let filled = |errno| {
            let message = format!(
                "cannot give volume '{name}' in the folder '{}' its {} bytes",
                self.path, request.capacity
            );
            match errno {
                Errno::OPNOTSUPP => fault(
                    Code::SYSTEM_ERROR,
                    format!("{message}: its file system can not reserve any: ask for an allocation of 0"),
                ),
                errno => system(message, errno),
            }
        };
        // Without a name until it is whole: what a host that is killed was making is gone with it.
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, ".", flags, Mode::from_raw_mode(FILE_MODE)) {
            Ok(fd) => {
                // No room is taken for what can not get its name.
                if rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                    return Err(failed(Errno::EXIST));
                }
                fill(&fd).map_err(filled)?;
                let unnamed = format!("/proc/self/fd/{}", fd.as_raw_fd());
                return rustix::fs::linkat(CWD, unnamed, &self.fd, name, AtFlags::SYMLINK_FOLLOW).map_err(failed);
            }
            // Not every file system has files without a name.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(FILE_MODE)).map_err(failed)?;
        fill(&fd).map_err(|errno| {
            // The first error is the one to tell; the file is ours, for it was not there before.
            let _left = rustix::fs::unlinkat(&self.fd, name, AtFlags::empty());
            filled(errno)
        })
    }

    /// Removes a volume, unless it is a file that somebody uses, under whatever path, or has a lock on.
    ///
    /// # Errors
    /// 50 when there is none, 9 when it is a symbolic link, 87 when it is used or locked, 38.
    pub(super) fn delete(&self, name: &str, uses: &[Taken]) -> Result<()> {
        let failed = |errno| system(format!("cannot remove '{name}' from the folder '{}'", self.path), errno);
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Err(self.no_volume(name)),
            Err(errno) => Err(failed(errno)),
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => {
                    let is_it = |one: &&Taken| (one.device, one.inode) == (stat.st_dev, stat.st_ino);
                    if let Some(Taken { by, .. }) = uses.iter().find(is_it) {
                        let message = format!("volume '{name}' in the folder '{}' is used by {by}", self.path);
                        return Err(fault(Code::RESOURCE_BUSY, message));
                    }
                    // Last, for it also tells of guests that came meanwhile, and of programs that are no guests.
                    self.need_unlocked(name)?;
                    rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(failed)
                }
                FileType::Symlink => {
                    let message = format!(
                        "'{name}' in the folder '{}' is a symbolic link, which is not a pool's to remove",
                        self.path
                    );
                    Err(fault(Code::OPERATION_FAILED, message))
                }
                _ => Err(self.no_volume(name)),
            },
        }
    }

    /// # Errors
    /// 87 when a program has a lock on the file that forbids others to write, 38 when that can not be told.
    fn need_unlocked(&self, name: &str) -> Result<()> {
        let failed = |cause: std::io::Error| {
            let message = format!(
                "cannot tell whether '{name}' in the folder '{}' is locked, so it stays",
                self.path
            );
            fault(Code::SYSTEM_ERROR, message).because(cause)
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        let fd = opened.map_err(|errno| failed(errno.into()))?;
        match sys::locked_by(fd.as_fd()).map_err(failed)? {
            None => Ok(()),
            Some(pid) => {
                let who = if pid > 0 {
                    format!("process {pid}")
                } else {
                    "a program".to_owned()
                };
                let message = format!(
                    "volume '{name}' in the folder '{}' is locked by {who}: end what uses it first",
                    self.path
                );
                Err(fault(Code::RESOURCE_BUSY, message))
            }
        }
    }

    fn no_volume(&self, name: &str) -> Error {
        fault(
            NO_VOLUME,
            format!("there is no volume '{name}' in the folder '{}'", self.path),
        )
    }
}

/// Gives a new file what was asked for.
fn fill(fd: &OwnedFd, request: &Request) -> rustix::io::Result<()> {
    if request.allocation > 0 {
        rustix::fs::fallocate(fd, FallocateFlags::empty(), 0, request.allocation)?;
    }
    rustix::fs::ftruncate(fd, request.capacity)?;
    let Permissions { mode, owner, group } = request.permissions;
    own(fd, mode, owner, group)
}

/// An owner first: the kernel takes the set-user bit off a file whose owner changes.
fn own(fd: &OwnedFd, mode: Option<u32>, owner: Option<u32>, group: Option<u32>) -> rustix::io::Result<()> {
    if owner.is_some() || group.is_some() {
        rustix::fs::fchown(fd, owner.map(Uid::from_raw), group.map(Gid::from_raw))?;
    }
    match mode {
        Some(mode) => rustix::fs::fchmod(fd, Mode::from_raw_mode(mode)),
        None => Ok(()),
    }
}

fn system(message: String, errno: Errno) -> Error {
    fault(Code::SYSTEM_ERROR, message).because(std::io::Error::from(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_can_not_be_carried_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            File::create(dir.path().join(name)).unwrap();
        }
        let folder = Folder::open(dir.path().to_str().unwrap()).unwrap();
        assert_eq!(folder.at_most(3).unwrap(), ["a", "b", "c"]);
        let error = folder.at_most(2).unwrap_err();
        assert!(error.to_string().contains("has more than 2 files"), "{error}");
    }

    #[test]
    fn a_volume_has_its_name_once_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path().to_str().unwrap()).unwrap();
        let request = Request::parse("<volume><name>v</name><capacity>4096</capacity></volume>").unwrap();
        let half = |fd: &OwnedFd| {
            fill(fd, &request)?;
            assert_eq!(folder.names().unwrap(), [""; 0]);
            // Somebody else is faster.
            File::create_new(dir.path().join("v")).unwrap();
            Ok(())
        };
        let error = folder.create_with(&request, half).unwrap_err();
        assert!(error.code() == VOLUME_EXISTS, "{error}");
        assert_eq!(dir.path().join("v").metadata().unwrap().len(), 0);
        std::fs::remove_file(dir.path().join("v")).unwrap();
        folder.create(&request).unwrap();
        assert_eq!(dir.path().join("v").metadata().unwrap().len(), 4096);
    }
}
