//! One disk as a `ubd` argument: unit, flags, files, serial number.

use super::word::splits;
use super::{Files, absolute, refuse};
use crate::def::disk::{Disk, Target};
use driver_api::error::Result;
use std::path::PathBuf;

/// A copy-on-write file and what it lies over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cow {
    /// The file that is written.
    pub file: PathBuf,
    /// The file that is only read.
    pub backing: PathBuf,
}

/// The copy-on-write file of a disk, if it is one.
pub(super) fn cow(disk: &Disk) -> Option<Cow> {
    Some(Cow {
        file: disk.source.as_ref()?.into(),
        backing: disk.backing.as_ref()?.source.clone().into(),
    })
}

/// The argument of a disk, its files added to `files`.
pub(super) fn argument(disk: &Disk, files: &mut Files) -> Result<String> {
    let (Target::Ubd(_), Some(source)) = (&disk.target, &disk.source) else {
        return Err(refuse(format!("disk '{}' is none that UML can have", disk.target)));
    };
    let what = format!("disk '{}'", disk.target);
    absolute(&what, source)?;
    files.show(&what, source, !disk.readonly)?;
    let mut value = source.clone();
    if let Some(backing) = &disk.backing {
        files.show(
            &format!("the <backingStore> of disk '{}'", disk.target),
            &backing.source,
            false,
        )?;
        value = format!("{value},{}", backing.source);
    }
    if let Some(serial) = &disk.serial {
        // An empty second field stands for "no backing file".
        let gap = if disk.backing.is_some() { "," } else { ",," };
        value = format!("{value}{gap}{serial}");
    }
    if value.bytes().any(splits) {
        value = format!("\"{value}\"");
    }
    Ok(format!("{}{}={value}", disk.target, flags(disk)))
}

fn flags(disk: &Disk) -> String {
    let synchronous = matches!(disk.driver("cache"), Some("writethrough" | "directsync"));
    let keeps_discarded = disk.driver("discard") == Some("ignore");
    let all = [
        (disk.readonly, 'r'),
        (synchronous, 's'),
        (disk.shareable, 'c'),
        // Without this UML looks for a COW header in the file, which the guest itself may have written there: at its
        // next start it would read any file of the host that the header names.
        (disk.backing.is_none(), 'd'),
        (keeps_discarded, 't'),
    ];
    all.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).collect()
}
