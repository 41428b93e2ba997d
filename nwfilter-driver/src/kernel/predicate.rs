//! `Asks`: questions that the bridge tables leave to the IP tables, and the bit of the mark that brings each answer.

use super::failure::{Failure, Outcome};
use super::lower::{self, Place};
use super::names::{TABLE, mark};
use super::object::{Plan, RuleObject, SetObject};
use super::step;
use crate::nft::expression::{Expression, Register, ct, payload};
use crate::nft::{Rule, Set};
use crate::ruleset::{self, Condition, Desired, Hook, Origin, Predicate, States};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A predicate together with what its rule makes sure of before: connections are counted among those packets only.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ask {
    predicate: Predicate,
    /// Whose address the count is kept for beside the sender's: it tells guests apart.
    out: bool,
    before: Vec<Condition>,
    /// The first rule that asks.
    origin: Option<Origin>,
}

/// All questions of a rule set, in the order of their bits.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Asks(Vec<Ask>);

impl Predicate {
    /// Whether it is about IPv6.
    const fn v6(&self) -> bool {
        match self {
            Self::Connections { v6, .. } | Self::IpSet { v6, .. } => *v6,
        }
    }
}

impl Ask {
    fn of(hook: Hook, rule: &ruleset::Rule, predicate: &Predicate) -> Self {
        let counts = matches!(predicate, Predicate::Connections { .. });
        // The port's own values are not known to the IP tables, and states are no question there yet.
        let before = rule.conditions.iter().filter(|condition| {
            let frame = matches!(condition, Condition::Bytes { .. } | Condition::TcpOption { .. });
            counts && frame
        });
        Self {
            predicate: predicate.clone(),
            out: hook.is_out(),
            before: before.cloned().collect(),
            origin: rule.origin,
        }
    }

    fn same(&self, other: &Self) -> bool {
        let count = matches!(self.predicate, Predicate::Connections { .. });
        self.predicate == other.predicate && (!count || self.out == other.out) && self.before == other.before
    }

    /// The name of the set that counts; the same as long as the question is the same, so that counts are kept.
    fn set_name(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (&self.predicate, self.out, &self.before).hash(&mut hasher);
        format!("connections-{:016x}", hasher.finish())
    }
}

impl Asks {
    /// The questions of a rule set.
    pub(super) fn of(desired: &Desired) -> Self {
        let mut asks = Self::default();
        for program in desired.programs.values() {
            for (chain, rules) in &program.chains {
                for (rule, predicate) in rules.iter().flat_map(|rule| predicates(rule).map(move |p| (rule, p))) {
                    let ask = Ask::of(chain.hook, rule, predicate);
                    if asks.number(&ask).is_none() {
                        asks.0.push(ask);
                    }
                }
            }
        }
        asks
    }

    fn number(&self, ask: &Ask) -> Option<usize> {
        self.0.iter().position(|other| other.same(ask))
    }

    /// Whether there are some for that version of IP.
    pub(super) fn any(&self, v6: bool) -> bool {
        self.0.iter().any(|ask| ask.predicate.v6() == v6)
    }

    /// The bit of the mark that has the answer.
    ///
    /// # Errors
    /// More questions than bits.
    pub(super) fn bit(&self, hook: Hook, rule: &ruleset::Rule, predicate: &Predicate) -> Outcome<u32> {
        let number = self.number(&Ask::of(hook, rule, predicate)).unwrap_or(usize::MAX);
        bit(number, rule.origin)
    }

    /// The rules that answer, for one version of IP, and the sets that they count in.
    ///
    /// # Errors
    /// More questions than bits; an IP set that is not there.
    pub(super) fn rules(&self, v6: bool, plan: Plan, sets: &IpSets) -> Outcome<(Vec<RuleObject>, Vec<SetObject>)> {
        let (mut rules, mut counting) = (Vec::new(), Vec::new());
        for (number, ask) in self.0.iter().enumerate() {
            if ask.predicate.v6() != v6 {
                continue;
            }
            let bit = bit(number, ask.origin)?;
            let place = Place {
                program: "",
                hook: Hook::PacketOut,
                plan,
                asks: self,
            };
            let before = ruleset::Rule {
                conditions: ask.before.clone(),
                verdict: ruleset::Verdict::Continue,
                origin: None,
            };
            let mut expressions = lower::conditions(place, &before)?.concat();
            match &ask.predicate {
                Predicate::Connections { above, protocol, .. } => {
                    let set = counting_set(ask, v6);
                    // The kernel drops what it is to count and can not tell from others, whichever port it comes from.
                    match protocol {
                        // xtables also counts packets that make no sense in their connection, so that a flood of them
                        // reaches the limit: whatever has ports counts.
                        Some(6 | 17 | 132 | 136) => expressions.push(ports_are_there()),
                        _ => expressions.extend(of_a_connection()),
                    }
                    expressions.extend(key(ask, v6));
                    expressions.push(Expression::CountConnections {
                        set: set.set.name.clone(),
                        key: Register::FIRST,
                        above: *above,
                    });
                    counting.push(set);
                }
                Predicate::IpSet { name, sources, .. } => {
                    expressions.push(set_match(*sets.index(name, ask.origin)?, sources));
                }
            }
            expressions.extend(step::set_mark(!bit, bit));
            rules.push(RuleObject {
                rule: Rule {
                    expressions,
                    comment: ask.origin.as_ref().map(lower::comment),
                },
                origin: ask.origin,
            });
        }
        Ok((rules, counting))
    }
}

