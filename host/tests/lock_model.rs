//! The lock table against a much simpler model of it: random walks of four threads over five locks must look the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use driver_api::types::uuid::Uuid;
use lockstep::lock::held::Rules;
use lockstep::lock::shim::ThreadInfo;
use lockstep::lock::status::Party;
use lockstep::lock::strike::Plugins;
use lockstep::lock::table::{Actor, Step, Table};
use lockstep::lock::{CallSpec, Key, LockError, Mode};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const THREADS: usize = 4;
const NOW: Duration = Duration::ZERO;

/// The locks of the walk, in lock order.
fn keys() -> [Key; 5] {
    let guest = |n| Key::domain(1, Uuid::from_bytes([n; 16]));
    [Key::Filter, Key::Update, Key::Virt { driver: 1 }, guest(1), guest(2)]
}

#[derive(Clone, Debug)]
enum Op {
    /// Thread, lock, exclusively, do not wait.
    Acquire(usize, usize, bool, bool),
    /// Thread, which of its holds, unwinding.
    Release(usize, usize, bool),
    Downgrade(usize, usize),
    ClearPoison(usize, usize),
    /// The thread's wait times out.
    GiveUp(usize),
    /// The thread's call ends and another one begins.
    EndCall(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let thread = 0..THREADS;
    let hold = 0..3_usize;
    prop_oneof![
        8 => (thread.clone(), 0..keys().len(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(t, k, w, now)| Op::Acquire(t, k, w, now)),
        4 => (thread.clone(), hold.clone(), prop::bool::weighted(0.1)).prop_map(|(t, h, u)| Op::Release(t, h, u)),
        1 => (thread.clone(), hold.clone()).prop_map(|(t, h)| Op::Downgrade(t, h)),
        1 => (thread.clone(), hold).prop_map(|(t, h)| Op::ClearPoison(t, h)),
        2 => thread.clone().prop_map(Op::GiveUp),
        1 => thread.prop_map(Op::EndCall),
    ]
}

/// One arrival at a lock. All arrivals stand in one list, in order; those that got in and those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arrival {
    thread: usize,
    number: usize,
    exclusive: bool,
    inside: bool,
}

/// The model: for each lock its arrivals, and whether it is poisoned. Nothing here is fast or clever.
#[derive(Debug, Default)]
struct Model {
    arrivals: BTreeMap<Key, Vec<Arrival>>,
    poisoned: BTreeSet<Key>,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    In,
    Waits,
    Busy,
    Refused,
}

impl Model {
    fn of(&self, key: Key) -> &[Arrival] {
        self.arrivals.get(&key).map_or(&[], Vec::as_slice)
    }

    fn acquire(&mut self, thread: usize, number: usize, key: Key, exclusive: bool, now_or_never: bool) -> Verdict {
        let mine = |k: &Key| self.of(*k).iter().any(|a| a.thread == thread);
        let greatest = self.arrivals.keys().filter(|k| mine(k)).max();
        let nested = self.of(key).iter().any(|a| a.thread == thread && !a.exclusive) && !exclusive;
        if key == Key::Filter && !exclusive || !nested && greatest.is_some_and(|held| *held >= key) {
            return Verdict::Refused;
        }
        let clash = |a: &Arrival| exclusive || a.exclusive || !a.inside;
        let inside = nested || !self.of(key).iter().any(clash);
        if !inside && now_or_never {
            return Verdict::Busy;
        }
        let list = self.arrivals.entry(key).or_default();
        // A nested reader stands with those who are inside, before everybody who waits.
        let place = if inside {
            list.iter().filter(|a| a.inside).count()
        } else {
            list.len()
        };
        let arrival = Arrival {
            thread,
            number,
            exclusive,
            inside,
        };
        list.insert(place, arrival);
        if inside { Verdict::In } else { Verdict::Waits }
    }

    fn leave(&mut self, key: Key, number: usize, spoilt: bool) {
        let list = self.arrivals.get_mut(&key).unwrap();
        let gone = list.remove(list.iter().position(|a| a.number == number).unwrap());
        if spoilt && gone.exclusive {
            self.poisoned.insert(key);
        }
        self.let_in(key);
    }

    fn downgrade(&mut self, key: Key, number: usize) {
        let list = self.arrivals.get_mut(&key).unwrap();
        list.iter_mut().find(|a| a.number == number).unwrap().exclusive = false;
        self.let_in(key);
    }

