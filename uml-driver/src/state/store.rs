//! What is kept on disk: definitions and autostart links for good, status documents and the id counter until reboot.

use super::atomic::{self, Keep, Staged, TEMPORARY};
use super::status::Status;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::uuid::Uuid;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes; a definition is a few KiB.
const MAX_FILE: u64 = 10 * 1024 * 1024;

/// The driver's folders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    conf: PathBuf,
    run: PathBuf,
}

/// A file as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

fn failed(what: &str, path: &Path, cause: io::Error) -> Error {
    let message = format!("cannot {what} '{}'", path.display());
    Error::new(Code::SYSTEM_ERROR, Origin::UML, message).because(cause)
}

/// The file name for a domain's name: itself where that is a plain file name, else with `%XX` for what is not.
///
/// Two names never share a file, and no name leaves the folder or hides in it.
#[must_use]
pub fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len() + 4);
    for (place, byte) in name.bytes().enumerate() {
        if matches!(byte, b'/' | b'%' | 0..=0x1f | 0x7f) || (place == 0 && byte == b'.') {
            file.push_str(&format!("%{byte:02X}"));
        } else if byte.is_ascii() {
            file.push(char::from(byte));
        } else {
            // The rest of a character beyond ASCII; taken whole at its first byte.
            if name.is_char_boundary(place) {
                file.extend(name[place..].chars().next());
            }
        }
    }
    file.push_str(".xml");
    file
}

impl Store {
    /// Makes the folders that are missing and removes what an interrupted write left.
    ///
    /// # Errors
    /// 38 when a folder can not be made.
    pub fn open(conf: &Path, run: &Path) -> Result<Self> {
        let store = Self {
            conf: conf.to_owned(),
            run: run.to_owned(),
        };
        for folder in [store.conf.clone(), store.autostart_dir(), store.status_dir()] {
            std::fs::create_dir_all(&folder).map_err(|e| failed("make the folder", &folder, e))?;
            remove_unfinished(&folder);
        }
        Ok(store)
    }

    fn autostart_dir(&self) -> PathBuf {
        self.conf.join("autostart")
    }

    /// Links of those that are started with the host once.
    fn once_dir(&self) -> PathBuf {
        self.conf.join("autostart-once")
    }

    fn status_dir(&self) -> PathBuf {
        self.run.join("status")
    }

    fn definition(&self, name: &str) -> PathBuf {
        self.conf.join(file_name(name))
    }

    fn link(&self, name: &str) -> PathBuf {
        self.autostart_dir().join(file_name(name))
    }

    fn once_link(&self, name: &str) -> PathBuf {
        self.once_dir().join(file_name(name))
    }

    fn status(&self, uuid: Uuid) -> PathBuf {
        self.status_dir().join(format!("{uuid}.status"))
    }

    /// Stores a definition; on failure the old one is untouched.
    ///
    /// # Errors
    /// 38.
    pub fn save_definition(&self, name: &str, xml: &str) -> Result<()> {
        let path = self.definition(name);
        atomic::write(&path, xml.as_bytes(), Keep::Always).map_err(|e| failed("store the definition", &path, e))
    }

    /// Writes a definition beside the one whose place it is to take.
    ///
    /// # Errors
    /// 38.
    pub fn stage_definition(&self, name: &str, xml: &str) -> Result<Staged> {
        let path = self.definition(name);
        Staged::new(&path, xml.as_bytes()).map_err(|e| failed("store the definition", &path, e))
    }

    /// Puts a definition in its place.
    ///
    /// # Errors
    /// 38.
    pub fn commit_definition(&self, name: &str, staged: Staged) -> Result<()> {
        let committed = staged.commit();
        committed.map_err(|e| failed("put the definition in its place", &self.definition(name), e))
    }

