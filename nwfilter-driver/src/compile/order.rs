//! `Chains`: rules of one program at their places, and the jumps between chains.

use super::layer;
use crate::def::Action;
use crate::def::protocol::Layer;
use crate::expand::Placed;
use crate::ruleset::{Base, ChainName, Condition, Hook, Load, Origin, Rule, Test, Verdict};
use std::collections::{BTreeMap, HashMap};

/// The name of the chain in which a hook begins, as filters write it.
const ROOT: &str = "root";

/// What leads into a chain: the beginning of its name, and the bytes of the frame that it stands for.
const ENTRANCES: [(&str, u8, &[u8]); 6] = [
    ("ipv4", 12, &[0x08, 0x00]),
    ("ipv6", 12, &[0x86, 0xdd]),
    ("arp", 12, &[0x08, 0x06]),
    ("rarp", 12, &[0x80, 0x35]),
    ("vlan", 12, &[0x81, 0x00]),
    ("stp", 0, super::stp::BRIDGES),
];

/// Where a rule stands: rules of equal standing stay in the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Standing {
    below_root: bool,
    priority: i32,
}

/// Collects rules and puts them in order.
#[derive(Debug)]
pub(super) struct Chains<'a> {
    /// The priority of each chain, in the order in which they first came.
    priorities: Vec<(&'a str, i32)>,
    rules: BTreeMap<ChainName, Vec<(Standing, Rule)>>,
}

impl<'a> Chains<'a> {
    /// Knows the chains of these rules' filters. If two filters give one chain different priorities, the last one
    /// counts.
    pub(super) fn new(rules: &[Placed<'a>]) -> Self {
        let mut at: HashMap<&str, usize> = HashMap::new();
        let mut priorities: Vec<(&'a str, i32)> = Vec::new();
        for placed in rules {
            let (chain, priority) = (placed.def.chain.as_str(), placed.def.chain_priority);
            let known = *at.entry(chain).or_insert(priorities.len());
            match priorities.get_mut(known) {
                Some((_, known)) => *known = priority,
                None => priorities.push((chain, priority)),
            }
        }
        Self {
            priorities,
            rules: BTreeMap::new(),
        }
    }

    /// Takes a rule in.
    pub(super) fn add(&mut self, placed: &Placed<'a>, hook: Hook, conditions: Vec<Condition>, origin: Origin) {
        let in_root = placed.def.chain == ROOT;
        let chain = match layer(placed.rule) {
            Layer::Ethernet if !in_root => ChainName {
                hook,
                suffix: placed.def.chain.clone(),
            },
            _ => ChainName::first(hook),
        };
        let standing = Standing {
            // Packets know no chains, but libvirt puts rules of the root chain first also here.
            below_root: chain.suffix.is_empty() && !in_root,
            priority: placed.rule.priority,
        };
        let rule = Rule {
            conditions,
            verdict: verdict(placed.rule.action),
            origin: Some(origin),
        };
        self.rules.entry(chain).or_default().push((standing, rule));
    }

    /// All chains, each with its rules and jumps in order.
    pub(super) fn finish(&mut self) -> BTreeMap<ChainName, Vec<Rule>> {
        let mut chains = std::mem::take(&mut self.rules);
        for rules in chains.values_mut() {
            rules.sort_by_key(|(standing, _)| *standing);
        }
        self.priorities.sort_by_key(|(_, priority)| *priority);
        for hook in [Hook::FrameOut, Hook::FrameIn] {
            let here = |suffix: &str| ChainName {
                hook,
                suffix: suffix.to_owned(),
            };
            let jumps = self
                .priorities
                .iter()
                .filter(|(chain, _)| *chain != ROOT && chains.contains_key(&here(chain)))
                .map(|(chain, priority)| (*priority, jump(chain)))
                .collect::<Vec<_>>();
            if jumps.is_empty() {
                continue;
            }
            let first = chains.remove(&ChainName::first(hook)).unwrap_or_default();
            chains.insert(ChainName::first(hook), merge(first, jumps));
        }
        chains
            .into_iter()
            .map(|(name, rules)| {
                let mut rules: Vec<Rule> = rules.into_iter().map(|(_, rule)| rule).collect();
                if !name.suffix.is_empty() && !rules.last().is_some_and(decides_all) {
                    rules.push(undecided());
                }
                (name, rules)
            })
            .collect()
    }
}

/// What a chain other than the first one does not decide has passed the hook: this is how `ebtables` makes the chains of
/// libvirt, so a chain of rules that only drop lets the rest pass whatever stands behind it in root. `return` leads back.
const fn undecided() -> Rule {
    Rule {
        conditions: Vec::new(),
        verdict: Verdict::Accept,
        origin: None,
    }
}

fn decides_all(rule: &Rule) -> bool {
    rule.conditions.is_empty() && !matches!(rule.verdict, Verdict::Continue | Verdict::Jump(_))
}

/// A chain is entered before the first rule of root whose priority is not smaller.
fn merge(rules: Vec<(Standing, Rule)>, jumps: Vec<(i32, Rule)>) -> Vec<(Standing, Rule)> {
    let mut merged = Vec::with_capacity(rules.len() + jumps.len());
    let mut jumps = jumps.into_iter().peekable();
    let standing = |priority| Standing {
        below_root: false,
        priority,
    };
    for (at, rule) in rules {
        while let Some((priority, jump)) = jumps.next_if(|(priority, _)| *priority <= at.priority) {
            merged.push((standing(priority), jump));
        }
        merged.push((at, rule));
    }
    merged.extend(jumps.map(|(priority, jump)| (standing(priority), jump)));
    merged
}

fn jump(chain: &str) -> Rule {
    let entrance = ENTRANCES.iter().find(|(prefix, ..)| chain.starts_with(prefix));
    let condition = entrance.map(|(_, offset, bytes)| Condition::Bytes {
        // A chain's entrance is 2 or 6 bytes wide.
        load: Load::payload(Base::Link, *offset, if bytes.len() == 2 { 2 } else { 6 }),
        mask: None,
        test: Test::Equal(bytes.to_vec()),
        negated: false,
    });
    Rule {
        conditions: condition.into_iter().collect(),
        verdict: Verdict::Jump(chain.to_owned()),
        origin: None,
    }
}

const fn verdict(action: Action) -> Verdict {
    match action {
        Action::Drop => Verdict::Drop,
        Action::Accept => Verdict::Accept,
        Action::Reject => Verdict::Reject,
        Action::Return => Verdict::Return,
        Action::Continue => Verdict::Continue,
    }
}
