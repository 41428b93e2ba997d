//! Rules for packets: the protocols behind IP, and which way they are asked with which connection state.

use super::binding::Choice;
use super::ethernet::{ETHER_TYPE, IPV4, IPV6, addresses, dscp, end, not_both, ports};
use super::questions::Questions;
use crate::def::kind::STATE_NONE;
use crate::def::protocol::Layer;
use crate::def::value::{End, Value};
use crate::def::{Action, Direction, Match};
use crate::expand::Placed;
use crate::ruleset::{Base, Condition, Hook, Load, Predicate, States, Test};
use driver_api::error::Result;

const NEW: States = 1;
const ESTABLISHED: States = 2;

/// One way in which a rule is asked.
#[derive(Clone, Copy, Debug)]
struct Way {
    hook: Hook,
    /// Source and target are changed over.
    swapped: bool,
    /// The states in which the connection must be; negated.
    states: Option<(States, bool)>,
    /// Whether the packet must go back in its connection.
    reply: Option<bool>,
}

/// What an element's name says of the IP protocol; `None` is any.
fn protocol(name: &str) -> Option<u8> {
    Some(match name {
        "tcp" | "tcp-ipv6" => 6,
        "udp" | "udp-ipv6" => 17,
        "udplite" | "udplite-ipv6" => 136,
        "esp" | "esp-ipv6" => 50,
        "ah" | "ah-ipv6" => 51,
        "sctp" | "sctp-ipv6" => 132,
        "icmp" => 1,
        "igmp" => 2,
        "icmpv6" => 58,
        _ => return None,
    })
}

/// The conditions of a rule at each hook where it stands.
///
/// # Errors
/// 1 when a value is not what its attribute wants.
pub(super) fn questions<'p>(placed: &'p Placed<'p>, choice: &'p Choice<'p>) -> Result<Vec<(Hook, Questions<'p>)>> {
    let Some(matches) = &placed.rule.matches else {
        return Ok(Vec::new());
    };
    let mut asked = Vec::new();
    for way in ways(placed, matches, choice)? {
        let mut questions = Questions::new(placed, choice);
        if ask(&mut questions, matches, way)? {
            asked.push((way.hook, questions));
        }
    }
    Ok(asked)
}

/// Which ways a rule is asked.
///
/// An accepting rule without states of its own opens the way back for what it lets through. One that names states is
/// only asked as it is written, and so is an ICMP type, whose answer has another one.
fn ways(placed: &Placed<'_>, matches: &Match, choice: &Choice<'_>) -> Result<Vec<Way>> {
    let rule = placed.rule;
    let both = rule.direction == Direction::InOut;
    let (written, back) = match rule.direction {
        Direction::Out => (Hook::PacketOut, Hook::PacketIn),
        Direction::In | Direction::InOut => (Hook::PacketIn, Hook::PacketOut),
    };
    let way = |hook, states, reply| Way {
        hook,
        swapped: hook == back,
        states,
        reply,
    };
    let typed = matches!(matches.protocol.name, "icmp" | "icmpv6") && matches.field("type").is_some();
    let limited = matches.field("connlimit-above").is_some();
    let own = own_states(placed, matches, choice)?;
    let tracked = own.is_none() && !both && !limited && rule.statematch && rule.action == Action::Accept;
    let (out, back_states) = match own {
        Some(states) => (states, states),
        None if tracked => (Some((NEW | ESTABLISHED, false)), Some((ESTABLISHED, false))),
        None => (None, None),
    };
    let mut ways = vec![way(written, out, (tracked && !typed).then_some(false))];
    // Connections are counted for who opens them, so the way back is not asked.
    if !limited && (both || own.is_none() && !typed) {
        ways.push(way(back, back_states, tracked.then_some(true)));
    }
    Ok(ways)
}

/// What a rule says of states itself: nothing, none, or some. With `statematch` off nothing that it says counts.
fn own_states(placed: &Placed<'_>, matches: &Match, choice: &Choice<'_>) -> Result<Option<Option<(States, bool)>>> {
    if !placed.rule.statematch {
        return Ok(None);
    }
    let Some(field) = matches.field("state") else {
        return Ok(None);
    };
    let questions = Questions::new(placed, choice);
    match questions.value(field)? {
        Value::States(0) => Ok(None),
        Value::States(STATE_NONE) => Ok(Some(None)),
        Value::States(bits) => {
            // Four states, four bits.
            let states = States::try_from(bits & 0xf).unwrap_or_default();
            Ok(Some(Some((states, field.negated))))
        }
        _ => Err(questions.confused(field)),
    }
}

