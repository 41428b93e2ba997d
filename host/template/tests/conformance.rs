//! Lockstep's conformance suite over this driver: one test a check, each in a process of its own.
//!
//! `cargo test LOCK-` runs those that begin so; `cargo test -- --list` lists them.

fn main() {
    conformance::harness("{{crate_name}}");
}
