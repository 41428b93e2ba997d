//! The C header of the frozen tables: types by cbindgen, numbers from our sources, sizes and stamps from our layouts.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a tool of tests: what fails is told and ends it"
)]

mod asserts;
mod numbers;
mod sources;

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The folder of the package whose header this is.
///
/// # Panics
/// Never: this package lies beside it.
#[must_use]
pub fn driver_api() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the repository").join("driver-api")
}

/// The header as it must be.
///
/// # Panics
/// When a source can not be read or cbindgen does not understand it; what it says is shown.
#[must_use]
pub fn header() -> String {
    let folder = tempfile::tempdir().expect("a folder for the sources");
    let source = folder.path().join("abi.rs");
    std::fs::write(&source, sources::all(&driver_api())).expect("the sources can be written");
    let config = cbindgen::Config::from_file(driver_api().join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings = cbindgen::Builder::new()
        .with_src(&source)
        .with_config(config)
        .generate()
        .expect("cbindgen understands the sources");
    let mut types = Vec::new();
    bindings.write(&mut types);
    let types = String::from_utf8(types).expect("text");
    let (head, body) = types
        .split_once("/* NUMBERS */\n")
        .expect("cbindgen.toml has a place for the numbers");
    let mut text = format!("{head}{}{}", numbers::all(&driver_api()), body.trim_end());
    write!(text, "\n\n{}", asserts::all()).expect("a text takes more text");
    text
}
