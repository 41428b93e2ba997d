//! Images: whether a guest's disks are what they are said to be, and whether nobody else writes them.

use crate::core::{Core, fault};
use crate::plan::{Image, Layer};
use crate::state::machine::Phase;
use crate::state::table::Entry;
use crate::sys;
use driver_api::error::{Code, Error, Result};
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// The unit of UML's block devices.
const SECTOR: u64 = 512;
/// The byte on which QEMU's programs hold a lock while they write an image; UML locks all of a file.
const WRITERS_BYTE: i64 = 101;

/// One file of a disk and what is done to it.
#[derive(Clone, Debug)]
struct Use<'a> {
    target: &'a str,
    path: &'a Path,
    writes: bool,
    shared: bool,
}

fn uses<'a>(image: &'a Image, below: &'a [Layer]) -> impl Iterator<Item = Use<'a>> {
    let one = |path, writes, shared| Use {
        target: &image.target,
        path,
        writes,
        shared,
    };
    let top = one(image.top.path.as_path(), !image.readonly, image.shareable);
    std::iter::once(top).chain(below.iter().map(move |layer| one(layer.path.as_path(), false, false)))
}

/// Checks the files of a disk by themselves, `below` being the whole chain; a top that is still to be made is left out.
///
/// # Errors
/// 38 for a file that is not there or can not be read, 67 for one that can not be a disk, 87 for one that is locked.
pub(crate) fn check(image: &Image, below: &[Layer], made_later: bool) -> Result<()> {
    let layers = std::iter::once(&image.top).filter(|_| !made_later).chain(below);
    for layer in layers {
        let meta = std::fs::metadata(&layer.path).map_err(|cause| {
            let message = format!("'{}' of disk '{}' can not be found", layer.path.display(), image.target);
            fault(Code::SYSTEM_ERROR, message).because(cause)
        })?;
        is_an_image(image, layer, &meta)?;
    }
    for of in uses(image, below).filter(|of| !made_later || of.path != image.top.path) {
        is_not_locked(&of)?;
    }
    Ok(())
}

fn is_an_image(image: &Image, layer: &Layer, meta: &Metadata) -> Result<()> {
    let (path, target) = (layer.path.display(), &image.target);
    let wrong = |why: &str| {
        Err(fault(
            Code::CONFIG_UNSUPPORTED,
            format!("'{path}' of disk '{target}' {why}"),
        ))
    };
    if meta.is_dir() {
        return wrong("is a folder, a disk is a file or a block device");
    }
    if !meta.is_file() && !meta.file_type().is_block_device() {
        return wrong("is neither a file nor a block device");
    }
    if layer.format != "raw" {
        return Ok(());
    }
    let size = size(&layer.path, meta).map_err(|cause| {
        fault(
            Code::SYSTEM_ERROR,
            format!("'{path}' of disk '{target}' can not be opened"),
        )
        .because(cause)
    })?;
    if size == 0 {
        return wrong("is empty");
    }
    if size % SECTOR != 0 {
        return wrong(&format!(
            "has {size} bytes, which is no multiple of {SECTOR}: make it longer with 'truncate -s %{SECTOR}'"
        ));
    }
    Ok(())
}

fn size(path: &Path, meta: &Metadata) -> io::Result<u64> {
    if meta.is_file() {
        return Ok(meta.size());
    }
    File::open(path)?.seek(SeekFrom::End(0))
}

fn is_not_locked(of: &Use<'_>) -> Result<()> {
    if of.shared {
        return Ok(());
    }
    // Whoever may not read it is told so elsewhere.
    let Ok(file) = File::open(of.path) else {
        return Ok(());
    };
    // Readers do not disturb each other, so they look only for writers.
    let (start, length) = if of.writes { (0, 0) } else { (WRITERS_BYTE, 1) };
    match sys::locked_by(file.as_fd(), start, length) {
        Ok(None) => Ok(()),
        Ok(Some(process)) => {
            let by = if process > 0 {
                format!("process {process}")
            } else {
                "another program".to_owned()
            };
            let message = format!(
                "'{}' of disk '{}' is locked by {by}: stop that first, or set <shareable/> on both sides if they agree on who \
                 writes what",
                of.path.display(),
                of.target
            );
            Err(fault(Code::RESOURCE_BUSY, message))
        }
        Err(cause) => {
            // Some network file systems know no such locks.
            tracing::debug!(path = %of.path.display(), %cause, "it can not be seen whether the file is locked");
            Ok(())
        }
    }
}

impl Core {
    /// Checks that no other domain that is active, or being started, writes a file of these disks or reads one that they
    /// write, unless both say that it is shareable. `below` has the chain of each disk; with `before`, domains whose start
    /// has just begun under a higher id are not asked: they ask themselves.
    ///
    /// # Errors
    /// 87 with the other domain's name.
    pub(crate) fn images_are_free(
        &self,
        own: &Entry,
        images: &[(Image, Vec<Layer>)],
        before: Option<i32>,
    ) -> Result<()> {
        if images.is_empty() {
            return Ok(());
        }
        let ours: Vec<(Use<'_>, Option<(u64, u64)>)> = images
            .iter()
            .flat_map(|(image, below)| uses(image, below))
            .map(|of| (of.clone(), identity(of.path)))
            .collect();
        for entry in self.table.entries() {
            let Some(record) = entry.load().filter(|_| entry.uuid != own.uuid) else {
                continue;
            };
            let starting = record.phase == Phase::Starting;
            let asks = starting && before.is_some_and(|id| record.id > id);
            if asks || !(starting || record.phase.is_active()) {
                continue;
            }
            let theirs = record
                .current
                .disks
                .iter()
                .filter_map(|disk| Image::of(disk).ok().flatten());
            for image in theirs {
                for theirs in uses(&image, &image.below) {
                    let conflict = ours.iter().find(|(ours, id)| {
                        (ours.writes || theirs.writes)
                            && !(ours.shared && theirs.shared)
                            && (ours.path == theirs.path || id.is_some() && *id == identity(theirs.path))
                    });
                    if let Some((ours, _)) = conflict {
                        return Err(taken(ours, &theirs, &entry.name));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What says that two paths are one file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    // Of a device it is the device that counts, not the file that names it.
    Some(if meta.file_type().is_block_device() {
        (u64::MAX, meta.rdev())
    } else {
        (meta.dev(), meta.ino())
    })
}

fn taken(ours: &Use<'_>, theirs: &Use<'_>, name: &str) -> Error {
    let does = if theirs.writes { "written" } else { "used" };
    let message = format!(
        "'{}' of disk '{}' is {does} by domain '{name}' as disk '{}': stop that first, or set <shareable/> on both if the guests \
         agree on who writes what",
        ours.path.display(),
        ours.target,
        theirs.target
    );
    fault(Code::RESOURCE_BUSY, message)
}
