//! The drivers of this build that tests load.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// The folder that this build's libraries are in, with the drivers built.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = std::env::current_exe().unwrap();
    let built = program.ancestors().nth(2).unwrap().to_path_buf();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--target-dir"])
        .arg(built.parent().unwrap());
    for package in ["hello-driver", "misbehave-driver", "misfit-driver"] {
        cargo.args(["--package", package]);
    }
    assert!(
        cargo
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap()
            .success()
    );
    built
});

/// The content of a driver's file.
pub(crate) fn library(name: &str) -> Vec<u8> {
    std::fs::read(BUILT.join(format!("lib{name}_driver.so"))).unwrap()
}
