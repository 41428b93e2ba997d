//! The table of the remote program's procedures: number, name, who may call it, which workers it may use.

mod lower;
mod own;
mod upper;

use driver_api::error::{Code, Error, Origin};
use std::fmt;

/// What a procedure does, which decides both who may call it and which workers it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Looks at published state: allowed on read-only connections, and never waits behind changes.
    Read,
    /// Changes or reveals something: refused on read-only connections.
    Change,
    /// A change that helps when other changes are stuck: it has a worker of its own.
    Rescue,
    /// Sent by servers only.
    Event,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proc {
    /// The number on the wire.
    pub number: u32,
    /// The protocol's name, such as `DOMAIN_CREATE`.
    pub name: &'static str,
    /// What it does.
    pub class: Class,
    /// Whether a successful call opens a stream.
    pub stream: bool,
}

const fn row(number: u32, name: &'static str, class: Class) -> Proc {
    Proc {
        number,
        name,
        class,
        stream: false,
    }
}

const fn read(number: u32, name: &'static str) -> Proc {
    row(number, name, Class::Read)
}

const fn change(number: u32, name: &'static str) -> Proc {
    row(number, name, Class::Change)
}

const fn rescue(number: u32, name: &'static str) -> Proc {
    row(number, name, Class::Rescue)
}

const fn event(number: u32, name: &'static str) -> Proc {
    row(number, name, Class::Event)
}

/// Words that libvirt's C names spell in another way than one capital and small letters.
const SPELLINGS: &[(&str, &str)] = &[
    ("CPU", "CPU"),
    ("FSFREEZE", "FSFreeze"),
    ("FSINFO", "FSInfo"),
    ("FSTHAW", "FSThaw"),
    ("FSTRIM", "FSTrim"),
    ("ID", "ID"),
    ("IOTHREAD", "IOThread"),
    ("NMI", "NMI"),
    ("NWFILTER", "NWFilter"),
    ("NWFILTERS", "NWFilters"),
    ("OS", "OS"),
    ("PM", "PM"),
    ("SCSI", "SCSI"),
    ("SEV", "SEV"),
    ("SSH", "SSH"),
    ("URI", "URI"),
    ("UUID", "UUID"),
    ("WWN", "WWN"),
    ("XML", "XML"),
];

impl Proc {
    const fn streaming(mut self) -> Self {
        self.stream = true;
        self
    }

    /// The row with this number, if clients may call it.
    #[must_use]
    pub fn callable(number: i32) -> Option<&'static Self> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let row = match index.checked_sub(lower::ROWS.len()) {
            None => &lower::ROWS[index],
            Some(index) => upper::ROWS.get(index)?,
        };
        (row.class != Class::Event).then_some(row)
    }

    /// The row of the host's own program with this number.
    #[must_use]
    pub fn own(number: i32) -> Option<&'static Self> {
        own::ROWS.iter().find(|row| i32::try_from(row.number) == Ok(number))
    }

    /// Every row of the remote program, by number.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        lower::ROWS.iter().chain(upper::ROWS)
    }

    /// The name of the C function behind the procedure, as libvirt's own messages give it: `virDomainGetXMLDesc`.
    #[must_use]
    pub fn function(&self) -> String {
        let mut name = String::from("vir");
        for word in self.name.split('_') {
            if let Some((_, spelling)) = SPELLINGS.iter().find(|(plain, _)| *plain == word) {
                name.push_str(spelling);
            } else if let Some((first, rest)) = word.split_at_checked(1) {
                name.push_str(first);
                name.push_str(&rest.to_ascii_lowercase());
            }
        }
        name
    }

    /// The error that makes clients say "not supported" and take their other way, if they have one.
    #[must_use]
    pub fn not_supported(&self) -> Error {
        Error::new(
            Code::NO_SUPPORT,
            Origin::NONE,
            format!(
                "this function is not supported by the connection driver: {}",
                self.function()
            ),
        )
    }
}

impl fmt::Display for Proc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_at_their_numbers_without_a_hole() {
        assert!(Proc::all().map(|row| row.number).eq(1..=453));
        for row in Proc::all().filter(|row| row.class != Class::Event) {
            assert_eq!(Proc::callable(i32::try_from(row.number).unwrap()), Some(row));
        }
        for number in [i32::MIN, -1, 0, 454, i32::MAX, 107, 318] {
            assert_eq!(Proc::callable(number), None, "{number}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Proc::all().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 453);
    }

    #[test]
    fn function_names_are_libvirts() {
        for (number, name) in [
            (9, "virDomainCreate"),
            (14, "virDomainGetXMLDesc"),
            (24, "virDomainLookupByUUID"),
            (286, "virConnectListAllNWFilters"),
            (262, "virDomainGetCPUStats"),
        ] {
            assert_eq!(Proc::callable(number).unwrap().function(), name);
        }
    }

    #[test]
    fn nothing_that_changes_or_reveals_is_for_read_only_connections() {
        for word in [
            "CREATE",
            "DEFINE",
            "DESTROY",
            "UNDEFINE",
            "SET",
            "OPEN",
            "ATTACH",
            "DETACH",
            "MIGRATE",
            "SAVE",
            "REBOOT",
            "SUSPEND",
            "RESUME",
            "DELETE",
            "SHUTDOWN",
            "PEEK",
            "SCREENSHOT",
            "RENAME",
            "INJECT",
            "SEND",
        ] {
            for row in Proc::all().filter(|row| row.class == Class::Read) {
                let harmless = ["CONNECT_OPEN", "DOMAIN_HAS_MANAGED_SAVE_IMAGE"];
                assert!(
                    harmless.contains(&row.name) || row.name.split('_').all(|part| part != word),
                    "{row}"
                );
            }
        }
    }
}
