//! `Plugin`: one driver that was made, and the frame around every call into it.

use super::manifest::Facts;
use crate::lock::{CallSpec, Entry, Locks};
use driver_api::abi::lock::Call;
use driver_api::error::{Error, Result};
use driver_api::kit::loaded::Loaded;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For whom a driver is called, and for how long.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Context {
    /// The client.
    pub client: Option<u64>,
    /// Every wait for a lock inside the call ends by then.
    pub within: Option<Duration>,
}

/// A driver in service.
#[derive(Debug)]
pub struct Plugin {
    pub(super) number: u32,
    pub(super) name: Arc<str>,
    pub(super) path: PathBuf,
    pub(super) facts: Facts,
    pub(super) loaded: Loaded,
    pub(super) panics: Arc<AtomicU64>,
    pub(super) locks: Arc<Locks>,
}

impl Plugin {
    /// Its name: the URI scheme of a virt driver.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What `virConnectGetType` answers.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        self.facts.title
    }

    /// The number under which the lock manager knows it.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How often it panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Calls a method that takes no token: it reads snapshots, waits for nothing, and may be called with locks held.
    ///
    /// # Errors
    /// What `work` answers.
    pub fn read<T>(&self, method: &'static str, work: impl FnOnce(&Loaded) -> Result<T>) -> Result<T> {
        let _span = tracing::info_span!("plugin", plugin = %self.name, method).entered();
        work(&self.loaded)
    }

    /// Calls a method that takes a token, on this thread, which must hold nothing.
    ///
    /// # Errors
    /// 55 when the plug-in is quarantined for broken lock rules or the thread holds something, else what `work` answers.
    pub fn call<T>(
        &self,
        method: &'static str,
        context: &Context,
        work: impl FnOnce(&Loaded, Call) -> Result<T>,
    ) -> Result<T> {
        self.call_at(0, method, context, work)
    }

    /// Calls a method whose token is of the level with this rank; this thread must hold that level and none above it.
    ///
    /// # Errors
    /// As [`Plugin::call`].
    pub fn call_at<T>(
        &self,
        rank: u32,
        method: &'static str,
        context: &Context,
        work: impl FnOnce(&Loaded, Call) -> Result<T>,
    ) -> Result<T> {
        self.locks.check_quarantine(self.number)?;
        let mut spec = CallSpec::new(self.number, method).entry(Entry::Level(rank));
        spec.client = context.client;
        spec.time = context.within;
        let _span = tracing::info_span!("plugin", plugin = %self.name, method).entered();
        self.locks
            .with_call(spec, |call| work(&self.loaded, call))
            .map_err(Error::from)?
    }
}
