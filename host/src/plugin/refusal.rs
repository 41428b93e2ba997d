//! `Refusal`: why a file is not a plug-in of ours, in one sentence.

use std::path::PathBuf;

/// Why a plug-in is set aside.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The file or its folder can not be opened.
    #[error("cannot open '{}': {cause}", path.display())]
    Open {
        /// What.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is a symbolic link, a folder, a device.
    #[error("'{}' is not a regular file", path.display())]
    NotAFile {
        /// What.
        path: PathBuf,
    },
    /// Somebody else may change what root would load.
    #[error("'{}' belongs to user {owner}; root loads only what root owns (chown root)", path.display())]
    Owner {
        /// The file or its folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Somebody else may change what root would load.
    #[error("'{}' may be written by its group or by anyone (mode {mode:04o}); chmod go-w helps", path.display())]
    Mode {
        /// The file or its folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Half a library.
    #[error("the file is cut off: it is shorter than its own headers say; copy it again")]
    CutOff,
    /// The dynamic linker refuses it.
    #[error("the dynamic linker refuses it: {0}")]
    Linker(String),
    /// A library, but none of ours.
    #[error("it has no manifest: not a driver for this host")]
    NoManifest,
    /// Something else under our symbol's name.
    #[error("its manifest is damaged: {0}")]
    Damaged(&'static str),
    /// Another major version.
    #[error("built for driver-api {major}.{minor}; this host speaks {ours}.x")]
    Major {
        /// The driver's.
        major: u16,
        /// The driver's.
        minor: u16,
        /// The host's.
        ours: u16,
    },
    /// Another version of the library that describes layouts.
    #[error("built with abi_stable {theirs}; this host uses {ours}")]
    AbiStable {
        /// The driver's.
        theirs: String,
        /// The host's.
        ours: String,
    },
    /// A panic in it would end the host.
    #[error("built with panic=abort: a panic in it would end the host; build it with panic=unwind")]
    PanicAbort,
    /// A service that it can not do without.
    #[error("it needs '{0}', which this host does not offer")]
    Needs(String),
    /// A required interface with another layout.
    #[error("built for driver-api {api}; {what}")]
    Layout {
        /// The driver's version of the interface.
        api: String,
        /// The condensed report.
        what: String,
    },
    /// It offers nothing that a driver of its kind must.
    #[error("it offers no '{0}'")]
    Lacks(&'static str),
    /// Its name is taken.
    #[error("a driver named '{name}' is loaded already, from '{}'", path.display())]
    Twice {
        /// The name.
        name: String,
        /// The file of the other.
        path: PathBuf,
    },
    /// Its folders can not be made.
    #[error("its folders cannot be made: {0}")]
    Folders(String),
    /// It said so itself, or panicked.
    #[error("it fails to {step}: {cause}")]
    Fails {
        /// `open` or `come up`.
        step: &'static str,
        /// What it says.
        cause: driver_api::error::Error,
    },
}
