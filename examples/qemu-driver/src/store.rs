//! `Store`: definitions, autostart marks and the notes on what runs, as files that are either the old one or the new one.

use crate::def::DomainDef;
use crate::fault::system;
use driver_api::driver::Config;
use driver_api::error::Result;
use driver_api::types::uuid::Uuid;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Names of definitions, marks and notes end so; before that stands the domain's UUID, which needs no escapes.
const DEFINITION: &str = "xml";
const MARK: &str = "autostart";
const NOTE: &str = "json";
const UNFINISHED: &str = "new";
const DAMAGED: &str = "damaged";
/// In a folder that a reboot of the machine empties.
const AUTOSTARTED: &str = "autostarted";
const NEXT_ID: &str = "next-id";

/// What the next host must know of a guest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Nothing before it is started: a host that dies then leaves filters on the devices.
    pub(crate) guest: Option<u64>,
    pub(crate) id: i32,
    /// The taps of its interfaces, in their order.
    pub(crate) devices: Vec<String>,
    /// It ends with its client's connection, and so with the host.
    pub(crate) autodestroy: bool,
    /// What it was started with.
    pub(crate) xml: String,
}

/// The driver's folders.
#[derive(Debug)]
pub(crate) struct Store {
    conf: PathBuf,
    run: PathBuf,
}

impl Store {
    pub(crate) fn new(config: &Config) -> Self {
        Self { conf: config.conf_dir.clone(), run: config.run_dir.clone() }
    }

    /// Where a guest's monitor listens: in a folder that no guest can touch.
    pub(crate) fn monitor(&self, uuid: Uuid) -> PathBuf {
        self.run.join(format!("{uuid}.qmp"))
    }

    /// Writes a definition beside the old one, so that a full disk is known before anything has changed.
    pub(crate) fn stage(&self, def: &DomainDef) -> Result<Staged> {
        let path = self.conf.join(format!("{}.{DEFINITION}", def.uuid));
        let staged = Staged::new(path, def.to_xml(None).as_bytes());
        staged.map_err(|e| system(format!("cannot store the definition of domain '{}'", def.name), e))
    }

    /// Every definition that can be read; what can not is set aside.
    pub(crate) fn definitions(&self) -> Result<Vec<(DomainDef, bool)>> {
        let mut found = Vec::new();
        for (uuid, path) in files(&self.conf, DEFINITION)? {
            let text = fs::read_to_string(&path).map_err(|e| system("cannot read the file", e));
            match text.and_then(|text| DomainDef::from_xml(&text)) {
                Ok(def) if def.uuid == uuid => found.push((def, self.mark(uuid).exists())),
                Ok(def) => set_aside(&path, &format!("it defines domain '{}'", def.uuid)),
                Err(error) => set_aside(&path, &error.to_string()),
            }
        }
        Ok(found)
    }

    /// Removes a definition and its mark.
    pub(crate) fn remove_definition(&self, uuid: Uuid) -> Result<()> {
        let path = self.conf.join(format!("{uuid}.{DEFINITION}"));
        let removed = remove(&path).and_then(|()| remove(&self.mark(uuid)));
        removed.map_err(|e| system(format!("cannot remove '{}'", path.display()), e))
    }

    /// Lets what was done to definitions survive the machine; for when no lock is held any more, since it may take its time.
    pub(crate) fn flush(&self) -> Result<()> {
        sync(&self.conf).map_err(|e| system(format!("cannot write '{}' to its disk", self.conf.display()), e))
    }

    /// Notes whether a domain starts with the host.
    pub(crate) fn set_autostart(&self, uuid: Uuid, on: bool) -> Result<()> {
        let mark = self.mark(uuid);
        let done = if on { File::create(&mark).map(drop) } else { remove(&mark) };
        done.and_then(|()| sync(&self.conf)).map_err(|e| system(format!("cannot change '{}'", mark.display()), e))
    }

    fn mark(&self, uuid: Uuid) -> PathBuf {
        self.conf.join(format!("{uuid}.{MARK}"))
    }

    /// Whether this is the first host since the machine booted: a later one must not start what somebody has shut down.
    pub(crate) fn is_first_host(&self) -> Result<bool> {
        let path = self.run.join(AUTOSTARTED);
        match File::create_new(&path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(system(format!("cannot make '{}'", path.display()), e)),
        }
    }

