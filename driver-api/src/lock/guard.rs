//! `Guard`: one hold, given back when it goes out of scope; it derefs to the token of its own level.

use super::level::{Domain, Level, Mode, R, W};
use super::token::{Cx, Link};
use crate::abi::lock::{Held, POISONED};
use crate::error::{Code, Error, Origin, Result};
use crate::types::uuid::Uuid;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// One lock, held in mode `M` by this thread until dropped.
#[derive(Debug)]
#[must_use = "a guard that is not kept gives its lock back at once"]
pub struct Guard<'a, L: Level, M: Mode = R> {
    cx: Cx<'a, L>,
    held: Held,
    _mode: PhantomData<fn() -> M>,
}

impl<L: Level, M: Mode> Guard<'_, L, M> {
    pub(crate) fn new(link: Link, held: Held) -> Self {
        Self {
            cx: Cx::new(link),
            held,
            _mode: PhantomData,
        }
    }

    /// The last exclusive holder left without giving this lock back; check what it protects, then
    /// [`Guard::clear_poison`].
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.held.flags & POISONED != 0
    }
}

impl<'a, L: Level> Guard<'a, L, W> {
    /// Says that what this lock protects has been checked and is sound again.
    ///
    /// # Errors
    /// 55 when the hold is no longer this call's.
    pub fn clear_poison(&mut self) -> Result<()> {
        (self.cx.link.table.clear_poison)(self.cx.link.obj, self.cx.call(), self.held.handle).into_result()?;
        self.held.flags &= !POISONED;
        Ok(())
    }

    /// Lets readers in without a moment in which a writer could come between.
    ///
    /// # Errors
    /// 55 when the hold is no longer this call's; the lock is then given back.
    pub fn downgrade(self) -> Result<Guard<'a, L, R>> {
        let (link, held) = (self.cx.link, self.held);
        (link.table.downgrade)(link.obj, self.cx.call(), held.handle).into_result()?;
        let shared = Guard {
            cx: Cx::new(link),
            held,
            _mode: PhantomData,
        };
        // The hold lives on in `shared`; dropping `self` too would give it back.
        #[allow(clippy::mem_forget, reason = "ownership of the hold moved to the new guard")]
        std::mem::forget(self);
        Ok(shared)
    }
}

impl<L: Level> Guard<'_, L, R> {
    /// A single-use loan of this hold for a helper thread of the same driver (see `Host::with_loan`), so that the
    /// helper needs not queue behind a writer who waits for us.
    ///
    /// # Errors
    /// 55 when the hold is no longer this call's.
    pub fn lend(&self) -> Result<Loan<L>> {
        let ticket = (self.cx.link.table.lend)(self.cx.link.obj, self.cx.call(), self.held.handle).into_result()?;
        Ok(Loan {
            ticket,
            _level: PhantomData,
        })
    }
}

impl Guard<'_, Domain, W> {
    /// Begins a long operation on this guest that goes on after the guard is gone.
    ///
    /// # Errors
    /// 55 naming the job that runs already.
    pub fn begin_job(&mut self, what: &str) -> Result<Job> {
        Job::begin(self.cx.link, self.held, what)
    }
}

impl<'a, L: Level, M: Mode> Deref for Guard<'a, L, M> {
    type Target = Cx<'a, L>;
    fn deref(&self) -> &Self::Target {
        &self.cx
    }
}

impl<L: Level, M: Mode> DerefMut for Guard<'_, L, M> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.cx
    }
}

impl<L: Level, M: Mode> Drop for Guard<'_, L, M> {
    fn drop(&mut self) {
        give_back(&self.cx.link, self.held.handle);
    }
}

fn give_back(link: &Link, handle: u64) {
    let unwinding = u32::from(std::thread::panicking());
    if let Err(fault) = (link.table.release)(link.obj, link.call, handle, unwinding).into_result() {
        tracing::error!(error = %fault.message, "a lock could not be given back");
    }
}

/// Several guests held exclusively at once.
#[derive(Debug)]
#[must_use = "guards that are not kept give their locks back at once"]
pub struct Guards<'a, const N: usize> {
    link: Link,
    held: Vec<(Uuid, Held)>,
    _cx: PhantomData<(&'a (), *mut ())>,
}

impl<const N: usize> Guards<'_, N> {
    pub(crate) fn new(link: Link, uuids: [Uuid; N], held: Vec<Held>) -> Self {
        Self {
            link,
            held: uuids.into_iter().zip(held).collect(),
            _cx: PhantomData,
        }
    }

    /// Whether this guest is among those held.
    #[must_use]
    pub fn holds(&self, uuid: Uuid) -> bool {
        self.held.iter().any(|(u, _)| *u == uuid)
    }

    /// Whether this guest's lock was left by a holder that did not give it back.
    #[must_use]
    pub fn is_poisoned(&self, uuid: Uuid) -> bool {
        self.held.iter().any(|(u, h)| *u == uuid && h.flags & POISONED != 0)
    }

    /// Says that this guest has been checked and is sound again.
    ///
    /// # Errors
    /// 55 when this guest is not among those held.
    pub fn clear_poison(&mut self, uuid: Uuid) -> Result<()> {
        let link = self.link;
        let held = self.held_mut(uuid)?;
        (link.table.clear_poison)(link.obj, link.call, held.handle).into_result()?;
        held.flags &= !POISONED;
        Ok(())
    }

    /// Begins a long operation on this guest that goes on after the guards are gone.
    ///
    /// # Errors
    /// 55 naming the job that runs already, or when this guest is not among those held.
    pub fn begin_job(&mut self, uuid: Uuid, what: &str) -> Result<Job> {
        let link = self.link;
        Job::begin(link, *self.held_mut(uuid)?, what)
    }

    fn held_mut(&mut self, uuid: Uuid) -> Result<&mut Held> {
        let held = self.held.iter_mut().find(|(u, _)| *u == uuid);
        held.map(|(_, h)| h).ok_or_else(|| {
            Error::new(
                Code::OPERATION_INVALID,
                Origin::LOCKING,
                format!("domain '{uuid}' is not among those that are held"),
            )
        })
    }
}

impl<const N: usize> Drop for Guards<'_, N> {
    fn drop(&mut self) {
        for (_, held) in self.held.drain(..).rev() {
            give_back(&self.link, held.handle);
        }
    }
}

/// A shared hold on its way to a helper thread; used once or dropped.
#[derive(Debug)]
pub struct Loan<L: Level> {
    pub(crate) ticket: u64,
    _level: PhantomData<fn() -> L>,
}

/// A long operation on one guest: others may look, but not begin another.
#[derive(Debug)]
#[must_use = "a job that is not kept ends at once"]
pub struct Job {
    link: Link,
    id: u64,
}

impl Job {
    fn begin(link: Link, held: Held, what: &str) -> Result<Self> {
        let id = (link.table.job_begin)(link.obj, link.call, held.handle, what.into()).into_result()?;
        Ok(Self { link, id })
    }

    /// Whether somebody asked for the operation to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        (self.link.table.job_cancelled)(self.link.obj, self.id) != 0
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Err(fault) = (self.link.table.job_end)(self.link.obj, self.id).into_result() {
            tracing::error!(error = %fault.message, "a job could not be ended");
        }
    }
}
