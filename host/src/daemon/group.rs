//! Groups of the machine, by name or number.

use std::fs;
use std::io;

/// The number of a group; `None` for the empty name, which asks for none.
///
/// # Errors
/// No such group, or a list of groups that can not be read.
pub(super) fn number(name: &str) -> io::Result<Option<u32>> {
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    find(&fs::read_to_string("/etc/group")?, name).map(Some).ok_or_else(|| {
        let text = format!("there is no group '{name}' in /etc/group: make it, or give a number");
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

/// Looks a name up in a list of groups (group(5): name, password, number, members).
fn find(groups: &str, name: &str) -> Option<u32> {
    let mut entries = groups.lines().map(|line| line.split(':'));
    entries.find_map(|mut fields| {
        (fields.next() == Some(name))
            .then(|| fields.nth(1)?.parse().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name_and_number() {
        assert_eq!(find("root:x:0:\nkvm:x:104:alice\n", "kvm"), Some(104));
        assert_eq!(find("root:x:0:\n", "kvm"), None);
        assert_eq!(number("").unwrap(), None);
        assert_eq!(number("42").unwrap(), Some(42));
        assert!(
            number("no such group")
                .unwrap_err()
                .to_string()
                .contains("'no such group'")
        );
    }
}
