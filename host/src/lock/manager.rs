//! `Manager`: the table of locks behind one mutex, with the threads that wait and the clock that ends their waits.

use super::call::CallSpec;
use super::error::LockError;
use super::held::Rules;
use super::limits::Limits;
use super::rank::{Key, Mode};
use super::shim::{Real, Shim, ThreadEnd};
use super::status::{JobStatus, Status};
use super::strike::Plugins;
use super::table::{Actor, Effects, Note, Step, Table};
use driver_api::abi::lock::{Adopted, Call, EXCLUSIVE, Held, LockKey, TRY};
use driver_api::types::uuid::Uuid;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// The host's lock manager.
pub type Locks = Manager<Real>;

/// Called with the number of a thread that gave its last hold back, on that thread, with nothing locked.
pub type ReleasedAll = Box<dyn Fn(u64) + Send + Sync>;

/// A waiter's own condition variable: a grant wakes exactly the thread it is for.
type Waker<S> = Arc<<S as Shim>::Condvar>;

/// The plug-in that asks, as the host knows it, and the call that it says it is in.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The plug-in's number; never taken from the plug-in itself.
    pub plugin: u32,
    /// `Call::id`; checked.
    pub call: u64,
}

/// A lock manager over some kind of threads; [`Locks`] is the one that ships.
pub struct Manager<S: Shim> {
    table: S::Mutex<Table<Waker<S>>>,
    limits: Limits,
    released_all: OnceLock<ReleasedAll>,
    me: Weak<Self>,
}

