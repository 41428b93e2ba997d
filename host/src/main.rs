//! The `lockstep` binary: hands its arguments to the room that serves them.

fn main() {}
