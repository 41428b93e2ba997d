//! `Store`: the files of domains. They are named by UUID, so that no document can choose a path.

use super::def::{Def, number};
use super::model::{Domain, Run};
use crate::fault::{Part, on_disk};
use crate::file::{self, Keep};
use driver_api::driver::Config;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::xml::{Element, Limits, parse};
use driver_api::types::domain::{Reason, State};
use driver_api::types::uuid::Uuid;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where domains are kept: definitions and marks over everything, what runs until the machine is started anew.
#[derive(Debug)]
pub(crate) struct Store {
    definitions: PathBuf,
    marks: PathBuf,
    runs: PathBuf,
    last_id: PathBuf,
}

/// A file as it was read.
pub(crate) type Read<T> = Vec<(PathBuf, Result<T>)>;

/// Whether the host starts a domain when it starts itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// Each time.
    Always,
    /// The next time only.
    Once,
}

impl Mark {
    const fn ending(self) -> &'static str {
        match self {
            Self::Always => "autostart",
            Self::Once => "autostart-once",
        }
    }
}

impl Store {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            definitions: config.conf_dir.join("domains"),
            marks: config.conf_dir.join("autostart"),
            runs: config.run_dir.join("domains"),
            last_id: config.run_dir.join("last-id"),
        }
    }

    /// Makes the folders.
    ///
    /// # Errors
    /// 38.
    pub(crate) fn prepare(&self) -> Result<()> {
        for folder in [&self.definitions, &self.marks, &self.runs] {
            file::folder(folder).map_err(|error| {
                on_disk(
                    Part::Domain,
                    format!("cannot make the folder '{}'", folder.display()),
                    error,
                )
            })?;
        }
        Ok(())
    }

    /// Stores a definition.
    ///
    /// # Errors
    /// 38; the old one is then still there.
    pub(crate) fn save(&self, def: &Def) -> Result<()> {
        let written = file::write(&self.definition(def.uuid), &def.xml(None, true), Keep::Always);
        written.map_err(|error| {
            on_disk(
                Part::Domain,
                format!("cannot store the definition of domain '{}'", def.name),
                error,
            )
        })
    }

    /// Removes a definition and its marks.
    ///
    /// # Errors
    /// 38; it is then still there.
    pub(crate) fn remove(&self, def: &Def) -> Result<()> {
        let removed = file::remove(&self.definition(def.uuid), Keep::Always);
        removed.map_err(|error| {
            on_disk(
                Part::Domain,
                format!("cannot remove the definition of domain '{}'", def.name),
                error,
            )
        })?;
        for mark in [Mark::Always, Mark::Once] {
            // Without a definition a mark means nothing; the next host removes it.
            drop(file::remove(&self.mark_file(def.uuid, mark), Keep::Always));
        }
        Ok(())
    }

    /// Notes what runs, for a next host.
    ///
    /// # Errors
    /// 38; the old note is then still there.
    pub(crate) fn save_run(&self, domain: &Domain, run: &Run) -> Result<()> {
        let status = Element::new("run")
            .with_attr("id", run.id)
            .with_attr("state", run.state as u32)
            .with_attr("reason", run.reason.0)
            .with_attr_opt("autodestroy", run.autodestroy.then_some("yes"))
            .with_child(domain.def.element.clone());
        let written = file::write(&self.run(domain.uuid()), &status.to_string(), Keep::UntilReboot);
        written.map_err(|error| {
            on_disk(
                Part::Domain,
                format!("cannot note that domain '{}' runs", domain.name()),
                error,
            )
        })
    }

    /// Forgets what ran.
    ///
    /// # Errors
    /// 38; the note is then still there.
    pub(crate) fn remove_run(&self, domain: &Domain) -> Result<()> {
        let removed = file::remove(&self.run(domain.uuid()), Keep::UntilReboot);
        removed.map_err(|error| {
            on_disk(
                Part::Domain,
                format!("cannot note that domain '{}' is off", domain.name()),
                error,
            )
        })
    }

    /// Notes the last id that was given out, so that no next host gives it out again.
    ///
    /// # Errors
    /// 38.
    pub(crate) fn save_last_id(&self, id: i32) -> Result<()> {
        let written = file::write(&self.last_id, &id.to_string(), Keep::UntilReboot);
        written.map_err(|error| on_disk(Part::Domain, "cannot note the last domain id", error))
    }

    /// The last id that was given out; 0 when it is not known.
    pub(crate) fn last_id(&self) -> i32 {
        let text = fs::read_to_string(&self.last_id).unwrap_or_default();
        number(&text).and_then(|id| i32::try_from(id).ok()).unwrap_or(0)
    }

    /// Sets or removes a mark.
    ///
    /// # Errors
    /// 38; it is then as it was.
    pub(crate) fn mark(&self, def: &Def, mark: Mark, on: bool) -> Result<()> {
        let path = self.mark_file(def.uuid, mark);
        let done = match on {
            true => file::write(&path, "", Keep::Always),
            false => file::remove(&path, Keep::Always),
        };
        done.map_err(|error| {
            on_disk(
                Part::Domain,
                format!("cannot store the autostart of domain '{}'", def.name),
                error,
            )
        })
    }

    pub(crate) fn is_marked(&self, uuid: Uuid, mark: Mark) -> bool {
        self.mark_file(uuid, mark).exists()
    }

    /// Every definition.
    ///
    /// # Errors
    /// 38 when the folder can not be read.
    pub(crate) fn definitions(&self) -> Result<Read<Def>> {
        read_all(&self.definitions, Def::of)
    }

    /// What ran when the last host ended.
    ///
    /// # Errors
    /// 38 when the folder can not be read.
    pub(crate) fn runs(&self) -> Result<Read<(Def, Run)>> {
        read_all(&self.runs, read_run)
    }

    fn definition(&self, uuid: Uuid) -> PathBuf {
        self.definitions.join(format!("{uuid}.xml"))
    }

    fn run(&self, uuid: Uuid) -> PathBuf {
        self.runs.join(format!("{uuid}.xml"))
    }

    fn mark_file(&self, uuid: Uuid, mark: Mark) -> PathBuf {
        self.marks.join(format!("{uuid}.{}", mark.ending()))
    }
}

