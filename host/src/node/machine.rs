//! `Machine`: where the files of `/proc` and `/sys` are read and written.

use driver_api::error::{Code, Error, Origin, Result};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The machine, by the folder in which its `proc` and `sys` lie: `/`, except in tests.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

/// An error about the machine.
pub(super) fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, Origin::NONE, message)
}

impl Machine {
    /// The machine whose kernel's files lie below this folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// A file that every kernel has.
    pub(super) fn read(&self, name: impl AsRef<Path>) -> Result<String> {
        let path = self.path(name);
        fs::read_to_string(&path).map_err(|error| unreadable(&path, error))
    }

    /// A file that not every kernel has, or not for everything.
    pub(super) fn read_if_there(&self, name: impl AsRef<Path>) -> Result<Option<String>> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    /// The one word or number in a file; `None` when the file is not there or says something else.
    pub(super) fn value<T: std::str::FromStr>(&self, name: impl AsRef<Path>) -> Option<T> {
        fs::read_to_string(self.path(name)).ok()?.trim().parse().ok()
    }

    /// Writes a setting of the kernel, which exists; the kernel takes or refuses it as a whole.
    pub(super) fn write(&self, name: impl AsRef<Path>, text: &str) -> io::Result<()> {
        use io::Write;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.path(name))?;
        file.write_all(text.as_bytes())
    }

    /// The names in a folder, none when it is not there; in no order.
    pub(super) fn names(&self, name: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let text = format!("cannot read '{}' for a fact about the machine", path.display());
    fault(Code::SYSTEM_ERROR, text).because(error)
}

/// What a refusal of the kernel to change a setting means for who asked.
pub(super) fn unwritable(path: &Path, text: &str, error: io::Error) -> Error {
    let what = format!("the kernel does not take '{text}' in '{}'", path.display());
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => " (only a host that runs as root may change it)",
        _ => "",
    };
    fault(Code::SYSTEM_ERROR, format!("{what}{remedy}")).because(error)
}
