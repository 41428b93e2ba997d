//! `Backend`: what carries rules out; the kernel, or a recorder in tests.

use crate::kernel::{self, Kernel, Outcome};
use crate::ruleset::{Desired, ProgramName};
use arc_swap::ArcSwapOption;
use driver_api::error::Result;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Brings rules into force, each call as one transaction.
pub trait Backend: Send + Sync + fmt::Debug {
    /// Goes from what is in force to something else.
    ///
    /// # Errors
    /// Why not: what was in force still is, or somebody else changed it.
    fn apply(&self, from: &Desired, to: &Desired) -> Outcome<()>;

    /// Puts `to` in the place of whatever is there.
    ///
    /// # Errors
    /// Why not; what was there still is.
    fn install(&self, to: &Desired) -> Outcome<()>;

    /// In what the rules in force differ from these, in words; nothing if they mean the same.
    ///
    /// # Errors
    /// They can not be read.
    fn deviations(&self, desired: &Desired) -> Result<Vec<String>>;

    /// Which program each port has, whoever wrote it.
    ///
    /// # Errors
    /// They can not be read.
    fn names(&self) -> Result<BTreeMap<String, ProgramName>>;
}

impl Backend for Kernel {
    fn apply(&self, from: &Desired, to: &Desired) -> Outcome<()> {
        Self::apply(self, from, to)
    }

    fn install(&self, to: &Desired) -> Outcome<()> {
        Self::install(self, to)
    }

    fn deviations(&self, desired: &Desired) -> Result<Vec<String>> {
        let found = self.verify(desired)?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    fn names(&self) -> Result<BTreeMap<String, ProgramName>> {
        Self::names(self)
    }
}

/// The way to the kernel's tables, which may be shut when the host starts and open later.
#[derive(Debug)]
pub struct Gate {
    options: kernel::Options,
    kernel: ArcSwapOption<Kernel>,
    opening: Mutex<()>,
}

impl Gate {
    /// A way that nobody has gone yet.
    #[must_use]
    pub fn new(options: kernel::Options) -> Self {
        Self {
            options,
            kernel: ArcSwapOption::empty(),
            opening: Mutex::new(()),
        }
    }

    /// The kernel's tables, opened by the first who asks.
    ///
    /// # Errors
    /// As [`Kernel::open`].
    pub fn kernel(&self) -> Result<Arc<Kernel>> {
        if let Some(kernel) = self.kernel.load_full() {
            return Ok(kernel);
        }
        let _one_at_a_time = self.opening.lock();
        if let Some(kernel) = self.kernel.load_full() {
            return Ok(kernel);
        }
        let kernel = Arc::new(Kernel::open(self.options)?);
        self.kernel.store(Some(Arc::clone(&kernel)));
        Ok(kernel)
    }
}
