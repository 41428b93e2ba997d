//! Limits as files to be written: a pure plan, then the effect, then what the kernel keeps, read back.

use super::knob::{self, Device, DeviceLimit, Knob, UNLIMITED};
use super::readback::{USUAL_PERIOD, bandwidth, devices, line, memory, shares, weight};
use super::{Controller, Groups, Seat, Version};
use crate::supervisor::extras::Limit;
use driver_api::types::param::Param;
use rustix::fs::FileType;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a limit is not kept.
#[derive(Debug)]
pub(in crate::supervisor) enum Refusal {
    /// It makes no sense.
    Invalid(String),
    /// This machine can not keep it.
    Missing(String),
    /// The kernel does not take it.
    Kernel(String, io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) | Self::Missing(text) => f.write_str(text),
            Self::Kernel(text, cause) => write!(f, "{text}: {cause}"),
        }
    }
}

/// One file to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Write {
    /// The limit that it is for.
    name: &'static str,
    file: PathBuf,
    text: String,
}

/// What is in force and has a say in what can be next; KiB and microseconds, `None` without limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Present {
    quota: Option<u64>,
    period: u64,
    hard: Option<u64>,
    /// Memory and swap together.
    swap_hard: Option<u64>,
}

/// Checks limits without keeping them.
///
/// # Errors
/// `Invalid` only.
pub(in crate::supervisor) fn check(limits: &[Limit]) -> Result<(), Refusal> {
    knob::parse(limits, device_numbers).map(drop).map_err(Refusal::Invalid)
}

impl Groups {
    /// Sets limits of the guest whose first process is `root`; those that are not named stay. When one is refused, those
    /// that were set before it are as they were.
    ///
    /// # Errors
    /// Which limit is not kept, and why.
    pub(in crate::supervisor) fn limit(&self, limits: &[Limit], root: u32) -> Result<(), Refusal> {
        let knobs = knob::parse(limits, device_numbers).map_err(Refusal::Invalid)?;
        let writes = plan(&knobs, |controller| self.seat(controller), self.present()).map_err(|e| match e {
            Unplanned::Missing(name, controller) => {
                let why = super::Hierarchies::find().map_or_else(|e| e.to_string(), |all| all.why_missing(controller));
                let controller = controller.unified();
                Refusal::Missing(format!("'{name}' needs the cgroup controller '{controller}', {why}"))
            }
            Unplanned::Invalid(text) => Refusal::Invalid(text),
        })?;
        for knob in &knobs {
            let controller = knob.controller();
            self.gather(controller, root).map_err(|e| {
                let text = format!(
                    "cannot put the guest's processes under the controller of '{}'",
                    knob.name()
                );
                Refusal::Kernel(text, e)
            })?;
        }
        apply(&writes)
    }

    fn present(&self) -> Present {
        let (quota, period) = self
            .seat(Controller::Cpu)
            .map_or((None, USUAL_PERIOD), |seat| bandwidth(&seat));
        let (hard, swap_hard) = self.seat(Controller::Memory).map_or((None, None), |seat| {
            let (hard, _, swap_hard) = memory(&seat);
            (hard.flatten(), swap_hard.flatten())
        });
        Present {
            quota,
            period,
            hard,
            swap_hard,
        }
    }