    /// Everybody comes in who clashes with nobody before him.
    fn let_in(&mut self, key: Key) {
        let list = self.arrivals.get_mut(&key).unwrap();
        for i in 0..list.len() {
            let me = list[i];
            let clash = list[..i].iter().any(|a| me.exclusive || a.exclusive || !a.inside);
            list[i].inside |= !clash;
        }
        if list.is_empty() {
            self.arrivals.remove(&key);
        }
    }
}

/// The real table, driven as four threads would drive it.
struct Walk {
    table: Table<usize>,
    model: Model,
    calls: [u64; THREADS],
    /// What each thread holds or waits for: (arrival number, lock, handle).
    owned: [Vec<(usize, Key, u64)>; THREADS],
    next: usize,
}

impl Walk {
    fn new() -> Self {
        let mut walk = Self {
            table: Table::new(Rules::ALL, Plugins::new(usize::MAX, Duration::MAX)),
            model: Model::default(),
            calls: [0; THREADS],
            owned: Default::default(),
            next: 0,
        };
        (0..THREADS).for_each(|thread| walk.begin(thread));
        walk
    }

    fn begin(&mut self, thread: usize) {
        let info = ThreadInfo {
            name: thread.to_string().into(),
            tid: 0,
        };
        let call = self.table.begin(CallSpec::new(1, "walk"), number(thread), info, NOW);
        self.calls[thread] = call.unwrap().id;
    }

    fn actor(&self, thread: usize) -> Actor {
        Actor {
            plugin: 1,
            call: self.calls[thread],
            thread: number(thread),
        }
    }

    fn waits(&self, thread: usize) -> Option<(usize, Key, u64)> {
        let (arrival, key, handle) = *self.owned[thread].last()?;
        let waiting = self.model.of(key).iter().any(|a| a.number == arrival && !a.inside);
        waiting.then_some((arrival, key, handle))
    }

    fn step(&mut self, op: &Op) {
        let (Op::Acquire(thread, ..)
        | Op::Release(thread, ..)
        | Op::Downgrade(thread, _)
        | Op::ClearPoison(thread, _)
        | Op::GiveUp(thread)
        | Op::EndCall(thread)) = *op;
        let waits = self.waits(thread);
        // A thread that waits can do nothing but give up, and only a thread that waits can do that.
        if waits.is_some() != matches!(op, Op::GiveUp(_)) {
            return;
        }
        let who = self.actor(thread);
        match *op {
            Op::Acquire(_, key, exclusive, now) => self.acquire(who, thread, keys()[key], exclusive, now),
            Op::Release(_, nth, unwinding) => {
                if nth < self.owned[thread].len() {
                    let (arrival, key, handle) = self.owned[thread].remove(nth);
                    self.table.release(who, handle, unwinding, NOW).unwrap();
                    self.model.leave(key, arrival, unwinding);
                    assert_eq!(self.table.release(who, handle, false, NOW), Err(LockError::UnknownHold));
                }
            }
            Op::Downgrade(_, nth) => {
                if let Some((arrival, key, handle)) = self.owned[thread].get(nth).copied() {
                    let done = self.table.downgrade(who, handle, NOW).is_ok();
                    let may = key != Key::Filter && self.exclusive(key, arrival);
                    assert_eq!(done, may);
                    if done {
                        self.model.downgrade(key, arrival);
                    }
                }
            }
            Op::ClearPoison(_, nth) => {
                if let Some((arrival, key, handle)) = self.owned[thread].get(nth).copied() {
                    let done = self.table.clear_poison(who, handle, NOW).is_ok();
                    assert_eq!(done, self.exclusive(key, arrival));
                    if done {
                        self.model.poisoned.remove(&key);
                    }
                }
            }
            Op::GiveUp(_) => {
                if let Some((arrival, key, handle)) = waits {
                    let error = self.table.give_up(handle, key, Mode::Shared, NOW, NOW);
                    assert!(matches!(error, LockError::Timeout { holders, .. } if !holders.is_empty()));
                    self.owned[thread].pop();
                    self.model.leave(key, arrival, false);
                }
            }
            Op::EndCall(_) => {
                let left = std::mem::take(&mut self.owned[thread]);
                assert_eq!(self.table.end(who, NOW), Ok(left.len()));
                for (arrival, key, _) in left.into_iter().rev() {
                    self.model.leave(key, arrival, true);
                }
                self.begin(thread);
            }
        }
    }

