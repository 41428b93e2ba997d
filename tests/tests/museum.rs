//! The kept drivers of earlier releases are what they were when they were put there, and no release is without its own.

#![allow(clippy::unwrap_used, reason = "test code: a panic is a verdict")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn museum() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("museum")
}

fn first_words(file: &str, of: usize) -> BTreeSet<String> {
    let text = std::fs::read_to_string(museum().join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_whitespace().nth(of).unwrap().to_owned())
        .collect()
}

#[test]
fn kept_drivers_are_as_they_were_put_there() {
    let folder = museum().join("plugins");
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let names = std::fs::read_dir(&folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = names.filter(|name| name.ends_with(".xz")).collect();
    assert_eq!(
        there,
        first_words("plugins/SHA256SUMS", 1),
        "each file has its checksum"
    );
    assert_eq!(
        there,
        first_words("plugins/builds.txt", 0),
        "each file says how it was built"
    );
}

#[test]
fn each_release_of_the_interface_has_its_drivers_and_layouts() {
    let kept = first_words("plugins/builds.txt", 1);
    let layouts = museum().join("../../driver-api/layouts");
    for version in first_words("releases.txt", 0) {
        assert!(
            kept.contains(&version),
            "no driver of {version} is kept: tools/museum-plugin"
        );
        let golden = layouts.join(format!("{version}.golden"));
        assert!(
            golden.exists(),
            "the layouts of {version} are not kept in {}",
            layouts.display()
        );
    }
    let sealed = std::fs::read_to_string(layouts.join("SHA256SUMS")).unwrap();
    for version in kept {
        assert!(
            sealed.contains(&format!(" {version}.golden")),
            "drivers of {version} are kept, so it is released: list its layouts in driver-api/layouts/SHA256SUMS"
        );
    }
}
