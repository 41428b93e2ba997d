//! `Knob`: one limit as it was asked for, checked; names, units and texts are those of `driver_api::host::Host::limit`.

use super::Controller;
use crate::supervisor::extras::{Amount, Limit};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// KiB that mean "no limit" (libvirt's `VIR_DOMAIN_MEMORY_PARAM_UNLIMITED`).
pub(in crate::supervisor) const UNLIMITED: u64 = 9_007_199_254_740_991;

const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;
const PERIOD: std::ops::RangeInclusive<u64> = 1_000..=1_000_000;
const QUOTA: std::ops::RangeInclusive<u64> = 1_000..=17_592_186_044_415;
const WEIGHT: std::ops::RangeInclusive<u64> = 10..=1_000;
/// More than any machine has.
const PROCESSORS: u32 = 8_192;

/// Whose processor time is meant. A UML guest is one tree of processes that can not be told apart, so that each of them
/// means all of it; of several at once the widest counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Scope {
    Emulator,
    Vcpu,
    Global,
}

/// What is limited of a block device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DeviceLimit {
    Weight,
    ReadBytes,
    WriteBytes,
    ReadOperations,
    WriteOperations,
}

/// A block device and a number for it; 0 is no limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Device {
    pub(super) numbers: (u32, u32),
    pub(super) value: u64,
}

/// One limit; `None` where there shall be none. Memory in KiB, times in microseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Knob {
    Shares(u64),
    Period(Scope, u64),
    Quota(Scope, Option<u64>),
    Processors(BTreeSet<u32>),
    Hard(Option<u64>),
    Soft(Option<u64>),
    SwapHard(Option<u64>),
    Weight(u64),
    Devices(DeviceLimit, Vec<Device>),
    Processes(Option<u64>),
}

impl Knob {
    pub(super) const fn controller(&self) -> Controller {
        match self {
            Self::Shares(_) | Self::Period(..) | Self::Quota(..) => Controller::Cpu,
            Self::Processors(_) => Controller::CpuSet,
            Self::Hard(_) | Self::Soft(_) | Self::SwapHard(_) => Controller::Memory,
            Self::Weight(_) | Self::Devices(..) => Controller::Io,
            Self::Processes(_) => Controller::Pids,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Shares(_) => "cpu_shares",
            Self::Period(Scope::Emulator, _) => "emulator_period",
            Self::Period(Scope::Vcpu, _) => "vcpu_period",
            Self::Period(Scope::Global, _) => "global_period",
            Self::Quota(Scope::Emulator, _) => "emulator_quota",
            Self::Quota(Scope::Vcpu, _) => "vcpu_quota",
            Self::Quota(Scope::Global, _) => "global_quota",
            Self::Processors(_) => "cpuset",
            Self::Hard(_) => "hard_limit",
            Self::Soft(_) => "soft_limit",
            Self::SwapHard(_) => "swap_hard_limit",
            Self::Weight(_) => "weight",
            Self::Devices(limit, _) => limit.name(),
            Self::Processes(_) => "pids",
        }
    }
}

impl DeviceLimit {
    pub(super) const ALL: [Self; 5] = [
        Self::Weight,
        Self::ReadBytes,
        Self::WriteBytes,
        Self::ReadOperations,
        Self::WriteOperations,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Weight => "device_weight",
            Self::ReadBytes => "device_read_bytes_sec",
            Self::WriteBytes => "device_write_bytes_sec",
            Self::ReadOperations => "device_read_iops_sec",
            Self::WriteOperations => "device_write_iops_sec",
        }
    }
}

/// Checks limits; `device` tells the numbers of a block device, or why there are none.
///
/// # Errors
/// The first name or value that is none, in words.
pub(super) fn parse(
    limits: &[Limit],
    device: impl Fn(&Path) -> Result<(u32, u32), String>,
) -> Result<Vec<Knob>, String> {
    limits.iter().map(|limit| one(limit, &device)).collect()
}

fn one(limit: &Limit, device: &impl Fn(&Path) -> Result<(u32, u32), String>) -> Result<Knob, String> {
    let number = |range: std::ops::RangeInclusive<u64>| {
        let value = limit.value.number();
        value.filter(|value| range.contains(value)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            format!(
                "'{}' takes a number from {low} to {high}, not {}",
                limit.name, limit.value
            )
        })
    };
    let quota = || match limit.value {
        Amount::Signed(value) if value < 0 => Ok(None),
        _ => number(QUOTA).map(Some).map_err(|e| format!("{e} (-1 is no limit)")),
    };
    let memory = |least| {
        let value = number(least..=u64::MAX)?;
        Ok::<_, String>((value < UNLIMITED).then_some(value))
    };
    let devices = |kind: DeviceLimit| {
        let list = device_list(&limit.name, &limit.value, kind, device)?;
        Ok::<_, String>(Knob::Devices(kind, list))
    };
    Ok(match limit.name.as_str() {
        "cpu_shares" => Knob::Shares(number(SHARES)?),
        "vcpu_period" => Knob::Period(Scope::Vcpu, number(PERIOD)?),
        "emulator_period" => Knob::Period(Scope::Emulator, number(PERIOD)?),
        "global_period" => Knob::Period(Scope::Global, number(PERIOD)?),
        "vcpu_quota" => Knob::Quota(Scope::Vcpu, quota()?),
        "emulator_quota" => Knob::Quota(Scope::Emulator, quota()?),
        "global_quota" => Knob::Quota(Scope::Global, quota()?),
        "cpuset" => Knob::Processors(match &limit.value {
            Amount::Text(text) => processors(text)?,
            other => return Err(format!("'cpuset' takes a text such as '0-3,^2', not {other}")),
        }),
        "hard_limit" => Knob::Hard(memory(1)?),
        "soft_limit" => Knob::Soft(memory(0)?),
        "swap_hard_limit" => Knob::SwapHard(memory(1)?),
        "weight" => Knob::Weight(number(WEIGHT)?),
        "pids" => {
            let value = number(1..=u64::MAX)?;
            Knob::Processes((value < UNLIMITED).then_some(value))
        }
        name => match DeviceLimit::ALL.into_iter().find(|kind| kind.name() == name) {
            Some(kind) => devices(kind)?,
            None => return Err(format!("there is no limit '{name}'")),
        },
    })
}

