//! The `lockstep` binary: hands its arguments to the room that serves them.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: a supervisor stays as small as it starts, and its descriptors are given by number.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == lockstep::supervisor::child::ARGUMENT)
    {
        return lockstep::supervisor::child::main();
    }
    lockstep::cli::main(std::env::args_os())
}
