//! The lock manager's models, for any scheduler: what two or three threads do to the very code that ships.
//!
//! Time stands still here, so a wait ends by a grant or never; a thread that called [`World::be_impatient`] is the
//! exception: its waits time out at any moment that the scheduler likes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub(crate) mod filters;

use driver_api::abi::lock::{EXCLUSIVE, Held, LockKey, POISONED};
use driver_api::types::uuid::Uuid;
use lockstep::lock::held::Rules;
use lockstep::lock::shim::{Shim, ThreadEnd};
use lockstep::lock::{CallSpec, Caller, Limits, LockError, Manager};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// A scheduler's threads.
pub(crate) trait World: Shim {
    /// A thread that can be waited for.
    type Join;
    /// Starts a thread whose number is `number`; the model's own thread is 1.
    fn spawn(number: u64, work: impl FnOnce() + Send + 'static) -> Self::Join;
    /// Waits for a thread.
    fn join(thread: Self::Join);
    /// From now on this thread's waits time out.
    fn be_impatient();
}

pub(crate) const NO_ORDER: Rules = Rules {
    order: false,
    nested: true,
};
pub(crate) const NO_NESTED: Rules = Rules {
    order: true,
    nested: false,
};
const UPDATE: u32 = 200;
const VIRT: u32 = 300;
const DOMAIN: u32 = 400;

/// One call on the current thread.
struct Actor<W: World> {
    locks: Arc<Manager<W>>,
    who: Caller,
}

type Answer = Result<Held, LockError>;

impl<W: World> Actor<W> {
    fn begin(locks: &Arc<Manager<W>>) -> Self {
        let call = locks.begin_call(CallSpec::new(1, "model")).unwrap();
        Self {
            locks: Arc::clone(locks),
            who: Caller {
                plugin: 1,
                call: call.id,
            },
        }
    }

    fn level(&self, rank: u32, flags: u32) -> Answer {
        let uuid = Uuid::default();
        self.locks.acquire(self.who, LockKey { rank, uuid }, flags, 0)
    }

    fn domain(&self, last: u8, flags: u32) -> Answer {
        let uuid = uuid(last);
        self.locks.acquire(self.who, LockKey { rank: DOMAIN, uuid }, flags, 0)
    }

    fn release(&self, held: Held) {
        self.locks.release(self.who, held.handle, false).unwrap();
    }

    fn end(self) {
        assert_eq!(self.locks.end_call(self.who), Ok(0));
    }

    /// Releases what was got, in reverse; a refusal is passed on.
    fn chain(self, steps: &[&dyn Fn(&Self) -> Answer]) -> Result<(), LockError> {
        let mut held = Vec::new();
        let mut result = Ok(());
        for step in steps {
            match step(&self) {
                Ok(hold) => held.push(hold),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        held.into_iter().rev().for_each(|hold| self.release(hold));
        self.end();
        result
    }
}

fn uuid(last: u8) -> Uuid {
    let mut bytes = [0; 16];
    bytes[15] = last;
    Uuid::from_bytes(bytes)
}

fn manager<W: World>(rules: Rules) -> Arc<Manager<W>> {
    let limits = Limits {
        // The models break rules on purpose; what becomes of the plug-in is not their business.
        strikes: usize::MAX,
        ..Limits::default()
    };
    Manager::with_rules(limits, rules)
}

fn spawn<W: World>(
    number: u64,
    locks: &Arc<Manager<W>>,
    work: impl FnOnce(Arc<Manager<W>>) + Send + 'static,
) -> W::Join {
    let locks = Arc::clone(locks);
    W::spawn(number, move || work(locks))
}

/// Nothing is held, waited for or poisoned when a model ends.
fn nothing_left<W: World>(locks: &Manager<W>) {
    assert_eq!(locks.status().locks, []);
}

/// Who is inside: a writer must be alone. Not a lock, and not part of the model: it only counts.
#[derive(Default)]
struct Inside(AtomicI32);

impl Inside {
    fn write(&self) {
        assert_eq!(self.0.fetch_sub(1, Ordering::Relaxed), 0, "a writer is not alone");
        assert_eq!(
            self.0.fetch_add(1, Ordering::Relaxed),
            -1,
            "somebody came in to a writer"
        );
    }

    fn read(&self) {
        assert!(
            self.0.fetch_add(1, Ordering::Relaxed) >= 0,
            "a reader came in to a writer"
        );
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// libvirt before 2014: a filter's definition takes Virt, Update, Domain; a guest's start finds its guest under Virt,
/// drops Virt, and asks for Update with the guest held.
pub(crate) fn old_order<W: World>(rules: Rules) {
    let locks = manager::<W>(rules);
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let start = spawn(2, &locks, move |locks| {
        let start = Actor::begin(&locks);
        let held = locks.lookup(start.who, uuid(1), EXCLUSIVE, 0).unwrap();
        match start.level(UPDATE, 0) {
            Ok(update) => start.release(update),
            Err(LockError::Order { .. }) => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(other) => panic!("{other}"),
        }
        start.release(held);
        start.end();
    });
    let define = Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, EXCLUSIVE), &|a| a.domain(1, EXCLUSIVE)]);
    define.unwrap();
    W::join(start);
    assert_eq!(refused.load(Ordering::Relaxed), usize::from(rules.order));
    nothing_left(&locks);
}

/// Ours: definitions and starts walk the same way down.
pub(crate) fn new_order<W: World>(starts: u8) {
    let locks = manager::<W>(Rules::ALL);
    let inside = Arc::new(Inside::default());
    let starts: Vec<_> = (1..=starts)
        .map(|n| {
            let inside = Arc::clone(&inside);
            spawn(u64::from(n) + 1, &locks, move |locks| {
                let start = Actor::begin(&locks);
                let update = start.level(UPDATE, 0).unwrap();
                inside.read();
                let held = locks.lookup(start.who, uuid(1), EXCLUSIVE, 0).unwrap();
                start.release(held);
                start.release(update);
                start.end();
            })
        })
        .collect();
    let define = Actor::begin(&locks);
    let update = define.level(UPDATE, EXCLUSIVE).unwrap();
    inside.write();
    let held = define.domain(1, EXCLUSIVE).unwrap();
    define.release(held);
    define.release(update);
    define.end();
    starts.into_iter().for_each(W::join);
    nothing_left(&locks);
}

/// A start reads Update, and what it calls reads Update again, while a definition waits in between.
pub(crate) fn recursive_read<W: World>(rules: Rules) {
    let locks = manager::<W>(rules);
    let define = spawn(2, &locks, |locks| {
        Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, EXCLUSIVE)]).unwrap();
    });
    let twice = Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, 0), &|a| a.level(UPDATE, 0)]);
    twice.unwrap();
    W::join(define);
    nothing_left(&locks);
}

