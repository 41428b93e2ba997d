//! The `lockstep` binary: hands its arguments to the room that serves them.

use std::process::ExitCode;

fn main() -> ExitCode {
    lockstep::cli::main(std::env::args_os())
}
