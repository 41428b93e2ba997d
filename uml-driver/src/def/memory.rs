//! `Memory`: how much memory a guest has, and the units in which people write it.

use super::rest::Rest;
use std::time::Duration;

/// A guest's memory, in KiB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memory {
    /// `<memory>`: the upper limit.
    pub max_kib: u64,
    /// `<currentMemory>`: what the guest boots with; never above the limit.
    pub current_kib: u64,
    /// What else `<memory>` held (`dumpCore`).
    pub rest: Rest,
}

impl super::DomainDef {
    /// How often the figures of its memory are asked of the guest (`<memballoon>`, `<stats period>`); `None` leaves that to
    /// the host.
    #[must_use]
    pub fn stats_period(&self) -> Option<Duration> {
        let balloon = self.devices_rest.element("memballoon")?;
        let stats = balloon.elements().find(|element| element.name == "stats")?;
        let seconds = stats.attr("period")?.parse().ok().filter(|seconds| *seconds > 0);
        seconds.map(Duration::from_secs)
    }
}

/// Why a size was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadSize {
    Unit,
    Number,
    TooLarge,
}

/// A size in KiB, rounded up as libvirt rounds: `KB`, `MB`... count in thousands, `K`, `KiB`, `M`... in 1024.
pub(super) fn kib(number: &str, unit: &str) -> Result<u64, BadSize> {
    let number = number.trim();
    if !number.bytes().all(|c| c.is_ascii_digit()) {
        return Err(BadSize::Number);
    }
    // All digits: the only thing that can go wrong is too many of them, or none.
    let number: u128 = number.parse().map_err(|_| {
        if number.is_empty() {
            BadSize::Number
        } else {
            BadSize::TooLarge
        }
    })?;
    let bytes = number.checked_mul(scale(unit)?).ok_or(BadSize::TooLarge)?;
    let kib = u64::try_from(bytes.div_ceil(1024)).map_err(|_| BadSize::TooLarge)?;
    // The same size in bytes must fit whoever computes with it.
    if kib > u64::MAX >> 11 {
        return Err(BadSize::TooLarge);
    }
    Ok(kib)
}

fn scale(unit: &str) -> Result<u128, BadSize> {
    let unit = unit.to_ascii_lowercase();
    if matches!(unit.as_str(), "b" | "byte" | "bytes") {
        return Ok(1);
    }
    let mut letters = unit.chars();
    let power = match letters.next() {
        None | Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some('p') => 5,
        Some('e') => 6,
        Some(_) => return Err(BadSize::Unit),
    };
    match letters.as_str() {
        "" | "ib" => Ok(1_u128 << (10 * power)),
        "b" => Ok(1000_u128.pow(power)),
        _ => Err(BadSize::Unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_round_as_libvirt_rounds() {
        let cases = [
            ("1", "", 1),
            ("1", "b", 1),
            ("1023", "bytes", 1),
            ("1025", "b", 2),
            ("1025", "KB", 1001),
            ("1025", "k", 1025),
            ("1", "MB", 977),
            ("65", "MB", 63477),
            ("1", "M", 1024),
            ("1023", "GB", 999_023_438),
            ("1023", "T", 1_098_437_885_952),
            ("1023", "P", 1_124_800_395_214_848),
            (" 65536\n", "KiB", 65536),
        ];
        for (number, unit, expected) in cases {
            assert_eq!(kib(number, unit), Ok(expected), "{number} {unit}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        assert_eq!(kib("1", "x"), Err(BadSize::Unit));
        assert_eq!(kib("1", "KiBs"), Err(BadSize::Unit));
        for number in ["", "-1", "+1", "1.5", "0x10", "a"] {
            assert_eq!(kib(number, "KiB"), Err(BadSize::Number), "{number}");
        }
        assert_eq!(kib("18446744073709551615", "KiB"), Err(BadSize::TooLarge));
        assert_eq!(kib("16", "E"), Err(BadSize::TooLarge));
        assert_eq!(kib(&"9".repeat(60), "b"), Err(BadSize::TooLarge));
    }
}