/// A start waits for a helper thread that needs Update too, while a definition waits behind the start.
pub(crate) fn helper_thread<W: World>(lends: bool) {
    let locks = manager::<W>(Rules::ALL);
    let define = spawn(2, &locks, |locks| {
        Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, EXCLUSIVE)]).unwrap();
    });
    let start = Actor::begin(&locks);
    let update = start.level(UPDATE, 0).unwrap();
    let loan = lends.then(|| locks.lend(start.who, update.handle).unwrap());
    let helper = spawn(3, &locks, move |locks| match loan {
        None => Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, 0)]).unwrap(),
        Some(loan) => {
            let adopted = locks.adopt(1, loan).unwrap();
            let who = Caller {
                plugin: 1,
                call: adopted.call.id,
            };
            assert_eq!(locks.end_call(who), Ok(0));
        }
    });
    W::join(helper);
    start.release(update);
    start.end();
    W::join(define);
    nothing_left(&locks);
}

/// Two threads take the same two guests, one by one and in opposite order.
pub(crate) fn two_domains_opposite<W: World>(rules: Rules) {
    let locks = manager::<W>(rules);
    let there = spawn(2, &locks, |locks| {
        let there = Actor::begin(&locks).chain(&[&|a| a.domain(1, EXCLUSIVE), &|a| a.domain(2, EXCLUSIVE)]);
        there.unwrap();
    });
    let back = Actor::begin(&locks).chain(&[&|a| a.domain(2, EXCLUSIVE), &|a| a.domain(1, EXCLUSIVE)]);
    assert_eq!(back.is_err(), rules.order);
    W::join(there);
    nothing_left(&locks);
}

/// The same two, each pair by one request.
pub(crate) fn two_domains_sorted<W: World>() {
    let locks = manager::<W>(Rules::ALL);
    let both = |locks: &Arc<Manager<W>>, uuids: [Uuid; 2]| {
        let actor = Actor::begin(locks);
        let held = locks.acquire_domains(actor.who, &uuids, EXCLUSIVE, 0).unwrap();
        held.into_iter().for_each(|hold| actor.release(hold));
        actor.end();
    };
    let there = spawn(2, &locks, move |locks| both(&locks, [uuid(1), uuid(2)]));
    both(&locks, [uuid(2), uuid(1)]);
    W::join(there);
    nothing_left(&locks);
}

/// Two readers who both want to become the writer.
pub(crate) fn upgrade<W: World>(rules: Rules) {
    let locks = manager::<W>(rules);
    let climb = move |locks: Arc<Manager<W>>| {
        let up = Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, 0), &|a| a.level(UPDATE, EXCLUSIVE)]);
        assert_eq!(up.is_err(), rules.order);
    };
    let other = spawn(2, &locks, climb);
    climb(Arc::clone(&locks));
    W::join(other);
    nothing_left(&locks);
}

