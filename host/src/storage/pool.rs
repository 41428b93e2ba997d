//! `Pool`: one pool as it is at one moment, and what can be looked at and changed in its folder.

use super::definition::check_name;
use super::folder::Folder;
use super::lane::{Errand, Lane};
use super::lanes::Lanes;
use super::taken::Taken;
use super::volume::Request;
use super::{Definition, Figures, NO_VOLUME, POOL_BUILT, Volume, fault};
use driver_api::error::{Code, Result};
use driver_api::kit::xml::Element;
use driver_api::types::uuid::Uuid;
use parking_lot::Mutex;
use std::sync::Arc;

/// The mark of a kept pool that starts with the host; clients set it by a call, never in their documents.
const AUTOSTART: &str = "autostart";

/// Whether a folder is made before it is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Build {
    /// It must be there.
    No,
    /// It is made unless it is there.
    Yes,
    /// It is made and must not be there, unless it is empty.
    Fresh,
}

/// A pool as it is at one moment; changed ones are others.
#[derive(Clone, Debug)]
pub struct Pool {
    /// What was asked for.
    pub definition: Definition,
    /// Whether its volumes can be used.
    pub active: bool,
    /// Whether it outlives being stopped.
    pub persistent: bool,
    /// Whether it starts with the host.
    pub autostart: bool,
    pub(super) looks: Arc<Lane>,
    pub(super) changes: Arc<Lane>,
    pub(super) last: Arc<Mutex<Figures>>,
}

impl Pool {
    pub(super) fn new(definition: Definition, lanes: &Lanes) -> Self {
        Self {
            looks: lanes.looks(&definition.path),
            changes: lanes.changes(&definition.path),
            last: Arc::default(),
            definition,
            active: false,
            persistent: false,
            autostart: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.definition.name
    }

    pub(super) fn need_active(&self) -> Result<()> {
        if self.active {
            return Ok(());
        }
        let message = format!("pool '{}' is not active: start it (pool-start)", self.name());
        Err(fault(Code::OPERATION_INVALID, message))
    }

    pub(super) fn need_inactive(&self, for_what: &str) -> Result<()> {
        if self.active {
            let message = format!(
                "pool '{}' is active: stop it (pool-destroy) before it is {for_what}",
                self.name()
            );
            return Err(fault(Code::OPERATION_INVALID, message));
        }
        Ok(())
    }

    pub(super) fn begin<T: Send + 'static>(
        &self,
        lane: &Arc<Lane>,
        work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
    ) -> Result<Errand<T>> {
        let path = self.definition.path.clone();
        lane.begin(move || work(&Folder::open(&path)?))
    }

    fn look<T: Send + 'static>(&self, work: impl FnOnce(&Folder) -> Result<T> + Send + 'static) -> Result<T> {
        self.need_active()?;
        self.begin(&self.looks, work)?.wait()
    }

    fn change<T: Send + 'static>(&self, work: impl FnOnce(&Folder) -> Result<T> + Send + 'static) -> Result<T> {
        self.need_active()?;
        self.begin(&self.changes, work)?.wait()
    }

    /// How much room there is; nothing is told of a pool that is not active. Of a folder that can not be looked at it is what it
    /// was when it last could: whether a pool is active is asked for together with this, and does not depend on its folder.
    #[must_use]
    pub fn figures(&self) -> Figures {
        if !self.active {
            return Figures::default();
        }
        match self.look(Folder::figures) {
            Ok(figures) => {
                *self.last.lock() = figures;
                figures
            }
            Err(error) => {
                tracing::debug!(pool = self.name(), %error, "the room in a folder is told as it was");
                *self.last.lock()
            }
        }
    }

    /// The document; of an `inactive` one, or one that is, without figures.
    #[must_use]
    pub fn xml(&self, inactive: bool) -> String {
        let figures = if inactive { Figures::default() } else { self.figures() };
        self.definition.format(figures).to_string()
    }

    /// The names of the volumes, sorted.
    ///
    /// # Errors
    /// 55 when the pool is not active, 9 and 38 when the folder can not be looked at, 68 when it does not answer.
    pub fn names(&self) -> Result<Vec<String>> {
        self.look(Folder::names)
    }

    /// One volume as it is now.
    ///
    /// # Errors
    /// 50 when there is none, and as [`Self::names`].
    pub fn volume(&self, name: &str) -> Result<Volume> {
        if check_name("a volume", name).is_err() {
            let message = format!("pool '{}' has no volume '{}'", self.name(), name.escape_debug());
            return Err(fault(NO_VOLUME, message));
        }
        let name = name.to_owned();
        self.look(move |folder| folder.volume(&name))
    }

    /// Makes a volume as a document says and answers what came of it.
    ///
    /// # Errors
    /// 27 and 67 for a document of none, 90 when there is one of that name, 38 when there is no room, and as [`Self::names`].
    pub fn create_volume(&self, document: &str) -> Result<Volume> {
        let request = Request::parse(document)?;
        self.change(move |folder| {
            folder.create(&request)?;
            folder.volume(&request.name)
        })
    }

    /// Removes a volume, unless it is one of the files in use, which are asked for as late as can be.
    ///
    /// # Errors
    /// 9 for a symbolic link, 87 for a file that is in use or locked, what `uses` answers, and as [`Self::volume`].
    pub fn delete_volume(&self, name: &str, uses: impl FnOnce() -> Result<Vec<Taken>>) -> Result<()> {
        let name = self.volume(name)?.name;
        let uses = uses()?;
        self.change(move |folder| folder.delete(&name, &uses))
    }

    /// The document with what clients do not write.
    pub(super) fn record(&self) -> Element {
        let document = self.definition.format(Figures::default());
        document.with_attr_opt(AUTOSTART, self.autostart.then_some("yes"))
    }

    /// The pool of a record, which is kept under this UUID.
    ///
    /// # Errors
    /// As [`Definition::parse`], and 1 when it is another pool's.
    pub(super) fn recorded(uuid: Uuid, mut document: Element, lanes: &Lanes) -> Result<Self> {
        let autostart = document.take_attr(AUTOSTART).is_some();
        let definition = Definition::from_element(document)?;
        if definition.uuid != uuid {
            let message = format!("the pool in it has the UUID '{}'", definition.uuid);
            return Err(fault(Code::INTERNAL, message));
        }
        Ok(Self {
            autostart,
            ..Self::new(definition, lanes)
        })
    }

    /// Has a pool's folder made if that was asked for, and sees whether it can be used.
    pub(super) fn prepare(&self, build: Build) -> Result<()> {
        if build != Build::No {
            self.make(build)?;
        }
        let figures = self.begin(&self.looks, Folder::figures).and_then(Errand::wait);
        *self.last.lock() =
            figures.map_err(|error| error.within(format!("pool '{}' can not be started", self.name())))?;
        Ok(())
    }

    pub(super) fn make(&self, build: Build) -> Result<()> {
        let (path, permissions) = (self.definition.path.clone(), self.definition.permissions);
        self.changes.run(move || {
            let used = || std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
            if build == Build::Fresh && used() {
                let message = format!("the folder '{path}' is there already and is not empty");
                return Err(fault(POOL_BUILT, message));
            }
            Folder::make(&path, permissions)
        })
    }
}
