//! `Remnant`: what a change of devices that is under way leaves if it is not finished, noted before it is made.

use crate::plan::order::Unit;
use std::fmt;
use std::path::PathBuf;

/// One thing that somebody has to clear away if the change comes to nothing. That it was never made is no reason to fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remnant {
    /// A device of the guest's kernel.
    Unit(Unit),
    /// A file that the guest was shown.
    File(PathBuf),
    /// A console that the supervisor serves, by its alias.
    Console(String),
    /// A way into a network that the supervisor knows, by its name.
    Link(String),
    /// A program beside the guest, by its name.
    Companion(String),
    /// A tap that was made for it.
    Tap(String),
    /// The filter on a device of the host, and the right to its name; one that is still a port of the domain only gets the
    /// filter that its definition says.
    Port(String),
}

impl fmt::Display for Remnant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit) => write!(f, "unit {unit}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Console(alias) => write!(f, "console {alias}"),
            Self::Link(name) => write!(f, "link {name}"),
            Self::Companion(name) => write!(f, "companion {name}"),
            Self::Tap(device) => write!(f, "tap {device}"),
            Self::Port(device) => write!(f, "port {device}"),
        }
    }
}

impl Remnant {
    /// Reads what was printed; `None` for what a newer driver may have written.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (kind, what) = text.split_once(' ')?;
        Some(match kind {
            "unit" => Self::Unit(what.parse().ok()?),
            "file" => Self::File(what.into()),
            "console" => Self::Console(what.to_owned()),
            "link" => Self::Link(what.to_owned()),
            "companion" => Self::Companion(what.to_owned()),
            "tap" => Self::Tap(what.to_owned()),
            "port" => Self::Port(what.to_owned()),
            _ => return None,
        })
    }

    /// Whether it is there also when the guest is not.
    #[must_use]
    pub const fn outlives_guest(&self) -> bool {
        matches!(self, Self::Tap(_) | Self::Port(_))
    }

    /// The host's device, of a port.
    #[must_use]
    pub fn port(&self) -> Option<&str> {
        match self {
            Self::Port(device) => Some(device),
            _ => None,
        }
    }
}
