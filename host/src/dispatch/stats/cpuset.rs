//! `CpuSet`: processors of the machine, from the lists that the kernel and documents write, to the maps of the protocol.

use driver_api::error::{Code, Error, Origin, Result};
use std::fs;

/// Where the kernel tells which processors there are.
const ONLINE: &str = "/sys/devices/system/cpu/online";
/// The longest map in bytes.
const BYTES_MAX: usize = 2048;

/// Some of the machine's processors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CpuSet {
    // Bit `n` stands for processor `n`.
    bits: Vec<u8>,
}

impl CpuSet {
    /// The processors that are switched on.
    ///
    /// # Errors
    /// 38 when the kernel does not tell.
    pub(super) fn online() -> Result<Self> {
        let failed = |cause: std::io::Error| {
            let text = format!("which processors are online can not be read from '{ONLINE}'");
            Error::new(Code::SYSTEM_ERROR, Origin::NONE, text).because(cause)
        };
        let list = fs::read_to_string(ONLINE).map_err(failed)?;
        Self::parse(list.trim()).ok_or_else(|| failed(std::io::Error::other(format!("'{}' is no list", list.trim()))))
    }

    /// The processors in a list such as `0-3,^2,8`, which takes out what stands behind a `^`.
    pub(super) fn parse(list: &str) -> Option<Self> {
        let mut bits = vec![0_u8; BYTES_MAX];
        for part in list.split(',').map(str::trim) {
            let (range, on) = match part.strip_prefix('^') {
                Some(range) => (range, false),
                None => (part, true),
            };
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
            if first > last {
                return None;
            }
            for cpu in first..=last.min(BYTES_MAX * 8) {
                let byte = bits.get_mut(cpu / 8)?;
                let bit = 1 << (cpu % 8);
                *byte = if on { *byte | bit } else { *byte & !bit };
            }
        }
        Some(Self { bits })
    }

    /// One more than the last processor's number.
    pub(super) fn end(&self) -> u32 {
        let is_on = |cpu: &u32| usize::try_from(cpu / 8).is_ok_and(|byte| self.bits[byte] & 1 << (cpu % 8) != 0);
        (0..)
            .take(BYTES_MAX * 8)
            .filter(is_on)
            .last()
            .map_or(0, |last| last + 1)
    }

    /// A map of `length` bytes.
    pub(super) fn map(&self, length: usize) -> Vec<u8> {
        let mut map = self.bits.clone();
        map.resize(length, 0);
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_the_maps_that_they_say() {
        for (list, map, end) in [
            ("0", vec![1, 0], 1),
            ("0-3,^2, 8", vec![0b1011, 1], 9),
            ("9", vec![0, 2], 10),
            ("0-1,^0-1", vec![0, 0], 0),
            ("3-16383", vec![0b1111_1000, 0xff], 16384),
        ] {
            let set = CpuSet::parse(list).unwrap();
            assert_eq!((set.map(2), set.end()), (map, end), "{list}");
        }
        assert_eq!(CpuSet::parse("0").unwrap().map(3000).len(), 3000);
    }

    #[test]
    fn what_is_no_list_is_none() {
        for list in ["", "x", "1-", "-1", "3-1", "0,,1", "16384", "0-99999999999", "^"] {
            assert_eq!(CpuSet::parse(list), None, "{list}");
        }
    }

    #[test]
    fn this_machine_has_a_processor() {
        assert!(CpuSet::online().unwrap().end() > 0);
    }
}
