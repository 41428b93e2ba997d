//! Completion scripts for shells: every verb with its options, generated from the same tables that parse them.

use clap_complete::Shell;

/// The script for one shell.
#[must_use]
pub fn script(shell: Shell) -> Vec<u8> {
    let mut command = super::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "lockstep", &mut script);
    script
}
