//! `Warning`: what the author of a filter should know, though the filter is compiled.

use super::binding::Binding;
use super::layer;
use crate::def::protocol::Layer;
use crate::def::{Action, Direction};
use crate::expand::Placed;
use std::collections::BTreeSet;
use std::fmt;

/// Something that a rule does other than its author may think.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Warning {
    /// The rule's filter.
    pub filter: String,
    /// The rule by its number among the filter's entries, from 0.
    pub entry: u32,
    /// What.
    pub kind: WarningKind,
}

/// What a [`Warning`] is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WarningKind {
    /// The rule rejects frames that go to the guest, or that are not IP: they are dropped and nobody is told.
    SilentReject,
    /// The rule compares with none of several values, one after the other: what is unlike all but one is matched by
    /// the others.
    NoneOfSeveral,
    /// The rule names connection states and switches their matching off.
    StatesOff,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            WarningKind::SilentReject => {
                "'reject' of frames to the guest or of frames that are not IP drops them, their sender is not told"
            }
            WarningKind::NoneOfSeveral => {
                "match='no' with a list of values makes one rule for each value, so every frame is matched by one of them: \
                 give accepting or returning rules for the values and one that drops the rest"
            }
            WarningKind::StatesOff => "statematch='false' switches 'state' off, the rule matches in any state",
        };
        write!(f, "filter '{}', entry {}: {what}", self.filter, self.entry + 1)
    }
}

/// Looks at one rule.
pub(super) fn look(placed: &Placed<'_>, binding: &Binding, warnings: &mut BTreeSet<Warning>) {
    let mut warn = |kind| {
        let warning = Warning {
            kind,
            filter: placed.def.name.clone(),
            entry: placed.entry,
        };
        warnings.insert(warning);
    };
    let rule = placed.rule;
    let ip = rule
        .matches
        .as_ref()
        .is_some_and(|matches| matches!(matches.protocol.name, "ip" | "ipv6"));
    if rule.action == Action::Reject && layer(rule) == Layer::Ethernet && (rule.direction != Direction::Out || !ip) {
        warn(WarningKind::SilentReject);
    }
    let states = rule.matches.as_ref().and_then(|matches| matches.field("state"));
    if !rule.statematch && states.is_some() {
        warn(WarningKind::StatesOff);
    }
    if binding.negates_several(placed) {
        warn(WarningKind::NoneOfSeveral);
    }
}
