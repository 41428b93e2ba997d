//! `Failure`: why a rule set is not in force, and what the kernel can no longer be trusted to hold.

use super::object::What;
use crate::nft::Refusal;
use crate::nft::socket::Failed;
use crate::ruleset;
use driver_api::error::{Code, Error, Origin};
use std::io;

/// Why a rule set did not come into force.
#[derive(Debug)]
pub enum Failure {
    /// The kernel does not hold what it was thought to: somebody else changed our tables, before or at the same time.
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
            Self::Elements { set, port: Some(port) } => write!(f, "values of port '{port}' in set '{set}'"),
            Self::Elements { set, port: None } => write!(f, "values of several ports in set '{set}'"),
        }
    }
}

/// The kernel's no, in our words and its own.
fn refused(refusal: Refusal<What>) -> Failure {
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
    Failure::Refused { error, rule }
}

/// What the kernel holds is not what it was thought to hold.
pub(super) fn stale(deviation: &str) -> Failure {
    let message = format!("somebody else changed our tables in nf_tables: {deviation}");
    Failure::Stale(Error::new(Code::BUILD_FIREWALL, Origin::NWFILTER, message))
}

/// The transaction or its answer was lost.
fn unsent(cause: io::Error) -> Failure {
    let message = "cannot hand a transaction to nf_tables";
    Failure::Refused {
        error: Error::new(Code::BUILD_FIREWALL, Origin::NWFILTER, message).because(cause),
        rule: None,
    }
}

/// Why a transaction is not in force.
pub(super) fn failed(failed: Failed<What>) -> Failure {
    match failed {
        Failed::Refused(refusal) => refused(refusal),
        Failed::Io(error) => unsent(error),
    }
}

/// Our tables can not be read.
pub(super) fn unread(cause: io::Error) -> Failure {
    let message = "cannot read our tables back from the kernel";
    Failure::Refused {
        error: Error::new(Code::BUILD_FIREWALL, Origin::NWFILTER, message).because(cause),
        rule: None,
    }
}

/// A result whose error side is a [`Failure`].
pub type Outcome<T> = std::result::Result<T, Failure>;
