//! `Desired`: every program with every port that uses it, which is all that the kernel's tables say.

use super::Program;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The name of a program in the kernel: letters, digits and `-`, made by us and kept while its filters are redefined.
pub type ProgramName = String;

/// What one port has of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortRules {
    /// The rules that it shares with others.
    pub program: ProgramName,
    /// For each slot of the program the port's elements: the parts of the key behind the port's name, one after the other
    /// without padding. As many sets as the program has slots.
    pub slots: Vec<BTreeSet<Vec<u8>>>,
}

/// All that should be in force.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Desired {
    /// Programs that at least one port uses.
    pub programs: BTreeMap<ProgramName, Arc<Program>>,
    /// Ports by the name of their device; shared, since there are many and few change at a time.
    pub ports: BTreeMap<String, Arc<PortRules>>,
}
