//! Disks: what the guest's kernel last said of each, and what its file takes of the host.

use super::{Figures, Source};
use crate::def::disk::Disk;
use crate::pulse::sample::Transfers;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

pub(super) fn put(source: &Source<'_>, figures: &mut Figures) {
    let disks = &source.record.current.disks;
    figures.put("block.count", u32::try_from(disks.len()).unwrap_or(u32::MAX));
    for (index, disk) in disks.iter().enumerate() {
        let name = disk.target.to_string();
        figures.put(format!("block.{index}.name"), name.clone());
        figures.put_known(format!("block.{index}.path"), disk.source.clone());
        if let Some(told) = source.vitals.disks.iter().find(|told| told.name == name) {
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
    let meta = std::fs::metadata(disk.source.as_ref()?).ok()?;
    let physical = length(&meta)?;
    let backing = disk.backing.as_ref().map(|backing| std::fs::metadata(&backing.source));
    let format = disk.driver("type").unwrap_or("raw");
    let capacity = match backing {
        // What lies over another file shows as much as that one.
        Some(backing) => backing.ok().as_ref().and_then(length),
        None => Some(physical),
    };
    Some(Size {
        allocation: if meta.file_type().is_block_device() {
            physical
        } else {
            meta.blocks().saturating_mul(512)
        },
        // Other formats say inside how long they seem.
        capacity: capacity.filter(|_| matches!(format, "raw" | "cow")),
        physical,
    })
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
