//! Disks: what the guest's kernel last said of each, and what its file takes of the host.

use super::{Figures, Source};
use crate::def::disk::{Disk, Place, Target};
use crate::pulse::sample::Transfers;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};

pub(super) fn put(source: &Source<'_>, figures: &mut Figures) {
    let disks = &source.record.current.disks;
    figures.put("block.count", u32::try_from(disks.len()).unwrap_or(u32::MAX));
    for (index, disk) in disks.iter().enumerate() {
        figures.put(format!("block.{index}.name"), disk.target.to_string());
        figures.put_known(format!("block.{index}.path"), disk.source.clone());
        // What clients put on the buses of other machines is a `ubd` in the guest.
        let inside = match disk.place() {
            Some(Place::Ubd(number)) => Target::Ubd(number).to_string(),
            _ => disk.target.to_string(),
        };
        if let Some(told) = source.vitals.disks.iter().find(|told| told.name == inside) {
            transfers(figures, index, "rd", &told.read);
            transfers(figures, index, "wr", &told.written);
            if let Some(flushed) = &told.flushed {
                figures.put(format!("block.{index}.fl.reqs"), flushed.requests);
                figures.put(format!("block.{index}.fl.times"), flushed.nanoseconds);
            }
        }
        if let Some(size) = size(disk) {
            figures.put(format!("block.{index}.allocation"), size.allocation);
            figures.put_known(format!("block.{index}.capacity"), size.capacity);
            figures.put(format!("block.{index}.physical"), size.physical);
        }
    }
}

fn transfers(figures: &mut Figures, index: usize, kind: &str, transfers: &Transfers) {
    figures.put(format!("block.{index}.{kind}.reqs"), transfers.requests);
    figures.put(format!("block.{index}.{kind}.bytes"), transfers.bytes);
    figures.put(format!("block.{index}.{kind}.times"), transfers.nanoseconds);
}

/// What a disk takes, in bytes.
struct Size {
    /// Of the host's storage.
    allocation: u64,
    /// Of what the guest sees, where the file tells.
    capacity: Option<u64>,
    /// As the length of its file.
    physical: u64,
}

/// `None` when there is no file, or none that can be looked at.
fn size(disk: &Disk) -> Option<Size> {
    let path = disk.source.as_ref()?;
    let meta = std::fs::metadata(path).ok()?;
    let physical = length(&meta)?;
    let capacity = match (disk.driver("type").unwrap_or("raw"), &disk.backing) {
        // What UML lays over another file shows as much as that one.
        ("raw" | "cow", Some(backing)) => std::fs::metadata(&backing.source).ok().as_ref().and_then(length),
        ("raw", None) => Some(physical),
        ("qcow2", _) => qcow2(path),
        _ => None,
    };
    Some(Size {
        allocation: if meta.file_type().is_block_device() {
            physical
        } else {
            meta.blocks().saturating_mul(512)
        },
        capacity,
        physical,
    })
}

/// How long a qcow2 image says that it is.
fn qcow2(path: &str) -> Option<u64> {
    let mut header = [0; 32];
    File::open(path).ok()?.read_exact_at(&mut header, 0).ok()?;
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let size = rest.get(20..28)?.try_into().ok().map(u64::from_be_bytes);
    size.filter(|_| magic == b"QFI\xfb")
}

/// The length of a file or of a block device.
fn length(meta: &Metadata) -> Option<u64> {
    if !meta.file_type().is_block_device() {
        return meta.is_file().then_some(meta.len());
    }
    let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
    let sectors = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/size")).ok()?;
    Some(sectors.trim().parse::<u64>().ok()?.saturating_mul(512))
}
