//! A machine of files for tests.

use super::Machine;
use std::path::Path;
use tempfile::TempDir;

/// A machine with these files and nothing else.
pub(super) fn machine(files: &[(&str, &str)]) -> (TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        put(root.path(), name, text);
    }
    let machine = Machine::new(root.path());
    (root, machine)
}

/// Writes one more file.
pub(super) fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The machine that the test runs on.
pub(super) fn real() -> Machine {
    Machine::new("/")
}

/// Two cells, four processors of which the last is offline, a hole in the numbering of cells.
pub(super) fn two_cells() -> (TempDir, Machine) {
    let (root, machine) = machine(&[
        (
            "proc/meminfo",
            "MemTotal:  3000 kB\nMemFree:  1000 kB\nBuffers:  10 kB\nCached:  20 kB\n",
        ),
        ("sys/devices/system/node/online", "0,2\n"),
        ("sys/devices/system/cpu/present", "0-3\n"),
        ("sys/devices/system/cpu/online", "0-2\n"),
        ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3\n"),
        ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "2\n"),
        ("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0\n"),
        ("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0\n"),
    ]);
    for (cell, cpus, distances, total, free) in [(0, "0-1", "10 21", 8192, 400), (2, "2-3", "21 10", 1000, 600)] {
        let put =
            |name: &str, text: &str| put(root.path(), &format!("sys/devices/system/node/node{cell}/{name}"), text);
        put("cpulist", &format!("{cpus}\n"));
        put("distance", &format!("{distances}\n"));
        put(
            "meminfo",
            &format!("Node {cell} MemTotal:   {total} kB\nNode {cell} MemFree:    {free} kB\n"),
        );
        let (all, unused) = if cell == 0 { ("3\n", "2\n") } else { ("0\n", "0\n") };
        put("hugepages/hugepages-2048kB/nr_hugepages", all);
        put("hugepages/hugepages-2048kB/free_hugepages", unused);
    }
    for (cpu, socket, core, siblings) in [(0, 0, 0, "0-1"), (1, 0, 0, "0-1"), (2, 1, 4, "2")] {
        let put = |name: &str, text: &str| {
            put(root.path(), &format!("sys/devices/system/cpu/cpu{cpu}/{name}"), text);
        };
        put("topology/physical_package_id", &format!("{socket}\n"));
        put("topology/die_id", "0\n");
        put("topology/core_id", &format!("{core}\n"));
        put("topology/thread_siblings_list", &format!("{siblings}\n"));
        for (index, level, kind, size) in [(0, 1, "Data", "32K"), (3, 3, "Unified", "32768K")] {
            put(&format!("cache/index{index}/level"), &format!("{level}\n"));
            put(&format!("cache/index{index}/type"), &format!("{kind}\n"));
            put(&format!("cache/index{index}/size"), &format!("{size}\n"));
            put(&format!("cache/index{index}/id"), &format!("{socket}\n"));
            put(
                &format!("cache/index{index}/shared_cpu_list"),
                if socket == 0 { "0-1\n" } else { "2\n" },
            );
        }
    }
    (root, machine)
}
