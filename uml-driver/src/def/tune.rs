//! `Tune`: what a guest may use of the machine: processor time, memory, disks' bandwidth, and which processors.

mod params;

use super::cpuset::CpuSet;
use super::rest::Rest;

/// What libvirt's clients write for "no limit", in KiB.
pub const UNLIMITED_KIB: u64 = 9_007_199_254_740_991;
/// The kernel's bounds of a group's share.
pub const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;
/// The kernel's bounds of an accounting period, in microseconds.
pub const PERIOD: std::ops::RangeInclusive<u64> = 1_000..=1_000_000;
/// The kernel's bounds of the time within a period, in microseconds.
pub const QUOTA: std::ops::RangeInclusive<i64> = 1_000..=17_592_186_044_415;
/// The kernel's bounds of a weight.
pub const WEIGHT: std::ops::RangeInclusive<u32> = 10..=1_000;

/// `<cputune>`, `<memtune>`, `<blkiotune>` and `<vcpu cpuset>`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tune {
    /// Processor time.
    pub cpu: CpuTune,
    /// Memory.
    pub memory: MemoryTune,
    /// Disks' bandwidth.
    pub block: BlockTune,
    /// `<vcpu cpuset>`: where the guest runs, unless it is pinned.
    pub cpuset: Option<CpuSet>,
}

/// `<cputune>`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CpuTune {
    /// Its part of the processors when others want them too, within [`SHARES`].
    pub shares: Option<u64>,
    /// For the processors of the guest.
    pub vcpu: Bandwidth,
    /// For the whole guest.
    pub global: Bandwidth,
    /// For what serves the guest.
    pub emulator: Bandwidth,
    /// `<vcpupin>`: where processors of the guest run, rising by their numbers, each of them once.
    pub pins: Vec<(u32, CpuSet)>,
    /// `<emulatorpin>`: where runs what serves the guest.
    pub emulator_pin: Option<CpuSet>,
    /// Everything else.
    pub rest: Rest,
}

/// How much processor time there is in which time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bandwidth {
    /// Within [`PERIOD`].
    pub period: Option<u64>,
    /// Within [`QUOTA`]; negative for no limit.
    pub quota: Option<i64>,
}

/// `<memtune>`, in KiB; what is not limited is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryTune {
    /// The guest is killed rather than given more.
    pub hard_limit: Option<u64>,
    /// What it is brought back to when memory is scarce.
    pub soft_limit: Option<u64>,
    /// Memory and swap space together.
    pub swap_hard_limit: Option<u64>,
    /// Everything else.
    pub rest: Rest,
}

/// `<blkiotune>`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BlockTune {
    /// Its part of every disk of the host when others want it too, within [`WEIGHT`].
    pub weight: Option<u32>,
    /// For single disks of the host, each path once, in the order of the document.
    pub devices: Vec<BlockDevice>,
    /// Everything else.
    pub rest: Rest,
}

/// What a guest may use of one disk of the host; at least one thing is said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BlockDevice {
    /// The device (`/dev/sda`).
    pub path: String,
    /// As [`BlockTune::weight`].
    pub weight: Option<u32>,
    /// Reads a second.
    pub read_iops: Option<u32>,
    /// Writes a second.
    pub write_iops: Option<u32>,
    /// Bytes read a second.
    pub read_bytes: Option<u64>,
    /// Bytes written a second.
    pub write_bytes: Option<u64>,
}

impl BlockDevice {
    fn says_something(&self) -> bool {
        let numbers = [self.weight, self.read_iops, self.write_iops];
        numbers.iter().any(Option::is_some) || self.read_bytes.or(self.write_bytes).is_some()
    }
}

impl BlockTune {
    /// Leaves out devices of which nothing is said.
    pub(super) fn tidy(&mut self) {
        self.devices.retain(BlockDevice::says_something);
    }
}

/// What a guest's processes take beside its memory, in KiB: a kernel of 64 MiB was seen with 11 MiB, and page tables grow
/// with it.
pub const OVERHEAD_KIB: u64 = 32 << 10;

impl Tune {
    /// Why a guest with this much memory, in KiB, could not live within these limits, or not as they ask.
    #[must_use]
    pub fn conflict(&self, memory_kib: u64) -> Option<String> {
        let least = memory_kib.saturating_add(OVERHEAD_KIB);
        let memory = &self.memory;
        if let Some(limit) = memory.hard_limit.filter(|limit| *limit < least) {
            // The kernel would kill the guest's first process as soon as it has touched all of its memory.
            return Some(format!(
                "<hard_limit> {limit} KiB, which is sure to be the guest's end: its memory and what UML needs take {least} KiB"
            ));
        }
        if let (Some(hard), Some(swap)) = (memory.hard_limit, memory.swap_hard_limit)
            && swap < hard
        {
            return Some(format!(
                "<swap_hard_limit> {swap} KiB, which is below the <hard_limit> {hard} KiB that it includes"
            ));
        }
        let pins = self
            .cpu
            .pins
            .iter()
            .filter(|(number, _)| *number == 0)
            .map(|(_, set)| set);
        let emulator = self.cpu.emulator_pin.as_ref();
        let apart = pins.zip(emulator).find(|(own, emulator)| own != emulator);
        apart.map(|(own, emulator)| {
            format!("<vcpupin> '{own}' beside <emulatorpin> '{emulator}' (a UML guest runs in one place)")
        })
    }

    /// The processors on which the guest runs: a UML kernel's only processor and what serves it are one process tree.
    #[must_use]
    pub fn processors(&self) -> Option<&CpuSet> {
        let pin = self.cpu.pins.iter().find(|(number, _)| *number == 0);
        let pin = pin.map(|(_, set)| set);
        pin.or(self.cpu.emulator_pin.as_ref()).or(self.cpuset.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_end_the_guest_are_a_conflict() {
        let limited = |hard_limit, swap_hard_limit| {
            let mut tune = Tune::default();
            tune.memory.hard_limit = hard_limit;
            tune.memory.swap_hard_limit = swap_hard_limit;
            tune.conflict(64 << 10).unwrap_or_default()
        };
        assert_eq!(limited(Some(96 << 10), Some(96 << 10)), "");
        assert!(limited(Some((96 << 10) - 1), None).contains("<hard_limit> 98303 KiB"));
        assert!(limited(Some(200_000), Some(150_000)).contains("<swap_hard_limit> 150000 KiB"));
    }

    #[test]
    fn a_guest_is_pinned_in_one_place() {
        let mut tune = Tune {
            cpuset: CpuSet::of([7]),
            ..Tune::default()
        };
        assert_eq!(tune.processors(), tune.cpuset.as_ref());
        tune.cpu.pins = vec![(0, CpuSet::of([1]).unwrap())];
        assert_eq!(tune.processors().unwrap().to_string(), "1");
        tune.cpu.emulator_pin = CpuSet::of([1]);
        assert_eq!(tune.conflict(0), None);
        tune.cpu.emulator_pin = CpuSet::of([2]);
        assert!(
            tune.conflict(0)
                .unwrap()
                .contains("<vcpupin> '1' beside <emulatorpin> '2'")
        );
    }
}
