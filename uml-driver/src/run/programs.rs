//! Programs beside a guest: where the host has them.

use crate::core::fault;
use driver_api::error::{Code, Result};
use driver_api::types::guest::VisibleFile;
use driver_api::types::launch::Companion;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where programs are looked for; never where the host's environment says, which may be a user's.
const FOLDERS: &[&str] = &[
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
];

/// The same with the program's path in place of its name, and only those files that are there.
///
/// # Errors
/// 67 with the name of a program that the host has not.
pub(crate) fn found(companion: Companion, purpose: &str) -> Result<Companion> {
    found_in(companion, purpose, FOLDERS)
}

fn found_in(mut companion: Companion, purpose: &str, folders: &[&str]) -> Result<Companion> {
    let name = companion.argv.first().cloned().unwrap_or_default();
    let path = folders
        .iter()
        .map(|folder| Path::new(folder).join(&name))
        .find(|path| is_program(path));
    let Some(path) = path else {
        let message = format!("{purpose} needs the program '{name}', which this host has not: install it");
        return Err(fault(Code::CONFIG_UNSUPPORTED, message));
    };
    if let Some(first) = companion.argv.first_mut() {
        *first = path.to_string_lossy().into_owned();
    }
    companion.files.retain(|file| file.path.exists());
    companion.files.insert(0, visible(path));
    Ok(companion)
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn visible(path: PathBuf) -> VisibleFile {
    VisibleFile { path, writable: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_and_told_when_it_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        let companion = Companion {
            argv: vec!["tool".to_owned(), "-x".to_owned()],
            files: vec![visible("/not/there".into())],
            ..Companion::default()
        };
        let error = found_in(companion.clone(), "interface 'a'", &[folder]).unwrap_err();
        assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
        assert!(
            error.to_string().contains("interface 'a' needs the program 'tool'"),
            "{error}"
        );
        let tool = dir.path().join("tool");
        std::fs::write(&tool, "").unwrap();
        found_in(companion.clone(), "", &[folder]).unwrap_err();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let found = found_in(companion, "", &["/nowhere", folder]).unwrap();
        assert_eq!(found.argv, [tool.to_str().unwrap(), "-x"]);
        assert_eq!(found.files, [visible(tool)]);
    }
}
