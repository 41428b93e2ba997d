//! End-to-end cases: the real host, real drivers, real guests, stock clients.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a panic is a verdict"
)]

use conformance::case::{Case, run_all};
use std::process::ExitCode;

mod smoke;

fn main() -> ExitCode {
    let cases: Vec<Case> = [smoke::CASES].concat();
    run_all(&cases)
}