    /// The limits in force, read from the kernel; those that it can not keep are left out.
    pub(in crate::supervisor) fn limits(&self) -> Vec<Param> {
        let mut found = Vec::new();
        if let Some(seat) = self.seat(Controller::Cpu) {
            found.extend(shares(&seat).map(|shares| Param::new("cpu_shares", shares)));
            let (quota, period) = bandwidth(&seat);
            let quota = quota.and_then(|quota| i64::try_from(quota).ok()).unwrap_or(-1);
            for scope in ["vcpu", "emulator", "global"] {
                found.push(Param::new(format!("{scope}_period"), period));
                found.push(Param::new(format!("{scope}_quota"), quota));
            }
        }
        if let Some(seat) = self.seat(Controller::CpuSet) {
            let list = ["cpuset.cpus", "cpuset.cpus.effective"].map(|name| line(&seat.path, name));
            let list = list.into_iter().flatten().find(|list| !list.is_empty());
            found.extend(list.map(|list| Param::new("cpuset", list)));
        }
        if let Some(seat) = self.seat(Controller::Memory) {
            let (hard, soft, swap_hard) = memory(&seat);
            for (name, value) in [
                ("hard_limit", hard),
                ("soft_limit", soft),
                ("swap_hard_limit", swap_hard),
            ] {
                found.extend(value.map(|value| Param::new(name, value.unwrap_or(UNLIMITED))));
            }
        }
        if let Some(seat) = self.seat(Controller::Io) {
            found.extend(weight(&seat).map(|weight| Param::new("weight", weight)));
            for limit in DeviceLimit::ALL {
                found.extend(devices(&seat, limit).map(|list| Param::new(limit.name(), list)));
            }
        }
        if let Some(text) = self
            .seat(Controller::Pids)
            .and_then(|seat| line(&seat.path, "pids.max"))
        {
            let value = text.parse().unwrap_or(UNLIMITED);
            found.push(Param::new("pids", value));
        }
        found
    }
}

/// Why there is no plan.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Unplanned {
    Missing(&'static str, Controller),
    Invalid(String),
}

/// The files to be written, in order.
fn plan(knobs: &[Knob], seat: impl Fn(Controller) -> Option<Seat>, present: Present) -> Result<Vec<Write>, Unplanned> {
    let mut writes = Vec::new();
    for knob in knobs {
        let seat = seat(knob.controller()).ok_or(Unplanned::Missing(knob.name(), knob.controller()))?;
        let mut write = |file: &str, text: String| {
            let file = seat.path.join(file);
            writes.push(Write {
                name: knob.name(),
                file,
                text,
            });
        };
        let one = seat.version == Version::One;
        match knob {
            Knob::Shares(shares) if one => write("cpu.shares", shares.to_string()),
            // The kernel itself takes 100 and 1024 for the same share.
            Knob::Shares(shares) => write("cpu.weight", ((shares * 100 + 512) / 1024).clamp(1, 10_000).to_string()),
            Knob::Processors(set) => write("cpuset.cpus", knob::listed(set)),
            Knob::Processes(most) => write("pids.max", most.map_or("max".to_owned(), |most| most.to_string())),
            Knob::Soft(soft) if one => write("memory.soft_limit_in_bytes", bytes_v1(*soft)),
            Knob::Soft(soft) => write("memory.high", bytes_v2(*soft)),
            Knob::Weight(weight) => {
                for (file, text) in weight_files(&seat, &weight.to_string()) {
                    write(file, text);
                }
            }
            Knob::Devices(limit, list) => {
                for device in list {
                    let (file, text) = device_line(&seat, *limit, device);
                    write(file, text);
                }
            }
            // Below, since they depend on each other.
            Knob::Period(..) | Knob::Quota(..) | Knob::Hard(_) | Knob::SwapHard(_) => {}
        }
    }
    plan_bandwidth(knobs, &seat, present, &mut writes);
    plan_memory(knobs, &seat, present, &mut writes)?;
    Ok(writes)
}

