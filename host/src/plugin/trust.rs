//! What may be loaded: with root's powers only what nobody but root can change.

use super::refusal::Refusal;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, openat};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Who must own a plug-in and its folder; nobody in particular when the host has no powers that others lack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// Owned by root and writable by nobody else.
    RootOnly,
    /// Whatever its user can read.
    Anyone,
}

impl Trust {
    pub(super) fn of_this_process() -> Self {
        if rustix::process::geteuid().is_root() {
            Self::RootOnly
        } else {
            Self::Anyone
        }
    }
}

/// Opens a plug-in's file without following a link in its last part, and checks it and its folder by what was opened, so
/// that neither can be exchanged in between.
pub(super) fn open_plugin(path: &Path, trust: Trust) -> Result<OwnedFd, Refusal> {
    let fail = |path: &Path, errno: rustix::io::Errno| Refusal::Open {
        path: path.to_path_buf(),
        cause: errno.into(),
    };
    let not_a_file = || Refusal::NotAFile {
        path: path.to_path_buf(),
    };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(not_a_file());
    };
    let dir = open(
        folder,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| fail(folder, errno))?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&dir, name, flags, Mode::empty()).map_err(|errno| match errno {
        rustix::io::Errno::LOOP => not_a_file(),
        errno => fail(path, errno),
    })?;
    let stat = fstat(&file).map_err(|errno| fail(path, errno))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(not_a_file());
    }
    if trust == Trust::RootOnly {
        judge(folder, &fstat(&dir).map_err(|errno| fail(folder, errno))?)?;
        judge(path, &stat)?;
    }
    Ok(file)
}

fn judge(path: &Path, stat: &Stat) -> Result<(), Refusal> {
    let path = path.to_path_buf();
    if stat.st_uid != 0 {
        let owner = stat.st_uid;
        return Err(Refusal::Owner { path, owner });
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::WGRP | Mode::WOTH) {
        let mode = mode.bits() & 0o7777;
        return Err(Refusal::Mode { path, mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_link_a_folder_and_a_missing_file_are_refused_whoever_asks() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        write(&file, "x").unwrap();
        open_plugin(&file, Trust::Anyone).unwrap();
        let link = dir.path().join("link");
        symlink(&file, &link).unwrap();
        let folder = dir.path().join("folder");
        std::fs::create_dir(&folder).unwrap();
        for path in [&link, &folder] {
            let refusal = open_plugin(path, Trust::Anyone).unwrap_err().to_string();
            assert_eq!(refusal, format!("'{}' is not a regular file", path.display()));
        }
        let missing = open_plugin(&dir.path().join("missing"), Trust::Anyone).unwrap_err();
        assert!(missing.to_string().contains("No such file"), "{missing}");
    }

    #[test]
    fn root_refuses_what_others_may_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        write(&file, "x").unwrap();
        set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        let refusal = open_plugin(&file, Trust::RootOnly).unwrap_err().to_string();
        // As an ordinary user the test owns the folder, which is refused first.
        assert!(
            refusal.contains("mode 0664") || refusal.contains("root loads only"),
            "{refusal}"
        );
        open_plugin(&file, Trust::Anyone).unwrap();
    }
}