/// `/dev/sda,1000,/dev/sdb,0`.
fn device_list(
    name: &str,
    value: &Amount,
    kind: DeviceLimit,
    device: &impl Fn(&Path) -> Result<(u32, u32), String>,
) -> Result<Vec<Device>, String> {
    let wrong = || format!("'{name}' takes a text such as '/dev/sda,1000,/dev/sdb,0', not {value}");
    let Amount::Text(text) = value else {
        return Err(wrong());
    };
    let fields: Vec<&str> = text.split(',').filter(|field| !field.is_empty()).collect();
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pairs = fields.chunks_exact(2);
    let read = |pair: &[&str]| {
        let value: u64 = pair[1].trim().parse().map_err(|_| wrong())?;
        if kind == DeviceLimit::Weight && value != 0 && !WEIGHT.contains(&value) {
            let (low, high) = (WEIGHT.start(), WEIGHT.end());
            return Err(format!(
                "a device's weight is a number from {low} to {high}, not {value}"
            ));
        }
        let path = PathBuf::from(pair[0].trim());
        let numbers = device(&path)?;
        Ok(Device { numbers, value })
    };
    pairs.map(read).collect()
}

/// Processors in libvirt's notation: numbers, ranges, and with `^` those that are taken out again.
fn processors(text: &str) -> Result<BTreeSet<u32>, String> {
    let wrong = || format!("'{text}' is no list of processors such as '0-3,^2'");
    let mut set = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (without, part) = match part.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, part),
        };
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|n| *n < PROCESSORS);
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = number(first).zip(number(last)).ok_or_else(wrong)?;
        if first > last {
            return Err(wrong());
        }
        for processor in first..=last {
            if without {
                set.remove(&processor);
            } else {
                set.insert(processor);
            }
        }
    }
    if set.is_empty() {
        return Err(format!("'{text}' leaves no processor"));
    }
    Ok(set)
}

/// Processors as the kernel lists them.
pub(super) fn listed(set: &BTreeSet<u32>) -> String {
    let mut text = String::new();
    let mut rest = set.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if_eq(&(last + 1)) {
            last = next;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text += &if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: Amount) -> Result<Knob, String> {
        let limit = Limit {
            name: name.to_owned(),
            value,
        };
        let device = |path: &Path| match path.to_str() {
            Some("/dev/sda") => Ok((8, 0)),
            _ => Err(format!("'{}' is no block device", path.display())),
        };
        Ok(parse(&[limit], device)?.remove(0))
    }

    #[test]
    fn limits_are_read_by_name_and_none_is_said_as_libvirt_says_it() {
        use Amount::{Signed, Unsigned};
        assert_eq!(read("cpu_shares", Unsigned(512)), Ok(Knob::Shares(512)));
        assert_eq!(read("vcpu_quota", Signed(-1)), Ok(Knob::Quota(Scope::Vcpu, None)));
        assert_eq!(
            read("global_quota", Signed(50_000)),
            Ok(Knob::Quota(Scope::Global, Some(50_000)))
        );
        assert_eq!(read("hard_limit", Unsigned(UNLIMITED)), Ok(Knob::Hard(None)));
        assert_eq!(read("pids", Unsigned(100)), Ok(Knob::Processes(Some(100))));
        let text = |text: &str| Amount::Text(text.to_owned());
        let device = Device {
            numbers: (8, 0),
            value: 1000,
        };
        assert_eq!(
            read("device_read_bytes_sec", text("/dev/sda,1000")),
            Ok(Knob::Devices(DeviceLimit::ReadBytes, vec![device]))
        );
    }

    #[test]
    fn what_is_no_limit_is_refused_with_the_value_quoted() {
        use Amount::{Signed, Unsigned};
        let text = |text: &str| Amount::Text(text.to_owned());
        for (name, value, expected) in [
            ("frobs", Unsigned(1), "there is no limit 'frobs'"),
            ("cpu_shares", Unsigned(1), "takes a number from 2 to 262144, not 1"),
            ("vcpu_period", Unsigned(999), "from 1000 to 1000000, not 999"),
            ("vcpu_quota", Signed(5), "not 5 (-1 is no limit)"),
            ("hard_limit", Unsigned(0), "not 0"),
            ("hard_limit", text("much"), "not 'much'"),
            ("cpuset", Unsigned(0), "not 0"),
            ("cpuset", text("0,^0"), "'0,^0' leaves no processor"),
            ("cpuset", text("3-1"), "'3-1' is no list"),
            ("cpuset", text("9999"), "'9999' is no list"),
            ("weight", Unsigned(9), "from 10 to 1000"),
            ("device_weight", text("/dev/sda,5"), "not 5"),
            ("device_read_iops_sec", text("/dev/sda"), "takes a text such as"),
            (
                "device_read_iops_sec",
                text("/dev/nil,1"),
                "'/dev/nil' is no block device",
            ),
        ] {
            let error = read(name, value).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn processors_are_listed_as_the_kernel_lists_them() {
        for (asked, expected) in [("0", "0"), ("0-3,^1", "0,2-3"), ("7,5,6,1", "1,5-7")] {
            assert_eq!(listed(&processors(asked).unwrap()), expected);
        }
    }
}
