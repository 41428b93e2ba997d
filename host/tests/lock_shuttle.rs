//! Thousands of random interleavings of the lock manager's models, with more threads than loom can bear, under shuttle.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lock_models;

use lock_models::filters::{Cast, port_of_a_guest};
use lock_models::{Left, NO_NESTED, NO_ORDER, World};
use lockstep::lock::held::Rules;
use lockstep::lock::shim::{Shim, ThreadEnd, ThreadInfo};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use std::cell::Cell;
use std::sync::Weak;
use std::time::Duration;

struct Shuttle;

shuttle::thread_local! {
    static NUMBER: Cell<u64> = Cell::new(1);
    static CLOCK: Cell<Option<Duration>> = Cell::new(None);
}

impl Shim for Shuttle {
    type Mutex<T: Send + 'static> = Mutex<T>;
    type Guard<'a, T: Send + 'static> = MutexGuard<'a, T>;
    type Condvar = Condvar;

    fn mutex<T: Send + 'static>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn lock<T: Send + 'static>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }

    fn condvar() -> Condvar {
        Condvar::new()
    }

    fn wait<'a, T: Send + 'static>(
        condvar: &Condvar,
        mutex: &'a Mutex<T>,
        guard: Self::Guard<'a, T>,
        until: Duration,
    ) -> Self::Guard<'a, T> {
        if CLOCK.with(Cell::get).is_none() {
            return condvar.wait(guard).unwrap();
        }
        // shuttle knows no wait that ends by itself: let go once, so that anybody may come between, and be too late.
        drop(guard);
        CLOCK.with(|clock| clock.set(Some(until)));
        mutex.lock().unwrap()
    }

    fn notify(condvar: &Condvar) {
        condvar.notify_one();
    }

    fn thread() -> u64 {
        NUMBER.with(Cell::get)
    }

    fn thread_info() -> ThreadInfo {
        ThreadInfo {
            name: "shuttle".into(),
            tid: 0,
        }
    }

    fn now() -> Duration {
        CLOCK.with(Cell::get).unwrap_or_default()
    }

    fn at_thread_end(_: Weak<dyn ThreadEnd>) {}
}

impl World for Shuttle {
    type Join = shuttle::thread::JoinHandle<()>;

    fn spawn(number: u64, work: impl FnOnce() + Send + 'static) -> Self::Join {
        shuttle::thread::spawn(move || {
            NUMBER.with(|n| n.set(number));
            work();
        })
    }

    fn join(thread: Self::Join) {
        thread.join().unwrap();
    }

    fn be_impatient() {
        CLOCK.with(|clock| clock.set(Some(Duration::ZERO)));
    }
}

const SCHEDULES: usize = 500;

/// Schedules with few preemptions at unlucky places, then schedules with many anywhere.
fn explore(model: impl Fn() + Sync + Send + Copy + 'static) {
    shuttle::check_pct(model, SCHEDULES, 3);
    shuttle::check_random(model, SCHEDULES);
}

#[test]
#[should_panic(expected = "deadlock")]
fn old_order_without_the_check_deadlocks() {
    explore(|| lock_models::old_order::<Shuttle>(NO_ORDER));
}

#[test]
fn old_order_is_refused() {
    explore(|| lock_models::old_order::<Shuttle>(Rules::ALL));
}

#[test]
fn new_order_passes_with_eight_starts() {
    explore(|| lock_models::new_order::<Shuttle>(8));
}

#[test]
#[should_panic(expected = "deadlock")]
fn recursive_read_without_the_rule_deadlocks() {
    explore(|| lock_models::recursive_read::<Shuttle>(NO_NESTED));
}

#[test]
fn recursive_read_passes() {
    explore(|| lock_models::recursive_read::<Shuttle>(Rules::ALL));
}

#[test]
#[should_panic(expected = "deadlock")]
fn helper_without_a_loan_deadlocks() {
    explore(|| lock_models::helper_thread::<Shuttle>(false));
}

#[test]
fn helper_with_a_loan_passes() {
    explore(|| lock_models::helper_thread::<Shuttle>(true));
}

#[test]
#[should_panic(expected = "deadlock")]
fn two_domains_in_opposite_order_without_the_check_deadlock() {
    explore(|| lock_models::two_domains_opposite::<Shuttle>(NO_ORDER));
}

#[test]
fn two_domains_in_opposite_order_are_refused() {
    explore(|| lock_models::two_domains_opposite::<Shuttle>(Rules::ALL));
}

#[test]
fn two_domains_by_one_request_pass() {
    explore(lock_models::two_domains_sorted::<Shuttle>);
}

#[test]
#[should_panic(expected = "deadlock")]
fn upgrade_without_the_check_deadlocks() {
    explore(|| lock_models::upgrade::<Shuttle>(NO_ORDER));
}

#[test]
fn upgrade_is_refused() {
    explore(|| lock_models::upgrade::<Shuttle>(Rules::ALL));
}

#[test]
fn a_leak_is_swept() {
    explore(|| lock_models::left_behind::<Shuttle>(Left::Leaked));
}

#[test]
fn a_dead_thread_is_swept() {
    explore(|| lock_models::left_behind::<Shuttle>(Left::ThreadDied));
}

#[test]
fn a_panic_poisons() {
    explore(|| lock_models::left_behind::<Shuttle>(Left::Panicked));
}

#[test]
fn a_timeout_lets_those_behind_in() {
    explore(lock_models::timeout::<Shuttle>);
}

#[test]
fn a_timeout_may_race_a_grant() {
    explore(lock_models::timeout_races_grant::<Shuttle>);
}

#[test]
fn downgrade_lets_readers_in() {
    explore(lock_models::downgrade::<Shuttle>);
}

#[test]
fn lookup_holds_the_table_while_it_waits() {
    explore(lock_models::lookup_and_table::<Shuttle>);
}

#[test]
fn definition_learning_start_autostart_and_end_at_once() {
    let cast = Cast {
        define: true,
        learn: true,
        autostart: true,
        end: true,
    };
    explore(move || port_of_a_guest::<Shuttle>(cast));
}
