//! Shared ground of the end-to-end tests: a private root, a running host, real clients, and a check that nothing is left.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "this crate is test code: a panic is a verdict"
)]

pub mod case;
pub mod cow;
pub mod guest;
pub mod host;
pub mod need;
pub mod net;
pub mod process;
pub mod random;
pub mod virsh;
pub mod wait;
