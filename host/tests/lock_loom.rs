//! Every interleaving (up to three preemptions) of the lock manager's models, under loom.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lock_models;

use lock_models::filters::{Cast, port_of_a_guest};
use lock_models::{Left, NO_NESTED, NO_ORDER, World};
use lockstep::lock::held::Rules;
use lockstep::lock::shim::{Shim, ThreadEnd, ThreadInfo};
use loom::sync::{Condvar, Mutex, MutexGuard};
use std::cell::Cell;
use std::process::Command;
use std::sync::Weak;
use std::time::Duration;

struct Loom;

loom::thread_local! {
    static NUMBER: Cell<u64> = Cell::new(1);
    static CLOCK: Cell<Option<Duration>> = Cell::new(None);
}

impl Shim for Loom {
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
        // loom knows no wait that ends by itself: let go once, so that anybody may come between, and be too late.
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
            name: "loom".into(),
            tid: 0,
        }
    }

    fn now() -> Duration {
        CLOCK.with(Cell::get).unwrap_or_default()
    }

    fn at_thread_end(_: Weak<dyn ThreadEnd>) {}
}

impl World for Loom {
    type Join = loom::thread::JoinHandle<()>;

    fn spawn(number: u64, work: impl FnOnce() + Send + 'static) -> Self::Join {
        loom::thread::spawn(move || {
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

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Runs the model in a child process, where it must be found deadlocking: loom then unwinds through threads that are
/// unwinding already, which aborts.
fn must_deadlock(test: &str, model: fn()) {
    const CHILD: &str = "LOCK_LOOM_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return explore(model);
    }
    let this = std::env::current_exe().unwrap();
    let child = Command::new(this)
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr) + String::from_utf8_lossy(&child.stdout);
    assert!(!child.status.success() && said.contains("deadlock"), "{said}");
}

#[test]
fn old_order_without_the_check_deadlocks() {
    must_deadlock("old_order_without_the_check_deadlocks", || {
        lock_models::old_order::<Loom>(NO_ORDER)
    });
}

#[test]
fn old_order_is_refused() {
    explore(|| lock_models::old_order::<Loom>(Rules::ALL));
}

#[test]
fn new_order_passes_with_two_starts() {
    explore(|| lock_models::new_order::<Loom>(2));
}

#[test]
fn recursive_read_without_the_rule_deadlocks() {
    must_deadlock("recursive_read_without_the_rule_deadlocks", || {
        lock_models::recursive_read::<Loom>(NO_NESTED);
    });
}

#[test]
fn recursive_read_passes() {
    explore(|| lock_models::recursive_read::<Loom>(Rules::ALL));
}

#[test]
fn helper_without_a_loan_deadlocks() {
    must_deadlock("helper_without_a_loan_deadlocks", || {
        lock_models::helper_thread::<Loom>(false)
    });
}

#[test]
fn helper_with_a_loan_passes() {
    explore(|| lock_models::helper_thread::<Loom>(true));
}

#[test]
fn two_domains_in_opposite_order_without_the_check_deadlock() {
    must_deadlock("two_domains_in_opposite_order_without_the_check_deadlock", || {
        lock_models::two_domains_opposite::<Loom>(NO_ORDER);
    });
}

#[test]
fn two_domains_in_opposite_order_are_refused() {
    explore(|| lock_models::two_domains_opposite::<Loom>(Rules::ALL));
}

#[test]
fn two_domains_by_one_request_pass() {
    explore(lock_models::two_domains_sorted::<Loom>);
}

#[test]
fn upgrade_without_the_check_deadlocks() {
    must_deadlock("upgrade_without_the_check_deadlocks", || {
        lock_models::upgrade::<Loom>(NO_ORDER)
    });
}

#[test]
fn upgrade_is_refused() {
    explore(|| lock_models::upgrade::<Loom>(Rules::ALL));
}

#[test]
fn a_leak_is_swept() {
    explore(|| lock_models::left_behind::<Loom>(Left::Leaked));
}

#[test]
fn a_dead_thread_is_swept() {
    explore(|| lock_models::left_behind::<Loom>(Left::ThreadDied));
}

#[test]
fn a_panic_poisons() {
    explore(|| lock_models::left_behind::<Loom>(Left::Panicked));
}

#[test]
fn a_timeout_lets_those_behind_in() {
    explore(lock_models::timeout::<Loom>);
}

#[test]
fn a_timeout_may_race_a_grant() {
    explore(lock_models::timeout_races_grant::<Loom>);
}

#[test]
fn downgrade_lets_readers_in() {
    explore(lock_models::downgrade::<Loom>);
}

#[test]
fn lookup_holds_the_table_while_it_waits() {
    explore(lock_models::lookup_and_table::<Loom>);
}

const NOBODY: Cast = Cast {
    define: false,
    learn: false,
    autostart: false,
    end: false,
};

#[test]
fn a_definition_and_a_learned_address_meet_a_start() {
    let cast = Cast {
        define: true,
        learn: true,
        ..NOBODY
    };
    explore(move || port_of_a_guest::<Loom>(cast));
}

#[test]
fn a_definition_meets_a_start_and_an_autostart() {
    let cast = Cast {
        define: true,
        autostart: true,
        ..NOBODY
    };
    explore(move || port_of_a_guest::<Loom>(cast));
}

#[test]
fn a_learned_address_meets_a_start_and_an_end() {
    let cast = Cast {
        learn: true,
        end: true,
        ..NOBODY
    };
    explore(move || port_of_a_guest::<Loom>(cast));
}
