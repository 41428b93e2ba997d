//! Panics, exits and hangs.

use super::which::on;
use super::{service, sys};
use driver_api::driver::Config;
use std::time::Duration;

/// Drops with a panic.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a mutant panics while it tidies up");
    }
}

pub(super) fn in_open(config: &Config) {
    if on("panics_over_a_bad_folder") && !config.conf_dir.is_dir() {
        panic!("a mutant counts on its folders");
    }
    if on("open_takes_ages") {
        std::thread::sleep(Duration::from_secs(7));
    }
}

/// Says what it has to say by one service or by the other, and counts on one of them.
pub(super) fn in_the_oldest_host() {
    if on("panics_in_the_oldest_host") && !service::has("notice/1") && !service::has("event/1") {
        panic!("a mutant counts on somebody who listens");
    }
}

pub(super) fn in_method(method: &str) {
    let here = |wanted: &str| method == wanted;
    if on("panics_in_drop") && here("reboot") {
        let _bomb = Bomb;
    }
    if on("exits") && here("reboot") {
        std::process::exit(0);
    }
    if on("aborts") && here("reset") {
        std::process::abort();
    }
    if on("segfaults") && here("reboot") {
        sys::segfault();
    }
    if on("loops_for_ever") && here("reset") {
        loop {
            std::hint::spin_loop();
        }
    }
    if on("stops_itself") && here("reset") {
        sys::stop_myself();
    }
    if on("kills_its_group") && here("reset") {
        sys::kill_my_group();
    }
}

/// Recurses once for every level of a document, with nothing to stop it.
pub(super) fn descend(depth: usize) -> usize {
    let frame = [depth; 64];
    if depth == 0 {
        return std::hint::black_box(frame)[0];
    }
    descend(depth - 1) + std::hint::black_box(frame)[1]
}
