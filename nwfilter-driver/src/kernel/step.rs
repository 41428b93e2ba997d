//! Short runs of expressions that rules are put together from.

use crate::nft::expression::{Comparison, Expression, Register, meta, payload};
use crate::ruleset::{Base, Hook, Load, States};

/// The number of bytes in a mark.
const WORD: usize = 4;
/// The Ethernet type as it stood on the wire.
pub(super) const ETHER_TYPE: Load = Load::payload(Base::Link, 12, 2);
/// The Ethernet type of IPv4.
pub(super) const IPV4: [u8; 2] = [0x08, 0x00];
/// The Ethernet type of IPv6.
pub(super) const IPV6: [u8; 2] = [0x86, 0xdd];

/// `mark = mark & keep ^ turn`.
pub(super) fn set_mark(keep: u32, turn: u32) -> Vec<Expression> {
    vec![
        load_mark(),
        Expression::Mask {
            from: Register::FIRST,
            into: Register::FIRST,
            mask: keep.to_ne_bytes().to_vec(),
            xor: turn.to_ne_bytes().to_vec(),
        },
        Expression::MetaSet {
            key: meta::MARK,
            from: Register::FIRST,
        },
    ]
}

/// Goes on if the mark has one of the bits, or none of them.
pub(super) fn mark_has(bits: u32, any: bool) -> Vec<Expression> {
    let mut steps = vec![load_mark()];
    steps.extend(bits_of_first(bits, any));
    steps
}

const fn load_mark() -> Expression {
    Expression::Meta {
        key: meta::MARK,
        into: Register::FIRST,
    }
}

/// Goes on if the number in the first register has one of the bits, or none of them.
pub(super) fn bits_of_first(bits: u32, any: bool) -> [Expression; 2] {
    [
        Expression::Mask {
            from: Register::FIRST,
            into: Register::FIRST,
            mask: bits.to_ne_bytes().to_vec(),
            xor: vec![0; WORD],
        },
        Expression::Compare {
            from: Register::FIRST,
            how: if any { Comparison::NotEqual } else { Comparison::Equal },
            with: vec![0; WORD],
        },
    ]
}

/// Goes on if the frame is of that type.
pub(super) fn ether_type_is(kind: [u8; 2]) -> [Expression; 2] {
    [
        read(ETHER_TYPE, Register::FIRST),
        Expression::Compare {
            from: Register::FIRST,
            how: Comparison::Equal,
            with: kind.to_vec(),
        },
    ]
}

/// Connection states as the kernel has them in one number.
pub(super) fn kernel_states(states: States) -> u32 {
    // New, established, related, invalid, in the order of `States`.
    [8, 2, 4, 1]
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| states & (1 << bit) != 0)
        .map(|(_, kernel)| kernel)
        .sum()
}

/// Reads what a load says.
pub(super) fn read(load: Load, into: Register) -> Expression {
    match load {
        Load::Payload { base, offset, len } => Expression::Payload {
            base: match base {
                Base::Link => payload::LINK,
                Base::Network => payload::NETWORK,
                Base::Transport => payload::TRANSPORT,
            },
            offset: offset.into(),
            len: len.into(),
            into,
        },
        Load::Protocol => Expression::Meta {
            key: meta::L4PROTO,
            into,
        },
    }
}

/// The name of the port's device.
pub(super) const fn device(hook: Hook, into: Register) -> Expression {
    let key = if hook.is_out() { meta::IIFNAME } else { meta::OIFNAME };
    Expression::Meta { key, into }
}
