//! One disk as a `ubd` argument: unit, flags, files, serial number.

use super::word::splits;
use super::{Files, refuse};
use crate::def::disk::{Disk, Place, Target, fits_ubd};
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

/// The copy-on-write file of a disk, if it is one that UML itself reads.
#[must_use]
pub fn cow(disk: &Disk) -> Option<Cow> {
    if !matches!(disk.place(), Some(Place::Ubd(_))) {
        return None;
    }
    Some(Cow {
        file: disk.source.as_ref()?.into(),
        backing: disk.backing.as_ref()?.source.clone().into(),
    })
}

/// The argument of a disk on the kernel's command line, its files added to `files`; nothing for one that UML does not read
/// itself.
pub(super) fn argument(disk: &Disk, files: &mut Files) -> Result<Option<String>> {
    let Some(said) = assignment(disk)? else {
        return Ok(None);
    };
    let what = format!("disk '{}'", disk.target);
    if let Some(source) = &disk.source {
        files.show(&what, source, !disk.readonly)?;
    }
    if let Some(backing) = &disk.backing {
        files.show(&format!("the <backingStore> of {what}"), &backing.source, false)?;
    }
    let (option, mut value) = said;
    if value.bytes().any(splits) {
        value = format!("\"{value}\"");
    }
    Ok(Some(format!("{option}={value}")))
}

/// The unit with its flags, and the files: joined by `=` they are what the monitor's `config` takes. `None` for an empty drive,
/// and for a disk that UML does not read itself.
///
/// # Errors
/// 67 for a text that UML can not be told.
pub fn assignment(disk: &Disk) -> Result<Option<(String, String)>> {
    let (Some(Place::Ubd(number)), Some(source)) = (disk.place(), &disk.source) else {
        return Ok(None);
    };
    let mut value = source.clone();
    if let Some(backing) = &disk.backing {
        value = format!("{value},{}", backing.source);
    }
    if let Some(serial) = &disk.serial {
        // An empty second field stands for "no backing file".
        let gap = if disk.backing.is_some() { "," } else { ",," };
        value = format!("{value}{gap}{serial}");
    }
    let texts = [
        Some(source),
        disk.backing.as_ref().map(|b| &b.source),
        disk.serial.as_ref(),
    ];
    if let Some(text) = texts.into_iter().flatten().find(|text| !fits_ubd(text)) {
        return Err(refuse(format!(
            "disk '{}': '{}' can not be told to UML, rename it without ',', ':', '\"' and control characters",
            disk.target,
            text.escape_debug()
        )));
    }
    Ok(Some((format!("{}{}", Target::Ubd(number), flags(disk)), value)))
}

fn flags(disk: &Disk) -> String {
    let synchronous = matches!(disk.driver("cache"), Some("writethrough" | "directsync"));
    let keeps_discarded = disk.driver("discard") == Some("ignore");
    let all = [
        (disk.readonly, 'r'),
        (synchronous, 's'),
        // The kernel's lock would keep readers from each other; who writes is looked for before the start.
        (disk.shareable || disk.readonly, 'c'),
        // Without this UML looks for a COW header in the file, which the guest itself may have written there: at its
        // next start it would read any file of the host that the header names.
        (disk.backing.is_none(), 'd'),
        (keeps_discarded, 't'),
    ];
    all.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).collect()
}
