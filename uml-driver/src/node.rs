//! Facts about the machine, read from `/proc` and `/sys`.

use crate::core::fault;
use driver_api::error::{Code, Result};
use driver_api::types::node::NodeInfo;
use std::collections::BTreeSet;
use std::path::Path;

/// The machine as `nodeinfo` shows it.
///
/// # Errors
/// 38 when the kernel does not tell.
pub(crate) fn info() -> Result<NodeInfo> {
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .map_err(|e| fault(Code::SYSTEM_ERROR, format!("cannot read '{path}' for node information")).because(e))
    };
    let cpus = parse_cpus(&read("/proc/cpuinfo")?);
    let nodes = count_nodes(Path::new("/sys/devices/system/node"));
    let sockets = (cpus.sockets / nodes).max(1);
    let cores = (cpus.cores / cpus.sockets.max(1)).max(1);
    let threads = (cpus.count / cpus.cores.max(1)).max(1);
    Ok(NodeInfo {
        model: std::env::consts::ARCH.to_owned(),
        memory_kib: parse_memory(&read("/proc/meminfo")?)
            .ok_or_else(|| fault(Code::SYSTEM_ERROR, "'/proc/meminfo' does not tell the machine's memory"))?,
        cpus: cpus.count,
        mhz: cpus.mhz,
        nodes,
        sockets,
        cores,
        threads,
    })
}

/// The version of the machine's own kernel, as libvirt's UML driver has always told: that of a guest's kernel differs
/// from guest to guest.
///
/// # Errors
/// 1 when the kernel's release is no version.
pub(crate) fn version() -> Result<u64> {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    parse_version(&release)
        .ok_or_else(|| fault(Code::INTERNAL, format!("the kernel release '{release}' is no version")))
}

fn parse_version(release: &str) -> Option<u64> {
    let digits = release.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = digits.split('.').filter(|part| !part.is_empty());
    let major: u64 = parts.next()?.parse().ok()?;
    let minor: u64 = parts.next()?.parse().ok()?;
    let micro: u64 = parts.next().map_or(Ok(0), str::parse).ok()?;
    Some(major * 1_000_000 + minor * 1_000 + micro)
}

struct Cpus {
    count: u32,
    mhz: u32,
    sockets: u32,
    cores: u32,
}

fn parse_cpus(text: &str) -> Cpus {
    let (mut count, mut mhz, mut socket) = (0, 0, "0");
    let (mut sockets, mut cores) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name.trim() {
            "processor" => count += 1,
            "cpu MHz" if mhz == 0 => mhz = value.split('.').next().and_then(|v| v.parse().ok()).unwrap_or(0),
            "physical id" => {
                socket = value;
                sockets.insert(value);
            }
            "core id" => {
                cores.insert((socket, value));
            }
            _ => {}
        }
    }
    // Some machines tell no topology: then each processor is a core of one socket.
    let known = |n: usize, otherwise: u32| u32::try_from(n).ok().filter(|n| *n > 0).unwrap_or(otherwise);
    Cpus {
        count: count.max(1),
        mhz,
        sockets: known(sockets.len(), 1),
        cores: known(cores.len(), count.max(1)),
    }
}

fn parse_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn count_nodes(folder: &Path) -> u32 {
    let is_node = |name: &str| {
        name.strip_prefix("node")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let nodes = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_node))
        .count();
    u32::try_from(nodes).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_reads_what_distributions_call_their_kernels() {
        assert_eq!(parse_version("6.1.0-18-amd64"), Some(6_001_000));
        assert_eq!(parse_version("6.18.5"), Some(6_018_005));
        assert_eq!(parse_version("6.18-rc1"), Some(6_018_000));
        assert_eq!(parse_version("unknown"), None);
        assert!(version().unwrap() > 2_006_000);
    }

    #[test]
    fn cpus_are_counted_with_and_without_topology() {
        let four = "processor: 0\nphysical id: 0\ncore id: 0\ncpu MHz: 2400.1\nprocessor: 1\nphysical id: 0\ncore id: 0\n\
                    processor: 2\nphysical id: 1\ncore id: 0\nprocessor: 3\nphysical id: 1\ncore id: 0\n";
        let cpus = parse_cpus(four);
        assert_eq!((cpus.count, cpus.mhz, cpus.sockets, cpus.cores), (4, 2400, 2, 2));
        let cpus = parse_cpus("processor: 0\nprocessor: 1\n");
        assert_eq!((cpus.count, cpus.sockets, cpus.cores), (2, 1, 2));
    }

    #[test]
    fn info_adds_up() {
        let info = info().unwrap();
        assert!(info.memory_kib > 1024);
        assert!(info.nodes * info.sockets * info.cores * info.threads >= info.cpus);
    }
}
