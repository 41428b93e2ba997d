//! `Base`: the folder of one run's checks; locked while the run lives, so that the next run can remove it if this one can not.

use super::cgroup;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the folders of all runs begin with.
const PREFIX: &str = "conformance-";

/// How many letters and digits follow.
const DRAWN: usize = 6;

/// Held by the run whose folder it is in.
const LOCK: &str = ".conformance-run";

/// What stands in it: a folder of somebody else's may be called like a run's and be locked like one.
const SIGN: &str = "The next run of conformance removes this folder when the run that made it is dead.\n";

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
        let made = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(DRAWN)
            .tempdir_in(&above)?;
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
    let new = folder.join(format!("{LOCK}.new"));
    let mut file = File::create(&new)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    file.write_all(SIGN.as_bytes())?;
    fs::rename(&new, folder.join(LOCK))?;
    Ok(file)
}

/// Removes the folders and cgroups of runs that are dead: nobody holds their lock.
fn sweep(above: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_str().is_some_and(is_a_runs);
        // Of its own kind and owner: whoever may write in that folder could put anything else there.
        let is_ours = || {
            let found = entry.path().symlink_metadata();
            found.is_ok_and(|found| found.is_dir() && found.uid() == own)
        };
        if is_one && is_ours() && is_dead(&entry.path()) {
            cgroup::remove_of(&name(&entry.path()));
            // Another run may be doing the same.
            if let Err(error) = remove(&entry.path())
                && error.kind() == io::ErrorKind::ResourceBusy
            {
                let path = entry.path();
                eprintln!("conformance: a dead run's folder '{}' stays: {error}", path.display());
            }
        }
    }
}

/// Whether a folder is called as those of runs are.
fn is_a_runs(name: &str) -> bool {
    let drawn = name.strip_prefix(PREFIX);
    drawn.is_some_and(|drawn| drawn.len() == DRAWN && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether nobody holds the lock of a folder that has one.
fn is_dead(folder: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let lock = rustix::fs::open(folder.join(LOCK), flags, Mode::empty());
    lock.is_ok_and(|lock| {
        let lock = File::from(lock);
        is_signed(&lock) && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

fn is_signed(lock: &File) -> bool {
    let is_file = lock.metadata().is_ok_and(|about| about.is_file());
    let mut found = Vec::new();
    let most = SIGN.len() as u64 + 1;
    is_file && lock.take(most).read_to_end(&mut found).is_ok() && found == SIGN.as_bytes()
}

/// Removes a folder with all in it, also what a plug-in has made unreadable, and nothing that is only mounted there.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    // As the kernel names it in its table; the last part stays what it is: a plug-in may have put a link there.
    let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(io::Error::other("it is no folder of a run"));
    };
    let folder = match fs::canonicalize(above) {
        Ok(above) => above.join(name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    is_free(&folder)?;
    match fs::remove_dir_all(&folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => open_up(&folder),
    }
    fs::remove_dir_all(&folder)
}

/// Whether nothing is mounted on a folder or below it: without a mount namespace of its own a plug-in's mounts are this
/// process's too, and what they show is not the check's.
fn is_free(folder: &Path) -> io::Result<()> {
    match mounted(&fs::read("/proc/self/mountinfo")?, folder) {
        None => Ok(()),
        Some(point) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!(
                "something is mounted on '{}': 'umount' it, then the next run removes the folder",
                point.display()
            ),
        )),
    }
}

/// The last mount of a `mountinfo` file (proc(5)) that is on this folder or below it.
fn mounted(mounts: &[u8], folder: &Path) -> Option<PathBuf> {
    let mut points = mounts.split(|byte| *byte == b'\n').filter_map(|line| {
        let point = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsString::from_vec(unescaped(point))))
    });
    points.rfind(|point| point.starts_with(folder))
}

/// Blanks and backslashes stand in it as three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    bytes
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
        let names = [
            "conformance-alive0",
            "conformance-dead00",
            "conformance-kept00",
            "conformance-nothes",
            "conformance-forged",
            "conformance-piped0",
            "conformance-notes",
            "conformance-run-1",
            "other",
        ];
        let folders = names.map(|name| above.path().join(name));
        let [alive, dead, _kept, old, forged, piped, longer, dashed, other] = &folders;
        for folder in &folders {
            fs::create_dir_all(folder.join("VIRT-001")).expect("a folder");
        }
        let _held = lock(alive).expect("a lock");
        for folder in [dead, longer, dashed, other] {
            drop(lock(folder).expect("a lock"));
        }
        // Whoever else may lock a folder of such a name: with a lock of that name, or with other words in it.
        fs::write(old.join("lock"), "").expect("a file");
        fs::write(forged.join(LOCK), format!("{SIGN}{SIGN}")).expect("a file");
        let pipe = rustix::fs::mknodat(
            rustix::fs::CWD,
            piped.join(LOCK),
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        );
        pipe.expect("a pipe");
        sweep(above.path());
        let gone: Vec<&PathBuf> = folders.iter().filter(|folder| !folder.exists()).collect();
        assert_eq!(gone, [dead]);
    }

    #[test]
    fn what_a_run_makes_is_what_the_next_one_knows() {
        let base = Base::new(false).expect("a base");
        assert!(is_a_runs(&base.name()), "{}", base.name());
        assert!(!is_dead(base.path()), "it lives");
    }

    #[test]
    fn a_folder_with_a_mount_below_it_is_not_removed() {
        let mounts = b"22 1 0:20 / / rw - ext4 /dev/vda rw\n\
            30 22 0:25 / /tmp/conformance-abcdef/ABI-006/a\\040b\\134 rw shared:3 - tmpfs tmpfs rw\n\
            31 22 0:25 / /tmp/conformance-abcdefg rw - tmpfs tmpfs rw\n";
        let below = |folder: &str| mounted(mounts, Path::new(folder));
        assert_eq!(
            below("/tmp/conformance-abcdef"),
            Some(PathBuf::from("/tmp/conformance-abcdef/ABI-006/a b\\"))
        );
        assert_eq!(
            below("/tmp/conformance-abcdefg"),
            Some(PathBuf::from("/tmp/conformance-abcdefg"))
        );
        assert_eq!(below("/tmp/conformance-ab"), None);
        let error = is_free(Path::new("/proc")).expect_err("it is mounted");
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(error.to_string().contains("'umount' it"), "{error}");
        let free = tempfile::tempdir().expect("a folder");
        is_free(&free.path().canonicalize().expect("there")).expect("nothing is mounted there");
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
        // A plug-in can put a link in its folder's place.
        std::os::unix::fs::symlink(&elsewhere, &folder).expect("a link");
        remove(&folder).expect("removed");
        assert!(folder.symlink_metadata().is_err() && elsewhere.is_dir());
        assert_eq!(elsewhere.metadata().expect("there").permissions(), before);
    }
}