    fn acquire(&mut self, who: Actor, thread: usize, key: Key, exclusive: bool, now: bool) {
        let mode = if exclusive { Mode::Exclusive } else { Mode::Shared };
        let arrival = self.next;
        self.next += 1;
        let step = self.table.request(who, key, mode, now, NOW, || thread);
        let (verdict, handle) = match step {
            Ok(Step::Granted(held)) => (Verdict::In, Some(held.handle)),
            Ok(Step::Queued(handle)) => (Verdict::Waits, Some(handle)),
            Err(LockError::Busy { .. }) => (Verdict::Busy, None),
            Err(_) => (Verdict::Refused, None),
        };
        assert_eq!(
            verdict,
            self.model.acquire(thread, arrival, key, exclusive, now),
            "{key} {mode}"
        );
        self.owned[thread].extend(handle.map(|handle| (arrival, key, handle)));
    }

    fn exclusive(&self, key: Key, arrival: usize) -> bool {
        self.model.of(key).iter().any(|a| a.number == arrival && a.exclusive)
    }

    /// The table and the model show the same holders, the same queue in the same order, the same poison; and exactly
    /// the threads were woken that had waited and are inside now.
    fn compare(&mut self, waited: &[bool; THREADS]) {
        let status = self.table.status(NOW);
        let shown: Vec<u32> = status.locks.iter().map(|l| l.rank).collect();
        let mut known: Vec<Key> = self
            .model
            .arrivals
            .keys()
            .chain(&self.model.poisoned)
            .copied()
            .collect();
        known.sort_unstable();
        known.dedup();
        assert_eq!(shown, known.iter().map(|k| k.rank()).collect::<Vec<_>>());
        for (lock, key) in status.locks.iter().zip(known) {
            let (inside, outside): (Vec<_>, Vec<_>) = self.model.of(key).iter().copied().partition(|a| a.inside);
            let mut holders: Vec<_> = lock.holders.iter().map(seen).collect();
            let mut inside: Vec<_> = inside.iter().map(meant).collect();
            holders.sort();
            inside.sort();
            assert_eq!(holders, inside, "{key}");
            let queue: Vec<_> = lock.waiters.iter().map(seen).collect();
            assert_eq!(queue, outside.iter().map(meant).collect::<Vec<_>>(), "{key}");
            assert_eq!(lock.poisoned, self.model.poisoned.contains(&key), "{key}");
        }
        let woken: BTreeSet<usize> = self.table.take_effects().wake.into_iter().collect();
        for (thread, waited) in waited.iter().enumerate() {
            let inside = *waited && self.waits(thread).is_none();
            assert_eq!(woken.contains(&thread), inside, "thread {thread}");
            let handle = self.owned[thread].last().map(|(_, _, handle)| *handle);
            assert!(!inside || handle.is_some_and(|h| self.table.granted(h).is_some()));
        }
    }
}

/// Threads are numbered from 1 for the table, where 0 is nobody.
fn number(thread: usize) -> u64 {
    u64::try_from(thread).unwrap() + 1
}

fn seen(party: &Party) -> (String, bool) {
    (party.thread.clone(), party.mode == "exclusive")
}

fn meant(arrival: &Arrival) -> (String, bool) {
    (arrival.thread.to_string(), arrival.exclusive)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_does_what_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        let mut walk = Walk::new();
        for op in &ops {
            let gives_up = |thread| matches!(op, Op::GiveUp(t) if *t == thread);
            let waited = std::array::from_fn(|thread| walk.waits(thread).is_some() && !gives_up(thread));
            walk.step(op);
            walk.compare(&waited);
        }
    }

    #[test]
    fn somebody_can_always_go_on(ops in prop::collection::vec(op(), 1..120)) {
        let mut walk = Walk::new();
        for op in &ops {
            // Nobody gives up here: the order alone must keep the threads from waiting in a ring.
            if !matches!(op, Op::GiveUp(_)) {
                walk.step(op);
            }
            prop_assert!((0..THREADS).any(|thread| walk.waits(thread).is_none()));
        }
    }
}