    /// Removes a definition and its autostart link; on failure the definition is still there.
    ///
    /// # Errors
    /// 38.
    pub fn remove_definition(&self, name: &str) -> Result<()> {
        let path = self.definition(name);
        remove(&path).map_err(|e| failed("remove the definition", &path, e))?;
        atomic::sync_folder(&self.conf).map_err(|e| failed("flush the folder", &self.conf, e))?;
        // A link without its definition means nothing; the next start removes it.
        for link in [self.link(name), self.once_link(name)] {
            if let Err(cause) = remove(&link) {
                tracing::warn!(dom = name, error = %cause, "the autostart link could not be removed");
            }
        }
        Ok(())
    }

    /// Stores a definition under its new name and removes it under the old one, with its autostart links. Whenever this is
    /// interrupted, one of the two is there, or both; [`Store::remove_definition`] then ends it.
    ///
    /// # Errors
    /// 38; the old definition is then there as before, and it alone.
    pub fn rename_definition(&self, old: &str, new: &str, xml: &str) -> Result<()> {
        let done = self.save_definition(new, xml).and_then(|()| {
            self.copy_autostart(old, new)?;
            self.remove_definition(old)
        });
        done.inspect_err(|_| {
            if let Err(error) = self.remove_definition(new) {
                tracing::error!(dom = old, %error, "a definition is stored under two names");
            }
        })
    }

    /// What is started with the host is so under its new name.
    ///
    /// # Errors
    /// 38.
    pub fn copy_autostart(&self, old: &str, new: &str) -> Result<()> {
        if self.is_autostarted(old) {
            self.set_autostart(new, true)?;
        }
        if self.is_autostarted_once(old) {
            self.set_autostart_once(new, true)?;
        }
        Ok(())
    }

    /// Removes autostart links that lead to no definition.
    pub fn sweep_links(&self) {
        for folder in [self.autostart_dir(), self.once_dir()] {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for link in entries.flatten().map(|entry| entry.path()) {
                let dangles = link.is_symlink() && !link.exists();
                if dangles && let Err(cause) = remove(&link) {
                    tracing::warn!(file = %link.display(), error = %cause, "a link to no definition could not be removed");
                }
            }
        }
    }

    /// Every definition that can be read, in the order of file names; the others are set aside.
    ///
    /// # Errors
    /// 38 when the folder itself can not be read.
    pub fn definitions(&self) -> Result<Vec<Found>> {
        self.read_all(&self.conf, "xml")
    }

    /// Moves a file that is no good out of the way, keeping it for its owner to look at.
    pub fn set_aside(&self, path: &Path, reason: &dyn std::fmt::Display) {
        let target = (1_u32..)
            .map(|n| broken_name(path, n))
            .find(|p| p.symlink_metadata().is_err());
        let Some(target) = target else { return };
        match std::fs::rename(path, &target) {
            Ok(()) => {
                tracing::warn!(file = %path.display(), kept = %target.display(), %reason, "a damaged file was set aside");
            }
            Err(cause) => {
                tracing::error!(file = %path.display(), %reason, error = %cause, "a damaged file could not be set aside");
            }
        }
    }

    /// Whether the domain is to be started with the host: its link must lead to its definition.
    #[must_use]
    pub fn is_autostarted(&self, name: &str) -> bool {
        std::fs::read_link(self.link(name)).is_ok_and(|target| target == link_target(name))
    }

    /// Whether the domain is to be started with the host, once.
    #[must_use]
    pub fn is_autostarted_once(&self, name: &str) -> bool {
        std::fs::read_link(self.once_link(name)).is_ok_and(|target| target == link_target(name))
    }

    /// Makes or removes the autostart link; either may be the case already.
    ///
    /// # Errors
    /// 38.
    pub fn set_autostart(&self, name: &str, on: bool) -> Result<()> {
        set_link(&self.link(name), name, self.is_autostarted(name), on)
    }

    /// The same for the link that is used once.
    ///
    /// # Errors
    /// 38.
    pub fn set_autostart_once(&self, name: &str, on: bool) -> Result<()> {
        set_link(&self.once_link(name), name, self.is_autostarted_once(name), on)
    }

    /// Whether this boot's autostart has been done, under this host or one before it.
    #[must_use]
    pub fn has_autostarted(&self, boot: &str) -> bool {
        std::fs::read_to_string(self.run.join("autostarted")).is_ok_and(|done| done.trim() == boot)
    }

