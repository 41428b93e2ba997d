//! `Mutant`: the reference driver with one thing wrong, which the variable `LOCKSTEP_MUTANT` names.
//!
//! The reference itself knows nothing of this: a mutant stands before and behind its methods (`domain`, `more`, `filter`)
//! and between it and the host (`service`). `tests/mutants.toml` says of each what it breaks and which checks must see it.
//!
//! ```text
//! which     the name that is on
//! conduct   what it keeps, its own threads
//! crash     panics, exits, hangs
//! process   what a driver must leave alone: descriptors, children, environment
//! sys       the calls for that
//! lock      locks taken wrongly
//! service   a host that the reference sees distorted
//! shown     lists and look-ups that lie
//! files     definitions that are lost or torn
//! document  documents read and printed carelessly
//! domain, define, more, filter    the methods
//! table     what it exports
//! ```

#![allow(
    unsafe_code,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::mem_forget,
    reason = "being wrong is what this is for"
)]

mod conduct;
mod crash;
mod define;
mod document;
mod domain;
mod files;
mod filter;
mod lock;
mod more;
mod process;
mod service;
mod shown;
mod sys;
mod table;
mod which;

use crate::core::Mock;
use driver_api::driver::{Config, Driver, DriverInfo};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::host::Host;
use driver_api::lock::level::Unlocked;
use driver_api::lock::token::Cx;
use parking_lot::Mutex;
use shown::Shown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use which::on;

/// The reference and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Mutant {
    inner: Mock,
    host: Host,
    config: Config,
    shown: Mutex<Shown>,
    closed: AtomicBool,
    nameless: Mutex<conduct::Nameless>,
    lent: Mutex<Option<conduct::Lent>>,
    calls: AtomicUsize,
}

/// An error of a mutant's own.
fn error(code: Code, message: &str) -> Error {
    Error::new(code, Origin::DOMAIN, message)
}

/// The same error with another code.
fn recoded(error: Error, code: u32) -> Error {
    Error::new(Code(code), error.origin(), error.to_string())
}

impl Driver for Mutant {
    const INFO: DriverInfo = Mock::INFO;

    fn open(host: Host, config: Config) -> Result<Self> {
        which::check()?;
        crash::in_open(&config);
        crash::in_the_oldest_host();
        files::in_open(&config);
        process::in_open();
        Ok(Self {
            inner: Mock::open(host.clone(), config.clone())?,
            host,
            config,
            shown: Mutex::default(),
            closed: AtomicBool::new(false),
            nameless: Mutex::new(conduct::Nameless::begin()),
            lent: Mutex::default(),
            calls: AtomicUsize::new(0),
        })
    }

    fn bring_up(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        files::in_bring_up(&self.config)?;
        self.inner.bring_up(cx)?;
        self.shown.lock().begin(&self.inner);
        Ok(())
    }

    fn autostart(&self, cx: &mut Cx<'_, Unlocked>) -> Result<()> {
        if on("autostart_does_nothing") {
            return Ok(());
        }
        if on("autostart_starts_all") {
            self.start_all(cx);
        }
        self.inner.autostart(cx)
    }

    fn close(&self, within: Duration) -> Result<()> {
        self.closed.store(true, Ordering::SeqCst);
        if on("close_takes_twice_its_time") {
            std::thread::sleep(within + within);
        }
        if on("close_waits_for_quiet") && !self.quiet(within) {
            return Err(error(
                Code::OPERATION_TIMEOUT,
                "calls are under way for as long as close may wait",
            ));
        }
        if on("close_leaves_a_thread") {
            process::leave_a_thread();
        }
        if on("close_ends_the_guests") {
            self.end_all_guests();
        }
        files::in_close();
        self.nameless.lock().end();
        self.inner.close(within)
    }
}

impl Mutant {
    /// What happens at the door of every method that changes something.
    fn enter(&self, method: &str) {
        if on("panics_after_close") && self.closed.load(Ordering::SeqCst) {
            panic!("a mutant panics in {method} after close");
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        crash::in_method(method);
        process::in_method(method);
    }

    /// Whether there comes a while in which nobody calls.
    fn quiet(&self, within: Duration) -> bool {
        const WHILE: Duration = Duration::from_millis(300);
        let until = Instant::now() + within;
        while Instant::now() + WHILE < until {
            let before = self.calls.load(Ordering::SeqCst);
            std::thread::sleep(WHILE);
            if self.calls.load(Ordering::SeqCst) == before {
                return true;
            }
        }
        false
    }

    fn start_all(&self, cx: &mut Cx<'_, Unlocked>) {
        use driver_api::driver::VirtDriver;
        for brief in self.inner.list() {
            drop(self.inner.start(cx, brief.uuid, 0));
        }
    }

    fn end_all_guests(&self) {
        use driver_api::driver::VirtDriver;
        for brief in self.inner.list() {
            let ended = self.host.session("close", |cx| self.inner.destroy(cx, brief.uuid, 0));
            drop(ended);
        }
    }
}
