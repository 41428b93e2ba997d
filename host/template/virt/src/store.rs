//! `Store`: what is on disk. Each file is the old one or the new one, whenever the machine stops.

use crate::document::Document;
use crate::fault;
use driver_api::error::{Code, Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::uuid::Uuid;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The driver's folders.
#[derive(Debug)]
pub(crate) struct Store {
    conf: PathBuf,
    run: PathBuf,
    // Held while a few bytes are written: who waits for it wants an id too.
    last_id: Mutex<i32>,
}

impl Store {
    pub(crate) fn new(conf: PathBuf, run: PathBuf) -> Self {
        let last = fs::read_to_string(run.join("last-id")).ok();
        let last = last.and_then(|last| last.trim().parse().ok());
        Self {
            conf,
            run,
            last_id: Mutex::new(last.unwrap_or(0)),
        }
    }

    /// An id that was never given out since the machine booted, by this host or an earlier one.
    pub(crate) fn next_id(&self) -> Result<i32> {
        let mut last = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
        let next = last.checked_add(1);
        let next = next.ok_or_else(|| fault(Code::INTERNAL, "all ids of domains are used up"))?;
        let path = self.run.join("last-id");
        write(&path, &next.to_string()).map_err(|error| {
            let message = format!("cannot note the id {next} in '{}'", path.display());
            fault(Code::SYSTEM_ERROR, message).because(error)
        })?;
        *last = next;
        Ok(next)
    }

    /// By UUID: no name that somebody chose becomes a part of a path.
    fn path(&self, uuid: Uuid) -> PathBuf {
        self.conf.join(format!("{uuid}.xml"))
    }

    /// Persists a definition; on failure the old one is untouched.
    pub(crate) fn save(&self, document: &Document, autostart: bool) -> Result<()> {
        let path = self.path(document.uuid);
        let stored = Element::new("stored")
            .with_attr("autostart", autostart)
            .with_child(document.element.clone());
        write(&path, &stored.to_string()).map_err(|error| {
            let (name, path) = (&document.name, path.display());
            let message = format!("cannot store domain '{name}' as '{path}'");
            fault(Code::SYSTEM_ERROR, message).because(error)
        })
    }

    /// Removes a definition; one that is not there is removed already.
    pub(crate) fn remove(&self, uuid: Uuid) -> Result<()> {
        let path = self.path(uuid);
        match fs::remove_file(&path).and_then(|()| sync(&self.conf)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("cannot remove '{}'", path.display());
                Err(fault(Code::SYSTEM_ERROR, message).because(error))
            }
            _ => Ok(()),
        }
    }

    /// Every definition with whether it is started with the host. A file that is none is told and left alone: one bad
    /// file must not keep the others from their guests.
    pub(crate) fn load(&self) -> Result<Vec<(Document, bool)>> {
        let unreadable = |error: io::Error| {
            let message = format!("cannot read the folder '{}'", self.conf.display());
            fault(Code::SYSTEM_ERROR, message).because(error)
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.conf).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                // Half a file of a host that was killed; the whole one, if there was one, is there.
                Some("new") if self.is_half(&path) => drop(fs::remove_file(&path)),
                Some("xml") => match self.read(&path) {
                    Ok(definition) => found.push(definition),
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "a definition is left alone");
                    }
                },
                _ => {}
            }
        }
        Ok(found)
    }

    /// Whether `write` makes a file of this name. What somebody else put here is not removed.
    fn is_half(&self, path: &Path) -> bool {
        let uuid = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        uuid.is_some_and(|uuid| path == self.path(uuid).with_extension("new"))
    }

    fn read(&self, path: &Path) -> Result<(Document, bool)> {
        let text = fs::read(path);
        let text =
            text.map_err(|error| fault(Code::SYSTEM_ERROR, "cannot read it").because(error))?;
        let mut stored = parse(&text, Origin::DOMAIN, &Limits::default())?;
        let autostart = stored.attr("autostart") == Some("true");
        let element = stored.take_child("domain");
        let element =
            element.ok_or_else(|| stored.error(Origin::DOMAIN, "there is no <domain>"))?;
        let document = Document::from_element(element)?;
        if path != self.path(document.uuid) {
            let message = format!("its domain has the UUID '{}'", document.uuid);
            return Err(fault(Code::XML_ERROR, message));
        }
        Ok((document, autostart))
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        // The first error is the one to tell; what is left over is removed at the next start.
        drop(fs::remove_file(&beside));
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync)
}
