//! `CpuSet`: processors of the machine, from the lists that documents write to the maps of the protocol.

use crate::node::list;

/// The longest map in bytes.
const BYTES_MAX: usize = 2048;

/// Some of the machine's processors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CpuSet {
    // Bit `n` stands for processor `n`.
    bits: Vec<u8>,
}

impl CpuSet {
    /// These processors, without those that no map has room for.
    pub(super) fn of(cpus: &[u32]) -> Self {
        let mut set = Self {
            bits: vec![0; BYTES_MAX],
        };
        for cpu in cpus {
            // One that does not fit is left out.
            let _fits = set.switch(*cpu, true);
        }
        set
    }

    /// The processors in a list such as `0-3,^2,8`, which takes out what stands behind a `^`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut set = Self::of(&[]);
        for part in text.split(',').map(str::trim) {
            let (range, on) = match part.strip_prefix('^') {
                Some(range) => (range, false),
                None => (part, true),
            };
            let cpus = list::parse(range).filter(|cpus| !cpus.is_empty())?;
            cpus.into_iter().try_for_each(|cpu| set.switch(cpu, on))?;
        }
        Some(set)
    }

    fn switch(&mut self, cpu: u32, on: bool) -> Option<()> {
        let byte = self.bits.get_mut(usize::try_from(cpu / 8).ok()?)?;
        let bit = 1 << (cpu % 8);
        *byte = if on { *byte | bit } else { *byte & !bit };
        Some(())
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
        for (list, map) in [
            ("0", vec![1, 0]),
            ("0-3,^2, 8", vec![0b1011, 1]),
            ("9", vec![0, 2]),
            ("0-1,^0-1", vec![0, 0]),
            ("3-16383", vec![0b1111_1000, 0xff]),
        ] {
            assert_eq!(CpuSet::parse(list).unwrap().map(2), map, "{list}");
        }
        assert_eq!(CpuSet::parse("0").unwrap().map(3000).len(), 3000);
        assert_eq!(CpuSet::of(&[1, 99_999]).map(1), [2]);
    }

    #[test]
    fn what_is_no_list_is_none() {
        for list in ["", "x", "1-", "-1", "3-1", "0,,1", "16384", "0-99999999999", "^"] {
            assert_eq!(CpuSet::parse(list), None, "{list}");
        }
    }
}