fn read_all<T>(folder: &Path, read: impl Fn(Element) -> Result<T>) -> Result<Read<T>> {
    let paths = file::list(folder, "xml");
    let paths = paths.map_err(|error| {
        on_disk(
            Part::Domain,
            format!("cannot read the folder '{}'", folder.display()),
            error,
        )
    })?;
    let one = |path: &Path| {
        let bytes = fs::read(path).map_err(|error| on_disk(Part::Domain, "cannot read it", error))?;
        read(parse(&bytes, Origin::XML, &Limits::default())?)
    };
    Ok(paths
        .into_iter()
        .map(|path| {
            let read = one(&path);
            (path, read)
        })
        .collect())
}

fn read_run(mut element: Element) -> Result<(Def, Run)> {
    let broken = |what: &str| {
        Error::new(
            Code::XML_ERROR,
            Origin::DOMAIN,
            format!("the note of a run has no {what}"),
        )
    };
    let value = |name: &str| element.attr(name).and_then(number);
    let run = Run {
        id: value("id")
            .and_then(|id| i32::try_from(id).ok())
            .filter(|id| *id > 0)
            .ok_or_else(|| broken("id"))?,
        state: value("state")
            .and_then(|state| State::from_number(u32::try_from(state).ok()?))
            .filter(|state| state.is_active())
            .ok_or_else(|| broken("state"))?,
        reason: Reason(
            value("reason")
                .and_then(|reason| u32::try_from(reason).ok())
                .ok_or_else(|| broken("reason"))?,
        ),
        autodestroy: element.attr("autodestroy").is_some(),
        since: Instant::now(),
    };
    let def = element.take_child("domain").ok_or_else(|| broken("domain"))?;
    Ok((Def::of(def)?, run))
}
