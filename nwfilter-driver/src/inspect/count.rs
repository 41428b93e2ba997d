//! Counters of a port's rules, with the lines that the rules come from.

use super::place::Places;
use crate::engine::Ports;
use crate::filters::Filters;
use crate::kernel::counters::PortCount;
use crate::ruleset::{Desired, PortRules};
use driver_api::types::inspect::{PortCounters, RuleCount};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What should be in force on a port and on those that share its rules, as far as counting needs it: without the ports'
/// own values.
#[must_use]
pub fn shared(ports: &Ports, port: &str) -> Desired {
    let Some(bound) = ports.get(port) else {
        return Desired::default();
    };
    let alike = ports.iter().filter(|(_, other)| other.program == bound.program);
    let rules = |(name, other): (&String, &Arc<crate::engine::Bound>)| {
        let rules = PortRules {
            program: other.program.clone(),
            slots: Vec::new(),
        };
        (name.clone(), Arc::new(rules))
    };
    Desired {
        programs: BTreeMap::from([(bound.program.clone(), Arc::clone(&bound.compiled.program))]),
        ports: alike.map(rules).collect(),
    }
}

/// The kernel's counts in the words of users.
#[must_use]
pub fn told(count: PortCount, filters: &Filters, internal: &Filters) -> PortCounters {
    let mut places = Places::new(vec![filters, internal]);
    let rules = count.rules.into_iter().map(|rule| RuleCount {
        chain: rule.chain.to_string(),
        verdict: rule.verdict.to_string(),
        packets: rule.count.packets,
        bytes: rule.count.bytes,
        place: Some(places.of(rule.origin)),
    });
    PortCounters {
        rules: rules.collect(),
        ports: count.ports,
    }
}
