//! `Table`: the whole state of the lock manager and every step that it can take, without a thread, a clock or a wait.

use super::call::{Frame, Thread};
use super::error::LockError;
use super::handle::Mint;
use super::held::{Hold, Rules, Way, may_take};
use super::job::Jobs;
use super::loan::Loan;
use super::queue::{Lock, Ticket};
use super::rank::{Key, Mode};
use super::status::ms;
use super::strike::Plugins;
use driver_api::abi::lock::{Held, POISONED};
use std::collections::HashMap;
use std::time::Duration;

/// Who asks: the plug-in as the host knows it, the call as the plug-in claims it, the thread as the kernel knows it.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// The plug-in's number.
    pub plugin: u32,
    /// The call's number.
    pub call: u64,
    /// The thread's number.
    pub thread: u64,
}

/// How a request went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It is held.
    Granted(Held),
    /// It is queued under this handle.
    Queued(u64),
}

/// What must be done once the table is unlocked.
#[derive(Debug)]
#[must_use]
pub struct Effects<W> {
    /// Waiters whose wait is over.
    pub wake: Vec<W>,
    /// Threads that gave their last hold back.
    pub bare: Vec<u64>,
    /// What the log should know.
    pub notes: Vec<Note>,
}

impl<W> Default for Effects<W> {
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            bare: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Something that the log should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// A hold was left behind and taken back.
    Swept {
        /// What.
        key: Key,
        /// How it was held.
        mode: Mode,
        /// By whom.
        plugin: String,
        /// In which call.
        call: String,
    },
    /// A plug-in broke a rule.
    Strike {
        /// The plug-in.
        plugin: String,
        /// What it did.
        why: String,
        /// Whether it may not change anything from now on.
        quarantined: bool,
    },
}

/// The state. `W` wakes one waiter; the property test uses `()`.
#[derive(Debug)]
pub struct Table<W> {
    pub(super) mint: Mint,
    pub(super) rules: Rules,
    pub(super) locks: HashMap<Key, Lock<W>>,
    pub(super) holds: HashMap<u64, Hold>,
    pub(super) calls: HashMap<u64, Frame>,
    pub(super) threads: HashMap<u64, Thread>,
    pub(super) loans: HashMap<u64, Loan>,
    pub(super) jobs: Jobs,
    pub(super) plugins: Plugins,
    pub(super) effects: Effects<W>,
}

impl<W> Table<W> {
    /// Nothing held, nobody there.
    #[must_use]
    pub fn new(rules: Rules, plugins: Plugins) -> Self {
        Self {
            mint: Mint::new(),
            rules,
            locks: HashMap::new(),
            holds: HashMap::new(),
            calls: HashMap::new(),
            threads: HashMap::new(),
            loans: HashMap::new(),
            jobs: Jobs::default(),
            plugins,
            effects: Effects::default(),
        }
    }

    /// What the steps since the last time want done, outside the table's mutex.
    pub fn take_effects(&mut self) -> Effects<W> {
        std::mem::take(&mut self.effects)
    }

    /// Asks for a lock. `waker` is made only if there is a wait; `now_or_never` makes it "busy" instead.
    ///
    /// # Errors
    /// Every refusal of the order and of ownership; [`LockError::Busy`].
    pub fn request(
        &mut self,
        who: Actor,
        key: Key,
        mode: Mode,
        now_or_never: bool,
        now: Duration,
        waker: impl FnOnce() -> W,
    ) -> Result<Step, LockError> {
        let way = self.admissible(who, key, mode);
        let way = self.judged(who, now, way)?;
        let at_once = way == Way::Nested || self.locks.get(&key).is_none_or(|lock| lock.is_free(mode));
        if !at_once && now_or_never {
            return Err(LockError::Busy {
                key,
                holders: self.holders(key, now),
            });
        }
        let handle = self.mint.draw();
        let lock = self.locks.entry(key).or_default();
        if at_once {
            lock.admit(handle, mode);
            self.record(handle, key, mode, who.call, now);
            return Ok(Step::Granted(self.held(handle, key)));
        }
        lock.enqueue(Ticket {
            handle,
            mode,
            call: who.call,
            since: now,
            waker: waker(),
        });
        Ok(Step::Queued(handle))
    }