/// How a hold is left behind.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    /// The call ends without giving it back.
    Leaked,
    /// The thread ends inside the call.
    ThreadDied,
    /// A panic unwinds through the guard.
    Panicked,
}

/// Whoever comes after a hold that was left behind gets in, and is told.
pub(crate) fn left_behind<W: World>(how: Left) {
    let locks = manager::<W>(Rules::ALL);
    let careless = spawn(2, &locks, move |locks| {
        let careless = Actor::begin(&locks);
        let held = careless.domain(1, EXCLUSIVE).unwrap();
        match how {
            Left::Leaked => assert_eq!(locks.end_call(careless.who), Ok(1)),
            Left::ThreadDied => locks.thread_ended(W::thread()),
            Left::Panicked => {
                locks.release(careless.who, held.handle, true).unwrap();
                careless.end();
            }
        }
    });
    let look = |actor: &Actor<W>| {
        let held = actor.domain(1, EXCLUSIVE).unwrap();
        let poisoned = held.flags & POISONED != 0;
        if poisoned {
            locks.clear_poison(actor.who, held.handle).unwrap();
        }
        actor.release(held);
        poisoned
    };
    let next = Actor::begin(&locks);
    let mut told = usize::from(look(&next));
    W::join(careless);
    told += usize::from(look(&next));
    next.end();
    assert_eq!(told, 1, "told once, and not again after it was cleared");
    nothing_left(&locks);
}

/// A writer gives up between a reader who has the lock and a reader behind it, who then gets in.
pub(crate) fn timeout<W: World>() {
    let locks = manager::<W>(Rules::ALL);
    let first = Actor::begin(&locks);
    let held = first.level(UPDATE, 0).unwrap();
    let writer = spawn(2, &locks, |locks| {
        W::be_impatient();
        let writer = Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, EXCLUSIVE)]);
        assert!(
            matches!(writer, Err(LockError::Timeout { .. })),
            "the first reader never lets go"
        );
    });
    let reader = spawn(3, &locks, |locks| {
        Actor::begin(&locks).chain(&[&|a| a.level(UPDATE, 0)]).unwrap();
    });
    W::join(reader);
    W::join(writer);
    first.release(held);
    first.end();
    nothing_left(&locks);
}

/// A grant and a timeout race; whoever wins, the lock is not lost.
pub(crate) fn timeout_races_grant<W: World>() {
    let locks = manager::<W>(Rules::ALL);
    let hasty = spawn(2, &locks, |locks| {
        W::be_impatient();
        let hasty = Actor::begin(&locks).chain(&[&|a| a.domain(1, EXCLUSIVE)]);
        assert!(matches!(hasty, Ok(()) | Err(LockError::Timeout { .. })));
    });
    let patient = |locks: &Arc<Manager<W>>| Actor::begin(locks).chain(&[&|a| a.domain(1, EXCLUSIVE)]).unwrap();
    let other = spawn(3, &locks, move |locks| patient(&locks));
    patient(&locks);
    W::join(hasty);
    W::join(other);
    nothing_left(&locks);
}

/// A writer becomes a reader: readers who waited come in beside it, writers do not.
pub(crate) fn downgrade<W: World>() {
    let locks = manager::<W>(Rules::ALL);
    let inside = Arc::new(Inside::default());
    let writer = Actor::begin(&locks);
    let held = writer.level(UPDATE, EXCLUSIVE).unwrap();
    let seen = Arc::clone(&inside);
    let reader = spawn(2, &locks, move |locks| {
        let reader = Actor::begin(&locks);
        let held = reader.level(UPDATE, 0).unwrap();
        seen.read();
        reader.release(held);
        reader.end();
    });
    inside.write();
    locks.downgrade(writer.who, held.handle).unwrap();
    W::join(reader);
    writer.release(held);
    writer.end();
    nothing_left(&locks);
}

/// The table of domains is held while a look-up waits, so nobody changes it under the look-up; and no longer.
pub(crate) fn lookup_and_table<W: World>() {
    let locks = manager::<W>(Rules::ALL);
    let inside = Arc::new(Inside::default());
    let seen = Arc::clone(&inside);
    let define = spawn(2, &locks, move |locks| {
        let define = Actor::begin(&locks);
        let virt = define.level(VIRT, EXCLUSIVE).unwrap();
        seen.write();
        let held = define.domain(1, EXCLUSIVE).unwrap();
        define.release(held);
        define.release(virt);
        define.end();
    });
    let finder = Actor::begin(&locks);
    let held = locks.lookup(finder.who, uuid(1), EXCLUSIVE, 0).unwrap();
    inside.write();
    finder.release(held);
    finder.end();
    W::join(define);
    nothing_left(&locks);
}
