//! Whom a guest runs as: names of users and groups to numbers, by the host's own files.

use crate::core::fault;
use crate::def::label::Owner;
use driver_api::error::{Code, Result};
use std::path::Path;

/// The numbers of a user and a group.
///
/// # Errors
/// 67 for one that the files do not know.
pub(crate) fn resolve(owner: &Owner) -> Result<(u32, u32)> {
    let user = number(&owner.user, "user", Path::new("/etc/passwd"))?;
    let group = number(&owner.group, "group", Path::new("/etc/group"))?;
    Ok((user, group))
}

/// `+NUMBER`, a name, or a number that is no name, as in libvirt.
fn number(text: &str, what: &str, file: &Path) -> Result<u32> {
    if let Some(digits) = text.strip_prefix('+') {
        return digits.parse().ok().filter(|_| is_number(digits)).ok_or_else(|| {
            let message = format!("{what} '{}' of <seclabel> is not a number", text.escape_debug());
            fault(Code::CONFIG_UNSUPPORTED, message)
        });
    }
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    if let Some(number) = lines.lines().find_map(|line| named(line, text)) {
        return Ok(number);
    }
    text.parse().ok().filter(|_| is_number(text)).ok_or_else(|| {
        let message = format!(
            "{what} '{}' of <seclabel> is not in {}: a number can be given as '+1000'",
            text.escape_debug(),
            file.display()
        );
        fault(Code::CONFIG_UNSUPPORTED, message)
    })
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_digit())
}

/// The number in a line `name:password:number:...`, if it is that name's.
fn named(line: &str, name: &str) -> Option<u32> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    fields.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwd");
        std::fs::write(&file, "root:x:0:0::/:/bin/sh\nada:x:1815:7::/:\n77:x:5:5::/:\n").unwrap();
        for (text, expected) in [("ada", 1815), ("+12", 12), ("12", 12), ("77", 5), ("root", 0)] {
            assert_eq!(number(text, "user", &file).unwrap(), expected, "{text}");
        }
        for text in ["nobody-here", "+x", "+", "-1", "+-1", "4294967296", "x", "ad"] {
            let error = number(text, "user", &file).unwrap_err();
            assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
    }
}
