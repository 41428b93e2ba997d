//! What a frame alone answers: comparisons of its bytes with values that every port shares.

use super::packet::Packet;
use crate::ruleset::{Condition, Test};

/// Whether a condition holds; `None` if what it asks for is not there, or if a frame alone can not answer it.
#[must_use]
pub fn holds(condition: &Condition, packet: &Packet<'_>) -> Option<bool> {
    let (found, negated) = match condition {
        Condition::Bytes {
            load,
            mask,
            test,
            negated,
        } => {
            let value = masked(packet.load(*load)?, mask.as_deref());
            let found = match test {
                Test::Equal(wanted) => value == *wanted,
                Test::Range(first, last) => (first..=last).contains(&&value),
            };
            (found, *negated)
        }
        Condition::Same { left, right, negated } => (packet.load(*left)? == packet.load(*right)?, *negated),
        Condition::TcpOption { kind, negated } => (packet.has_tcp_option(*kind)?, *negated),
        Condition::Slot { .. } | Condition::State { .. } | Condition::Reply(_) | Condition::Predicate { .. } => {
            return None;
        }
    };
    Some(found != negated)
}

/// The bits of a value that are looked at.
pub(super) fn masked(value: &[u8], mask: Option<&[u8]>) -> Vec<u8> {
    match mask {
        None => value.to_vec(),
        Some(mask) => value.iter().zip(mask).map(|(byte, mask)| byte & mask).collect(),
    }
}
