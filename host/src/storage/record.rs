//! The files that keep pools: one a pool, named after its UUID, the old one or the new one and never half of it.

use super::{LIST_MAX, ORIGIN, fault};
use driver_api::error::{Code, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::uuid::Uuid;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

fn file(folder: &Path, uuid: Uuid) -> PathBuf {
    folder.join(format!("{uuid}.xml"))
}

/// Writes a pool's file.
///
/// # Errors
/// 38; the old file is then as it was.
pub(super) fn write(folder: &Path, uuid: Uuid, document: &Element) -> Result<()> {
    let path = file(folder, uuid);
    try_write(folder, &path, &document.to_string()).map_err(|cause| {
        fault(
            Code::SYSTEM_ERROR,
            format!("cannot keep the pool's file '{}'", path.display()),
        )
        .because(cause)
    })
}

fn try_write(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

/// Removes a pool's file; one that is not there is fine.
///
/// # Errors
/// 38.
pub(super) fn remove(folder: &Path, uuid: Uuid) -> Result<()> {
    let path = file(folder, uuid);
    let removed = match fs::remove_file(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => Err(cause),
        Ok(()) => File::open(folder).and_then(|folder| folder.sync_all()),
    };
    removed.map_err(|cause| {
        fault(
            Code::SYSTEM_ERROR,
            format!("cannot remove the pool's file '{}'", path.display()),
        )
        .because(cause)
    })
}

/// What the files of a folder hold, as far as `read` can make something of it, which is given the UUID that a file is named
/// after; damaged ones are set aside. A folder that is not there has none.
pub(super) fn read_all<T>(folder: &Path, read: impl Fn(Uuid, Element) -> Result<T>) -> Vec<T> {
    let mut paths: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::error!(folder = %folder.display(), %error, "the pools that were kept can not be read");
            return Vec::new();
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    paths.sort_unstable();
    let one = |path: PathBuf| {
        let document = named(&path).and_then(|uuid| {
            fs::read(&path)
                .map_err(|cause| fault(Code::SYSTEM_ERROR, "the file can not be read").because(cause))
                .and_then(|text| parse(&text, ORIGIN, &Limits::default()))
                .and_then(|document| read(uuid, document))
        });
        document
            .inspect_err(|error| {
                let kept = set_aside(&path);
                tracing::warn!(file = %path.display(), kept = %kept.display(), %error, "a pool's file is set aside");
            })
            .ok()
    };
    paths.into_iter().filter_map(one).take(LIST_MAX).collect()
}

/// The pool that a file is named after.
fn named(path: &Path) -> Result<Uuid> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let uuid = stem.parse().ok();
    // One that is written in another way would be a second file of its pool.
    uuid.filter(|uuid: &Uuid| uuid.to_string() == *stem)
        .ok_or_else(|| fault(Code::INTERNAL, format!("'{stem}' is not the UUID of a pool")))
}

/// Gives a file the first name that no other has: what was set aside before is somebody's to look at. Answers where it is now.
fn set_aside(path: &Path) -> PathBuf {
    let name = |number: u32| match number {
        0 => path.with_added_extension("set-aside"),
        number => path.with_added_extension(format!("set-aside.{number}")),
    };
    let free = (0..1000).map(name).find(|aside| aside.symlink_metadata().is_err());
    free.filter(|aside| fs::rename(path, aside).is_ok())
        .unwrap_or_else(|| path.to_owned())
}
