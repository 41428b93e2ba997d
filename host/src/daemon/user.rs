//! Users of the machine, by name or number.

use std::fs;
use std::io;

/// The word for "each guest one of its own".
const DYNAMIC: &str = "dynamic";

/// User and group of a user; `None` for [`DYNAMIC`].
///
/// # Errors
/// No such user, or a list of users that can not be read.
pub(super) fn ids(name: &str) -> io::Result<Option<(u32, u32)>> {
    if name == DYNAMIC {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    // A number need not be listed, as in a container; its group is then the one of the same number.
    let bare = || name.parse().ok().map(|uid| (uid, uid));
    find(&users, name).or_else(bare).map(Some).ok_or_else(|| {
        let text = format!("there is no user '{name}' in /etc/passwd: make it, or give a number, or \"{DYNAMIC}\"");
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

/// Looks a name or number up in a list of users (passwd(5): name, password, user, group, ...).
fn find(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [own, _, uid, gid, ..] = fields.as_slice() else {
            return None;
        };
        (*own == name || *uid == name).then(|| Some((uid.parse().ok()?, gid.parse().ok()?)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let users = "root:x:0:0::/root:/bin/sh\nguest:x:104:107:a,b:/:/bin/false\nbroken\n";
        assert_eq!(find(users, "guest"), Some((104, 107)));
        assert_eq!(find(users, "104"), Some((104, 107)));
        assert_eq!(find(users, "x"), None);
        assert_eq!(ids("dynamic").unwrap(), None);
        assert_eq!(ids("4294967290").unwrap(), Some((4_294_967_290, 4_294_967_290)));
        assert!(ids("no such user").unwrap_err().to_string().contains("'no such user'"));
    }
}
