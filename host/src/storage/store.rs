//! `Storage`: the pools of a host, and all that is done with them.

use super::definition::clean;
use super::folder::Folder;
use super::lanes::Lanes;
use super::recovery::bring_up;
use super::taken::{Taken, Use, resolve};
use super::{Build, Definition, LIST_MAX, NO_POOL, NO_VOLUME, Pool, Volume, fault, record};
use crate::paths::Paths;
use crate::supervisor::boot_id;
use driver_api::error::{Code, Error, Result};
use driver_api::kit::xml::Element;
use driver_api::types::uuid::Uuid;
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::Arc;

/// The mark of a record with the machine's boot that it is of.
const BOOT: &str = "boot";

type Pools = Arc<Vec<Arc<Pool>>>;

/// The pools of a host. Readers see what was published last; changes go one after the other, and none of them holds the lock
/// while it looks at a pool's folder.
#[derive(Debug)]
pub struct Storage {
    kept: PathBuf,
    running: PathBuf,
    boot: String,
    lanes: Lanes,
    changing: Mutex<()>,
    published: RwLock<Pools>,
}

impl Storage {
    /// The pools that were kept, and those that were active when the last host of this boot ended. The ones that shall be are
    /// started, as far as their folders answer.
    #[must_use]
    pub fn open(paths: &Paths) -> Self {
        let boot = boot_id().unwrap_or_else(|error| {
            tracing::error!(%error, "without the machine's boot id it is not told which pools are of this boot");
            String::new()
        });
        let storage = Self {
            kept: paths.state.join("pools"),
            running: paths.run.join("pools"),
            boot,
            lanes: Lanes::default(),
            changing: Mutex::default(),
            published: RwLock::default(),
        };
        let mut pools: Vec<Pool> = Vec::new();
        for pool in record::read_all(&storage.kept, |uuid, document| storage.kept(uuid, document)) {
            match pools.iter().find(|other| same(other, &pool.definition)) {
                Some(other) => {
                    let (uuid, other) = (pool.definition.uuid, other.name());
                    tracing::warn!(pool = pool.name(), %uuid, other, "a kept pool is left out: another one has its name or folder");
                }
                None => pools.push(Pool {
                    persistent: true,
                    ..pool
                }),
            }
        }
        let mut ran = Vec::new();
        for (pool, of_this_boot) in record::read_all(&storage.running, |uuid, document| storage.ran(uuid, document)) {
            let uuid = pool.definition.uuid;
            let rival = pools.iter().find(|other| same(other, &pool.definition));
            let rival = rival.filter(|other| other.definition.uuid != uuid);
            if !of_this_boot || rival.is_some() {
                tracing::info!(pool = pool.name(), %uuid, of_this_boot, "what ran is forgotten");
                if let Err(error) = record::remove(&storage.running, uuid) {
                    tracing::warn!(pool = pool.name(), %error, "a pool that ran can not be forgotten");
                }
                continue;
            }
            ran.push(uuid);
            if !pools.iter().any(|other| other.definition.uuid == uuid) {
                pools.push(pool);
            }
        }
        bring_up(&mut pools, &ran);
        for pool in &pools {
            if let Err(error) = storage.note(pool) {
                tracing::warn!(pool = pool.name(), %error, "the next host may not know whether a pool is active");
            }
        }
        pools.retain(|pool| pool.active || pool.persistent);
        *storage.published.write() = Arc::new(pools.into_iter().map(Arc::new).collect());
        storage
    }

    fn kept(&self, uuid: Uuid, document: Element) -> Result<Pool> {
        Pool::recorded(uuid, document, &self.lanes)
    }

    /// A pool that was active, and whether that was since the machine was booted.
    fn ran(&self, uuid: Uuid, mut document: Element) -> Result<(Pool, bool)> {
        let of_this_boot = document.take_attr(BOOT).is_some_and(|boot| boot == self.boot);
        Ok((Pool::recorded(uuid, document, &self.lanes)?, of_this_boot))
    }

    /// Writes whether a pool is active.
    fn note(&self, pool: &Pool) -> Result<()> {
        let uuid = pool.definition.uuid;
        if pool.active {
            record::write(&self.running, uuid, &pool.record().with_attr(BOOT, &self.boot))
        } else {
            record::remove(&self.running, uuid)
        }
    }

    /// All pools, in the order in which they came.
    #[must_use]
    pub fn pools(&self) -> Pools {
        Arc::clone(&self.published.read())
    }

    fn find(&self, which: impl Fn(&Pool) -> bool, what: impl FnOnce() -> String) -> Result<Arc<Pool>> {
        let pools = self.pools();
        let found = pools.iter().find(|pool| which(pool));
        found
            .cloned()
            .ok_or_else(|| fault(NO_POOL, format!("there is no storage pool with {}", what())))
    }

    /// The pool with this UUID.
    ///
    /// # Errors
    /// 49.
    pub fn by_uuid(&self, uuid: Uuid) -> Result<Arc<Pool>> {
        self.find(|pool| pool.definition.uuid == uuid, || format!("UUID '{uuid}'"))
    }

