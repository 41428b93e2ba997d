//! `Base`: the folder of one run's checks; locked while the run lives, so that the next run can remove it if this one can not.

use super::cgroup;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the folders of all runs begin with.
const PREFIX: &str = "conformance-";

/// Held by the run whose folder it is in.
const LOCK: &str = "lock";

/// The folder of one run.
#[derive(Debug)]
pub(super) struct Base {
    path: PathBuf,
    lock: Option<File>,
}

impl Base {
    /// Makes a folder for a run, and removes those of runs that were killed. One that is to be kept has no lock: nobody
    /// takes it for a dead run's.
    ///
    /// # Errors
    /// It can not be made.
    pub(super) fn new(keep: bool) -> io::Result<Self> {
        let above = std::env::temp_dir();
        sweep(&above);
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&above)?;
        let lock = match keep {
            true => None,
            false => Some(lock(made.path())?),
        };
        let path = made.keep();
        Ok(Self { path, lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What this run, and whatever else is only its own, is called.
    pub(super) fn name(&self) -> String {
        name(&self.path)
    }

    /// Makes a folder that nobody else may write to.
    pub(super) fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::DirBuilder::new().mode(0o755).create(&path)?;
        Ok(path)
    }

    /// Whether it stays when the run ends.
    pub(super) const fn is_kept(&self) -> bool {
        self.lock.is_none()
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        if self.is_kept() {
            return;
        }
        if let Err(error) = remove(&self.path) {
            let path = self.path.display();
            eprintln!("conformance: the checks' folder '{path}' can not be removed: {error}");
        }
    }
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Locks a folder from the first moment on in which there is a lock.
fn lock(folder: &Path) -> io::Result<File> {
    let new = folder.join("lock.new");
    let file = File::create(&new)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(&new, folder.join(LOCK))?;
    Ok(file)
}

/// Removes the folders and cgroups of runs that are dead: nobody holds their lock.
fn sweep(above: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Of its own kind and owner: whoever may write in that folder could put anything else there.
        let is_ours = || {
            let found = entry.path().symlink_metadata();
            found.is_ok_and(|found| found.is_dir() && found.uid() == own)
        };
        if is_one && is_ours() && is_dead(&entry.path()) {
            cgroup::remove_of(&name(&entry.path()));
            // Another run may be doing the same.
            let _removed = remove(&entry.path());
        }
    }
}

/// Whether nobody holds the lock of a folder that has one.
fn is_dead(folder: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let lock = rustix::fs::open(folder.join(LOCK), flags, Mode::empty());
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// Removes a folder with all in it, also what a plug-in has made unreadable.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => open_up(folder),
    }
    fs::remove_dir_all(folder)
}

/// Makes every folder below one its owner's again; never follows a link.
fn open_up(folder: &Path) {
    let mut next = vec![folder.to_path_buf()];
    while let Some(folder) = next.pop() {
        // What is not ours stays as it is and is told of by the removal.
        let _opened = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                next.push(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_lives_keeps_its_folder_and_one_that_died_loses_it() {
        let above = tempfile::tempdir().expect("a folder");
        let [alive, dead, kept, other] =
            ["conformance-alive", "conformance-dead", "conformance-kept", "other"].map(|name| above.path().join(name));
        for folder in [&alive, &dead, &kept, &other] {
            fs::create_dir_all(folder.join("VIRT-001")).expect("a folder");
        }
        let _held = lock(&alive).expect("a lock");
        drop(lock(&dead).expect("a lock"));
        drop(lock(&other).expect("a lock"));
        sweep(above.path());
        assert_eq!(
            [alive, dead, kept, other].map(|folder| folder.exists()),
            [true, false, true, true]
        );
    }

    #[test]
    fn what_was_made_unreadable_is_removed_and_what_a_link_leads_to_is_not() {
        let above = tempfile::tempdir().expect("a folder");
        let (folder, elsewhere) = (above.path().join("shut"), above.path().join("elsewhere"));
        fs::create_dir_all(folder.join("deep/er")).expect("folders");
        fs::create_dir(&elsewhere).expect("a folder");
        std::os::unix::fs::symlink(&elsewhere, folder.join("deep/link")).expect("a link");
        let before = elsewhere.metadata().expect("there").permissions();
        for shut in ["deep/er", "deep", ""] {
            fs::set_permissions(folder.join(shut), fs::Permissions::from_mode(0o000)).expect("shut");
        }
        remove(&folder).expect("removed");
        assert!(!folder.exists());
        assert_eq!(elsewhere.metadata().expect("there").permissions(), before);
    }
}
