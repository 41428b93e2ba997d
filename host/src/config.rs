//! `Config`: one optional `lockstep.toml` and the command line, as one value that the whole host reads.

pub mod kind;
pub mod print;
mod read;
pub mod table;

#[cfg(test)]
mod tests;

use crate::paths::{self, Paths};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use table::Settings;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can not be read.
    #[error("cannot read '{}': {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A key or table that does not exist.
    #[error("{}:{line}: there is no {what} '{name}', the nearest is '{nearest}' (`lockstep config` lists all)", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// "key" or "table".
        what: &'static str,
        /// The name as written, with its table.
        name: String,
        /// The known name most like it.
        nearest: &'static str,
    },
    /// A value of the wrong kind.
    #[error("{}:{line}: '{key}' takes {expected}, not {found}", file.display())]
    WrongType {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key, with its table.
        key: String,
        /// What the key takes.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The folders can not be told.
    #[error(transparent)]
    Paths(#[from] paths::Error),
}

/// What the command line says about the configuration.
#[derive(Clone, Default, Debug)]
pub struct Overrides {
    /// `--root`: everything moves below this folder.
    pub root: Option<PathBuf>,
    /// `--config`: this file instead of the usual one; it must exist.
    pub file: Option<PathBuf>,
    /// `--plugin-dir`, in order.
    pub plugin_dirs: Vec<PathBuf>,
    /// `--timeout`: stop after so long without client and guest; `None` never stops.
    pub idle_timeout: Option<Duration>,
}

/// Everything that a host is told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The keys of `lockstep.toml` with their effective values.
    pub settings: Settings,
    /// Where everything is kept.
    pub paths: Paths,
    /// Folders searched for drivers first, in order: the command line's, then the file's.
    pub plugin_dirs: Vec<PathBuf>,
    /// Stop after so long without client and guest; `None` never stops.
    pub idle_timeout: Option<Duration>,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    drivers: BTreeMap<String, Vec<(String, String)>>,
    lines: BTreeMap<(&'static str, &'static str), usize>,
}

impl Config {
    /// Reads the file, if there is one, and applies the command line to it.
    ///
    /// # Errors
    /// A file that can not be read or says what no key takes; folders that can not be told.
    pub fn load(overrides: Overrides) -> Result<Self, Error> {
        let paths = Paths::find(overrides.root.as_deref())?;
        let (file, must_exist) = match overrides.file {
            Some(file) => (file, true),
            None => (paths.conf.join("lockstep.toml"), false),
        };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && !must_exist => None,
            Err(cause) => return Err(Error::Read { file, cause }),
        };
        let document = match &text {
            Some(text) => read::document(&file, text)?,
            None => read::Document::default(),
        };
        let mut plugin_dirs = overrides.plugin_dirs;
        plugin_dirs.extend(document.settings.plugins.dirs.iter().cloned());
        Ok(Self {
            settings: document.settings,
            paths,
            plugin_dirs,
            idle_timeout: overrides.idle_timeout,
            file: text.map(|_| file),
            drivers: document.drivers,
            lines: document.lines,
        })
    }

    /// The configuration of a host below `root`, all keys at their defaults and no file read.
    ///
    /// # Errors
    /// A root that makes paths too long for a socket.
    pub fn for_root(root: &Path) -> Result<Self, Error> {
        Ok(Self {
            settings: Settings::default(),
            paths: Paths::find(Some(root))?,
            plugin_dirs: Vec::new(),
            idle_timeout: None,
            file: None,
            drivers: BTreeMap::new(),
            lines: BTreeMap::new(),
        })
    }

    /// A driver's own settings from `[driver.NAME]`: dotted keys with their values as text, lists one item a line.
    #[must_use]
    pub fn driver_options(&self, name: &str) -> &[(String, String)] {
        self.drivers.get(name).map_or(&[], Vec::as_slice)
    }

    /// Where a key's value came from, in words: `default` or the file and line.
    #[must_use]
    pub fn source(&self, section: &str, key: &str) -> String {
        let line = self.lines.iter().find(|((s, k), _)| *s == section && *k == key);
        match (line, &self.file) {
            (Some((_, line)), Some(file)) => format!("{}:{line}", file.display()),
            _ => "default".to_owned(),
        }
    }

    /// Permission bits of the read-write socket.
    #[must_use]
    pub fn socket_mode(&self) -> u32 {
        self.settings.socket.mode.0.unwrap_or(self.auto_mode())
    }

    /// Permission bits of the read-only socket.
    #[must_use]
    pub fn readonly_socket_mode(&self) -> u32 {
        self.settings.socket.readonly_mode.0.unwrap_or(self.auto_mode())
    }

    const fn auto_mode(&self) -> u32 {
        if self.paths.privileged { 0o660 } else { 0o600 }
    }
}