    fn admissible(&self, who: Actor, key: Key, mode: Mode) -> Result<Way, LockError> {
        self.acting(who)?;
        if key == Key::Filter && mode == Mode::Shared {
            return Err(LockError::NotShareable { key });
        }
        let held = self.held_by(who.thread).map(|(_, hold)| (hold.key, hold.mode));
        may_take(held, key, mode, self.rules)
    }

    fn record(&mut self, handle: u64, key: Key, mode: Mode, call: u64, now: Duration) {
        let hold = Hold {
            key,
            mode,
            call,
            since: now,
            lent: false,
        };
        self.holds.insert(handle, hold);
        if let Some(frame) = self.calls.get_mut(&call) {
            frame.held.push(handle);
        }
    }

    /// A hold as its owner sees it.
    pub(super) fn held(&self, handle: u64, key: Key) -> Held {
        let poisoned = self.locks.get(&key).is_some_and(|lock| lock.poisoned);
        Held {
            handle,
            flags: if poisoned { POISONED } else { 0 },
        }
    }

    /// A hold that a loan brings to another call, past the queue: the lock is shared already.
    pub(super) fn admit(&mut self, key: Key, mode: Mode, call: u64, now: Duration) -> Held {
        let handle = self.mint.draw();
        self.locks.entry(key).or_default().admit(handle, mode);
        self.record(handle, key, mode, call, now);
        self.held(handle, key)
    }

    /// The hold that a queued request became, once it has.
    #[must_use]
    pub fn granted(&self, handle: u64) -> Option<Held> {
        self.holds.get(&handle).map(|hold| self.held(handle, hold.key))
    }

    /// Leaves the queue because the deadline passed; says who stood in the way.
    pub fn give_up(&mut self, handle: u64, key: Key, mode: Mode, since: Duration, now: Duration) -> LockError {
        let holders = self.holders(key, now);
        if let Some(lock) = self.locks.get_mut(&key) {
            lock.withdraw(handle);
        }
        self.settle(key, now);
        LockError::Timeout {
            key,
            mode,
            waited_ms: ms(since, now),
            holders,
        }
    }

    /// Gives a hold back.
    ///
    /// # Errors
    /// [`LockError::UnknownHold`], [`LockError::NotOwner`] and the refusals of ownership.
    pub fn release(&mut self, who: Actor, handle: u64, unwinding: bool, now: Duration) -> Result<(), LockError> {
        let owned = self.owned(who, handle);
        let hold = self.judged(who, now, owned)?;
        if unwinding {
            self.poison(hold);
            self.strike(who, "a panic while a lock was held", now);
        }
        self.drop_hold(handle, hold, now);
        self.note_if_bare(who.thread);
        Ok(())
    }

    /// Makes an exclusive hold a shared one without a gap.
    ///
    /// # Errors
    /// [`LockError::NotExclusive`], [`LockError::NotShareable`] and those of [`Table::release`].
    pub fn downgrade(&mut self, who: Actor, handle: u64, now: Duration) -> Result<(), LockError> {
        let owned = self.owned_exclusively(who, handle).and_then(|hold| match hold.key {
            Key::Filter => Err(LockError::NotShareable { key: hold.key }),
            _ => Ok(hold),
        });
        let hold = self.judged(who, now, owned)?;
        if let Some(lock) = self.locks.get_mut(&hold.key) {
            lock.downgrade(handle);
        }
        if let Some(hold) = self.holds.get_mut(&handle) {
            hold.mode = Mode::Shared;
        }
        self.settle(hold.key, now);
        Ok(())
    }

    /// Takes the poison mark away.
    ///
    /// # Errors
    /// [`LockError::NotExclusive`] and those of [`Table::release`].
    pub fn clear_poison(&mut self, who: Actor, handle: u64, now: Duration) -> Result<(), LockError> {
        let owned = self.owned_exclusively(who, handle);
        let hold = self.judged(who, now, owned)?;
        if let Some(lock) = self.locks.get_mut(&hold.key) {
            lock.poisoned = false;
        }
        Ok(())
    }

