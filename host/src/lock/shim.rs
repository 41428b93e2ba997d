//! `Shim`: the threads, mutexes and clock under the manager, so that model checkers run the very code that ships.

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::cell::RefCell;
use std::ops::DerefMut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

/// What the manager needs from the world below it. [`Real`] ships; the model checks bring their own.
pub trait Shim: Sized + 'static {
    /// A mutex without poisoning.
    type Mutex<T: Send + 'static>: Send + Sync;
    /// Its guard.
    type Guard<'a, T: Send + 'static>: DerefMut<Target = T>;
    /// What one waiter sleeps on.
    type Condvar: Send + Sync + 'static;

    /// A mutex around a value.
    fn mutex<T: Send + 'static>(value: T) -> Self::Mutex<T>;
    /// Locks it.
    fn lock<T: Send + 'static>(mutex: &Self::Mutex<T>) -> Self::Guard<'_, T>;
    /// A new condition variable.
    fn condvar() -> Self::Condvar;
    /// Sleeps until notified or until the clock shows `until`; may wake for no reason. The guard is the mutex's, which
    /// a checker needs to play a wait that ends by itself.
    fn wait<'a, T: Send + 'static>(
        condvar: &Self::Condvar,
        mutex: &'a Self::Mutex<T>,
        guard: Self::Guard<'a, T>,
        until: Duration,
    ) -> Self::Guard<'a, T>;
    /// Wakes the one waiter.
    fn notify(condvar: &Self::Condvar);
    /// A number for the current thread, never reused.
    fn thread() -> u64;
    /// What people call the current thread.
    fn thread_info() -> ThreadInfo;
    /// A monotonic clock.
    fn now() -> Duration;
    /// Promises to call [`ThreadEnd::thread_ended`] when the current thread ends.
    fn at_thread_end(who: Weak<dyn ThreadEnd>);
}

/// Who must know that a thread is gone.
pub trait ThreadEnd: Send + Sync {
    /// The thread of this number ends now; called on that thread.
    fn thread_ended(&self, thread: u64);
}

/// What people call a thread.
#[derive(Clone, Debug)]
pub struct ThreadInfo {
    /// The name that the kernel knows.
    pub name: Arc<str>,
    /// The kernel's number, for `/proc/self/task`.
    pub tid: i32,
}

/// The shim that ships: parking_lot, the kernel's threads and its monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Real;

struct Mark {
    id: u64,
    info: ThreadInfo,
    enders: RefCell<Vec<Weak<dyn ThreadEnd>>>,
}

impl Mark {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // The kernel's name and not `std::thread::current`: a plug-in's threads are named by the plug-in's own copy of
        // std, which ours knows nothing of.
        let name = rustix::thread::name().map_or_else(|_| "?".into(), |n| n.to_string_lossy().into_owned());
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            info: ThreadInfo {
                name: name.into(),
                tid: rustix::thread::gettid().as_raw_nonzero().get(),
            },
            enders: RefCell::new(Vec::new()),
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        for ender in self.enders.take().iter().filter_map(Weak::upgrade) {
            ender.thread_ended(self.id);
        }
    }
}

thread_local! {
    static MARK: Mark = Mark::new();
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Shim for Real {
    type Mutex<T: Send + 'static> = Mutex<T>;
    type Guard<'a, T: Send + 'static> = MutexGuard<'a, T>;
    type Condvar = Condvar;

    fn mutex<T: Send + 'static>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn lock<T: Send + 'static>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }

    fn condvar() -> Condvar {
        Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        condvar: &Condvar,
        _: &'a Mutex<T>,
        mut guard: Self::Guard<'a, T>,
        until: Duration,
    ) -> Self::Guard<'a, T> {
        condvar.wait_for(&mut guard, until.saturating_sub(Self::now()));
        guard
    }

    fn notify(condvar: &Condvar) {
        condvar.notify_one();
    }

    fn thread() -> u64 {
        // 0 is nobody: a thread whose locals are gone already was swept when they went.
        MARK.try_with(|mark| mark.id).unwrap_or(0)
    }

    fn thread_info() -> ThreadInfo {
        MARK.try_with(|mark| mark.info.clone()).unwrap_or_else(|_| ThreadInfo {
            name: "?".into(),
            tid: 0,
        })
    }

    fn now() -> Duration {
        START.elapsed()
    }

    fn at_thread_end(who: Weak<dyn ThreadEnd>) {
        // A thread whose locals are gone already can not promise anything; it is refused by its number 0.
        let _ = MARK.try_with(|mark| {
            let mut enders = mark.enders.borrow_mut();
            if !enders.iter().any(|known| known.ptr_eq(&who)) {
                enders.retain(|known| known.strong_count() > 0);
                enders.push(who);
            }
        });
    }
}
