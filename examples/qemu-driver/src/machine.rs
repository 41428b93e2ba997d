//! What the machine has for guests of this driver.

use crate::def::EMULATOR;
use crate::fault::system;
use crate::plan::KVM;
use driver_api::error::Result;
use driver_api::kit::xml::Element;
use driver_api::types::node::NodeInfo;
use std::fs::read_to_string;
use std::path::Path;
use std::process::{Command, Stdio};

/// The version of the usual emulator: major * 1,000,000 + minor * 1,000 + micro.
pub(crate) fn emulator_version() -> Option<u64> {
    let told = Command::new(EMULATOR).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    version_in(&String::from_utf8_lossy(&told.stdout))
}

fn version_in(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("version ")?;
    let mut numbers = rest.split_whitespace().next()?.split('.').map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    Some(next()? * 1_000_000 + next()? * 1_000 + next().unwrap_or(0))
}

/// The `<guest>` element of the capabilities.
pub(crate) fn capabilities() -> String {
    let text = |name: &str, text: &str| Element::new(name).with_text(text);
    let kinds = ["qemu", "kvm"].into_iter().filter(|kind| *kind == "qemu" || Path::new(KVM).exists());
    let arch = Element::new("arch")
        .with_attr("name", "x86_64")
        .with_child(text("wordsize", "64"))
        .with_child(text("emulator", EMULATOR))
        .with_children(["pc", "q35"].map(|machine| text("machine", machine)))
        .with_children(kinds.map(|kind| Element::new("domain").with_attr("type", kind)));
    Element::new("guest").with_child(text("os_type", "hvm")).with_child(arch).to_string()
}

/// As much of the machine as is the same everywhere: a host that knows more of it tells that instead.
pub(crate) fn node_info() -> Result<NodeInfo> {
    let wrong = |e| system("cannot read what the kernel tells of the machine", e);
    let memory = read_to_string("/proc/meminfo").map_err(wrong)?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let cpus = std::thread::available_parallelism().map_err(wrong)?;
    let cpus = u32::try_from(cpus.get()).unwrap_or(u32::MAX);
    Ok(NodeInfo {
        model: std::env::consts::ARCH.to_owned(),
        memory_kib: total.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0),
        cpus,
        mhz: 0,
        nodes: 1,
        sockets: 1,
        cores: cpus,
        threads: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_first_number_that_qemu_tells() {
        assert_eq!(version_in("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright"), Some(7_002_022));
        assert_eq!(version_in("QEMU emulator version 10.0"), Some(10_000_000));
        assert_eq!(version_in("no"), None);
    }
}
