//! `Image`: the files of one disk and how they are used, whichever program reads them.

use super::{absolute, refuse};
use crate::def::disk::{Disk, Place};
use driver_api::error::Result;
use std::path::PathBuf;

/// The longest chain of files below one disk.
pub const DEPTH: usize = 32;

/// The files of a disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// The disk's target, for messages and names.
    pub target: String,
    /// Where the guest finds it.
    pub place: Place,
    /// The file that the disk is.
    pub top: Layer,
    /// The files below it that the document names, first the one right below; never written.
    pub below: Vec<Layer>,
    /// Whether the document also says that there are no more.
    pub ends: bool,
    /// The guest may not write.
    pub readonly: bool,
    /// Others may write it at the same time.
    pub shareable: bool,
    /// The `cache` attribute of `<driver>`.
    pub cache: Option<String>,
    /// Whether what the guest discards is given back to the host.
    pub discard: bool,
}

/// One file of a disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// Where.
    pub path: PathBuf,
    /// Its format in libvirt's name.
    pub format: String,
    /// Whether it is a block device of the host.
    pub is_device: bool,
}

impl Image {
    /// The files of a disk; `None` for an empty drive.
    ///
    /// # Errors
    /// 67 for what UML can not have, a chain that is too long, or one that does not tell its formats.
    pub fn of(disk: &Disk) -> Result<Option<Self>> {
        let Some(source) = &disk.source else {
            return Ok(None);
        };
        let Some(place) = disk.place() else {
            return Err(refuse(format!("disk '{}' is none that UML can have", disk.target)));
        };
        let what = format!("disk '{}'", disk.target);
        let format = |format: Option<&str>| format.unwrap_or("raw").to_owned();
        let top = Layer {
            path: absolute(&what, source)?,
            format: format(disk.driver("type")),
            is_device: disk.kind == "block",
        };
        let (chain, ends) = disk.chain();
        if chain.len() > DEPTH {
            let count = chain.len();
            return Err(refuse(format!(
                "{what} has {count} files below it, {DEPTH} are possible"
            )));
        }
        let mut below: Vec<Layer> = Vec::new();
        for layer in chain {
            let path = absolute(&format!("the <backingStore> of {what}"), layer.source)?;
            if path == top.path || below.iter().any(|other| other.path == path) {
                return Err(refuse(format!(
                    "the <backingStore> of {what} comes back to '{}'",
                    path.display()
                )));
            }
            below.push(Layer {
                path,
                format: format(layer.format),
                is_device: layer.kind == "block",
            });
        }
        Ok(Some(Self {
            target: disk.target.to_string(),
            place,
            // A raw file has nothing below it, whatever its first bytes say: the guest may have written them.
            ends: ends || below.last().unwrap_or(&top).format == "raw",
            top,
            below,
            readonly: disk.readonly,
            shareable: disk.shareable,
            cache: disk.driver("cache").map(ToOwned::to_owned),
            discard: disk.driver("discard") != Some("ignore"),
        }))
    }
}
