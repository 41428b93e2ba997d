//! The frame that programs hang in: base chains, the maps that lead ports to programs, and the handling of marks.

use super::StatePlan;
use super::failure::Outcome;
use super::lower::ether_type;
use super::names::{self, DEVICE, Map, mark};
use super::object::{ChainObject, Plan, RuleObject, SetObject, TableObjects};
use super::predicate::{Asks, IpSets};
use super::slot;
use super::step::{self, IPV4, IPV6, bits_of_first, ether_type_is, mark_has, set_mark};
use crate::nft::expression::{Comparison, Expression, Register, Verdict, ct};
use crate::nft::{BaseChain, Family, Rule, Set};
use crate::ruleset::{self, Condition, Desired, Hook, Program};
use std::collections::BTreeMap;

const PREROUTING: u32 = 0;
const INPUT: u32 = 1;
const FORWARD: u32 = 2;
const POSTROUTING: u32 = 4;
/// ICMP's codes for a port that can not be reached.
const PORT_UNREACHABLE: u8 = 3;
const PORT_UNREACHABLE_6: u8 = 4;

/// What programs need beside the bridge's own means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Needs {
    pub(super) state: Versions,
    pub(super) reject: Versions,
    pub(super) asks: Versions,
    /// Fields are compared with one another.
    pub(super) equal_bytes: bool,
}

/// For which versions of IP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Versions {
    pub(super) v4: bool,
    pub(super) v6: bool,
}

impl Versions {
    fn add(&mut self, ether_type: Option<[u8; 2]>) {
        self.v4 |= matches!(ether_type, None | Some(IPV4));
        self.v6 |= matches!(ether_type, None | Some(IPV6));
    }

    const fn any(self) -> bool {
        self.v4 || self.v6
    }
}

impl Needs {
    /// What all programs of a rule set need together.
    pub(super) fn of(desired: &Desired, plan: Plan) -> Self {
        let mut needs = Self::default();
        for program in desired.programs.values() {
            needs.add(program, plan);
        }
        needs
    }

    fn add(&mut self, program: &Program, plan: Plan) {
        for (chain, rules) in &program.chains {
            for rule in rules {
                let asks = |condition: &Condition| matches!(condition, Condition::State { .. } | Condition::Reply(_));
                if plan.state == StatePlan::Mark && rule.conditions.iter().any(asks) {
                    self.state.add(ether_type(&rule.conditions));
                }
                let compares = |condition: &Condition| matches!(condition, Condition::Same { .. });
                self.equal_bytes |= rule.conditions.iter().any(compares);
                if rule.verdict == ruleset::Verdict::Reject && chain.hook != Hook::FrameIn {
                    self.reject.add(ether_type(&rule.conditions));
                }
            }
        }
    }

    /// Also the states that others need.
    pub(super) const fn with_state_of(mut self, others: Self) -> Self {
        self.state.v4 |= others.state.v4;
        self.state.v6 |= others.state.v6;
        self
    }

    const fn mark(self) -> bool {
        self.state.any() || self.reject.any() || self.asks.any()
    }
}

/// All tables, without any port and program.
///
/// # Errors
/// A predicate can not be asked.
pub(super) fn tables(
    mut needs: Needs,
    asks: &Asks,
    plan: Plan,
    sets: &IpSets,
) -> Outcome<BTreeMap<Family, TableObjects>> {
    needs.asks = Versions {
        v4: asks.any(false),
        v6: asks.any(true),
    };
    let mut tables = BTreeMap::from([(names::FRAMES, frames(needs))]);
    let versions = [
        (Family::Ip, false, needs.state.v4, needs.reject.v4, PORT_UNREACHABLE),
        (Family::Ip6, true, needs.state.v6, needs.reject.v6, PORT_UNREACHABLE_6),
    ];
    for (family, v6, state, reject, unreachable) in versions {
        let (answers, counting) = asks.rules(v6, plan, sets)?;
        if state || reject || !answers.is_empty() {
            let mut table = packets(state, answers, reject.then_some(unreachable));
            table.sets = counting.into_iter().map(|set| (set.set.name.clone(), set)).collect();
            tables.insert(family, table);
        }
    }
    Ok(tables)
}

fn rule(parts: impl IntoIterator<Item = Vec<Expression>>) -> RuleObject {
    RuleObject {
        rule: Rule {
            expressions: parts.into_iter().flatten().collect(),
            comment: None,
        },
        origin: None,
    }
}

fn verdict(verdict: Verdict) -> Vec<Expression> {
    vec![Expression::Verdict(verdict)]
}

fn chain(hook: u32, priority: i32, rules: Vec<RuleObject>) -> ChainObject {
    ChainObject {
        base: Some(BaseChain { hook, priority }),
        rules,
    }
}

