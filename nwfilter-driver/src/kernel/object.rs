//! What our tables should hold, as values that can be compared.

use super::StatePlan;
use crate::nft::{BaseChain, Family, Rule, Set, Verdict};
use crate::ruleset::Origin;
use std::collections::BTreeMap;

/// How the rule set is expressed on this kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) state: StatePlan,
}

/// One of our tables.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct TableObjects {
    pub(super) chains: BTreeMap<String, ChainObject>,
    pub(super) sets: BTreeMap<String, SetObject>,
}

/// A chain with its rules.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ChainObject {
    pub(super) base: Option<BaseChain>,
    pub(super) rules: Vec<RuleObject>,
}

/// A rule and where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RuleObject {
    pub(super) rule: Rule,
    pub(super) origin: Option<Origin>,
}

/// A set with its elements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SetObject {
    pub(super) set: Set,
    pub(super) elements: BTreeMap<Vec<u8>, Option<Verdict>>,
}

/// What a message of a transaction is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Table(Family),
    Chain(String),
    Rule {
        chain: String,
        origin: Option<Origin>,
    },
    Set(String),
    Elements {
        set: String,
        /// The port, if all are of one.
        port: Option<String>,
    },
}
