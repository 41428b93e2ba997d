//! What a guest uses, from its cgroups where they count it and from /proc where they do not.

use super::{Controller, Groups, Version, hierarchy, value};
use crate::supervisor::process::{self, Member};
use driver_api::types::param::Param;
use std::path::Path;

/// Processor time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::supervisor) struct CpuTime {
    pub(in crate::supervisor) total: u64,
    pub(in crate::supervisor) user: u64,
    pub(in crate::supervisor) system: u64,
}

impl Groups {
    /// The guest's processes as the host counts them; `root` is the first of them.
    pub(in crate::supervisor) fn members(&self, root: u32) -> Vec<u32> {
        let memory = || Some(self.seat(Controller::Memory)?.path);
        let complete = self.unified.clone().or_else(memory);
        let listed = complete.map(|path| hierarchy::words(&path.join("cgroup.procs")));
        match listed {
            Some(pids) => pids.iter().filter_map(|pid| pid.parse().ok()).collect(),
            None => process::tree(root).iter().map(|member| member.pid).collect(),
        }
    }

    /// Processor time of all that ever ran in the guest.
    pub(in crate::supervisor) fn cpu_time(&self, root: u32) -> Option<CpuTime> {
        if let Some(unified) = &self.unified
            && let Ok(text) = std::fs::read_to_string(unified.join("cpu.stat"))
        {
            let nanoseconds = |key| value(&text, key).map(|usec| usec * 1_000);
            return Some(CpuTime {
                total: nanoseconds("usage_usec")?,
                user: nanoseconds("user_usec")?,
                system: nanoseconds("system_usec")?,
            });
        }
        if let Some(seat) = self.seat(Controller::CpuAccount).filter(|seat| holds(&seat.path, root)) {
            let number = |file: &str| std::fs::read_to_string(seat.path.join(file)).ok()?.trim().parse().ok();
            return Some(CpuTime {
                total: number("cpuacct.usage")?,
                user: number("cpuacct.usage_user")?,
                system: number("cpuacct.usage_sys")?,
            });
        }
        let members = process::tree(root);
        if members.is_empty() {
            return None;
        }
        let sum = |of: fn(&Member) -> u64| members.iter().map(of).sum::<u64>();
        let (user, system) = (sum(|member| member.user), sum(|member| member.system));
        Some(CpuTime {
            total: user + system,
            user,
            system,
        })
    }

    /// Figures under the names of `driver_api::host::Host::usage`; `memory` is the guest's memory folder as its first
    /// process sees it.
    pub(in crate::supervisor) fn usage(&self, root: u32, memory: &Path) -> Vec<Param> {
        let mut found = Vec::new();
        let mut add = |name: &str, value: Option<u64>| found.extend(value.map(|value| Param::new(name, value)));
        let time = self.cpu_time(root);
        add("cpu.time", time.map(|time| time.total));
        add("cpu.user", time.map(|time| time.user));
        add("cpu.system", time.map(|time| time.system));
        let members = self.members(root);
        add(
            "memory.rss",
            self.resident().or_else(|| process::proportional(&members)),
        );
        add("memory.file", process::folder_use(root, memory));
        add("memory.peak", self.peak());
        add("processes", u64::try_from(members.len()).ok());
        let (read, written) = self.transfer(&members).unzip();
        add("io.read_bytes", read);
        add("io.write_bytes", written);
        found
    }

    /// KiB of anonymous and shared memory; the cache of files that it reads is the machine's and can be taken back.
    fn resident(&self) -> Option<u64> {
        let seat = self.seat(Controller::Memory)?;
        let text = std::fs::read_to_string(seat.path.join("memory.stat")).ok()?;
        let keys = match seat.version {
            Version::One => ["total_rss", "total_shmem"],
            Version::Two => ["anon", "shmem"],
        };
        let parts = keys.map(|key| value(&text, key));
        Some((parts[0]? + parts[1]?) / 1024)
    }

    fn peak(&self) -> Option<u64> {
        let seat = self.seat(Controller::Memory)?;
        let file = match seat.version {
            Version::One => "memory.max_usage_in_bytes",
            // Since Linux 5.19.
            Version::Two => "memory.peak",
        };
        let text = std::fs::read_to_string(seat.path.join(file)).ok()?;
        Some(text.trim().parse::<u64>().ok()? / 1024)
    }

    /// Bytes from and to disks. Version 1 charges what is written later to nobody, so processes are asked there.
    fn transfer(&self, members: &[u32]) -> Option<(u64, u64)> {
        let seat = self.seat(Controller::Io).filter(|seat| seat.version == Version::Two);
        let Some(seat) = seat else {
            return process::transfer(members);
        };
        let text = std::fs::read_to_string(seat.path.join("io.stat")).ok()?;
        let sum = |key: &str| {
            let values = text
                .split_ascii_whitespace()
                .filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
            values.sum()
        };
        Some((sum("rbytes="), sum("wbytes=")))
    }
}

fn holds(group: &Path, pid: u32) -> bool {
    hierarchy::words(&group.join("cgroup.procs")).contains(&pid.to_string())
}
