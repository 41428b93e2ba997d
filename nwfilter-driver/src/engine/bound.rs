//! `Bound`: one port with its filter, as it is in force.

use super::lesson::Lesson;
use crate::binding::store::Record;
use crate::compile::Compiled;
use crate::def::vars::Parameters;
use crate::ruleset::ProgramName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every port, by name. Never changes: a change makes a new table.
pub type Ports = BTreeMap<String, Arc<Bound>>;

/// A port with rules. Never changes either.
#[derive(Clone, Debug)]
pub struct Bound {
    /// What was asked for, by whom, and what was learned since.
    pub record: Record,
    /// Tells this binding of the port from earlier and later ones.
    pub generation: u64,
    /// Which rules it has now.
    pub stage: Stage,
    /// What is being learned for it.
    pub lesson: Option<Lesson>,
    /// Every filter that its rules depend on, those included that do not exist.
    pub uses: Arc<BTreeSet<String>>,
    /// What its variables stand for in the rules that it has now.
    pub values: Parameters,
    /// The rules' name in the kernel.
    pub program: ProgramName,
    /// The rules.
    pub compiled: Arc<Compiled>,
}

/// Which rules a port has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Those of its filter.
    Filtered,
    /// It is closed to all but what learning needs.
    Learning,
    /// It is closed: its filter or its file can not be used, for this reason.
    Closed(String),
}

impl Bound {
    /// The port.
    #[must_use]
    pub fn port(&self) -> &str {
        &self.record.def.port
    }

    /// Whether only its port is known, because its file is damaged.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        self.record.def.filter.is_empty()
    }

    /// Why it is closed, if it is.
    #[must_use]
    pub fn closed(&self) -> Option<&str> {
        match &self.stage {
            Stage::Closed(why) => Some(why),
            Stage::Filtered | Stage::Learning => None,
        }
    }
}
