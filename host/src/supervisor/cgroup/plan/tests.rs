//! Tests of the plan: which files are written for which limits, and in which order.

use super::super::knob::Scope;
use super::*;
use std::collections::BTreeSet;

const UNLIMITED_NOW: Present = Present {
    quota: None,
    period: USUAL_PERIOD,
    hard: None,
    swap_hard: None,
};

fn written(version: Version, knobs: &[Knob], present: Present) -> Vec<(String, String)> {
    let seat = |_| {
        Some(Seat {
            version,
            path: PathBuf::from("/g"),
        })
    };
    let writes = plan(knobs, seat, present).unwrap();
    let name = |file: &Path| file.strip_prefix("/g").unwrap().display().to_string();
    writes.into_iter().map(|w| (name(&w.file), w.text)).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn the_same_limits_are_written_as_each_version_wants_them() {
    let device = Device {
        numbers: (8, 16),
        value: 1000,
    };
    let knobs = [
        Knob::Shares(2048),
        Knob::Processors(BTreeSet::from([0, 1, 3])),
        Knob::Hard(Some(4)),
        Knob::Soft(None),
        Knob::SwapHard(Some(6)),
        Knob::Devices(DeviceLimit::WriteBytes, vec![device]),
        Knob::Processes(Some(50)),
        Knob::Quota(Scope::Vcpu, Some(5000)),
    ];
    assert_eq!(
        written(Version::One, &knobs, UNLIMITED_NOW),
        pairs(&[
            ("cpu.shares", "2048"),
            ("cpuset.cpus", "0-1,3"),
            ("memory.soft_limit_in_bytes", "-1"),
            ("blkio.throttle.write_bps_device", "8:16 1000"),
            ("pids.max", "50"),
            ("cpu.cfs_quota_us", "5000"),
            ("memory.limit_in_bytes", "4096"),
            ("memory.memsw.limit_in_bytes", "6144"),
        ])
    );
    assert_eq!(
        written(Version::Two, &knobs, UNLIMITED_NOW),
        pairs(&[
            ("cpu.weight", "200"),
            ("cpuset.cpus", "0-1,3"),
            ("memory.high", "max"),
            ("io.max", "8:16 wbps=1000"),
            ("pids.max", "50"),
            ("cpu.max", "5000 100000"),
            ("memory.max", "4096"),
            ("memory.swap.max", "2048"),
        ])
    );
}

#[test]
fn of_several_quotas_the_widest_counts_and_a_period_keeps_the_quota() {
    let knobs = [
        Knob::Quota(Scope::Global, Some(9000)),
        Knob::Quota(Scope::Vcpu, Some(5000)),
        Knob::Quota(Scope::Emulator, None),
        Knob::Period(Scope::Emulator, 20_000),
    ];
    assert_eq!(
        written(Version::One, &knobs, UNLIMITED_NOW),
        pairs(&[("cpu.cfs_period_us", "20000"), ("cpu.cfs_quota_us", "9000")])
    );
    let limited = Present {
        quota: Some(7000),
        ..UNLIMITED_NOW
    };
    assert_eq!(
        written(Version::Two, &knobs[3..], limited),
        pairs(&[("cpu.max", "7000 20000")])
    );
}

#[test]
fn memory_and_swap_are_raised_and_lowered_in_the_order_that_the_kernel_takes() {
    let present = Present {
        hard: Some(8),
        swap_hard: Some(8),
        ..UNLIMITED_NOW
    };
    let files = |knobs: &[Knob]| -> Vec<String> {
        written(Version::One, knobs, present)
            .into_iter()
            .map(|(file, _)| file)
            .collect()
    };
    let (hard, sum) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
    assert_eq!(files(&[Knob::Hard(Some(16)), Knob::SwapHard(Some(16))]), [sum, hard]);
    assert_eq!(files(&[Knob::Hard(Some(4)), Knob::SwapHard(Some(4))]), [hard, sum]);
    // Swap alone is what version 2 limits, so it changes with the memory.
    assert_eq!(
        written(Version::Two, &[Knob::Hard(Some(4))], present),
        pairs(&[("memory.max", "4096"), ("memory.swap.max", "4096")])
    );
}

#[test]
fn a_sum_below_its_part_and_a_controller_that_is_not_there_are_refused() {
    let seat = |version| {
        move |_| {
            Some(Seat {
                version,
                path: PathBuf::from("/g"),
            })
        }
    };
    for version in [Version::One, Version::Two] {
        let swap_alone = plan(&[Knob::SwapHard(Some(5))], seat(version), UNLIMITED_NOW);
        let Err(Unplanned::Invalid(text)) = swap_alone else {
            panic!("{swap_alone:?}")
        };
        assert!(text.contains("(5 KiB)") && text.contains("(no limit)"), "{text}");
    }
    assert_eq!(
        plan(&[Knob::Processes(None)], |_| None, UNLIMITED_NOW),
        Err(Unplanned::Missing("pids", Controller::Pids))
    );
}