fn plan_bandwidth(
    knobs: &[Knob],
    seat: impl Fn(Controller) -> Option<Seat>,
    present: Present,
    writes: &mut Vec<Write>,
) {
    let Some(seat) = seat(Controller::Cpu) else { return };
    let period = knobs.iter().filter_map(|knob| match knob {
        Knob::Period(scope, period) => Some((*scope, *period, knob.name())),
        _ => None,
    });
    let quota = knobs.iter().filter_map(|knob| match knob {
        Knob::Quota(scope, quota) => Some((*scope, *quota, knob.name())),
        _ => None,
    });
    let period = period.max_by_key(|(scope, ..)| *scope);
    let quota = quota.max_by_key(|(scope, ..)| *scope);
    let mut write = |name, file: &str, text| {
        let file = seat.path.join(file);
        writes.push(Write { name, file, text });
    };
    match seat.version {
        Version::One => {
            if let Some((_, period, name)) = period {
                write(name, "cpu.cfs_period_us", period.to_string());
            }
            if let Some((_, quota, name)) = quota {
                let quota = quota.map_or("-1".to_owned(), |quota| quota.to_string());
                write(name, "cpu.cfs_quota_us", quota);
            }
        }
        Version::Two => {
            if let Some(name) = quota.map(|(.., name)| name).or(period.map(|(.., name)| name)) {
                let quota = quota.map_or(present.quota, |(_, quota, _)| quota);
                let quota = quota.map_or("max".to_owned(), |quota| quota.to_string());
                let period = period.map_or(present.period, |(_, period, _)| period);
                write(name, "cpu.max", format!("{quota} {period}"));
            }
        }
    }
}

fn plan_memory(
    knobs: &[Knob],
    seat: impl Fn(Controller) -> Option<Seat>,
    present: Present,
    writes: &mut Vec<Write>,
) -> Result<(), Unplanned> {
    let Some(seat) = seat(Controller::Memory) else {
        return Ok(());
    };
    let (mut hard, mut swap) = (None, None);
    for knob in knobs {
        match knob {
            Knob::Hard(limit) => hard = Some(*limit),
            Knob::SwapHard(limit) => swap = Some(*limit),
            _ => {}
        }
    }
    let none = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let (next_hard, next_swap) = (hard.unwrap_or(present.hard), swap.unwrap_or(present.swap_hard));
    if (hard.is_some() || swap.is_some()) && none(next_swap) < none(next_hard) {
        return Err(Unplanned::Invalid(format!(
            "'swap_hard_limit' ({}), which is memory and swap together, can not be less than 'hard_limit' ({})",
            said(next_swap),
            said(next_hard)
        )));
    }
    let mut write = |name, file: &str, text| {
        let file = seat.path.join(file);
        writes.push(Write { name, file, text });
    };
    match seat.version {
        Version::One => {
            let mut steps = Vec::new();
            if let Some(hard) = hard {
                steps.push(("hard_limit", "memory.limit_in_bytes", bytes_v1(hard)));
            }
            if let Some(swap) = swap {
                steps.push(("swap_hard_limit", "memory.memsw.limit_in_bytes", bytes_v1(swap)));
            }
            // The sum may at no time be less than its part.
            if none(next_hard) > none(present.swap_hard) {
                steps.reverse();
            }
            for (name, file, text) in steps {
                write(name, file, text);
            }
        }
        Version::Two => {
            if let Some(hard) = hard {
                write("hard_limit", "memory.max", bytes_v2(hard));
            }
            // Swap alone is limited here: it follows both.
            if swap.is_some() || hard.is_some() && present.swap_hard.is_some() {
                let alone = next_swap.map(|swap| swap - next_hard.unwrap_or(0));
                write("swap_hard_limit", "memory.swap.max", bytes_v2(alone));
            }
        }
    }
    Ok(())
}

fn said(limit: Option<u64>) -> String {
    limit.map_or("no limit".to_owned(), |kib| format!("{kib} KiB"))
}

fn bytes_v1(kib: Option<u64>) -> String {
    kib.map_or("-1".to_owned(), |kib| kib.saturating_mul(1024).to_string())
}

fn bytes_v2(kib: Option<u64>) -> String {
    kib.map_or("max".to_owned(), |kib| kib.saturating_mul(1024).to_string())
}