/// Asks one way. `false`: nothing is left to ask, so the rule does not stand there.
fn ask(questions: &mut Questions<'_>, matches: &Match, way: Way) -> Result<bool> {
    let v6 = matches.protocol.layer == Layer::V6;
    let number = protocol(matches.protocol.name);
    questions.assert(ETHER_TYPE, if v6 { IPV6 } else { IPV4 });
    if let Some(number) = number {
        questions.assert(Load::Protocol, &[number]);
    }
    let before = questions.count();
    let with_mac = questions.field("srcmacaddr").is_some();
    // A bridge does not know to which address an answer's sender stands.
    if !way.swapped {
        questions.mac("srcmacaddr", None, Base::Link, 6)?;
    }
    addresses(questions, way.swapped, v6)?;
    ranges(questions, way.swapped, v6)?;
    dscp(questions, v6)?;
    ports(questions, way.swapped)?;
    tcp(questions)?;
    icmp(questions, matches)?;
    ipset(questions, way.swapped, v6)?;
    if way.swapped && with_mac && questions.count() == before {
        return Ok(false);
    }
    if let Some((states, negated)) = way.states {
        questions.push_last(Condition::State { states, negated });
    }
    if let Some(reply) = way.reply {
        questions.push_last(Condition::Reply(reply));
    }
    if let Some(field) = questions.field("connlimit-above") {
        let above = questions.number(field)?;
        let predicate = Predicate::Connections {
            v6,
            protocol: number,
            above,
        };
        questions.push_last(Condition::Predicate {
            predicate,
            negated: field.negated,
        });
    }
    Ok(true)
}

/// Ranges of addresses; an address beside them counts instead.
fn ranges(questions: &mut Questions<'_>, swapped: bool, v6: bool) -> Result<()> {
    let (source, target, width) = if v6 { (8, 24, 16) } else { (12, 16, 4) };
    let ends = [
        ("srcipaddr", "srcipfrom", "srcipto", end(swapped, source, target)),
        ("dstipaddr", "dstipfrom", "dstipto", end(swapped, target, source)),
    ];
    for (address, from, to, offset) in ends {
        if questions.field(address).is_none() {
            questions.range(from, to, Load::payload(Base::Network, offset, width))?;
        }
    }
    Ok(())
}

fn tcp(questions: &mut Questions<'_>) -> Result<()> {
    if let Some(field) = questions.field("flags") {
        let Value::TcpFlags { mask, flags } = questions.value(field)? else {
            return Err(questions.confused(field));
        };
        let [.., mask] = mask.to_be_bytes();
        let [.., flags] = flags.to_be_bytes();
        if flags & !mask == 0 {
            let load = Load::payload(Base::Transport, 13, 1);
            questions.bytes(load, Some(vec![mask]), Test::Equal(vec![flags]), field.negated);
        } else {
            // A flag must be set that is not looked at.
            questions.decided(field.negated);
        }
    }
    if let Some(field) = questions.field("option") {
        let [.., kind] = questions.number(field)?.to_be_bytes();
        questions.push(Condition::TcpOption {
            kind,
            negated: field.negated,
        });
    }
    Ok(())
}

/// Type and code of ICMP; negated they are negated together.
fn icmp(questions: &mut Questions<'_>, matches: &Match) -> Result<()> {
    if !matches!(matches.protocol.name, "icmp" | "icmpv6") {
        return Ok(());
    }
    let Some(kind) = questions.field("type") else {
        return Ok(());
    };
    let (at_kind, at_code) = (
        Load::payload(Base::Transport, 0, 1),
        Load::payload(Base::Transport, 1, 1),
    );
    match questions.field("code") {
        Some(code) if kind.negated => {
            let kind = questions.test(kind.attribute.name, "")?;
            let code = questions.test(code.attribute.name, "")?;
            questions.either(not_both((at_kind, kind), (at_code, code)));
        }
        Some(code) => {
            questions.exact(kind, at_kind)?;
            questions.exact(code, at_code)?;
        }
        None => questions.exact(kind, at_kind)?,
    }
    Ok(())
}

fn ipset(questions: &mut Questions<'_>, swapped: bool, v6: bool) -> Result<()> {
    let (Some(set), Some(flags)) = (questions.field("ipset"), questions.field("ipsetflags")) else {
        return Ok(());
    };
    let (Value::SetName(name), Value::SetFlags(ends)) = (questions.value(set)?, questions.value(flags)?) else {
        return Err(questions.confused(set));
    };
    let sources = ends.iter().map(|end| (*end == End::Source) != swapped).collect();
    questions.push_last(Condition::Predicate {
        predicate: Predicate::IpSet { v6, name, sources },
        negated: set.negated,
    });
    Ok(())
}
