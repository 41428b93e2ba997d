//! Rules of a program to rules of nf_tables.

use super::StatePlan;
use super::failure::{Failure, Outcome};
use super::names::{self, DEVICE, mark};
use super::object::{Plan, RuleObject};
use super::predicate::Asks;
use super::step::{
    ETHER_TYPE, IPV4, IPV6, bits_of_first, device, ether_type_is, kernel_states, mark_has, read, set_mark,
};
use crate::nft::Rule;
use crate::nft::expression::{Comparison, Expression, Register, Verdict, ct, exthdr, payload};
use crate::ruleset::{self, Base, ChainName, Condition, Hook, Load, Origin, SlotKey, Test};

/// The widest key of a set.
const KEY: usize = 64;
const WORD: usize = 4;

/// Where a rule stands: what its conditions and verdict depend on beside themselves.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) program: &'a str,
    pub(super) hook: Hook,
    pub(super) plan: Plan,
    pub(super) asks: &'a Asks,
}

/// The Ethernet type that a rule asks for, if it asks for one.
pub(super) fn ether_type(conditions: &[Condition]) -> Option<[u8; 2]> {
    conditions.iter().find_map(|condition| match condition {
        Condition::Bytes {
            load: ETHER_TYPE,
            mask: None,
            test: Test::Equal(value),
            negated: false,
        } => value.first_chunk().copied(),
        _ => None,
    })
}

/// What goes on only if all conditions of a rule hold; several ways, of which at most one goes on, where the kernel
/// needs more than one rule for it.
pub(super) fn conditions(place: Place<'_>, rule: &ruleset::Rule) -> Outcome<Vec<Vec<Expression>>> {
    let mut ways = vec![Vec::new()];
    let mut sure = false;
    for condition in &rule.conditions {
        let mut steps = Vec::new();
        if !sure && reads_transport(condition) {
            steps.push(TRANSPORT_IS_THERE);
            sure = true;
        }
        let next = place.condition(condition, rule, steps)?;
        ways = ways
            .iter()
            .flat_map(|way| next.iter().map(|steps| [way.as_slice(), steps].concat()))
            .collect();
    }
    Ok(ways)
}

/// The rules that do what one rule of a program says: mostly one.
pub(super) fn rules(place: Place<'_>, rule: &ruleset::Rule) -> Outcome<Vec<RuleObject>> {
    let ways = conditions(place, rule)?;
    let done = |steps: Vec<Expression>, mut end: Vec<Expression>| {
        let mut expressions = steps;
        if rule.origin.is_some() {
            expressions.push(Expression::Counter);
        }
        expressions.append(&mut end);
        RuleObject {
            rule: Rule {
                expressions,
                comment: rule.origin.as_ref().map(comment),
            },
            origin: rule.origin,
        }
    };
    let verdict = |verdict| vec![Expression::Verdict(verdict)];
    let end = match &rule.verdict {
        ruleset::Verdict::Accept => verdict(Verdict::Accept),
        ruleset::Verdict::Drop => verdict(Verdict::Drop),
        ruleset::Verdict::Return => verdict(Verdict::Return),
        ruleset::Verdict::Continue => Vec::new(),
        ruleset::Verdict::Jump(suffix) => {
            let name = ChainName {
                hook: place.hook,
                suffix: suffix.clone(),
            };
            verdict(Verdict::Jump(names::chain(place.program, &name)))
        }
        ruleset::Verdict::Reject => match (place.hook, ether_type(&rule.conditions)) {
            (Hook::FrameIn, _) => verdict(Verdict::Drop),
            (Hook::PacketOut | Hook::PacketIn, _) | (Hook::FrameOut, Some(IPV4 | IPV6)) => refuse(),
            (Hook::FrameOut, Some(_)) => verdict(Verdict::Drop),
            (Hook::FrameOut, None) => {
                // Only IP has a way to tell the sender.
                let of_type = |way: &[Expression], kind| done([way, &ether_type_is(kind)].concat(), refuse());
                let rules = ways.iter().flat_map(|way| {
                    let rest = done(way.clone(), verdict(Verdict::Drop));
                    [of_type(way, IPV4), of_type(way, IPV6), rest]
                });
                return Ok(rules.collect());
            }
        },
    };
    Ok(ways.into_iter().map(|way| done(way, end.clone())).collect())
}

/// What nft shows behind a rule, and what leads back from it to the filter.
pub(super) fn comment(origin: &Origin) -> String {
    format!("lockstep {} {}", origin.filter, origin.entry)
}

/// The place that a comment names.
pub(super) fn origin(comment: &str) -> Option<Origin> {
    let (filter, entry) = comment.strip_prefix("lockstep ")?.split_once(' ')?;
    Some(Origin {
        filter: filter.parse().ok()?,
        entry: entry.parse().ok()?,
    })
}

/// Sets the mark's bit that has the IP tables refuse the packet, and lets it go there.
fn refuse() -> Vec<Expression> {
    let mut steps = set_mark(!mark::REJECT, mark::REJECT);
    steps.push(Expression::Verdict(Verdict::Accept));
    steps
}

/// Goes on if the packet has a transport header. Later fragments have none, but the kernel's short way for loads of 1, 2
/// and 4 bytes does not look and reads whatever stands there. A load of 3 bytes takes the long way, which does.
const TRANSPORT_IS_THERE: Expression = Expression::Payload {
    base: payload::TRANSPORT,
    offset: 0,
    len: 3,
    into: Register::FIRST,
};

