//! `CpuSet`: which processors of the machine, as people write it (`0-3,^2`).

use std::fmt;
use std::str::FromStr;

/// How many processors can be named.
const COUNT: usize = 16_384;

/// At least one processor of the machine; prints in libvirt's canonical form (`0-1,3`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CpuSet(Vec<(u16, u16)>);

impl CpuSet {
    /// The processors' numbers, rising.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(first, last)| *first..=*last).map(u32::from)
    }

    /// These processors; `None` for none, and for numbers beyond 16383.
    #[must_use]
    pub fn of(numbers: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut wanted = vec![false; COUNT];
        for number in numbers {
            *wanted.get_mut(usize::try_from(number).ok()?)? = true;
        }
        Self::marked(&wanted)
    }

    fn marked(wanted: &[bool]) -> Option<Self> {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        let numbers = (0..).zip(wanted).filter(|(_, wanted)| **wanted);
        for (number, _) in numbers {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => runs.push((number, number)),
            }
        }
        (!runs.is_empty()).then_some(Self(runs))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

/// The text is not a set of processors, or an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACpuSet;

impl FromStr for CpuSet {
    type Err = NotACpuSet;

    fn from_str(text: &str) -> Result<Self, NotACpuSet> {
        let mut wanted = vec![false; COUNT];
        // A comma may end the list, as libvirt allows.
        for item in text.trim().trim_end_matches(',').split(',') {
            let item = item.trim();
            let (item, set) = item.strip_prefix('^').map_or((item, true), |item| (item, false));
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let places = place(first)?..=place(last)?;
            if places.is_empty() || (!set && first != last) {
                return Err(NotACpuSet);
            }
            wanted.get_mut(places).ok_or(NotACpuSet)?.fill(set);
        }
        Self::marked(&wanted).ok_or(NotACpuSet)
    }
}

fn place(text: &str) -> Result<usize, NotACpuSet> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|number| *number < COUNT).ok_or(NotACpuSet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_printed_as_libvirt_does() {
        for (text, printed) in [
            ("0-3,^2", "0-1,3"),
            ("3,1,2", "1-3"),
            (" 1 , 2 ", "1-2"),
            ("1,", "1"),
            ("16383", "16383"),
            ("0,2,4", "0,2,4"),
        ] {
            let set: CpuSet = text.parse().unwrap();
            assert_eq!(set.to_string(), printed, "{text}");
            assert_eq!(CpuSet::of(set.iter()), Some(set));
        }
        for text in [
            "", "a", "0,^0", "3-1", "16384", "^1", "-1", "1-", "1,,2", "+1", "0-3,^1-2",
        ] {
            assert_eq!(text.parse::<CpuSet>(), Err(NotACpuSet), "{text}");
        }
        assert_eq!(CpuSet::of([]), None);
        assert_eq!(CpuSet::of([16_384]), None);
    }
}
