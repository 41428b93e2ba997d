//! Files that are either the old one or the new one, whatever happens between.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What every unfinished file is called at its beginning; such files mean nothing and may be removed at start.
pub const TEMPORARY: &str = ".new-";

/// Whether a file must survive the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Also over a power failure: the file and its name are on the disk when the write returns.
    Always,
    /// As long as the machine runs; a crash of the host itself loses nothing that the kernel has.
    UntilReboot,
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new("."))
}

/// Flushes a folder, so that what was renamed in or removed from it stays so.
///
/// # Errors
/// The kernel's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes `bytes` as the file `path`, mode 0600; on failure the old file is untouched and nothing new is left.
///
/// # Errors
/// The kernel's.
pub fn write(path: &Path, bytes: &[u8], keep: Keep) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = PathBuf::from(folder_of(path));
    temporary.push(format!("{TEMPORARY}{}", name.to_string_lossy()));
    let written = write_and_rename(&temporary, path, bytes, keep);
    if written.is_err() {
        // The first error is the one to tell; a left-over is removed at the next start.
        drop(std::fs::remove_file(&temporary));
    }
    written
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8], keep: Keep) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(temporary, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    if keep == Keep::Always {
        file.sync_all()?;
    }
    std::fs::rename(temporary, path)?;
    if keep == Keep::Always {
        sync_folder(folder_of(path))?;
    }
    Ok(())
}

/// A file that is on the disk beside the one whose place it is to take; removed again when it never does.
#[derive(Debug)]
pub struct Staged {
    temporary: PathBuf,
    path: PathBuf,
}

impl Staged {
    /// Writes `bytes` beside `path`, so that a full disk is known before anything is done.
    ///
    /// # Errors
    /// The kernel's; nothing is left then.
    pub fn new(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        // No other writer of this folder uses such a name.
        let staged = Self {
            temporary: folder_of(path).join(format!("{TEMPORARY}%staged-{}", name.to_string_lossy())),
            path: path.to_owned(),
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(&staged.temporary, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The kernel's; the old file may be there still.
    pub fn commit(self) -> io::Result<()> {
        std::fs::rename(&self.temporary, &self.path)?;
        sync_folder(folder_of(&self.path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Renamed it is not there any more; what is left otherwise is removed at the next start.
        drop(std::fs::remove_file(&self.temporary));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_replaces_the_whole_file_and_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.xml");
        write(&path, b"a longer text", Keep::Always).unwrap();
        write(&path, b"short", Keep::UntilReboot).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn staged_file_takes_its_place_at_once_or_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.xml");
        let count = || std::fs::read_dir(dir.path()).unwrap().count();
        drop(Staged::new(&path, b"never").unwrap());
        assert_eq!(count(), 0);
        write(&path, b"old", Keep::Always).unwrap();
        let staged = Staged::new(&path, b"new").unwrap();
        write(&path, b"between", Keep::Always).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"between");
        staged.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(count(), 1);
        assert!(Staged::new(&dir.path().join("none/a.xml"), b"x").is_err());
    }

    #[test]
    fn write_that_fails_keeps_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::create_dir_all(path.join("inner")).unwrap();
        assert!(write(&path, b"x", Keep::Always).is_err());
        assert!(path.join("inner").exists());
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "a temporary file was left"
        );
    }
}
