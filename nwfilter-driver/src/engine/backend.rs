//! `Backend`: what carries rules out; the kernel, or a recorder in tests.

use super::claim::Claim;
use crate::inspect::note::Noter;
use crate::kernel::{self, Failure, Kernel, Outcome};
use crate::ruleset::{Desired, Program, ProgramName};
use arc_swap::ArcSwapOption;
use driver_api::error::{Error, Result};
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, netdevice};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

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

    /// What rules do not do as they were written, because of how this machine is set up.
    fn notes(&self, program: &Program) -> Vec<String>;

    /// Whether there is a device of this name now.
    fn has_device(&self, port: &str) -> bool;
}

/// The way to the kernel's tables, which may be shut when the host starts and open later.
#[derive(Debug)]
pub struct Gate {
    options: kernel::Options,
    kernel: ArcSwapOption<Kernel>,
    opening: Mutex<()>,
    claim: OnceLock<Claim>,
}

impl Gate {
    /// A way that nobody has gone yet.
    #[must_use]
    pub fn new(options: kernel::Options) -> Self {
        Self {
            options,
            kernel: ArcSwapOption::empty(),
            opening: Mutex::new(()),
            claim: OnceLock::new(),
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

    /// The tables, to be changed by this host alone.
    fn claimed(&self) -> Result<Arc<Kernel>> {
        let kernel = self.kernel()?;
        if self.claim.get().is_none() {
            let _one_at_a_time = self.opening.lock();
            if self.claim.get().is_none() {
                let _empty_until_now = self.claim.set(Claim::stake()?);
            }
        }
        Ok(kernel)
    }
}

const fn refused(error: Error) -> Failure {
    Failure::Refused { error, rule: None }
}

impl Backend for Gate {
    fn apply(&self, from: &Desired, to: &Desired) -> Outcome<()> {
        self.claimed().map_err(refused)?.apply(from, to)
    }

    fn install(&self, to: &Desired) -> Outcome<()> {
        self.claimed().map_err(refused)?.install(to)
    }

    fn deviations(&self, desired: &Desired) -> Result<Vec<String>> {
        let found = self.kernel()?.verify(desired)?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    fn names(&self) -> Result<BTreeMap<String, ProgramName>> {
        self.kernel()?.names()
    }

    fn notes(&self, program: &Program) -> Vec<String> {
        let Ok(kernel) = self.kernel() else { return Vec::new() };
        let (here, anywhere) = (Noter::new(Some(kernel.facts())), Noter::new(None));
        let rules = program.chains.iter();
        let rules = rules.flat_map(|(chain, rules)| rules.iter().map(|rule| (chain.hook, rule)));
        let notes = rules.filter_map(|(hook, rule)| {
            let note = here.note(hook, rule);
            (note != anywhere.note(hook, rule)).then_some(note)
        });
        notes.collect::<BTreeSet<String>>().into_iter().collect()
    }

    fn has_device(&self, port: &str) -> bool {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None);
        // Not to know is no reason to say that there is none.
        !socket.is_ok_and(|socket| netdevice::name_to_index(&socket, port) == Err(Errno::NODEV))
    }
}
