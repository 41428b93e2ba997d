//! `Cx`: the proof, as a value, of what the current thread holds; the only door to the next lock.

use super::guard::{Guard, Guards};
use super::level::{After, Domain, Filter, Level, Mode, R, Unlocked, Update, Virt, W};
use crate::abi::lock::{Call, EXCLUSIVE, HostObj, LockKey, LockV1, TRY};
use crate::error::Result;
use crate::types::uuid::Uuid;
use abi_stable::std_types::RSlice;
use std::marker::PhantomData;
use std::time::Duration;

/// The host's lock service as one call sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) table: &'static LockV1,
    pub(crate) obj: HostObj,
    pub(crate) call: Call,
}

/// What the current thread holds, seen from level `L`: made only by the host's call or by a guard.
///
/// Not `Send`: a hold belongs to the thread that took it.
#[derive(Debug)]
pub struct Cx<'a, L: Level> {
    pub(crate) link: Link,
    pub(crate) timeout: Option<Duration>,
    _level: PhantomData<Marker<'a, L>>,
}

/// Borrows from what it descends from, names a level, and stays on its thread.
type Marker<'a, L> = (&'a (), fn() -> L, *mut ());

impl<L: Level> Cx<'_, L> {
    /// The host made the call and says which level it holds; whoever could call this could name any lock.
    pub(crate) fn from_call(table: &'static LockV1, obj: HostObj, call: Call) -> Self {
        Self::new(Link { table, obj, call })
    }

    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            timeout: None,
            _level: PhantomData,
        }
    }

    /// The call this token belongs to; for handing it on to another service of the host.
    #[must_use]
    pub fn call(&self) -> Call {
        Call {
            level: L::RANK,
            ..self.link.call
        }
    }

    /// How long the next acquisitions through this token may wait; `None` is the level's default.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    fn timeout_ms(&self) -> u64 {
        self.timeout
            .map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX).max(1))
    }

    fn acquire<N: Level, M: Mode>(&mut self, uuid: Uuid, flags: u32) -> Result<Guard<'_, N, M>> {
        let flags = flags | if M::EXCLUSIVE { EXCLUSIVE } else { 0 };
        let key = LockKey { rank: N::RANK, uuid };
        let held = (self.link.table.acquire)(self.link.obj, self.call(), key, flags, self.timeout_ms());
        Ok(Guard::new(self.link, held.into_result()?))
    }

    /// The set of filter definitions, exclusively.
    ///
    /// # Errors
    /// 68 when the deadline passes (the holder is named), 55 when the run-time check finds the order broken.
    pub fn filters(&mut self) -> Result<Guard<'_, Filter, W>>
    where
        Filter: After<L>,
    {
        self.acquire(Uuid::default(), 0)
    }

    /// "Filters do not change now", shared: what a guest's start holds while its ports are made.
    ///
    /// # Errors
    /// As [`Cx::filters`].
    pub fn update_read(&mut self) -> Result<Guard<'_, Update, R>>
    where
        Update: After<L>,
    {
        self.acquire(Uuid::default(), 0)
    }

    /// "Filters do not change now", exclusively: what a filter's definition holds while it rebuilds ports.
    ///
    /// # Errors
    /// As [`Cx::filters`].
    pub fn update_write(&mut self) -> Result<Guard<'_, Update, W>>
    where
        Update: After<L>,
    {
        self.acquire(Uuid::default(), 0)
    }

    /// This driver's table of domains, shared.
    ///
    /// # Errors
    /// As [`Cx::filters`].
    pub fn virt_read(&mut self) -> Result<Guard<'_, Virt, R>>
    where
        Virt: After<L>,
    {
        self.acquire(Uuid::default(), 0)
    }

    /// This driver's table of domains, exclusively; hold it for no longer than an insertion takes.
    ///
    /// # Errors
    /// As [`Cx::filters`].
    pub fn virt_write(&mut self) -> Result<Guard<'_, Virt, W>>
    where
        Virt: After<L>,
    {
        self.acquire(Uuid::default(), 0)
    }

    /// One guest, shared.
    ///
    /// # Errors
    /// As [`Cx::filters`].
    pub fn domain_read(&mut self, uuid: Uuid) -> Result<Guard<'_, Domain, R>>
    where
        Domain: After<L>,
    {
        self.acquire(uuid, 0)
    }

    /// One guest, exclusively.
    ///
    /// # Errors
    /// As [`Cx::filters`].
    pub fn domain_write(&mut self, uuid: Uuid) -> Result<Guard<'_, Domain, W>>
    where
        Domain: After<L>,
    {
        self.acquire(uuid, 0)
    }

    /// One guest, exclusively, or "busy" (code 87) at once.
    ///
    /// # Errors
    /// 87 when somebody holds it, else as [`Cx::filters`].
    pub fn try_domain_write(&mut self, uuid: Uuid) -> Result<Guard<'_, Domain, W>>
    where
        Domain: After<L>,
    {
        self.acquire(uuid, TRY)
    }

    /// One guest, exclusively, with the table held (shared) from before the wait until the guest is held.
    ///
    /// # Errors
    /// As [`Cx::filters`].
    pub fn lookup(&mut self, uuid: Uuid) -> Result<Guard<'_, Domain, W>>
    where
        Virt: After<L>,
        Domain: After<L>,
    {
        let held = (self.link.table.lookup)(self.link.obj, self.call(), uuid, EXCLUSIVE, self.timeout_ms());
        Ok(Guard::new(self.link, held.into_result()?))
    }

    /// Several guests, exclusively; the host takes them in UUID order whatever order is given here.
    ///
    /// # Errors
    /// 8 when one is named twice, else as [`Cx::filters`].
    pub fn domains<const N: usize>(&mut self, uuids: [Uuid; N]) -> Result<Guards<'_, N>>
    where
        Domain: After<L>,
    {
        let slice = RSlice::from_slice(&uuids);
        let held = (self.link.table.acquire_domains)(self.link.obj, self.call(), slice, EXCLUSIVE, self.timeout_ms());
        Ok(Guards::new(self.link, uuids, held.into_result()?.into_vec()))
    }

    /// Asks the job that runs on a domain to stop.
    ///
    /// # Errors
    /// 55 when no job runs there.
    pub fn cancel_job(&mut self, uuid: Uuid) -> Result<()> {
        Ok((self.link.table.job_cancel)(self.link.obj, self.call(), uuid).into_result()?)
    }
}

/// A token for a thread of the driver's own, from [`crate::host::Host::session`].
pub type SessionCx<'a> = Cx<'a, Unlocked>;
