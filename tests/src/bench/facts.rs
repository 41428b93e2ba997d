//! `Facts`: who a driver says it is.

use lockstep::plugin::Candidate;
use serde::{Deserialize, Serialize};

/// Who the driver says it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The version of the interface that it was built for.
    pub api: String,
    /// The services without which it can not work.
    pub needs: Vec<String>,
    /// The interfaces that it offers.
    pub interfaces: Vec<String>,
}

impl Facts {
    /// Of a plug-in that was mapped.
    #[must_use]
    pub fn of(candidate: &Candidate) -> Self {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Self {
            name: candidate.name().to_owned(),
            version: candidate.version().to_owned(),
            api: candidate.api(),
            needs: texts(candidate.needs()),
            interfaces: texts(candidate.interfaces()),
        }
    }
}
