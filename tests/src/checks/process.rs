//! What this process and those around it have: descriptors, threads, memory, children, environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The open descriptors of this process and what each leads to.
pub(crate) fn descriptors() -> BTreeMap<i32, String> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            // The descriptor that reads this very folder is gone when it is looked at.
            let target = fs::read_link(entry.path()).ok()?;
            Some((number, target.to_string_lossy().into_owned()))
        })
        .filter(|(_, target)| !target.ends_with("/fd"))
        .collect()
}

/// The threads of this process and their names.
pub(crate) fn threads() -> BTreeMap<i32, String> {
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            Some((number, name.trim().to_owned()))
        })
        .collect()
}

/// Every other process that can be seen from here and is not on its way out, with its command line. Inside a PID namespace
/// that is all that this check has ever started.
pub(crate) fn others(walled: bool) -> BTreeMap<i32, String> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let found = if walled {
        crate::process::all()
    } else {
        crate::process::descendants(own)
    };
    found
        .into_iter()
        .filter(|process| process.pid != own && process.pid != 1 && !process.is_dead())
        .map(|process| (process.pid, process.command))
        .collect()
}

/// Resident memory that no file backs, in KiB.
pub(crate) fn memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

/// What of a process everything in it shares, and a plug-in must leave alone.
pub(crate) fn surroundings() -> BTreeMap<String, String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut found: BTreeMap<String, String> = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| matches!(*name, "Umask" | "SigIgn" | "SigCgt" | "CapEff" | "Uid" | "Gid"))
        .map(|(name, value)| (name.to_owned(), without_the_c_librarys(name, value.trim())))
        .collect();
    let folder = std::env::current_dir().unwrap_or_default();
    found.insert(String::from("working folder"), folder.to_string_lossy().into_owned());
    for (name, value) in std::env::vars_os() {
        let name = format!("variable {}", name.to_string_lossy());
        found.insert(name, value.to_string_lossy().into_owned());
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    found.insert(String::from("limits"), limits);
    found
}

/// Without the two signals that the C library keeps for itself and handles from the moment on that it needs them.
fn without_the_c_librarys(name: &str, value: &str) -> String {
    const OWN: u64 = 1 << 31 | 1 << 32;
    match u64::from_str_radix(value, 16) {
        Ok(signals) if name.starts_with("Sig") => format!("{:016x}", signals & !OWN),
        _ => value.to_owned(),
    }
}

/// The network interfaces of this process's namespace.
pub(crate) fn links() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let name = |line: &str| Some(line.split_once(':')?.0.trim().to_owned());
    table.lines().filter_map(name).collect()
}

/// The files below a folder.
pub(crate) fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

/// What is in the second and not in the first, in words.
pub(crate) fn more<K: Ord, V: std::fmt::Display>(before: &BTreeMap<K, V>, after: &BTreeMap<K, V>) -> Vec<String> {
    let new = after.iter().filter(|(key, _)| !before.contains_key(key));
    new.map(|(_, value)| format!("'{value}'")).collect()
}
