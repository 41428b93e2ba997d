//! How filters are kept in force: facts with their values, for people.

use crate::engine::{Ports, Stage};
use crate::filters::Filters;
use crate::kernel::{Facts, StatePlan};
use crate::ruleset::{Desired, PortRules};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that these ports should have.
#[must_use]
pub fn desired(ports: &Ports) -> Desired {
    let mut desired = Desired::default();
    for (port, bound) in ports {
        let rules = PortRules {
            program: bound.program.clone(),
            slots: bound.compiled.fill(&bound.values).unwrap_or_default(),
        };
        desired.ports.insert(port.clone(), Arc::new(rules));
        desired
            .programs
            .insert(bound.program.clone(), Arc::clone(&bound.compiled.program));
    }
    desired
}

/// Facts about the kernel.
#[must_use]
pub fn kernel(facts: Facts) -> Vec<(String, String)> {
    let states = match facts.state_plan {
        StatePlan::Conntrack => "conntrack: the bridge's own connection tracking",
        StatePlan::Mark => "mark: the tables ip and ip6 leave the answer in the upper 16 bits of the packet's mark",
    };
    let reject = match (facts.calls_ip, facts.calls_ip6) {
        (true, true) => "IPv4 and IPv6 senders are told",
        (true, false) => "IPv4 senders are told, all else is dropped",
        (false, true) => "IPv6 senders are told, all else is dropped",
        (false, false) => "nobody is told, what is to be rejected is dropped",
    };
    let switch = |on: bool| if on { "1" } else { "0" };
    pairs(vec![
        ("state plan", states.to_owned()),
        ("reject", reject.to_owned()),
        ("bridge-nf-call-iptables", switch(facts.calls_ip).to_owned()),
        ("bridge-nf-call-ip6tables", switch(facts.calls_ip6).to_owned()),
    ])
}

/// Facts about what should be in force.
#[must_use]
pub fn engine(filters: &Filters, ports: &Ports) -> Vec<(String, String)> {
    let mut programs = BTreeMap::new();
    let (mut learning, mut closed) = (Vec::new(), Vec::new());
    for (port, bound) in ports {
        programs.insert(&bound.program, &bound.compiled.program);
        if bound.lesson.is_some() {
            learning.push(port.clone());
        }
        if let Stage::Closed(why) = &bound.stage {
            closed.push(format!("{port} ({why})"));
        }
    }
    let rules = programs.values().flat_map(|program| program.chains.values());
    let rules: usize = rules.map(Vec::len).sum();
    pairs(vec![
        ("filters", filters.briefs().len().to_string()),
        ("ports", ports.len().to_string()),
        ("programs", programs.len().to_string()),
        ("rules", rules.to_string()),
        ("learning", listed(&learning)),
        ("quarantined", listed(&closed)),
    ])
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

fn pairs(facts: Vec<(&str, String)>) -> Vec<(String, String)> {
    facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