/// Asks the map for the port's program.
fn dispatch(hook: Hook) -> Vec<Expression> {
    vec![
        step::device(hook, Register::FIRST),
        Expression::Dispatch {
            map: Map(hook).name().to_owned(),
            key: Register::FIRST,
        },
    ]
}

/// The table that sees all frames.
fn frames(needs: Needs) -> TableObjects {
    // What was refused before is on its way to the IP tables, which tell the sender.
    let refused = || rule([mark_has(mark::REJECT, true), verdict(Verdict::Accept)]);
    let packets = |hook| {
        let mut rules = Vec::new();
        if needs.reject.any() {
            rules.push(refused());
        }
        for kind in [IPV4, IPV6] {
            rules.push(rule([ether_type_is(kind).to_vec(), dispatch(hook)]));
        }
        rules
    };
    let mut prerouting = Vec::new();
    if needs.mark() {
        prerouting.push(rule([set_mark(!mark::OURS, mark::SEEN)]));
    }
    prerouting.push(rule([dispatch(Hook::FrameOut)]));
    let mut chains = BTreeMap::from([
        ("prerouting", chain(PREROUTING, -300, prerouting)),
        ("forward-out", chain(FORWARD, -200, packets(Hook::PacketOut))),
        ("forward-in", chain(FORWARD, -190, packets(Hook::PacketIn))),
        ("input", chain(INPUT, -200, packets(Hook::PacketOut))),
        (
            "postrouting",
            chain(POSTROUTING, 300, vec![rule([dispatch(Hook::FrameIn)])]),
        ),
    ]);
    if needs.reject.any() {
        // The IP tables did not see it: br_netfilter is off.
        let rest = rule([mark_has(mark::REJECT, true), verdict(Verdict::Drop)]);
        chains.insert("forward-end", chain(FORWARD, 10, vec![rest]));
    }
    if needs.mark() {
        let clear = || set_mark(!mark::OURS, 0);
        // What is refused keeps its mark until the IP tables' input has told the sender.
        let input = rule([mark_has(mark::REJECT, false), clear()]);
        chains.insert("input-end", chain(INPUT, 300, vec![input]));
        chains.insert("postrouting-end", chain(POSTROUTING, 310, vec![rule([clear()])]));
    }
    let equal_bytes = needs.equal_bytes.then(slot::equal_bytes);
    let sets = Map::ALL.into_iter().map(map_object).chain(equal_bytes);
    TableObjects {
        chains: chains
            .into_iter()
            .map(|(name, chain)| (name.to_owned(), chain))
            .collect(),
        sets: sets.map(|set| (set.set.name.clone(), set)).collect(),
    }
}

fn map_object(map: Map) -> SetObject {
    SetObject {
        set: Set {
            table: names::TABLE.to_owned(),
            name: map.name().to_owned(),
            key_type: slot::DEVICE_TYPE,
            key_len: u32::try_from(DEVICE).unwrap_or(u32::MAX),
            map: true,
            evaluated: None,
        },
        elements: BTreeMap::new(),
    }
}

/// The table of an IP family: what connection tracking knows goes into the mark, and so do the answers to predicates;
/// what the mark refuses is refused.
fn packets(state: bool, mut answers: Vec<RuleObject>, unreachable: Option<u8>) -> TableObjects {
    let mut chains = BTreeMap::new();
    let mut rules = Vec::new();
    if state {
        let add = |bits: u32| set_mark(!bits, bits);
        for bit in [1, 2, 4, 8] {
            let mut steps = vec![Expression::Connection {
                key: ct::STATE,
                into: Register::FIRST,
            }];
            steps.extend(bits_of_first(step::kernel_states(bit), true));
            rules.push(rule([steps, add(mark::states(bit))]));
        }
        let reply = vec![
            Expression::Connection {
                key: ct::DIRECTION,
                into: Register::FIRST,
            },
            Expression::Compare {
                from: Register::FIRST,
                how: Comparison::Equal,
                with: vec![1],
            },
        ];
        rules.push(rule([reply, add(mark::REPLY)]));
    }
    rules.append(&mut answers);
    if !rules.is_empty() {
        // Nothing to do for packets that came by no bridge.
        rules.insert(0, rule([mark_has(mark::SEEN, false), verdict(Verdict::Accept)]));
        // Behind connection tracking, before anything else that looks at packets.
        chains.insert("prerouting".to_owned(), chain(PREROUTING, -140, rules));
    }
    if let Some(code) = unreachable {
        let tell = || rule([mark_has(mark::REJECT, true), vec![Expression::Reject { code }]]);
        chains.insert("forward".to_owned(), chain(FORWARD, -10, vec![tell()]));
        chains.insert("input".to_owned(), chain(INPUT, -10, vec![tell()]));
    }
    TableObjects {
        chains,
        sets: BTreeMap::new(),
    }
}