fn reads_transport(condition: &Condition) -> bool {
    let transport = |load: &Load| {
        matches!(
            load,
            Load::Payload {
                base: Base::Transport,
                ..
            }
        )
    };
    match condition {
        Condition::Bytes { load, .. } => transport(load),
        Condition::Slot { keys, .. } => keys.iter().any(|key| transport(&key.load)),
        Condition::Same { left, right, .. } => transport(left) || transport(right),
        Condition::TcpOption { .. } => true,
        Condition::State { .. } | Condition::Reply(_) | Condition::Predicate { .. } => false,
    }
}

fn masked(mask: Option<&Vec<u8>>, register: Register) -> Option<Expression> {
    let mask = mask?;
    Some(Expression::Mask {
        from: register,
        into: register,
        mask: mask.clone(),
        xor: vec![0; mask.len()],
    })
}

/// Compares two fields byte by byte, by a set of all pairs of equal bytes.
///
/// Kernels from 6.13 can compare two registers, but a list of such a rule makes nft (1.0.6, and whoever uses its library)
/// abort. They differ in one of several ways: up to some byte they are the same, and there they are not.
fn same(left: Load, right: Load, negated: bool, before: &[Expression]) -> Vec<Vec<Expression>> {
    let (first, second) = (Register::FIRST, Register(1));
    let mut steps = before.to_vec();
    // What is there only in part is not there.
    steps.extend([left, right].map(|load| read(load, first)));
    let mut ways = Vec::new();
    for at in 0..left.len() {
        steps.extend([read(left.byte(at), first), read(right.byte(at), second)]);
        let look_up = |negated| Expression::Lookup {
            set: names::EQUAL_BYTES.to_owned(),
            key: first,
            negated,
        };
        if negated {
            let mut way = steps.clone();
            way.push(look_up(true));
            ways.push(way);
        }
        steps.push(look_up(false));
    }
    if negated { ways } else { vec![steps] }
}

impl Place<'_> {
    fn condition(
        &self,
        condition: &Condition,
        rule: &ruleset::Rule,
        mut steps: Vec<Expression>,
    ) -> Outcome<Vec<Vec<Expression>>> {
        let first = Register::FIRST;
        let equality = |negated| {
            if negated {
                Comparison::NotEqual
            } else {
                Comparison::Equal
            }
        };
        match condition {
            Condition::Bytes {
                load,
                mask,
                test,
                negated,
            } => {
                steps.push(read(*load, first));
                steps.extend(masked(mask.as_ref(), first));
                steps.push(match test {
                    Test::Equal(value) => Expression::Compare {
                        from: first,
                        how: equality(*negated),
                        with: value.clone(),
                    },
                    Test::Range(low, high) => Expression::Range {
                        from: first,
                        negated: *negated,
                        low: low.clone(),
                        high: high.clone(),
                    },
                });
            }
            Condition::Slot { slot, keys, negated } => self.slot(*slot, keys, *negated, rule.origin, &mut steps)?,
            Condition::Same { left, right, negated } => return Ok(same(*left, *right, *negated, &steps)),
            Condition::State { states, negated } => {
                // Some packets are never tracked and are in no state at all: neither in one of these nor in another.
                match self.plan.state {
                    StatePlan::Mark => steps.extend(mark_has(mark::states(*states), !negated)),
                    StatePlan::Conntrack => {
                        steps.push(Expression::Connection {
                            key: ct::STATE,
                            into: first,
                        });
                        steps.extend(bits_of_first(kernel_states(*states), !negated));
                    }
                }
            }
            Condition::Reply(reply) => match self.plan.state {
                StatePlan::Mark => {
                    if !reply {
                        // Without a connection there is no direction, and that bit is clear too.
                        steps.extend(mark_has(mark::states(0b111), true));
                    }
                    steps.extend(mark_has(mark::REPLY, *reply));
                }
                StatePlan::Conntrack => {
                    steps.push(Expression::Connection {
                        key: ct::DIRECTION,
                        into: first,
                    });
                    steps.push(Expression::Compare {
                        from: first,
                        how: Comparison::Equal,
                        with: vec![u8::from(*reply)],
                    });
                }
            },
            Condition::TcpOption { kind, negated } => {
                steps.push(Expression::Present {
                    header: exthdr::TCP_OPTION,
                    kind: *kind,
                    into: first,
                });
                steps.push(Expression::Compare {
                    from: first,
                    how: Comparison::Equal,
                    with: vec![u8::from(!negated)],
                });
            }
            Condition::Predicate { predicate, negated } => {
                let bit = self.asks.bit(self.hook, rule, predicate)?;
                steps.extend(mark_has(bit, !negated));
            }
        }
        Ok(vec![steps])
    }

    fn slot(
        &self,
        slot: u32,
        keys: &[SlotKey],
        negated: bool,
        origin: Option<Origin>,
        steps: &mut Vec<Expression>,
    ) -> Outcome<()> {
        steps.push(device(self.hook, Register::FIRST));
        let mut at = DEVICE;
        for SlotKey { load, mask } in keys {
            let word = u8::try_from(at / WORD).unwrap_or(u8::MAX);
            steps.push(read(*load, Register(word)));
            steps.extend(masked(mask.as_ref(), Register(word)));
            at += usize::from(load.len()).next_multiple_of(WORD);
        }
        if at > KEY {
            let message = format!("a rule looks at {at} bytes of a frame at once for its variables, at most {KEY} go");
            return Err(Failure::unsupported(message, origin));
        }
        steps.push(Expression::Lookup {
            set: names::slot(self.program, usize::try_from(slot).unwrap_or(usize::MAX)),
            key: Register::FIRST,
            negated,
        });
        Ok(())
    }
}