/// The predicates of a rule.
pub(super) fn predicates(rule: &ruleset::Rule) -> impl Iterator<Item = &Predicate> {
    rule.conditions.iter().filter_map(|condition| match condition {
        Condition::Predicate { predicate, .. } => Some(predicate),
        _ => None,
    })
}

fn bit(number: usize, origin: Option<Origin>) -> Outcome<u32> {
    if number >= mark::FLAGS {
        let message = format!(
            "there are more than {} different limits on connections and questions to IP sets in the filters in force",
            mark::FLAGS
        );
        return Err(Failure::unsupported(message, origin));
    }
    Ok(1 << (mark::FIRST_FLAG + u32::try_from(number).unwrap_or(0)))
}

const MAC: u32 = 6;
const MAC_IN_KEY: u32 = 8;
/// As many senders as are counted at once; more are not limited.
const SENDERS: u32 = 65_535;

/// Goes on if the packet is long enough to have ports.
const fn ports_are_there() -> Expression {
    Expression::Payload {
        base: payload::TRANSPORT,
        offset: 0,
        len: 4,
        into: Register::FIRST,
    }
}

/// Goes on if the packet belongs to a connection or opens one.
fn of_a_connection() -> Vec<Expression> {
    const VALID: States = 0b111;
    let mut steps = vec![Expression::Connection {
        key: ct::STATE,
        into: Register::FIRST,
    }];
    steps.extend(step::bits_of_first(step::kernel_states(VALID), true));
    steps
}

/// Reads the hardware address of the guest and the address of the sender.
fn key(ask: &Ask, v6: bool) -> [Expression; 2] {
    let (offset, len) = if v6 { (8, 16) } else { (12, 4) };
    [
        Expression::Payload {
            base: payload::LINK,
            offset: if ask.out { MAC } else { 0 },
            len: MAC,
            into: Register::FIRST,
        },
        Expression::Payload {
            base: payload::NETWORK,
            offset,
            len,
            into: Register(2),
        },
    ]
}

fn counting_set(ask: &Ask, v6: bool) -> SetObject {
    // nft's numbers for the types of a MAC address and an IP address.
    let (address, len) = if v6 { (8, 16) } else { (7, 4) };
    SetObject {
        set: Set {
            table: TABLE.to_owned(),
            name: ask.set_name(),
            key_type: (9 << 6) | address,
            key_len: MAC_IN_KEY + len,
            map: false,
            evaluated: Some(SENDERS),
        },
        elements: BTreeMap::new(),
    }
}

/// The match `set` of xtables, revision 1: the set's number, how many dimensions, and for which it looks at the sender.
fn set_match(index: u16, sources: &[bool]) -> Expression {
    let mut info = index.to_ne_bytes().to_vec();
    info.push(u8::try_from(sources.len()).unwrap_or(u8::MAX));
    // The first bit would turn the answer around.
    let flags = sources.iter().zip(1_u8..8).filter(|(source, _)| **source);
    info.push(flags.map(|(_, bit)| 1 << bit).sum());
    // xtables rounds structures up to eight bytes.
    info.resize(8, 0);
    Expression::Match {
        name: "set".to_owned(),
        revision: 1,
        info,
    }
}

/// IP sets that the kernel has, by the names that filters ask for: it wants their numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct IpSets(pub(super) BTreeMap<String, u16>);

impl IpSets {
    /// The names that rule sets ask for.
    pub(super) fn names<'a>(rule_sets: &[&'a Desired]) -> impl Iterator<Item = &'a str> {
        let programs = rule_sets.iter().flat_map(|desired| desired.programs.values());
        let rules = programs.flat_map(|program| program.chains.values().flatten());
        rules.flat_map(predicates).filter_map(|predicate| match predicate {
            Predicate::IpSet { name, .. } => Some(name.as_str()),
            Predicate::Connections { .. } => None,
        })
    }

    fn index(&self, name: &str, origin: Option<Origin>) -> Outcome<&u16> {
        self.0.get(name).ok_or_else(|| {
            let message = format!("there is no IP set '{name}' in the kernel: make it by 'ipset create' first");
            Failure::unsupported(message, origin)
        })
    }
}
