//! What is in force: the ports, their rules, and the only way in which they change.
//!
//! ```text
//! ports, redefine   what clients and drivers ask for
//!   need            which filter a port's rules come of, with which values, and what is to be learned
//!   state, name     the next state, a pure function of the last one; programs keep their names
//!   effect          kernel -> lessons -> file in place -> published; or nothing at all
//! start             the same after a restart, from files and from what the kernel has
//! repair            the same when somebody else changed our tables
//! backend, claim    the kernel as seen from here, and who may change it
//! lesson, internal  what is learned about a port, and its rules meanwhile
//! ```
//!
//! Whoever changes something holds Update: shared for a port, exclusively for a filter. Inside, one mutex keeps changes
//! apart; nothing is called under it that takes a lock of the host.

pub mod backend;
pub mod bound;
pub mod internal;
pub mod lesson;
pub mod need;
pub mod state;

pub(crate) mod repair;

mod claim;
mod effect;
mod name;
mod ports;
mod redefine;
mod start;

pub use backend::Backend;
pub use bound::{Bound, Ports, Stage};
pub use lesson::{Learner, Lesson, Mode, Pupil};
pub use state::State;

use crate::binding::store::Bindings;
use crate::filters::Filters;
use crate::store::Store;
use arc_swap::ArcSwap;
use driver_api::error::{Code, Error, Origin, Result};
use parking_lot::Mutex;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Makes the backend when it is first needed.
pub type Opener = Box<dyn Fn() -> Result<Arc<dyn Backend>> + Send + Sync>;

/// What is in force, and how it changes.
pub struct Engine {
    /// The files of filters.
    pub(crate) store: Store,
    bindings: Bindings,
    internal: Filters,
    opener: Opener,
    learner: OnceLock<Arc<dyn Learner>>,
    filters: ArcSwap<Filters>,
    ports: ArcSwap<Ports>,
    force: Mutex<Force>,
}

/// What only who changes something may see.
#[derive(Debug, Default)]
struct Force {
    state: State,
    backend: Option<Arc<dyn Backend>>,
    /// A change was cut off, so the kernel may have something else than `state` says.
    doubt: bool,
    generation: u64,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("force", &self.force)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with nothing in force.
    ///
    /// # Errors
    /// The driver has a bug.
    pub fn new(conf_dir: PathBuf, run_dir: &std::path::Path, opener: Opener) -> Result<Self> {
        Ok(Self {
            store: Store::new(conf_dir),
            bindings: Bindings::new(run_dir),
            internal: internal::table()?,
            opener,
            learner: OnceLock::new(),
            filters: ArcSwap::default(),
            ports: ArcSwap::default(),
            force: Mutex::default(),
        })
    }

    /// Says who learns addresses; before the first port is bound.
    pub fn teach(&self, learner: Arc<dyn Learner>) {
        if self.learner.set(learner).is_err() {
            tracing::error!("two learners were made, the first one learns");
        }
    }

    fn learner(&self) -> Result<&Arc<dyn Learner>> {
        self.learner.get().ok_or_else(|| {
            let message = "addresses can not be learned by this host: give IP as a parameter of the binding";
            Error::new(Code::NO_SUPPORT, Origin::NWFILTER, message)
        })
    }

    /// All filters at this moment.
    pub fn filters(&self) -> Arc<Filters> {
        self.filters.load_full()
    }

    /// All ports at this moment.
    pub fn ports(&self) -> Arc<Ports> {
        self.ports.load_full()
    }

    /// Filters of our own that ports may have for a while.
    pub const fn internal(&self) -> &Filters {
        &self.internal
    }
}

impl Force {
    fn backend(&mut self, opener: &Opener) -> Result<Arc<dyn Backend>> {
        if let Some(backend) = &self.backend {
            return Ok(Arc::clone(backend));
        }
        let backend = opener().map_err(|error| error.within("ports can not be filtered by this host"))?;
        Ok(Arc::clone(self.backend.insert(backend)))
    }

    const fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}

/// A port without a binding.
pub(crate) fn unbound(port: &str) -> Error {
    Error::new(
        Code::NO_NWFILTER_BINDING,
        Origin::NWFILTER,
        format!("port '{}' has no filter bound to it", port.escape_debug()),
    )
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
