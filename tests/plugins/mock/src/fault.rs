//! Errors in words, with libvirt's code and the part of the driver that speaks.

use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::uuid::Uuid;

/// Which half of the driver speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Domains.
    Domain,
    /// Filters and bindings.
    Filter,
}

impl Part {
    pub(crate) const fn origin(self) -> Origin {
        match self {
            Self::Domain => Origin::DOMAIN,
            Self::Filter => Origin::NWFILTER,
        }
    }
}

/// An error of one part.
pub(crate) fn fault(part: Part, code: Code, message: impl Into<String>) -> Error {
    Error::new(code, part.origin(), message)
}

/// "There is no such domain" (42).
pub(crate) fn no_domain(uuid: Uuid) -> Error {
    let message = format!("no domain with UUID '{uuid}': 'list --all' shows those that there are");
    fault(Part::Domain, Code::NO_DOMAIN, message)
}

/// "That can not be done to this domain now" (55); `why` ends a sentence that begins with its name.
pub(crate) fn refused(name: &str, why: &str) -> Error {
    fault(Part::Domain, Code::OPERATION_INVALID, format!("domain '{name}' {why}"))
}

/// "That makes no sense" (8).
pub(crate) fn senseless(part: Part, message: impl Into<String>) -> Error {
    fault(part, Code::INVALID_ARG, message)
}

/// Refuses the flag bits outside of `known` (8).
pub(crate) fn known_flags(part: Part, verb: &str, given: u32, known: u32) -> Result<()> {
    match given & !known {
        0 => Ok(()),
        rest => Err(senseless(part, format!("{verb} does not know the flags {rest:#x}"))),
    }
}

/// "That is not on the disk" (38).
pub(crate) fn on_disk(part: Part, what: impl Into<String>, cause: std::io::Error) -> Error {
    fault(part, Code::SYSTEM_ERROR, what).because(cause)
}