    /// The id that the next guest is to get; 1 when nobody has noted another.
    pub(crate) fn next_id(&self) -> i32 {
        let noted = fs::read_to_string(self.run.join(NEXT_ID));
        noted.ok().and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    pub(crate) fn save_next_id(&self, id: i32) -> Result<()> {
        let path = self.run.join(NEXT_ID);
        let saved = Staged::new(path.clone(), id.to_string().as_bytes()).and_then(Staged::rename);
        saved.map_err(|e| system(format!("cannot write '{}'", path.display()), e))
    }

    pub(crate) fn save_note(&self, uuid: Uuid, note: &Note) -> Result<()> {
        let path = self.note(uuid);
        let text = serde_json::to_vec(note).map_err(io::Error::other);
        let saved = text.and_then(|text| Staged::new(path.clone(), &text)?.rename());
        saved.map_err(|e| system(format!("cannot write '{}'", path.display()), e))
    }

    pub(crate) fn notes(&self) -> Result<Vec<(Uuid, Note)>> {
        let mut found = Vec::new();
        for (uuid, path) in files(&self.run, NOTE)? {
            let note = fs::read(&path).and_then(|text| serde_json::from_slice(&text).map_err(io::Error::other));
            match note {
                Ok(note) => found.push((uuid, note)),
                Err(error) => set_aside(&path, &error.to_string()),
            }
        }
        Ok(found)
    }

    /// Removes what there is of a guest that is gone.
    pub(crate) fn remove_note(&self, uuid: Uuid) {
        for path in [self.monitor(uuid), self.note(uuid)] {
            if let Err(error) = remove(&path) {
                tracing::warn!(path = %path.display(), %error, "a file of a guest that is gone is left");
            }
        }
    }

    fn note(&self, uuid: Uuid) -> PathBuf {
        self.run.join(format!("{uuid}.{NOTE}"))
    }
}

/// A file beside the one whose place it is to take; removed again when it never does.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
    beside: PathBuf,
}

impl Staged {
    fn new(path: PathBuf, bytes: &[u8]) -> io::Result<Self> {
        // Two that define one domain at once must not write into one file.
        let own = Uuid::random()?;
        let staged = Self { beside: path.with_extension(format!("{own}.{UNFINISHED}")), path };
        let mut file = File::create_new(&staged.beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(staged)
    }

    fn rename(self) -> io::Result<()> {
        fs::rename(&self.beside, &self.path)
    }

    /// Lets it take its place.
    pub(crate) fn commit(self) -> Result<()> {
        let path = self.path.clone();
        self.rename().map_err(|e| system(format!("cannot replace '{}'", path.display()), e))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Gone already where it has taken its place.
        let _gone = remove(&self.beside);
    }
}

/// The files of one kind, each with the UUID that it is called by; what an interrupted write has left goes.
fn files(folder: &Path, kind: &str) -> Result<Vec<(Uuid, PathBuf)>> {
    let wrong = |e| system(format!("cannot read the folder '{}'", folder.display()), e);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let uuid = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        match (path.extension().and_then(|kind| kind.to_str()), uuid) {
            (Some(UNFINISHED), _) if is_unfinished(&path) => drop(remove(&path)),
            (Some(found_kind), Some(uuid)) if found_kind == kind => found.push((uuid, path)),
            _ => {}
        }
    }
    Ok(found)
}

/// Whether a file is called as [`Staged`] calls its own: what somebody else put into the folder is not removed.
fn is_unfinished(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let mut parts = name.split('.');
    let (Some(whose), Some(own), Some(UNFINISHED), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let is_uuid = |text: &str| text.parse().is_ok_and(|uuid: Uuid| uuid.to_string() == text);
    (whose == NEXT_ID || is_uuid(whose)) && is_uuid(own)
}

fn set_aside(path: &Path, why: &str) {
    tracing::error!(path = %path.display(), why, "a file can not be used and is set aside");
    if let Err(error) = fs::rename(path, path.with_extension(DAMAGED)) {
        tracing::error!(path = %path.display(), %error, "it can not even be renamed");
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
