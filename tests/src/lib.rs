//! The conformance suite for Lockstep's drivers, and the shared ground of the end-to-end tests beside it.
//!
//! The suite: [`catalogue`] holds the [`check`]s, each tried by the [`runner`] in a process of its own against one plug-in on
//! the [`bench`]. `conformance run ./libfoo_driver.so` runs them, [`harness()`] makes `cargo test` entries of them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "this crate is test code: a panic is a verdict"
)]

pub mod bench;
pub mod case;
pub mod catalogue;
pub mod check;
mod checks;
pub mod cow;
pub mod fixture;
pub mod guest;
pub mod harness;
pub mod host;
pub mod need;
pub mod net;
pub mod process;
pub mod profile;
pub mod random;
pub mod runner;
pub mod virsh;
pub mod wait;

pub use harness::{entry, harness};
