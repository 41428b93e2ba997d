//! `Device`: one device element by itself, as clients give it to attach, detach and update.

use super::console::Console;
use super::disk::Disk;
use super::interface::Interface;
use super::parse;
use driver_api::error::Result;
use driver_api::kit::xml::Element;

/// One device of a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Device {
    /// `<disk>`.
    Disk(Disk),
    /// `<interface>`.
    Interface(Interface),
    /// `<console>`.
    Console(Console),
    /// `<serial>`.
    Serial(Console),
    /// Any other, which only a definition can be given.
    Other(Element),
}

impl Device {
    /// The name of its element.
    #[must_use]
    pub fn element(&self) -> &str {
        match self {
            Self::Disk(_) => "disk",
            Self::Interface(_) => "interface",
            Self::Console(_) => "console",
            Self::Serial(_) => "serial",
            Self::Other(element) => &element.name,
        }
    }

    /// The user's own alias.
    #[must_use]
    pub fn own_alias(&self) -> Option<&str> {
        match self {
            Self::Disk(disk) => disk.alias.as_deref(),
            Self::Interface(interface) => interface.alias.as_deref(),
            Self::Console(line) | Self::Serial(line) => line.alias.as_deref(),
            Self::Other(element) => {
                let alias = element.child("alias")?.attr("name")?;
                alias.starts_with("ua-").then_some(alias)
            }
        }
    }
}

/// A device as a client gives it, with what its element said beside what a definition keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The device.
    pub device: Device,
    /// Its alias, made up by a host or its own.
    pub alias: Option<String>,
    /// Whether it says by itself which one is meant: an interface its address, a line its port. A disk always does.
    pub exact: bool,
}

impl Given {
    /// Reads one device element. What it leaves out is made up as in a whole document.
    ///
    /// # Errors
    /// As `DomainDef::from_xml`.
    pub fn from_xml(document: &[u8]) -> Result<Self> {
        parse::device(document)
    }
}
