//! What tests of the suite itself share: the plug-ins of this build that it is run over, and the mark of what a run started.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "helpers of tests; not each test program needs all of them"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of this build's programs and libraries, with these packages built.
pub(crate) fn built(packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_conformance")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--target-dir"])
        .arg(folder.parent().unwrap())
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().unwrap().success(), "{packages:?} can not be built");
    folder.to_path_buf()
}

/// The variable by which processes of one run are known again.
pub(crate) const MARK: &str = "CONFORMANCE_TEST_MARK";

/// Processes that still carry a run's mark.
pub(crate) fn left(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let carries = |path: &Path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|line| line == wanted.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| carries(path));
    paths
        .map(|path| std::fs::read_to_string(path.join("cmdline")).unwrap_or_default())
        .collect()
}
