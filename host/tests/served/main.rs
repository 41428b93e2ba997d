//! A whole host with the hello driver, and clients that ask it for all that drivers may offer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bench;
#[path = "../support/built.rs"]
mod built;
mod commands;
mod control;
mod devices;
mod figures;
mod limits;
mod without;
