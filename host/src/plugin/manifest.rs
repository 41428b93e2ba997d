//! What a manifest says, and whether a driver that says so can be loaded.

use super::refusal::Refusal;
use driver_api::abi::manifest::{ABI_STABLE, API_MAJOR, MAGIC, Manifest, PANIC_NONE, PANIC_UNWIND};

/// A manifest's texts, once they were read.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) version: &'static str,
    pub(super) rustc: &'static str,
    pub(super) licence: &'static str,
    pub(super) needs: Vec<&'static str>,
    pub(super) kind: u32,
    /// Major and minor.
    pub(super) api: (u16, u16),
    /// Built without `abi_stable`: no compiler has checked how it takes its locks.
    pub(super) plain: bool,
}

impl Facts {
    /// The driver's version of the interface, for people.
    pub(super) fn api(&self) -> String {
        format!("{}.{}", self.api.0, self.api.1)
    }
}

/// The first fields, whose places no version changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) magic: [u8; 8],
    pub(super) size: u32,
    pub(super) major: u16,
    pub(super) minor: u16,
}

/// Whether the rest can be read.
pub(super) fn check_head(head: Head) -> Result<(), Refusal> {
    if head.magic != MAGIC {
        return Err(Refusal::Damaged("it does not begin with the mark of one"));
    }
    if head.major != API_MAJOR {
        return Err(Refusal::Major {
            major: head.major,
            minor: head.minor,
            ours: API_MAJOR,
        });
    }
    if usize::try_from(head.size).unwrap_or(0) < size_of::<Manifest>() {
        return Err(Refusal::Damaged("it is too short"));
    }
    Ok(())
}

/// Whether a driver with this manifest can be asked for its interfaces.
pub(super) fn check(manifest: &Manifest) -> Result<(), Refusal> {
    if !manifest.is_plain() && manifest.abi_stable[..2] != ABI_STABLE[..2] {
        let text = |version: [u16; 3]| version.map(|part| part.to_string()).join(".");
        return Err(Refusal::AbiStable {
            theirs: text(manifest.abi_stable),
            ours: text(ABI_STABLE),
        });
    }
    match manifest.panic {
        PANIC_UNWIND => Ok(()),
        PANIC_NONE if manifest.is_plain() => Ok(()),
        _ => Err(Refusal::PanicAbort),
    }
}

/// Whether its names can be used: as a URI scheme and as a folder.
pub(super) fn check_facts(facts: &Facts, offers: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let scheme = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if facts.name.is_empty() || facts.name.len() > 32 || !facts.name.chars().all(scheme) {
        return Err(Refusal::Damaged(
            "its name is not 1 to 32 lower-case letters, digits or '-'",
        ));
    }
    if let Some(service) = facts.needs.iter().find(|service| !offers(service)) {
        return Err(Refusal::Needs((*service).to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver_api::abi::manifest::{NO_ABI_STABLE, PANIC_ABORT, Text};

    const HEAD: Head = Head {
        magic: MAGIC,
        size: 4096,
        major: API_MAJOR,
        minor: 77,
    };

    #[test]
    fn a_newer_minor_and_a_longer_record_are_welcome() {
        check_head(HEAD).unwrap();
    }

    #[test]
    fn another_major_is_refused_with_both_versions() {
        let refusal = check_head(Head { major: 9, ..HEAD }).unwrap_err();
        assert_eq!(refusal.to_string(), "built for driver-api 9.77; this host speaks 1.x");
    }

    fn outcome(abi_stable: [u16; 3], panic: u32) -> Result<(), Refusal> {
        let text = Text::new("x");
        check(&Manifest {
            magic: MAGIC,
            size: 4096,
            api_major: API_MAJOR,
            api_minor: 0,
            abi_stable,
            reserved: 0,
            kind: 1,
            panic,
            name: text,
            title: text,
            version: text,
            rustc: text,
            licence: text,
            needs: std::ptr::null(),
            needs_len: 0,
            root: std::ptr::null(),
        })
    }

    #[test]
    fn a_driver_without_abi_stable_is_welcome_and_only_it_has_no_panics() {
        outcome(ABI_STABLE, PANIC_UNWIND).unwrap();
        outcome(NO_ABI_STABLE, PANIC_NONE).unwrap();
        outcome(NO_ABI_STABLE, PANIC_UNWIND).unwrap();
        for (abi_stable, panic) in [
            (ABI_STABLE, PANIC_NONE),
            (ABI_STABLE, PANIC_ABORT),
            (NO_ABI_STABLE, PANIC_ABORT),
        ] {
            assert!(matches!(outcome(abi_stable, panic), Err(Refusal::PanicAbort)));
        }
        let other = outcome([0, 10, 0], PANIC_UNWIND).unwrap_err();
        assert!(other.to_string().contains("built with abi_stable 0.10.0"), "{other}");
    }

    #[test]
    fn a_short_record_or_a_foreign_one_is_damaged() {
        for head in [Head { size: 8, ..HEAD }, Head { magic: [0; 8], ..HEAD }] {
            assert!(matches!(check_head(head), Err(Refusal::Damaged(_))));
        }
    }

    #[test]
    fn a_missing_service_is_named() {
        let facts = Facts {
            name: "x",
            title: "X",
            version: "1",
            rustc: "",
            licence: "MIT",
            needs: vec!["lock/1", "tape/1"],
            kind: 1,
            api: (1, 0),
            plain: false,
        };
        let refusal = check_facts(&facts, |id| id == "lock/1").unwrap_err();
        assert_eq!(refusal.to_string(), "it needs 'tape/1', which this host does not offer");
        let path = Facts { name: "../x", ..facts };
        assert!(check_facts(&path, |_| true).is_err());
    }
}