    /// The pool of this name.
    ///
    /// # Errors
    /// 49.
    pub fn by_name(&self, name: &str) -> Result<Arc<Pool>> {
        self.find(|pool| pool.name() == name, || format!("the name '{name}'"))
    }

    /// The active pool of this folder.
    ///
    /// # Errors
    /// 49.
    pub fn by_folder(&self, path: &str) -> Result<Arc<Pool>> {
        let folder = clean(path);
        self.find(
            |pool| pool.active && Some(&pool.definition.path) == folder.as_ref(),
            || format!("the folder '{path}' that is active"),
        )
    }

    /// The volume of an active pool that has this path, and its pool. No other folder than the one of the path is looked at.
    ///
    /// # Errors
    /// 50 when there is none, 38 and 68 when it can not be told.
    pub fn volume_at(&self, path: &str) -> Result<(Arc<Pool>, Volume)> {
        let none = || fault(NO_VOLUME, format!("there is no storage volume with the path '{path}'"));
        let whole = clean(path).ok_or_else(none)?;
        let (folder, name) = whole.rsplit_once('/').ok_or_else(none)?;
        let folder = if folder.is_empty() { "/" } else { folder };
        let pool = self.by_folder(folder).map_err(|_| none())?;
        let volume = pool.volume(name)?;
        Ok((pool, volume))
    }

    /// The files that are in use, whatever their paths; no pool waits for one that does not answer.
    ///
    /// # Errors
    /// 38 when one can not be looked at, 68 when one does not answer.
    pub fn taken(&self, uses: Vec<Use>) -> Result<Vec<Taken>> {
        resolve(uses, |one| self.lanes.file(&one.file, &one.by))
    }

    /// Keeps a pool that a document describes, or describes one anew.
    ///
    /// # Errors
    /// 27 and 67 for a document of none, 9 when another pool has the name, the UUID or the folder, 55 when an active pool
    /// would get another folder, 38 when it can not be kept.
    pub fn define(&self, document: &str) -> Result<Arc<Pool>> {
        let definition = Definition::parse(document)?;
        let _changing = self.changing.lock();
        let old = self.rival(&definition)?;
        let pool = match old {
            Some(old) => {
                let moved = old.definition.path != definition.path;
                if moved {
                    old.need_inactive("given another folder")?;
                }
                let fresh = Pool::new(definition, &self.lanes);
                Pool {
                    last: if moved { fresh.last } else { Arc::clone(&old.last) },
                    active: old.active,
                    persistent: true,
                    autostart: old.autostart,
                    ..fresh
                }
            }
            None => Pool {
                persistent: true,
                ..Pool::new(definition, &self.lanes)
            },
        };
        self.keep(pool)
    }

    /// Makes a pool that is gone when it is stopped, and starts it.
    ///
    /// # Errors
    /// As [`Self::define`] and [`Self::start`].
    pub fn create(&self, document: &str, build: Build) -> Result<Arc<Pool>> {
        let pool = Pool::new(Definition::parse(document)?, &self.lanes);
        if let Some(old) = self.rival(&pool.definition)? {
            // A document of a pool that is kept starts it, but does not describe it anew.
            if old.definition.path != pool.definition.path {
                let message = format!(
                    "pool '{}' is kept with another folder, '{}'",
                    old.name(),
                    old.definition.path
                );
                return Err(fault(Code::OPERATION_FAILED, message));
            }
            return self.start(old.definition.uuid, build);
        }
        pool.prepare(build)?;
        let _changing = self.changing.lock();
        if self.rival(&pool.definition)?.is_some() {
            let message = format!("pool '{}' was made by somebody else just now", pool.name());
            return Err(fault(Code::OPERATION_FAILED, message));
        }
        self.keep(Pool { active: true, ..pool })
    }

    /// Makes a pool's volumes usable.
    ///
    /// # Errors
    /// 49, 55 when they are already, 9 when its folder is not there, 38 and 68 when it can not be used.
    pub fn start(&self, uuid: Uuid, build: Build) -> Result<Arc<Pool>> {
        let pool = self.by_uuid(uuid)?;
        if pool.active {
            return Err(fault(
                Code::OPERATION_INVALID,
                format!("pool '{}' is active already", pool.name()),
            ));
        }
        pool.prepare(build)?;
        self.alter(uuid, |now| {
            if now.definition.path != pool.definition.path {
                let message = format!("pool '{}' was given another folder just now", now.name());
                return Err(fault(Code::OPERATION_FAILED, message));
            }
            now.active = true;
            Ok(())
        })
    }

    /// Makes a pool's folder.
    ///
    /// # Errors
    /// 49, 55 when the pool is active, 76 when `Fresh` is asked for a folder that has something in it, 38 and 68.
    pub fn build(&self, uuid: Uuid, build: Build) -> Result<()> {
        let pool = self.by_uuid(uuid)?;
        pool.need_inactive("built")?;
        pool.make(build)
    }

