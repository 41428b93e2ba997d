//! What the rules of a port counted.

use super::failure::{self, Outcome};
use super::lower::{self, Place};
use super::names::{self, FRAMES};
use super::predicate::Asks;
use super::{Kernel, readback};
use crate::nft::Count;
use crate::ruleset::{ChainName, Desired, Origin, Program, Verdict};

/// How often one rule of a program matched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleCount {
    /// The chain that it stands in.
    pub chain: ChainName,
    /// Its number in the chain, from 0.
    pub index: usize,
    /// What it does with what it matches.
    pub verdict: Verdict,
    /// Where it comes from.
    pub origin: Origin,
    /// What it matched, for all ports of the program together.
    pub count: Count,
}

/// What the rules of a port counted, and for whom.
///
/// Ports that use their filters alike share one program and so its counters: the kernel does not know the part of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortCount {
    /// All ports that the counts are of, the one that was asked for among them.
    pub ports: Vec<String>,
    /// The rules that come from filters, chain by chain in their order.
    pub rules: Vec<RuleCount>,
}

impl Kernel {
    /// What the rules of a port counted since they came into force; `None` if the port is not in `desired`.
    ///
    /// # Errors
    /// [`failure::Failure::Stale`] if the kernel does not hold these rules. Else the kernel can not be asked.
    pub fn counters(&self, desired: &Desired, port: &str) -> Outcome<Option<PortCount>> {
        let Some(rules) = desired.ports.get(port) else {
            return Ok(None);
        };
        let Some(program) = desired.programs.get(&rules.program) else {
            return Ok(None);
        };
        let alike = desired.ports.iter().filter(|(_, other)| other.program == rules.program);
        Ok(Some(PortCount {
            ports: alike.map(|(port, _)| port.clone()).collect(),
            rules: self.counted(desired, &rules.program, program)?,
        }))
    }

    fn counted(&self, desired: &Desired, name: &str, program: &Program) -> Outcome<Vec<RuleCount>> {
        let asks = Asks::of(desired);
        let mut socket = self.reader();
        let mut counts = Vec::new();
        for (chain, rules) in &program.chains {
            let in_kernel = names::chain(name, chain);
            let found = readback::rules(&mut socket, FRAMES, &in_kernel).map_err(failure::unread)?;
            let mut found = found.iter();
            let place = Place {
                program: name,
                hook: chain.hook,
                plan: self.plan(),
                asks: &asks,
            };
            for (index, rule) in rules.iter().enumerate() {
                let mut count = Count::default();
                // Some rules are several in the kernel.
                for made in lower::rules(place, rule)? {
                    let placed = found.next().filter(|placed| placed.rule == made.rule);
                    let Some(placed) = placed else {
                        return Err(failure::stale(&format!("chain '{in_kernel}' was changed")));
                    };
                    count.packets = count.packets.saturating_add(placed.count.packets);
                    count.bytes = count.bytes.saturating_add(placed.count.bytes);
                }
                if let Some(origin) = rule.origin {
                    counts.push(RuleCount {
                        chain: chain.clone(),
                        index,
                        verdict: rule.verdict.clone(),
                        origin,
                        count,
                    });
                }
            }
        }
        Ok(counts)
    }
}
