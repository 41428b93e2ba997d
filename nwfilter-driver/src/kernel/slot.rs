//! The sets of slots: one for each slot of a program, with elements of all its ports.

use super::names::{self, DEVICE};
use crate::nft::Set;
use crate::ruleset::SlotShape;

/// Registers are filled in words of so many bytes.
const WORD: usize = 4;

/// nft's number for the type of a device's name.
pub(super) const DEVICE_TYPE: u32 = 41;
/// nft packs the types of a key's parts into one number, six bits each.
const TYPE_BITS: u32 = 6;

/// The set of a slot.
pub(super) fn set(name: String, shape: &SlotShape) -> Set {
    let mut key_type = DEVICE_TYPE;
    let mut key_len = DEVICE;
    for width in &shape.widths {
        // Only for lists that people read: a number, a port, an IPv4 address, a MAC address, an IPv6 address.
        let part = match width {
            1 => 12,
            2 => 13,
            4 => 7,
            6 => 9,
            16 => 8,
            _ => 5,
        };
        key_type = key_type.checked_shl(TYPE_BITS).unwrap_or(0) | part;
        key_len += usize::from(*width).next_multiple_of(WORD);
    }
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
