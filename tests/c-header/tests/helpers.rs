//! The headers beside the tables, by programs in C that use them: `tests/c`, with the compiler's checks of memory.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

/// Compiles `tests/c/NAME.c` and runs it in a folder of its own.
fn runs(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/c/{name}.c"));
    let compiled = Command::new("gcc")
        .args(["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"])
        .arg("-Wno-unused-function")
        .args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
        .arg("-I")
        .arg(c_header::driver_api().join("include"))
        .arg("-o")
        .args([&program, &source])
        .output()
        .unwrap();
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let empty = tempfile::tempdir().unwrap();
    let ran = Command::new(&program).current_dir(&empty).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn a_call_that_holds_as_many_locks_as_fit_is_refused_one_more() {
    runs("holds");
}

#[test]
fn a_file_that_is_no_text_is_told_and_hides_no_other() {
    runs("files");
}
