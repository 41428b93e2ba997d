//! Lockstep's conformance suite over this driver: one test a check, each in a process of its own.
//!
//! `cargo test LOCK-` runs those whose ids begin so; `cargo test -- --list` lists them all.

use conformance::runner::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options {
        config: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance.toml").into()),
        ..Options::default()
    };
    let library = conformance::harness::library("{{crate_name}}");
    conformance::harness(&library, options)
}
