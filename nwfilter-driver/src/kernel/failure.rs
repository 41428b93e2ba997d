//! `Failure`: why a rule set is not in force, and what the kernel can no longer be trusted to hold.

use super::object::What;
use crate::nft::Refusal;
use crate::ruleset;
use driver_api::error::{Code, Error, Origin};
use std::io;

/// Why a rule set did not come into force.
#[derive(Debug)]
pub enum Failure {
    /// The kernel does not hold what it was thought to: somebody else changed our tables.
    Stale(Error),
    /// A rule or value can not be had; what was in force still is.
    Refused {
        /// In words.
        error: Error,
        /// The place in a filter, if it is one rule.
        rule: Option<ruleset::Origin>,
    },
}

impl Failure {
    /// The error, whichever it is.
    #[must_use]
    pub fn into_error(self) -> Error {
        match self {
            Self::Stale(error) | Self::Refused { error, .. } => error,
        }
    }

    pub(super) fn unsupported(message: impl Into<String>, rule: Option<ruleset::Origin>) -> Self {
        Self::Refused {
            error: Error::new(Code::CONFIG_UNSUPPORTED, Origin::NWFILTER, message),
            rule,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.into_error()
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table(family) => write!(f, "the table of family '{}'", family.name()),
            Self::Chain(chain) => write!(f, "chain '{chain}'"),
            Self::Rule {
                chain,
                origin: Some(origin),
            } => write!(
                f,
                "the rule of entry {} of filter {} in chain '{chain}'",
                origin.entry, origin.filter
            ),
            Self::Rule { chain, origin: None } => write!(f, "a rule of chain '{chain}'"),
            Self::Set(set) => write!(f, "set '{set}'"),
            Self::Elements(set) => write!(f, "elements of set '{set}'"),
        }
    }
}

/// The kernel's no, in our words and its own.
pub(super) fn refused(refusal: Refusal<What>) -> Failure {
    let rule = match &refusal.at {
        Some(What::Rule { origin, .. }) => *origin,
        _ => None,
    };
    let subject = match &refusal.at {
        Some(what) => what.to_string(),
        None => "the transaction".to_owned(),
    };
    let reason = io::Error::from_raw_os_error(refusal.errno);
    let message = match refusal.words {
        Some(words) => format!("the kernel refuses {subject} ({words})"),
        None => format!("the kernel refuses {subject}"),
    };
    let error = Error::new(Code::BUILD_FIREWALL, Origin::NWFILTER, message).because(reason);
    // Whether ours is there or not is known: only a stranger can have changed it. A missing kernel module makes ENOENT
    // too, but only for rules.
    let strange = matches!(refusal.errno, libc::ENOENT | libc::EEXIST | libc::EBUSY);
    if strange && !matches!(refusal.at, Some(What::Rule { .. })) {
        Failure::Stale(error)
    } else {
        Failure::Refused { error, rule }
    }
}

/// The transaction or its answer was lost.
pub(super) fn unsent(cause: io::Error) -> Failure {
    let message = "cannot hand a transaction to nf_tables";
    Failure::Refused {
        error: Error::new(Code::BUILD_FIREWALL, Origin::NWFILTER, message).because(cause),
        rule: None,
    }
}

/// Our tables can not be read.
pub(super) fn unread(cause: io::Error) -> Error {
    Error::new(
        Code::BUILD_FIREWALL,
        Origin::NWFILTER,
        "cannot read our tables back from the kernel",
    )
    .because(cause)
}

/// A result whose error side is a [`Failure`].
pub type Outcome<T> = std::result::Result<T, Failure>;