/// The scheduler that knows weights is a module; which of the files there is depends on it.
fn weight_files(seat: &Seat, weight: &str) -> Vec<(&'static str, String)> {
    let files = match seat.version {
        Version::One => [("blkio.weight", false), ("blkio.bfq.weight", false)],
        Version::Two => [("io.weight", true), ("io.bfq.weight", true)],
    };
    let there = files.iter().filter(|(file, _)| seat.path.join(file).exists());
    let mut chosen: Vec<_> = there.collect();
    // Written nevertheless, so that its absence is told by name.
    if chosen.is_empty() {
        chosen.push(&files[0]);
    }
    let text = |named| {
        if named {
            format!("default {weight}")
        } else {
            weight.to_owned()
        }
    };
    chosen.into_iter().map(|(file, named)| (*file, text(*named))).collect()
}

pub(super) fn device_file(seat: &Seat, limit: DeviceLimit) -> (&'static str, &'static str) {
    match (seat.version, limit) {
        (Version::One, DeviceLimit::Weight) if seat.path.join("blkio.weight_device").exists() => {
            ("blkio.weight_device", "")
        }
        (Version::One, DeviceLimit::Weight) => ("blkio.bfq.weight_device", ""),
        (Version::One, DeviceLimit::ReadBytes) => ("blkio.throttle.read_bps_device", ""),
        (Version::One, DeviceLimit::WriteBytes) => ("blkio.throttle.write_bps_device", ""),
        (Version::One, DeviceLimit::ReadOperations) => ("blkio.throttle.read_iops_device", ""),
        (Version::One, DeviceLimit::WriteOperations) => ("blkio.throttle.write_iops_device", ""),
        (Version::Two, DeviceLimit::Weight) if seat.path.join("io.weight").exists() => ("io.weight", ""),
        (Version::Two, DeviceLimit::Weight) => ("io.bfq.weight", ""),
        (Version::Two, DeviceLimit::ReadBytes) => ("io.max", "rbps="),
        (Version::Two, DeviceLimit::WriteBytes) => ("io.max", "wbps="),
        (Version::Two, DeviceLimit::ReadOperations) => ("io.max", "riops="),
        (Version::Two, DeviceLimit::WriteOperations) => ("io.max", "wiops="),
    }
}

fn device_line(seat: &Seat, limit: DeviceLimit, device: &Device) -> (&'static str, String) {
    let (file, key) = device_file(seat, limit);
    let ((major, minor), value) = (device.numbers, device.value);
    let value = match (seat.version, value, limit) {
        (Version::Two, 0, DeviceLimit::Weight) => "default".to_owned(),
        (Version::Two, 0, _) => "max".to_owned(),
        _ => value.to_string(),
    };
    (file, format!("{major}:{minor} {key}{value}"))
}

/// Writes the files; what was written before a failure gets its old text back.
fn apply(writes: &[Write]) -> Result<(), Refusal> {
    let mut done: Vec<(&Path, String)> = Vec::new();
    for write in writes {
        let old = std::fs::read_to_string(&write.file).unwrap_or_default();
        if let Err(e) = std::fs::write(&write.file, &write.text) {
            for (file, old) in done.iter().rev() {
                for line in old.lines() {
                    let _ = std::fs::write(file, line);
                }
            }
            let file = write.file.file_name().unwrap_or_default().display();
            return Err(match e.raw_os_error() {
                // Creating a file in such a folder is not permitted, which is what opening a missing one looks like.
                Some(libc::ENOENT | libc::EACCES) if !write.file.exists() => Refusal::Missing(format!(
                    "'{}' needs the file '{file}', which the kernel of this machine does not offer",
                    write.name
                )),
                _ => Refusal::Kernel(
                    format!(
                        "the kernel does not take '{}' for '{}' ('{file}')",
                        write.text, write.name
                    ),
                    e,
                ),
            });
        }
        done.push((&write.file, old));
    }
    Ok(())
}

/// The numbers of a block device.
fn device_numbers(path: &Path) -> Result<(u32, u32), String> {
    let stat = rustix::fs::stat(path).map_err(|e| {
        let e = io::Error::from(e);
        format!("the block device '{}' can not be found: {e}", path.display())
    })?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::BlockDevice {
        return Err(format!("'{}' is no block device", path.display()));
    }
    Ok((rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)))
}

#[cfg(test)]
mod tests;
