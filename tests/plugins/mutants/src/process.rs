//! What a driver must leave alone: descriptors, threads, children, environment, memory, standard output.

use super::sys;
use super::which::on;
use std::fs::File;
use std::time::Duration;

pub(super) fn in_open() {
    if on("sets_a_variable") {
        sys::set_variable();
    }
    if on("changes_the_mask") {
        sys::open_the_mask();
    }
}

pub(super) fn in_method(method: &str) {
    let here = |wanted: &str| method == wanted;
    if on("closes_all_descriptors") && here("reset") {
        sys::close_all();
    }
    if on("leaks_a_descriptor") && here("start") {
        std::mem::forget(File::open("/dev/null"));
    }
    if on("leaks_a_thread") && here("start") {
        leave_a_thread();
    }
    if on("leaves_a_tap") && here("start") {
        sys::leave_a_tap();
    }
    if on("leaks_a_child") && here("start") {
        sys::leave_a_child();
    }
    if on("leaks_memory") && here("define") {
        // Touched, so that the kernel gives it.
        std::mem::forget(vec![1_u8; 256 * 1024]);
    }
    if on("prints_to_stdout") && here("define") {
        println!("a mutant says what it does");
    }
}

/// A thread that nobody waits for.
pub(super) fn leave_a_thread() {
    drop(std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }));
}
