//! `Console`: one `<console>` or `<serial>`: a line of the guest and where its other end is.

use super::rest::Rest;
use driver_api::kit::xml::Element;

/// How many consoles (`con0`...) a UML kernel has.
pub const CONSOLE_COUNT: u32 = 16;
/// How many serial lines (`ssl0`...) a UML kernel has.
pub const SERIAL_COUNT: u32 = 64;

/// One line of a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Console {
    /// The `type` attribute.
    pub kind: String,
    /// `<source>` as given; a pty has none, since its path is chosen at each start.
    pub source: Option<Element>,
    /// The number of the line: a console's place in the document, or what it was given when it was plugged in; a serial's
    /// `port`.
    pub port: u32,
    /// `<target type>`.
    pub target_type: Option<String>,
    /// What else `<target>` held.
    pub target_rest: Rest,
    /// `<log>`: a file that gets everything the guest writes.
    pub log: Option<Log>,
    /// The user's own alias (`ua-...`).
    pub alias: Option<String>,
    /// Everything else.
    pub rest: Rest,
}

impl Console {
    /// The `path` of `<source>`.
    #[must_use]
    pub fn source_path(&self) -> Option<&str> {
        self.source.as_ref()?.attr("path").filter(|path| !path.is_empty())
    }
}

/// `<log>` of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// The file.
    pub file: String,
    /// The `append` attribute as given.
    pub append: Option<String>,
}

/// What the other end of a line may be, in libvirt's names; which of them can be started is the plan's matter.
pub(super) const KINDS: &[&str] = &[
    "null",
    "vc",
    "pty",
    "dev",
    "file",
    "pipe",
    "stdio",
    "udp",
    "tcp",
    "unix",
    "spicevmc",
    "spiceport",
    "nmdm",
    "qemu-vdagent",
    "dbus",
];

/// The kinds that mean nothing without a path.
pub(super) const KINDS_WITH_PATH: &[&str] = &["dev", "file", "pipe", "unix"];
