//! The sets of slots: one for each slot of a program, with elements of all its ports.

use super::names::{self, DEVICE};
use super::object::SetObject;
use crate::nft::Set;
use crate::ruleset::SlotShape;

/// Registers are filled in words of so many bytes.
const WORD: usize = 4;

/// nft's number for the type of a device's name.
pub(super) const DEVICE_TYPE: u32 = 41;
/// nft packs the types of a key's parts into one number, six bits each.
const TYPE_BITS: u32 = 6;
/// As many as that number has room for.
const TYPES: usize = 5;

/// The set of a slot.
pub(super) fn set(name: String, shape: &SlotShape) -> Set {
    let mut types = vec![DEVICE_TYPE];
    let mut key_len = DEVICE;
    for width in &shape.widths {
        // nft aborts over keys whose types are shorter than they are. A number, a port, an IPv4 address, a MAC address,
        // an IPv6 address, and words for what is neither.
        match width {
            1 => types.push(12),
            2 => types.push(13),
            3 | 4 => types.push(7),
            5 | 6 => types.push(9),
            16 => types.push(8),
            wide => types.extend(vec![7; usize::from(*wide).div_ceil(WORD)]),
        }
        key_len += usize::from(*width).next_multiple_of(WORD);
    }
    types.truncate(if types.len() > TYPES { 1 } else { TYPES });
    let key_type = types.into_iter().fold(0, |packed, part| (packed << TYPE_BITS) | part);
    Set {
        table: names::TABLE.to_owned(),
        name,
        key_type,
        key_len: u32::try_from(key_len).unwrap_or(u32::MAX),
        map: false,
        evaluated: None,
    }
}

/// An element of a slot's set: the device's name and the parts, each padded as registers are.
pub(super) fn key(device: &[u8], widths: &[u8], parts: &[u8]) -> Option<Vec<u8>> {
    let mut key = device.to_vec();
    let mut rest = parts;
    for width in widths {
        let (part, more) = rest.split_at_checked(usize::from(*width))?;
        key.extend_from_slice(part);
        key.resize(key.len().next_multiple_of(WORD), 0);
        rest = more;
    }
    rest.is_empty().then_some(key)
}

/// All pairs of equal bytes: with it two fields can be compared.
pub(super) fn equal_bytes() -> SetObject {
    let pair = |byte: u8| {
        let mut key = vec![0; 2 * WORD];
        (key[0], key[WORD]) = (byte, byte);
        (key, None)
    };
    SetObject {
        set: Set {
            table: names::TABLE.to_owned(),
            name: names::EQUAL_BYTES.to_owned(),
            key_type: (12 << TYPE_BITS) | 12,
            key_len: 8,
            map: false,
            evaluated: None,
        },
        elements: (0..=u8::MAX).map(pair).collect(),
    }
}
