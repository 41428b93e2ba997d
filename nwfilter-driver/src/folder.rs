//! `Folder`: one XML file per name, replaced atomically, damaged ones set aside.

use driver_api::error::{Code, Error, Origin, Result};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Larger files are refused unread; far above what a filter of 10,000 rules takes.
const MAX_FILE: u64 = 16 << 20;

/// A folder that nobody else writes to.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Whether a change is brought to the disk before it counts.
    durable: bool,
}

impl Folder {
    /// A folder whose files survive a power failure.
    #[must_use]
    pub const fn durable(path: PathBuf) -> Self {
        Self { path, durable: true }
    }

    /// A folder whose files say nothing after a reboot: they are atomic, but never waited for.
    #[must_use]
    pub const fn volatile(path: PathBuf) -> Self {
        Self { path, durable: false }
    }

    /// Makes the folder itself, for its owner alone.
    ///
    /// # Errors
    /// 38 when it can not be made.
    pub fn make(&self) -> Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| failed("make the folder", &self.path, error))
    }

    /// The file of a name.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.xml"))
    }

    /// Writes a document beside its file; nothing is changed until [`Staged::commit`].
    ///
    /// # Errors
    /// 38 when it can not be written; nothing is left of it.
    pub fn stage(&self, name: &str, text: &str) -> Result<Staged> {
        let target = self.file(name);
        let staged = Staged {
            draft: target.with_added_extension("new"),
            target,
            folder: self.clone(),
            done: false,
        };
        self.write(&staged.draft, text.as_bytes())
            .map_err(|error| failed("write", &staged.draft, error))?;
        Ok(staged)
    }

    fn write(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(text)?;
        if self.durable { file.sync_all() } else { Ok(()) }
    }

    /// Removes a name's file; that there is none is no error.
    ///
    /// # Errors
    /// 38 when it can not be removed; it is then still there.
    pub fn remove(&self, name: &str) -> Result<()> {
        let file = self.file(name);
        match fs::remove_file(&file) {
            Ok(()) => self.settle(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("remove", &file, error)),
        }
        Ok(())
    }

    /// Makes a change of names last. It is in force already, and undoing it could fail as well: a failure is only told.
    fn settle(&self, file: &Path) {
        if !self.durable {
            return;
        }
        if let Err(error) = File::open(&self.path).and_then(|folder| folder.sync_all()) {
            tracing::warn!(file = %file.display(), %error, "a power failure may undo the last change of this file");
        }
    }

    /// Every file, in the order of the names.
    ///
    /// # Errors
    /// 38 when the folder can not be read.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        self.with_extension("xml")
    }

    fn with_extension(&self, extension: &str) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.path).map_err(|error| failed("read the folder", &self.path, error))?;
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension() == Some(OsStr::new(extension)))
            .collect();
        files.sort();
        Ok(files)
    }

    /// Removes drafts that a change left behind when it was cut off; whether there were any.
    ///
    /// # Errors
    /// 38 when the folder can not be read.
    pub fn remove_drafts(&self) -> Result<bool> {
        let drafts = self.with_extension("new")?;
        for draft in &drafts {
            if let Err(error) = fs::remove_file(draft) {
                tracing::debug!(file = %draft.display(), %error, "a draft is left behind, the next one replaces it");
            }
        }
        Ok(!drafts.is_empty())
    }

    /// Renames a file so that it is not read again, and says so; never removes it.
    pub fn set_aside(&self, file: &Path, why: &Error) {
        let free = (0..1000)
            .map(|n| {
                if n == 0 {
                    "set-aside".to_owned()
                } else {
                    format!("set-aside-{n}")
                }
            })
            .map(|extension| file.with_added_extension(extension))
            .find(|candidate| !candidate.exists());
        let moved = match free {
            Some(to) => fs::rename(file, &to).map(|()| to),
            None => Err(io::Error::other(
                "a thousand files were set aside under this name already",
            )),
        };
        match moved {
            Ok(to) => {
                tracing::warn!(file = %file.display(), kept = %to.display(), error = %why, "file set aside");
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), error = %why, rename = %error, "file skipped, it can not be set aside");
            }
        }
        self.settle(file);
    }
}

/// The bytes of a file.
///
/// # Errors
/// 38 when it can not be read, 27 when it is too large.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    let mut document = Vec::new();
    let size = File::open(file)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut document))
        .map_err(|error| failed("read", file, error))?;
    if size as u64 > MAX_FILE {
        let message = format!("the file has more than {MAX_FILE} bytes");
        return Err(Error::new(Code::XML_ERROR, Origin::NWFILTER, message));
    }
    Ok(document)
}

/// Refuses a file that holds something of another name. Compared as bytes: a file's name need not be UTF-8.
///
/// # Errors
/// 9 with both names.
pub fn belongs(file: &Path, what: &str, name: &str) -> Result<()> {
    if file.file_stem() == Some(OsStr::new(name)) {
        return Ok(());
    }
    let message = format!("the file holds {what} '{name}', whose file is '{name}.xml'");
    Err(Error::new(Code::OPERATION_FAILED, Origin::NWFILTER, message))
}

/// A document that is on the disk but not yet in its place; dropped without [`Staged::commit`] it is gone.
#[derive(Debug)]
#[must_use = "a document that is not committed is gone at once"]
pub struct Staged {
    draft: PathBuf,
    target: PathBuf,
    folder: Folder,
    done: bool,
}

impl Staged {
    /// Puts the document in the place of the old one, atomically.
    ///
    /// # Errors
    /// 38 when it can not be renamed; the old file is then untouched.
    pub fn commit(mut self) -> Result<()> {
        fs::rename(&self.draft, &self.target).map_err(|error| failed("replace", &self.target, error))?;
        self.done = true;
        self.folder.settle(&self.target);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        match fs::remove_file(&self.draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(file = %self.draft.display(), %error, "a draft is left behind, the next one replaces it");
            }
            _ => {}
        }
    }
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(
        Code::SYSTEM_ERROR,
        Origin::NWFILTER,
        format!("cannot {what} '{}'", path.display()),
    )
    .because(error)
}