    /// Ends the use of a pool's volumes; the pool is gone if it is not kept. Nothing in its folder changes.
    ///
    /// # Errors
    /// 49, 55 when it is not active, 38.
    pub fn stop(&self, uuid: Uuid) -> Result<()> {
        self.alter(uuid, |pool| {
            pool.need_active()?;
            pool.active = false;
            Ok(())
        })
        .map(drop)
    }

    /// Removes a pool's folder, which must be empty.
    ///
    /// # Errors
    /// 49, 55 when the pool is active, 9 when the folder is not empty, 38 and 68.
    pub fn delete(&self, uuid: Uuid) -> Result<()> {
        let pool = self.by_uuid(uuid)?;
        pool.need_inactive("deleted")?;
        let path = pool.definition.path.clone();
        pool.changes.run(move || Folder::remove(&path))
    }

    /// Keeps a pool no longer. Nothing in its folder changes.
    ///
    /// # Errors
    /// 49, 55 when it is active, 38.
    pub fn undefine(&self, uuid: Uuid) -> Result<()> {
        self.alter(uuid, |pool| {
            pool.need_inactive("undefined")?;
            pool.persistent = false;
            Ok(())
        })
        .map(drop)
    }

    /// Has a pool start with the host, or not.
    ///
    /// # Errors
    /// 49, 55 when it is not kept, 38.
    pub fn set_autostart(&self, uuid: Uuid, on: bool) -> Result<()> {
        self.alter(uuid, |pool| {
            if !pool.persistent {
                let message = format!(
                    "pool '{}' is gone when it is stopped: define it before it can start with the host",
                    pool.name()
                );
                return Err(fault(Code::OPERATION_INVALID, message));
            }
            pool.autostart = on;
            Ok(())
        })
        .map(drop)
    }

    /// The pool that a definition is of, if there is one.
    ///
    /// # Errors
    /// 9 when another has the name, the UUID or the folder.
    fn rival(&self, definition: &Definition) -> Result<Option<Arc<Pool>>> {
        for pool in self.pools().iter() {
            let Definition { name, uuid, path, .. } = &pool.definition;
            if *uuid == definition.uuid && *name == definition.name {
                continue;
            }
            let shared = if *name == definition.name {
                format!("pool '{name}' is there already, with UUID '{uuid}'")
            } else if *uuid == definition.uuid {
                format!("the UUID '{uuid}' is pool '{name}''s already")
            } else if *path == definition.path {
                format!("the folder '{path}' is pool '{name}''s already")
            } else {
                continue;
            };
            return Err(fault(Code::OPERATION_FAILED, shared));
        }
        Ok(self.by_uuid(definition.uuid).ok())
    }

    /// Changes a pool as it is now: persisted, then published.
    fn alter(&self, uuid: Uuid, change: impl FnOnce(&mut Pool) -> Result<()>) -> Result<Arc<Pool>> {
        let _changing = self.changing.lock();
        let mut pool = Pool::clone(&*self.by_uuid(uuid)?);
        change(&mut pool)?;
        self.keep(pool)
    }

    /// Writes what is kept of a pool.
    fn put(&self, uuid: Uuid, record: Option<&Element>) -> Result<()> {
        match record {
            Some(record) => record::write(&self.kept, uuid, record),
            None => record::remove(&self.kept, uuid),
        }
    }

    /// Writes what the next host shall know of a pool, then shows it to all. The caller holds the lock of changes.
    fn keep(&self, pool: Pool) -> Result<Arc<Pool>> {
        let uuid = pool.definition.uuid;
        let mut pools = Vec::clone(&self.pools());
        let at = pools.iter().position(|other| other.definition.uuid == uuid);
        if at.is_none() && pools.len() >= LIST_MAX {
            return Err(too_many());
        }
        let record = |pool: &Pool| pool.persistent.then(|| pool.record());
        let (was, is) = (at.and_then(|at| record(&pools[at])), record(&pool));
        let text = |record: &Option<Element>| record.as_ref().map(ToString::to_string);
        let changes = text(&was) != text(&is);
        // Where nothing changes nothing is written: a pool can be stopped on a file system that is full.
        if changes {
            self.put(uuid, is.as_ref())?;
        }
        if let Err(error) = self.note(&pool) {
            // What failed did not happen, also for the next host.
            if changes && let Err(error) = self.put(uuid, was.as_ref()) {
                tracing::error!(pool = pool.name(), %error, "what is kept of a pool is not what it is");
            }
            return Err(error);
        }
        let gone = !pool.active && !pool.persistent;
        let pool = Arc::new(pool);
        match at {
            Some(at) if gone => drop(pools.remove(at)),
            Some(at) => pools[at] = Arc::clone(&pool),
            None => pools.push(Arc::clone(&pool)),
        }
        *self.published.write() = Arc::new(pools);
        Ok(pool)
    }
}

fn too_many() -> Error {
    fault(
        Code::OPERATION_FAILED,
        format!("there are {} pools, and no more are kept", LIST_MAX),
    )
}

/// Whether a kept pool stands in the way of one that ran.
fn same(pool: &Pool, ran: &Definition) -> bool {
    let Definition { name, uuid, path, .. } = &pool.definition;
    *name == ran.name || *uuid == ran.uuid || *path == ran.path
}
