//! Files that are either the old one or the new one, whatever happens between.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The ending of a file that is not finished; it means nothing and is removed at start.
const TEMPORARY: &str = "new";
/// The ending of a file that could not be used, kept for a person to look at.
const ASIDE: &str = "set-aside";

/// Whether a file must survive the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// Also over a power failure.
    Always,
    /// As long as the machine runs; the death of the host alone loses nothing that the kernel has.
    UntilReboot,
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Puts `text` into the place of the file `path`. On failure the old file is untouched and nothing new is left.
pub(crate) fn write(path: &Path, text: &str, keep: Keep) -> io::Result<()> {
    let temporary = beside(path, TEMPORARY);
    let written = write_and_rename(&temporary, path, text, keep);
    if written.is_err() {
        // The first error is the one to tell; a left-over is removed at the next start.
        drop(fs::remove_file(&temporary));
    }
    written
}

fn write_and_rename(temporary: &Path, path: &Path, text: &str, keep: Keep) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(temporary)?;
    file.write_all(text.as_bytes())?;
    if keep == Keep::Always {
        file.sync_all()?;
    }
    fs::rename(temporary, path)?;
    if keep == Keep::Always {
        sync_folder_of(path)?;
    }
    Ok(())
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Removes a file; that there is none is no error.
pub(crate) fn remove(path: &Path, keep: Keep) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    if keep == Keep::Always {
        sync_folder_of(path)?;
    }
    Ok(())
}

/// Makes a folder of the driver's, if it is not there.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// The files of a folder with an ending, by name; what was never finished is removed.
pub(crate) fn list(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(OsStr::to_str) {
            Some(TEMPORARY) if is_draft(&path, ending) => drop(fs::remove_file(&path)),
            Some(own) if own == ending => found.push(path),
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

/// Whether it is called as `write` calls what is beside such a file.
fn is_draft(path: &Path, ending: &str) -> bool {
    let of = path.file_stem().map(Path::new);
    of.and_then(Path::extension).and_then(OsStr::to_str) == Some(ending)
}

/// Moves a file that can not be used out of the way, so that the others can be.
pub(crate) fn set_aside(path: &Path, why: &dyn std::fmt::Display) {
    tracing::warn!(file = %path.display(), %why, "a file can not be used and is set aside");
    // Beside what was set aside before: it may be all that is left of what somebody wrote.
    let mut places = (0_u32..).map(|number| match number {
        0 => beside(path, ASIDE),
        number => beside(path, &format!("{ASIDE}-{number}")),
    });
    let free = places.find(|place| place.symlink_metadata().is_err());
    let moved = free.map_or(Ok(()), |place| fs::rename(path, place));
    if let Err(error) = moved {
        tracing::warn!(file = %path.display(), %error, "it could not be set aside");
    }
}

/// What a file is called, without its ending.
pub(crate) fn stem(path: &Path) -> &str {
    path.file_stem().and_then(OsStr::to_str).unwrap_or_default()
}
