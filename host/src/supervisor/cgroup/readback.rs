//! What the kernel keeps now: the files of a guest's groups, read back as limits.

use super::knob::DeviceLimit;
use super::plan::device_file;
use super::{Seat, Version};
use std::path::Path;

/// KiB from which on version 1, which counts in pages, means no limit.
const NO_LIMIT_V1: u64 = 9_007_199_254_740_988;
/// What a group has that was never told another.
pub(super) const USUAL_PERIOD: u64 = 100_000;

pub(super) fn line(folder: &Path, file: &str) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(file)).ok()?;
    Some(text.trim().to_owned())
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    line(folder, file)?.parse().ok()
}

pub(super) fn shares(seat: &Seat) -> Option<u64> {
    match seat.version {
        Version::One => number(&seat.path, "cpu.shares"),
        Version::Two => number(&seat.path, "cpu.weight").map(|weight| (weight * 1024 + 50) / 100),
    }
}

/// Quota and period in microseconds.
pub(super) fn bandwidth(seat: &Seat) -> (Option<u64>, u64) {
    let (quota, period) = match seat.version {
        Version::One => (
            number(&seat.path, "cpu.cfs_quota_us"),
            number(&seat.path, "cpu.cfs_period_us"),
        ),
        Version::Two => {
            let text = line(&seat.path, "cpu.max").unwrap_or_default();
            let mut words = text.split(' ');
            let mut next = || words.next().and_then(|word| word.parse().ok());
            (next(), next())
        }
    };
    (quota, period.unwrap_or(USUAL_PERIOD))
}

pub(super) type Amounts = (Option<Option<u64>>, Option<Option<u64>>, Option<Option<u64>>);

/// Hard and soft limit, and that of memory and swap together, in KiB; the outer `None` where the kernel has no such file.
pub(super) fn memory(seat: &Seat) -> Amounts {
    let read = |file| {
        let text = line(&seat.path, file)?;
        let kib = text.parse::<u64>().ok().map(|bytes| bytes / 1024);
        Some(kib.filter(|kib| *kib < NO_LIMIT_V1))
    };
    match seat.version {
        Version::One => (
            read("memory.limit_in_bytes"),
            read("memory.soft_limit_in_bytes"),
            read("memory.memsw.limit_in_bytes"),
        ),
        Version::Two => {
            let (hard, swap) = (read("memory.max"), read("memory.swap.max"));
            let sum = swap.map(|swap| Some(swap? + hard.flatten()?));
            (hard, read("memory.high"), sum)
        }
    }
}

pub(super) fn weight(seat: &Seat) -> Option<u32> {
    let files = match seat.version {
        Version::One => ["blkio.weight", "blkio.bfq.weight"],
        Version::Two => ["io.weight", "io.bfq.weight"],
    };
    let text = files.iter().find_map(|file| line(&seat.path, file))?;
    let first = text.lines().next()?;
    first.strip_prefix("default ").unwrap_or(first).trim().parse().ok()
}

/// Limits of devices as libvirt writes them; an empty text when there are none.
pub(super) fn devices(seat: &Seat, limit: DeviceLimit) -> Option<String> {
    let (file, key) = device_file(seat, limit);
    let text = line(&seat.path, file)?;
    let of_line = |line: &str| {
        let mut words = line.split(' ');
        let numbers = words.next().filter(|word| word.contains(':'))?.to_owned();
        let value: u64 = words.find_map(|word| word.strip_prefix(key)?.parse().ok())?;
        Some(format!("{},{value}", device_name(&numbers)))
    };
    Some(text.lines().filter_map(of_line).collect::<Vec<_>>().join(","))
}

/// The device file of `major:minor`.
fn device_name(numbers: &str) -> String {
    let uevent = std::fs::read_to_string(format!("/sys/dev/block/{numbers}/uevent")).unwrap_or_default();
    let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="));
    name.map_or_else(|| format!("/dev/block/{numbers}"), |name| format!("/dev/{name}"))
}