impl<S: Shim> fmt::Debug for Manager<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<S: Shim> Manager<S> {
    /// A manager of no locks yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Self::with_rules(limits, Rules::ALL)
    }

    /// For the model checks only: a manager without some of its rules.
    #[doc(hidden)]
    #[must_use]
    pub fn with_rules(limits: Limits, rules: Rules) -> Arc<Self> {
        let plugins = Plugins::new(limits.strikes, limits.strike_window);
        Arc::new_cyclic(|me| Self {
            table: S::mutex(Table::new(rules, plugins)),
            limits,
            released_all: OnceLock::new(),
            me: me.clone(),
        })
    }

    /// Sets what happens when a thread has given its last hold back; only the first setting counts.
    pub fn on_released_all(&self, hook: ReleasedAll) {
        // A second hook would be a second owner of the event queue; the first one stays.
        let _ = self.released_all.set(hook);
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Gives a plug-in's number its name.
    pub fn add_plugin(&self, plugin: u32, name: &str) {
        self.step(|table| table.plugins.add(plugin, name));
    }

    /// Has a plug-in quarantined at its first breach of the rules, unless none ever is.
    pub fn distrust_plugin(&self, plugin: u32) {
        self.step(|table| table.plugins.distrust(plugin));
    }

    /// Begins a call of the host into a plug-in, on this thread, perhaps inside another one.
    ///
    /// # Errors
    /// 55 when the thread does not hold what the callee's token promises.
    pub fn begin_call(&self, spec: CallSpec) -> Result<Call, LockError> {
        let thread = self.thread()?;
        self.step(|table| table.begin(spec, thread, S::thread_info(), S::now()))
    }

    /// Ends a call or session; what it still holds is swept: taken back, exclusive ones poisoned, a strike. Says how
    /// many holds that were.
    ///
    /// # Errors
    /// 55 when there is no such call on this thread.
    pub fn end_call(&self, who: Caller) -> Result<usize, LockError> {
        let who = actor::<S>(who);
        self.step(|table| table.end(who, S::now()))
    }

    /// Runs `work` inside a call, which ends even when `work` panics.
    ///
    /// # Errors
    /// As [`Manager::begin_call`].
    pub fn with_call<T>(&self, spec: CallSpec, work: impl FnOnce(Call) -> T) -> Result<T, LockError> {
        struct Ender<'a, S: Shim>(&'a Manager<S>, Caller);
        impl<S: Shim> Drop for Ender<'_, S> {
            fn drop(&mut self) {
                if let Err(error) = self.0.end_call(self.1) {
                    tracing::error!(%error, "a call could not be ended");
                }
            }
        }
        let plugin = spec.plugin;
        let call = self.begin_call(spec)?;
        let _ender = Ender(self, Caller { plugin, call: call.id });
        Ok(work(call))
    }

    /// Opens a session on a plug-in's own thread; [`Manager::end_call`] closes it.
    ///
    /// # Errors
    /// 55 when the thread is inside a call or session already.
    pub fn session_open(&self, plugin: u32, name: &str) -> Result<Call, LockError> {
        let thread = self.thread()?;
        self.step(|table| table.open(plugin, name, thread, S::thread_info(), S::now()))
    }

    /// Waits for one lock. `flags` are the interface's `EXCLUSIVE` and `TRY`; `timeout_ms` 0 is the level's default.
    ///
    /// # Errors
    /// 68 naming the holder, 87 with `TRY`, 55 when the order or ownership is broken, 8 for an unknown level.
    pub fn acquire(&self, who: Caller, key: LockKey, flags: u32, timeout_ms: u64) -> Result<Held, LockError> {
        let who = actor::<S>(who);
        let key = Key::of(who.plugin, key);
        let key = self.step(|table| table.judged(who, S::now(), key))?;
        self.take(who, key, flags, self.until(key, timeout_ms))
    }

    /// Takes the plug-in's own Virt lock shared, then one guest, then gives Virt back.
    ///
    /// # Errors
    /// As [`Manager::acquire`].
    pub fn lookup(&self, who: Caller, uuid: Uuid, flags: u32, timeout_ms: u64) -> Result<Held, LockError> {
        let who = actor::<S>(who);
        let domain = Key::domain(who.plugin, uuid);
        let virt = Key::Virt { driver: who.plugin };
        let virt = self.take(who, virt, flags & TRY, self.until(virt, timeout_ms))?;
        let held = self.take(who, domain, flags, self.until(domain, timeout_ms));
        self.step(|table| table.release(who, virt.handle, false, S::now()))?;
        held
    }

    /// Takes several guests in UUID order, all or none; answers in the order that was asked.
    ///
    /// # Errors
    /// 8 when one is named twice, else as [`Manager::acquire`].
    pub fn acquire_domains(
        &self,
        who: Caller,
        uuids: &[Uuid],
        flags: u32,
        timeout_ms: u64,
    ) -> Result<Vec<Held>, LockError> {
        let who = actor::<S>(who);
        let mut order: Vec<usize> = (0..uuids.len()).collect();
        order.sort_unstable_by_key(|i| uuids[*i]);
        if let Some(pair) = order.windows(2).find(|pair| uuids[pair[0]] == uuids[pair[1]]) {
            return Err(LockError::DomainTwice { uuid: uuids[pair[0]] });
        }
        let until = self.until(Key::domain(who.plugin, Uuid::default()), timeout_ms);
        let mut taken = Vec::with_capacity(uuids.len());
        for index in order {
            match self.take(who, Key::domain(who.plugin, uuids[index]), flags, until) {
                Ok(held) => taken.push((index, held)),
                Err(error) => {
                    for (_, held) in taken.into_iter().rev() {
                        self.step(|table| table.release(who, held.handle, false, S::now()))?;
                    }
                    return Err(error);
                }
            }
        }
        taken.sort_unstable_by_key(|(index, _)| *index);
        Ok(taken.into_iter().map(|(_, held)| held).collect())
    }

    /// Gives a hold back; `unwinding` poisons it if it is exclusive.
    ///
    /// # Errors
    /// 55 for a handle that is not this call's.
    pub fn release(&self, who: Caller, handle: u64, unwinding: bool) -> Result<(), LockError> {
        let who = actor::<S>(who);
        self.step(|table| table.release(who, handle, unwinding, S::now()))
    }

    /// Turns an exclusive hold into a shared one without a gap.
    ///
    /// # Errors
    /// 55 for a handle that is not this call's or not exclusive.
    pub fn downgrade(&self, who: Caller, handle: u64) -> Result<(), LockError> {
        let who = actor::<S>(who);
        self.step(|table| table.downgrade(who, handle, S::now()))
    }

    /// Makes a single-use loan of a shared hold.
    ///
    /// # Errors
    /// 55 for a handle that is not this call's or not shared.
    pub fn lend(&self, who: Caller, handle: u64) -> Result<u64, LockError> {
        let who = actor::<S>(who);
        self.step(|table| table.lend(who, handle, S::now()))
    }

    /// Opens a session on this thread that holds what the loan says; [`Manager::end_call`] closes it.
    ///
    /// # Errors
    /// 55 when the loan is void or the thread is inside a call or session already.
    pub fn adopt(&self, plugin: u32, loan: u64) -> Result<Adopted, LockError> {
        let thread = self.thread()?;
        self.step(|table| table.adopt(plugin, loan, thread, S::thread_info(), S::now()))
    }

    /// Clears the poison mark of a lock that is held exclusively.
    ///
    /// # Errors
    /// 55 for a handle that is not this call's or not exclusive.
    pub fn clear_poison(&self, who: Caller, handle: u64) -> Result<(), LockError> {
        let who = actor::<S>(who);
        self.step(|table| table.clear_poison(who, handle, S::now()))
    }

    /// Begins a job on the guest whose exclusive hold this is. It goes on until [`Manager::job_end`], whatever becomes
    /// of the call.
    ///
    /// # Errors
    /// 55 naming the job that runs already, or for a handle that is not an exclusive hold of this call on a guest.
    pub fn job_begin(&self, who: Caller, handle: u64, what: &str) -> Result<u64, LockError> {
        let who = actor::<S>(who);
        self.step(|table| table.job_begin(who, handle, what, S::now()))
    }

    /// Asks the job on a guest of this plug-in to stop.
    ///
    /// # Errors
    /// 55 when none runs.
    pub fn job_cancel(&self, plugin: u32, uuid: Uuid) -> Result<(), LockError> {
        self.step(|table| table.jobs.cancel(plugin, uuid))
    }

    /// Asks the job on a guest of this plug-in to stop, for a client: only one that can stop half way is asked.
    ///
    /// # Errors
    /// 55 when none runs, or one that can not stop.
    pub fn job_abort(&self, plugin: u32, uuid: Uuid) -> Result<(), LockError> {
        self.step(|table| table.jobs.abort(plugin, uuid))
    }

    /// The job on a guest of this plug-in.
    #[must_use]
    pub fn job(&self, plugin: u32, uuid: Uuid) -> Option<JobStatus> {
        self.step(|table| table.jobs.of(plugin, uuid, S::now(), |p| table.plugins.name(p)))
    }

    /// Whether a job was asked to stop.
    #[must_use]
    pub fn job_cancelled(&self, job: u64) -> bool {
        self.step(|table| table.jobs.is_cancelled(job))
    }

    /// Ends a job.
    ///
    /// # Errors
    /// 55 when it is none of this plug-in's.
    pub fn job_end(&self, plugin: u32, job: u64) -> Result<(), LockError> {
        self.step(|table| table.jobs.end(plugin, job))
    }

    /// For services that take a token of a level: whether this call's thread holds that level, and how.
    ///
    /// # Errors
    /// 55 when it does not.
    pub fn require(&self, who: Caller, rank: u32) -> Result<Mode, LockError> {
        let who = actor::<S>(who);
        self.step(|table| table.require(who, rank, S::now()))
    }

    /// For services that may block: refuses when this thread holds a lock of a rank above `rank` (0: any lock).
    ///
    /// # Errors
    /// 55 naming the greatest lock that is held.
    pub fn holds_above(&self, rank: u32) -> Result<(), LockError> {
        match self.step(|table| table.top(S::thread())) {
            Some((held, _)) if held.rank() > rank => Err(LockError::HoldsLocks { held }),
            _ => Ok(()),
        }
    }

    /// Why a plug-in may not change anything any more, if so; dispatch refuses its mutating calls then.
    ///
    /// # Errors
    /// 55 with the reason.
    pub fn check_quarantine(&self, plugin: u32) -> Result<(), LockError> {
        self.step(|table| match table.plugins.quarantine(plugin) {
            None => Ok(()),
            Some(reason) => Err(LockError::Quarantined {
                plugin: table.plugins.name(plugin),
                reason: reason.to_owned(),
            }),
        })
    }

    /// Whether a plug-in may not change anything any more.
    #[must_use]
    pub fn is_quarantined(&self, plugin: u32) -> bool {
        self.check_quarantine(plugin).is_err()
    }

    /// Who holds and who waits, for people.
    #[must_use]
    pub fn status(&self) -> Status {
        self.step(|table| table.status(S::now()))
    }

    fn thread(&self) -> Result<u64, LockError> {
        let thread = S::thread();
        if thread == 0 {
            return Err(LockError::DyingThread);
        }
        let me: Weak<dyn ThreadEnd> = self.me.clone();
        S::at_thread_end(me);
        Ok(thread)
    }

    fn until(&self, key: Key, timeout_ms: u64) -> Duration {
        let time = match timeout_ms {
            0 => self.limits.wait(key),
            ms => Duration::from_millis(ms).min(self.limits.longest_wait),
        };
        S::now().saturating_add(time)
    }

    fn take(&self, who: Actor, key: Key, flags: u32, until: Duration) -> Result<Held, LockError> {
        let mode = if flags & EXCLUSIVE == 0 {
            Mode::Shared
        } else {
            Mode::Exclusive
        };
        let since = S::now();
        let mut bell = None;
        let mut table = S::lock(&self.table);
        let until = table.deadline(who.call).map_or(until, |deadline| deadline.min(until));
        let step = table.request(who, key, mode, flags & TRY != 0, since, || {
            Arc::clone(bell.insert(Arc::new(S::condvar())))
        });
        let result = match (step, bell) {
            (Ok(Step::Queued(handle)), Some(bell)) => loop {
                if let Some(held) = table.granted(handle) {
                    break Ok(held);
                }
                let now = S::now();
                if now >= until {
                    break Err(table.give_up(handle, key, mode, since, now));
                }
                table = S::wait(&bell, &self.table, table, until);
            },
            (Ok(Step::Granted(held)), _) => Ok(held),
            (Ok(Step::Queued(handle)), None) => Err(table.give_up(handle, key, mode, since, since)),
            (Err(error), _) => Err(error),
        };
        let effects = table.take_effects();
        drop(table);
        self.perform(effects);
        result
    }

    /// One step of the table, and then what it wants done.
    fn step<T>(&self, step: impl FnOnce(&mut Table<Waker<S>>) -> T) -> T {
        let mut table = S::lock(&self.table);
        let result = step(&mut table);
        let effects = table.take_effects();
        drop(table);
        self.perform(effects);
        result
    }

    fn perform(&self, effects: Effects<Waker<S>>) {
        for bell in &effects.wake {
            S::notify(bell);
        }
        for note in effects.notes {
            log(&note);
        }
        if let Some(hook) = self.released_all.get() {
            effects.bare.into_iter().for_each(hook);
        }
    }
}

impl<S: Shim> ThreadEnd for Manager<S> {
    fn thread_ended(&self, thread: u64) {
        self.step(|table| table.thread_gone(thread, S::now()));
    }
}

fn actor<S: Shim>(who: Caller) -> Actor {
    Actor {
        plugin: who.plugin,
        call: who.call,
        thread: S::thread(),
    }
}

fn log(note: &Note) {
    match note {
        Note::Swept {
            key,
            mode,
            plugin,
            call,
        } => {
            tracing::error!(%plugin, %call, lock = %key, %mode, "a lock was not given back and has been taken back");
        }
        Note::Strike {
            plugin,
            why,
            quarantined: false,
        } => tracing::warn!(%plugin, %why, "a plug-in broke a lock rule"),
        Note::Strike { plugin, why, .. } => {
            tracing::error!(%plugin, %why, "a plug-in broke the lock rules too often and is quarantined");
        }
    }
}
