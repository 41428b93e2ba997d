//! The header in the repository is the one that the sources make.
//!
//! `C_HEADER=write cargo test -p c-header` writes it anew; its difference belongs in review.

#![allow(clippy::unwrap_used, reason = "tests")]

#[test]
fn the_header_in_the_repository_is_the_one_that_the_sources_make() {
    let file = c_header::driver_api().join("include/lockstep_driver.h");
    let now = c_header::header();
    if std::env::var_os("C_HEADER").is_some_and(|what| what == "write") {
        std::fs::write(&file, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = kept.lines().zip(now.lines()).find(|(old, new)| old != new);
    assert!(
        kept == now,
        "{} is not what the sources make, first at {differs:?}; C_HEADER=write makes it anew",
        file.display()
    );
}

#[test]
fn a_compiler_of_c_agrees_with_every_size_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("header.c");
    std::fs::write(&source, "#include \"lockstep_kit.h\"\n").unwrap();
    std::fs::write(folder.path().join("lockstep_driver.h"), c_header::header()).unwrap();
    let kit = c_header::driver_api().join("include/lockstep_kit.h");
    std::fs::copy(kit, folder.path().join("lockstep_kit.h")).unwrap();
    for standard in ["c11", "c17"] {
        let output = std::process::Command::new("gcc")
            .args([
                "-fsyntax-only",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pedantic",
                "-Wno-unused-function",
            ])
            .arg(format!("-std={standard}"))
            .arg(&source)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