    /// Begins a job on the guest that is held exclusively.
    ///
    /// # Errors
    /// [`LockError::JobRunning`], [`LockError::NotADomain`], [`LockError::NotExclusive`] and those of
    /// [`Table::release`].
    pub fn job_begin(&mut self, who: Actor, handle: u64, what: &str, now: Duration) -> Result<u64, LockError> {
        let owned = self.owned_exclusively(who, handle);
        let hold = self.judged(who, now, owned)?;
        let number = self.mint.draw();
        let plugins = &self.plugins;
        let begun = self.jobs.begin(number, hold.key, what, now, |p| plugins.name(p));
        self.judged(who, now, begun.map(|()| number))
    }

    pub(super) fn owned(&self, who: Actor, handle: u64) -> Result<Hold, LockError> {
        self.acting(who)?;
        let hold = self.holds.get(&handle).copied().ok_or(LockError::UnknownHold)?;
        if hold.call == who.call {
            return Ok(hold);
        }
        let owner = self.calls.get(&hold.call).ok_or(LockError::UnknownHold)?;
        if owner.thread != who.thread {
            return Err(self.foreign_thread(owner.thread));
        }
        Err(LockError::NotOwner {
            plugin: self.plugins.name(owner.plugin),
            call: owner.name.to_string(),
        })
    }

    fn owned_exclusively(&self, who: Actor, handle: u64) -> Result<Hold, LockError> {
        let hold = self.owned(who, handle)?;
        match hold.mode {
            Mode::Exclusive => Ok(hold),
            Mode::Shared => Err(LockError::NotExclusive { key: hold.key }),
        }
    }

    /// Marks what an exclusive hold protects as doubtful; a reader can not have spoilt anything.
    pub(super) fn poison(&mut self, hold: Hold) {
        if hold.mode == Mode::Exclusive
            && let Some(lock) = self.locks.get_mut(&hold.key)
        {
            lock.poisoned = true;
        }
    }

    pub(super) fn drop_hold(&mut self, handle: u64, hold: Hold, now: Duration) {
        self.holds.remove(&handle);
        if hold.lent {
            self.loans.retain(|_, loan| loan.hold != handle);
        }
        if let Some(frame) = self.calls.get_mut(&hold.call) {
            frame.held.retain(|h| *h != handle);
        }
        if let Some(lock) = self.locks.get_mut(&hold.key) {
            lock.remove(handle);
        }
        self.settle(hold.key, now);
    }

    /// Grants what fits now, and forgets the lock if nobody needs it any more.
    fn settle(&mut self, key: Key, now: Duration) {
        while let Some(ticket) = self.locks.get_mut(&key).and_then(Lock::grant_next) {
            self.record(ticket.handle, key, ticket.mode, ticket.call, now);
            self.effects.wake.push(ticket.waker);
        }
        if self.locks.get(&key).is_some_and(Lock::is_idle) {
            self.locks.remove(&key);
        }
    }

    /// Passes a result on; a breach of the rules is a strike, but only one for each call.
    pub(super) fn judged<T>(
        &mut self,
        who: Actor,
        now: Duration,
        result: Result<T, LockError>,
    ) -> Result<T, LockError> {
        if let Err(error) = &result
            && error.is_breach()
        {
            self.strike(who, &error.to_string(), now);
        }
        result
    }

    /// A call that goes wrong often goes wrong several times on its way out: it is struck once.
    pub(super) fn strike(&mut self, who: Actor, why: &str, now: Duration) {
        if let Some(frame) = self.calls.get_mut(&who.call)
            && frame.plugin == who.plugin
            && std::mem::replace(&mut frame.struck, true)
        {
            return;
        }
        let quarantined = self.plugins.strike(who.plugin, why, now);
        self.effects.notes.push(Note::Strike {
            plugin: self.plugins.name(who.plugin),
            why: why.into(),
            quarantined,
        });
    }
}
