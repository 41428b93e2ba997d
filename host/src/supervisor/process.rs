//! What /proc tells of processes: names that can not be confused, who descends from whom, and what they use.

use super::order::ProcessName;
use super::sys;
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// The kernel's name for this run of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// The fields of a stat file that are of use here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stat {
    parent: u32,
    /// Processor time in ticks, of the process and of the children that it has waited for.
    user: u64,
    system: u64,
    start: u64,
    zombie: bool,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The program's name in parentheses may hold blanks and parentheses itself.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 (state) is the first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(4)?).ok()?,
        user: number(14)? + number(16)?,
        system: number(15)? + number(17)?,
        start: number(22)?,
        zombie: matches!(fields.first(), Some(&("Z" | "X"))),
    })
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name of a process that exists now.
pub(super) fn name(pid: u32) -> Option<ProcessName> {
    stat(pid).map(|stat| ProcessName { pid, start: stat.start })
}

/// Whether exactly this process still lives (a zombie does not).
pub(super) fn lives(process: ProcessName) -> bool {
    stat(process.pid).is_some_and(|stat| stat.start == process.start && !stat.zombie)
}

/// A process of a tree; times in nanoseconds, those of its dead children in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Member {
    pub(super) pid: u32,
    pub(super) user: u64,
    pub(super) system: u64,
}

/// A process and all that descend from it; empty when there is no such process.
pub(super) fn tree(root: u32) -> Vec<Member> {
    let mut stats = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
            && let Some(stat) = stat(pid)
        {
            stats.insert(pid, stat);
        }
    }
    let belongs = |mut pid: u32| {
        // The table was not read at one moment, so a chain may be broken or even, with reused numbers, a circle.
        for _ in 0..64 {
            if pid == root {
                return true;
            }
            match stats.get(&pid) {
                Some(stat) => pid = stat.parent,
                None => return false,
            }
        }
        false
    };
    let tick = sys::tick_nanoseconds();
    let members = stats.iter().filter(|(pid, _)| belongs(**pid));
    let members = members.map(|(pid, stat)| Member {
        pid: *pid,
        user: stat.user * tick,
        system: stat.system * tick,
    });
    members.collect()
}

/// KiB in memory of all these processes, a page that several share counted once among them.
pub(super) fn proportional(pids: &[u32]) -> Option<u64> {
    let pss = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    pids.iter().filter_map(pss).reduce(|sum, pss| sum + pss)
}

/// Bytes that these processes had read from and written to disks.
pub(super) fn transfer(pids: &[u32]) -> Option<(u64, u64)> {
    let of_one = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
        let value = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok())
        };
        Some((value("read_bytes:")?, value("write_bytes:")?))
    };
    pids.iter()
        .filter_map(of_one)
        .reduce(|sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// KiB in use in the file system of `folder`, as the process sees it.
pub(super) fn folder_use(pid: u32, folder: &Path) -> Option<u64> {
    let inside = Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(folder.strip_prefix("/").ok()?);
    let stat = rustix::fs::statvfs(inside).ok()?;
    Some((stat.f_blocks - stat.f_bfree) * stat.f_frsize / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_an_odd_program_name() {
        let line = "77 (a) R (b) S 12 77 77 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 123456 1 2 3";
        let expected = Stat {
            parent: 12,
            user: 40,
            system: 60,
            start: 123_456,
            zombie: false,
        };
        assert_eq!(parse_stat(line), Some(expected));
        assert_eq!(parse_stat("77 (x"), None);
        assert_eq!(parse_stat("77 (x) S 1"), None);
    }

    #[test]
    fn this_process_lives_and_one_with_another_start_does_not() {
        let own = name(std::process::id()).unwrap();
        assert!(lives(own));
        assert!(!lives(ProcessName {
            start: own.start + 1,
            ..own
        }));
        assert!(tree(own.pid).iter().any(|member| member.pid == own.pid));
    }
}
