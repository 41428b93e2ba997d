//! Old and new builds mixed: a driver from before an optional interface was added, and a host from before.

use conformance::case::Case;
use conformance::guest::{Document, repository};
use conformance::host::{Host, binary, build_dir};
use conformance::need::Need::{History, Root, Uml, Virsh};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "museum_old_drivers_serve_in_the_new_host",
        needs: &[History, Root, Uml, Virsh],
        run: old_drivers,
    },
    Case {
        name: "museum_new_driver_serves_in_the_old_host",
        needs: &[History, Root, Uml, Virsh],
        run: new_driver,
    },
];

/// One line of `releases.txt`.
struct Release {
    version: String,
    added_since: String,
    /// The folder of its host and drivers.
    folder: PathBuf,
}

/// Every release, built.
fn releases() -> Vec<Release> {
    let list = repository().join("tests/museum/releases.txt");
    let list = std::fs::read_to_string(list).expect("the list can be read");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let releases: Vec<Release> = lines.map(release).collect();
    assert!(!releases.is_empty(), "the museum is empty");
    releases
}

fn release(line: &str) -> Release {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [version, _commit, added_since] = words[..] else {
        panic!("not a line of releases.txt: {line}");
    };
    let target = build_dir();
    let museum = target.parent().expect("a target folder").join("museum");
    let output = Command::new(repository().join("tools/museum"))
        .arg(version)
        .arg(museum)
        .stderr(Stdio::inherit())
        .output()
        .expect("tools/museum runs");
    assert!(output.status.success(), "tools/museum failed for {version}");
    Release {
        version: version.to_owned(),
        added_since: added_since.to_owned(),
        folder: String::from_utf8_lossy(&output.stdout).trim().into(),
    }
}

/// What the host says of a driver: its file, the version of the interface it was built for, and the interfaces in use.
fn plugin(host: &Host, name: &str) -> (PathBuf, String, Vec<String>) {
    let json = host.lockstep(&["plugins", "--json"]).ok();
    let list: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let all = list.as_array().expect("a list");
    let one = all.iter().find(|plugin| plugin["name"] == name);
    let one = one.unwrap_or_else(|| panic!("no driver '{name}' in {json}"));
    assert_eq!(one["state"], "ready", "{json}");
    assert_eq!(one["refused"], serde_json::json!([]), "{json}");
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let interfaces = one["interfaces"].as_array().into_iter().flatten();
    let interfaces = interfaces.filter_map(|id| id.as_str().map(ToOwned::to_owned));
    (text("path").into(), text("api"), interfaces.collect())
}

/// A guest's life, as far as every release knows it.
fn lives(host: &Host) {
    host.define(&Document::new("vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    assert!(host.virsh(&["list"]).ok().contains("running"));
    assert_eq!(host.state("vm1"), "running (booted)");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.state("vm1"), "shut off (destroyed)");
}

fn is_in(file: &Path, folder: &Path) -> bool {
    file.parent() == Some(folder)
}

fn old_drivers() {
    for old in releases() {
        let host = Host::start_other(&binary(), &old.folder);
        for (name, serves) in [
            ("uml", "virt.console/1"),
            ("hello", "virt.console/1"),
            ("nwfilter", "nwfilter.binding/1"),
        ] {
            let (file, api, interfaces) = plugin(&host, name);
            assert!(is_in(&file, &old.folder), "{name} comes from {}", file.display());
            assert_eq!(api, old.version, "{name}");
            assert!(interfaces.contains(&serves.to_owned()), "{interfaces:?}");
            assert!(!interfaces.contains(&old.added_since), "{interfaces:?}");
        }
        lives(&host);
        let (message, driver) = match old.added_since.as_str() {
            "virt.metadata/1" => (host.virsh(&["desc", "vm1", "a new text"]).fails(), "'uml'"),
            "nwfilter.inspect/1" => (host.lockstep(&["nwfilter-status"]).fails(), "'nwfilter'"),
            "virt.devices/1" => (host.virsh(&["detach-device-alias", "vm1", "net0"]).fails(), "'uml'"),
            other => panic!("what is '{other}' seen by?"),
        };
        assert!(
            message.contains("not supported") && message.contains(driver),
            "{message}"
        );
    }
}

fn new_driver() {
    for old in releases() {
        let host = Host::start_other(&old.folder.join("lockstep"), &build_dir());
        for name in ["uml", "nwfilter"] {
            let (file, api, interfaces) = plugin(&host, name);
            assert!(is_in(&file, &build_dir()), "{name} comes from {}", file.display());
            assert_ne!(api, old.version);
            // The old host does not know what else there is.
            assert!(!interfaces.contains(&old.added_since), "{interfaces:?}");
        }
        lives(&host);
    }
}