    /// Remembers that it has.
    ///
    /// # Errors
    /// 38.
    pub fn save_autostarted(&self, boot: &str) -> Result<()> {
        let path = self.run.join("autostarted");
        atomic::write(&path, format!("{boot}\n").as_bytes(), Keep::UntilReboot)
            .map_err(|e| failed("remember that domains were started with the host in", &path, e))
    }

    /// Writes the status document of a running domain.
    ///
    /// # Errors
    /// 38.
    pub fn save_status(&self, uuid: Uuid, status: &Status) -> Result<()> {
        let path = self.status(uuid);
        atomic::write(&path, status.to_text().as_bytes(), Keep::UntilReboot)
            .map_err(|e| failed("store the status", &path, e))
    }

    /// Removes the status document of a domain that is over; a failure is logged, since the guest is gone either way
    /// and the next start finds that out.
    pub fn remove_status(&self, uuid: Uuid) {
        if let Err(cause) = remove(&self.status(uuid)) {
            tracing::warn!(%uuid, error = %cause, "the status document could not be removed");
        }
    }

    /// Every good status document; damaged ones are set aside.
    ///
    /// # Errors
    /// 38 when the folder itself can not be read.
    pub fn statuses(&self) -> Result<Vec<(Uuid, Status)>> {
        let mut statuses = Vec::new();
        for found in self.read_all(&self.status_dir(), "status")? {
            let uuid = found.path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            match (uuid, Status::from_text(&found.text)) {
                (Some(uuid), Ok(status)) => statuses.push((uuid, status)),
                (None, _) => self.set_aside(&found.path, &"its name is not a UUID"),
                (_, Err(reason)) => self.set_aside(&found.path, &reason),
            }
        }
        Ok(statuses)
    }

    /// The last domain id that was given out since the machine booted; 0 for none.
    #[must_use]
    pub fn last_id(&self) -> i32 {
        let text = std::fs::read_to_string(self.run.join("last-id")).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Remembers the last domain id that was given out.
    ///
    /// # Errors
    /// 38.
    pub fn save_last_id(&self, id: i32) -> Result<()> {
        let path = self.run.join("last-id");
        atomic::write(&path, format!("{id}\n").as_bytes(), Keep::UntilReboot)
            .map_err(|e| failed("store the last domain id", &path, e))
    }

    fn read_all(&self, folder: &Path, extension: &str) -> Result<Vec<Found>> {
        let entries = std::fs::read_dir(folder).map_err(|e| failed("read the folder", folder, e))?;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == extension))
            .collect();
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            match read(&path) {
                Ok(text) => found.push(Found { path, text }),
                Err(cause) => self.set_aside(&path, &cause),
            }
        }
        Ok(found)
    }
}

fn link_target(name: &str) -> PathBuf {
    Path::new("..").join(file_name(name))
}

fn set_link(link: &Path, name: &str, is: bool, on: bool) -> Result<()> {
    if is == on {
        return Ok(());
    }
    remove(link).map_err(|e| failed("remove the autostart link", link, e))?;
    let folder = link.parent().unwrap_or(link);
    if on {
        // Few need the folder of those that are started once.
        std::fs::create_dir_all(folder).map_err(|e| failed("make the folder", folder, e))?;
        std::os::unix::fs::symlink(link_target(name), link).map_err(|e| failed("make the autostart link", link, e))?;
    }
    atomic::sync_folder(folder).map_err(|e| failed("flush the autostart link", link, e))
}

fn broken_name(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".broken-{n}"));
    name.into()
}

fn read(path: &Path) -> io::Result<String> {
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    if meta.len() > MAX_FILE {
        return Err(io::Error::other("it is too large"));
    }
    std::fs::read_to_string(path)
}

/// Removes a file that may be missing.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

fn remove_unfinished(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY)
            && let Err(cause) = remove(&entry.path())
        {
            tracing::warn!(file = %entry.path().display(), error = %cause, "an unfinished file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests;
