//! `Disk`: one `<disk>`, with its place among UML's block devices and the file it lives in.

use super::parse::path_attribute;
use super::rest::Rest;
use std::fmt;

/// How many block devices a UML kernel has: `ubda` to `ubdp`.
pub const UBD_COUNT: u8 = 16;

/// One disk of a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disk {
    /// The `type` attribute: `file` and `block` can be started.
    pub kind: String,
    /// The `device` attribute.
    pub device: Device,
    /// The file or device of the host; `None` is an empty drive.
    pub source: Option<String>,
    /// What else `<source>` held.
    pub source_rest: Rest,
    /// The file below a copy-on-write file.
    pub backing: Option<Backing>,
    /// The device that the guest sees.
    pub target: Target,
    /// The bus; `uml` can be started.
    pub bus: String,
    /// What else `<target>` held.
    pub target_rest: Rest,
    /// The guest may not write.
    pub readonly: bool,
    /// Other guests may have it open at the same time.
    pub shareable: bool,
    /// The serial number that the guest sees.
    pub serial: Option<String>,
    /// The user's own alias (`ua-...`).
    pub alias: Option<String>,
    /// `<driver>` and everything else.
    pub rest: Rest,
}

/// Which of UML's two kinds of block device a disk is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// `ubd` with this number: the guest's kernel reads the file itself.
    Ubd(u8),
    /// A virtio device: a program beside the guest reads the file.
    Virtio,
}

/// One file of the chain below a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layer<'a> {
    /// The `type` attribute.
    pub kind: &'a str,
    /// The `<format type>`.
    pub format: Option<&'a str>,
    /// The path.
    pub source: &'a str,
}

impl Disk {
    /// What it is in the guest. Clients put disks on `ide` and other buses of machines unless they are told otherwise; there
    /// the letter says which `ubd` it is.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match (&self.target, self.bus.as_str()) {
            (Target::Ubd(number), _) => Some(Place::Ubd(*number)),
            (Target::Other(_), "virtio") => Some(Place::Virtio),
            (Target::Other(name), "ide" | "scsi" | "sata" | "usb" | "sd" | "xen") => {
                let [_, _, letter] = name.as_bytes() else {
                    return None;
                };
                let number = letter.checked_sub(b'a')?;
                (number < UBD_COUNT).then_some(Place::Ubd(number))
            }
            _ => None,
        }
    }

    /// The chain below it as the document tells, first the file right below; and whether it tells where the chain ends.
    #[must_use]
    pub fn chain(&self) -> (Vec<Layer<'_>>, bool) {
        let Some(backing) = &self.backing else {
            // An empty <backingStore/> says that there is nothing below.
            return (Vec::new(), self.rest.element("backingStore").is_some());
        };
        let mut chain = vec![Layer {
            kind: &backing.kind,
            format: backing.format.as_deref(),
            source: &backing.source,
        }];
        let mut below = backing.rest.element("backingStore");
        while let Some(element) = below {
            let kind = element.attr("type").unwrap_or("file");
            let source = element
                .child("source")
                .and_then(|source| source.attr(path_attribute(kind)));
            let Some(source) = source.filter(|path| !path.is_empty()) else {
                return (chain, true);
            };
            chain.push(Layer {
                kind,
                format: element.child("format").and_then(|format| format.attr("type")),
                source,
            });
            below = element.child("backingStore");
        }
        (chain, false)
    }

    /// An attribute of `<driver>`.
    #[must_use]
    pub fn driver(&self, attribute: &str) -> Option<&str> {
        self.rest.element("driver")?.attr(attribute)
    }
}

/// Whether UML's `ubd` option can carry this path or serial number: commas and colons separate its fields, and a quote
/// ends it.
pub(crate) fn fits_ubd(text: &str) -> bool {
    !text.contains([',', ':', '"']) && !text.contains(char::is_control)
}

/// What a disk pretends to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the names are libvirt's own")]
pub enum Device {
    Disk,
    Cdrom,
    Floppy,
    Lun,
}

impl Device {
    pub(super) const ALL: [Self; 4] = [Self::Disk, Self::Cdrom, Self::Floppy, Self::Lun];

    /// The value of the `device` attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Cdrom => "cdrom",
            Self::Floppy => "floppy",
            Self::Lun => "lun",
        }
    }
}

/// The file that a copy-on-write file is laid over; it is only ever read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backing {
    /// The `type` attribute.
    pub kind: String,
    /// The `<format type>`; only `raw` can be started.
    pub format: Option<String>,
    /// The path.
    pub source: String,
    /// Everything else, among it a further `<backingStore>`.
    pub rest: Rest,
}

/// The name of a disk in the guest.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Target {
    /// A UML block device by its number; `ubda` and `ubd0` are both number 0.
    Ubd(u8),
    /// A device of another bus, which cannot be started.
    Other(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ubd(number) => write!(f, "ubd{}", char::from(b'a'.saturating_add(*number))),
            Self::Other(name) => f.write_str(name),
        }
    }
}
