//! Rules for frames: `mac`, `vlan`, `arp`, `rarp`, `stp`, `ip`, `ipv6`, and rules without a protocol.

use super::binding::Choice;
use super::questions::Questions;
use super::{arp, stp};
use crate::def::value::Value;
use crate::def::{Direction, Term};
use crate::expand::Placed;
use crate::ruleset::{Base, Condition, Hook, Load, Test};
use driver_api::error::Result;

/// The Ethernet type, or 802.1Q's where a frame has a tag.
pub(super) const ETHER_TYPE: Load = Load::payload(Base::Link, 12, 2);
pub(super) const IPV4: &[u8] = &[0x08, 0x00];
pub(super) const IPV6: &[u8] = &[0x86, 0xdd];
const ICMPV6: u32 = 58;

/// The conditions of a rule at each hook where it stands: from the guest, to it, or both with source and target changed
/// over for what comes from it.
///
/// # Errors
/// 1 when a value is not what its attribute wants, or when attributes contradict one another.
pub(super) fn questions<'p>(placed: &'p Placed<'p>, choice: &'p Choice<'p>) -> Result<Vec<(Hook, Questions<'p>)>> {
    let ways: &[(Hook, bool)] = match placed.rule.direction {
        Direction::Out => &[(Hook::FrameOut, false)],
        Direction::In => &[(Hook::FrameIn, false)],
        Direction::InOut => &[(Hook::FrameIn, false), (Hook::FrameOut, true)],
    };
    ways.iter()
        .map(|(hook, swapped)| {
            let mut questions = Questions::new(placed, choice);
            ask(&mut questions, placed, *swapped)?;
            Ok((*hook, questions))
        })
        .collect()
}

/// An attribute of the one end or, changed over, of the other: its offset.
pub(super) const fn end(swapped: bool, own: u8, other: u8) -> u8 {
    if swapped { other } else { own }
}

fn ask(questions: &mut Questions<'_>, placed: &Placed<'_>, swapped: bool) -> Result<()> {
    let Some(matches) = &placed.rule.matches else {
        return Ok(());
    };
    match matches.protocol.name {
        "vlan" => questions.assert(ETHER_TYPE, &[0x81, 0x00]),
        "arp" => questions.assert(ETHER_TYPE, &[0x08, 0x06]),
        "rarp" => questions.assert(ETHER_TYPE, &[0x80, 0x35]),
        "ip" => questions.assert(ETHER_TYPE, IPV4),
        "ipv6" => questions.assert(ETHER_TYPE, IPV6),
        "stp" => questions.assert(Load::payload(Base::Link, 0, 6), stp::BRIDGES),
        _ => {}
    }
    // Who sends to all bridges is the sender both ways: the target is fixed.
    let swapped = swapped && matches.protocol.name != "stp";
    questions.mac("srcmacaddr", Some("srcmacmask"), Base::Link, end(swapped, 6, 0))?;
    questions.mac("dstmacaddr", Some("dstmacmask"), Base::Link, end(swapped, 0, 6))?;
    match matches.protocol.name {
        "mac" => exact(questions, "protocolid", ETHER_TYPE),
        "vlan" => vlan(questions),
        "arp" | "rarp" => arp::ask(questions, swapped),
        "stp" => stp::ask(questions),
        "ip" => ip(questions, swapped, false),
        "ipv6" => ip(questions, swapped, true),
        _ => Ok(()),
    }
}

/// A field that may not be given.
pub(super) fn exact(questions: &mut Questions<'_>, name: &str, load: Load) -> Result<()> {
    match questions.field(name) {
        Some(field) => questions.exact(field, load),
        None => Ok(()),
    }
}

fn vlan(questions: &mut Questions<'_>) -> Result<()> {
    if let Some(field) = questions.field("vlanid") {
        let tag = Load::payload(Base::Link, 14, 2);
        questions.shifted(field, tag, 0, Some(vec![0x0f, 0xff]))?;
    }
    exact(questions, "encap-protocol", Load::payload(Base::Link, 16, 2))
}

fn ip(questions: &mut Questions<'_>, swapped: bool, v6: bool) -> Result<()> {
    addresses(questions, swapped, v6)?;
    dscp(questions, v6)?;
    exact(questions, "protocol", Load::Protocol)?;
    ports(questions, swapped)?;
    if v6 { icmpv6(questions) } else { Ok(()) }
}

/// Source and target address with their masks.
pub(super) fn addresses(questions: &mut Questions<'_>, swapped: bool, v6: bool) -> Result<()> {
    let (source, target, width) = if v6 { (8, 24, 16) } else { (12, 16, 4) };
    let (source, target) = (end(swapped, source, target), end(swapped, target, source));
    questions.address("srcipaddr", "srcipmask", Base::Network, source, width)?;
    questions.address("dstipaddr", "dstipmask", Base::Network, target, width)
}

/// Six bits: the upper ones of IPv4's second byte, and in IPv6 behind the version's four.
pub(super) fn dscp(questions: &mut Questions<'_>, v6: bool) -> Result<()> {
    let Some(field) = questions.field("dscp") else {
        return Ok(());
    };
    if v6 {
        questions.shifted(field, Load::payload(Base::Network, 0, 2), 6, Some(vec![0x0f, 0xc0]))
    } else {
        questions.shifted(field, Load::payload(Base::Network, 1, 1), 2, Some(vec![0xfc]))
    }
}

/// Source and target port, single or from one to another.
pub(super) fn ports(questions: &mut Questions<'_>, swapped: bool) -> Result<()> {
    let port = |offset| Load::payload(Base::Transport, offset, 2);
    questions.range("srcportstart", "srcportend", port(end(swapped, 0, 2)))?;
    questions.range("dstportstart", "dstportend", port(end(swapped, 2, 0)))
}

/// Type and code of `ipv6`, each single or from one to another; negated they are negated together.
fn icmpv6(questions: &mut Questions<'_>) -> Result<()> {
    let named = |questions: &Questions<'_>, name: &str| questions.field(name).is_some();
    let (with_type, with_code) = (named(questions, "type"), named(questions, "code"));
    if !with_type && !with_code {
        return Ok(());
    }
    match questions.field("protocol") {
        None => questions.assert(Load::Protocol, &[58]),
        Some(field) if !field.negated && is_icmpv6(&field.term) => {}
        Some(field) => {
            return Err(questions.contradicts(field, "'type' and 'code' need protocol 'icmpv6', written out"));
        }
    }
    let (kind, code) = (
        Load::payload(Base::Transport, 0, 1),
        Load::payload(Base::Transport, 1, 1),
    );
    let negated = [questions.field("type"), questions.field("code")]
        .into_iter()
        .flatten()
        .any(|field| field.negated);
    if !(negated && with_type && with_code) {
        questions.range("type", "typeend", kind)?;
        return questions.range("code", "codeend", code);
    }
    let types = questions.test("type", "typeend")?;
    let codes = questions.test("code", "codeend")?;
    questions.either(not_both((kind, types), (code, codes)));
    Ok(())
}

/// The protocol must be known before the rest can be read, so a variable is not enough.
const fn is_icmpv6(term: &Term) -> bool {
    matches!(term, Term::Value(Value::Number { value: ICMPV6, .. }))
}

/// That two tests do not both hold, as two ways that exclude one another.
pub(super) fn not_both(one: (Load, Test), other: (Load, Test)) -> [Vec<Condition>; 2] {
    let condition = |(load, test): (Load, Test), negated| Condition::Bytes {
        load,
        mask: None,
        test,
        negated,
    };
    [
        vec![condition(one.clone(), true)],
        vec![condition(one, false), condition(other, true)],
    ]
}
