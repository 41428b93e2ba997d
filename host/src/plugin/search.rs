//! Where plug-ins are looked for, and which files there are some.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The system's folder of plug-ins.
const SYSTEM: &str = "/usr/lib/lockstep";

/// The folders to look in, first match first: those given, the program's own, the library folder beside it, the system's.
#[must_use]
pub fn folders(given: &[PathBuf]) -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let own = program.as_deref().and_then(Path::parent);
    let beside = own.and_then(Path::parent).map(|prefix| prefix.join("lib/lockstep"));
    given
        .iter()
        .cloned()
        .chain(own.map(Path::to_path_buf))
        .chain(beside)
        .chain([PathBuf::from(SYSTEM)])
        .collect()
}

/// Those of the folders that somebody named in which there is no plug-in, which nobody means.
pub fn without_plugins(given: &[PathBuf]) -> impl Iterator<Item = &Path> {
    let empty = |folder: &&PathBuf| candidates(std::slice::from_ref(folder)).is_empty();
    given.iter().filter(empty).map(PathBuf::as_path)
}

/// The plug-ins in these folders, by name within a folder; of two with one name the first counts. A folder that can not
/// be read holds none.
pub(super) fn candidates(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen: HashSet<OsString> = HashSet::new();
    let mut found = Vec::new();
    for folder in folders {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!(folder = %folder.display(), %error, "no plug-ins here");
                continue;
            }
        };
        let mut names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names.into_iter().filter(|name| is_plugin(name)) {
            if seen.insert(name.clone()) {
                found.push(folder.join(name));
            }
        }
    }
    found
}

fn is_plugin(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"lib") && name.ends_with(b"_driver.so")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_with_one_name_counts_and_others_are_left_alone() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name) in [
            (&first, "libb_driver.so"),
            (&first, "liba_driver.so"),
            (&second, "libb_driver.so"),
            (&second, "libc_driver.so"),
            (&second, "libc_driver.so.bak"),
            (&second, "libc.so"),
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let missing = first.path().join("missing");
        let folders = [first.path().to_path_buf(), missing, second.path().to_path_buf()];
        let expected = [
            first.path().join("liba_driver.so"),
            first.path().join("libb_driver.so"),
            second.path().join("libc_driver.so"),
        ];
        assert_eq!(candidates(&folders), expected);
        assert_eq!(without_plugins(&folders).collect::<Vec<_>>(), [folders[1].as_path()]);
    }
}
