//! `PluginStatus`: what `lockstep plugins` shows of one plug-in.

use serde::{Deserialize, Serialize};

/// One file that was found, loaded or not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PluginStatus {
    /// The driver's name; the file's when the manifest could not be read.
    pub name: String,
    /// The file.
    pub path: String,
    /// `ready` or `quarantined`.
    pub state: String,
    /// Why it is quarantined, in one sentence.
    pub reason: Option<String>,
    /// The driver's title.
    pub title: Option<String>,
    /// The driver's version.
    pub version: Option<String>,
    /// The version of the interface that it was built for.
    pub api: Option<String>,
    /// The compiler that built it.
    pub rustc: Option<String>,
    /// Its licence.
    pub licence: Option<String>,
    /// The interfaces that are in use.
    pub interfaces: Vec<String>,
    /// The interfaces that it offers with another layout than the host's, with what differs.
    pub refused: Vec<String>,
    /// How often it panicked.
    pub panics: u64,
    /// Broken lock rules that still count.
    pub strikes: usize,
}
