//! Old and new builds mixed: drivers as they were released, kept in `tests/museum/plugins`, and hosts built from history.

use conformance::case::Case;
use conformance::guest::{Document, repository};
use conformance::host::{Host, binary, build_dir};
use conformance::need::Need::{History, Root, Uml, Virsh};
use conformance::virsh::Answer;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "museum_released_drivers_serve_in_the_new_host",
        needs: &[Root, Uml, Virsh],
        run: released_drivers,
    },
    Case {
        name: "museum_new_driver_serves_in_the_old_host",
        needs: &[History, Root, Uml, Virsh],
        run: new_driver,
    },
    Case {
        name: "museum_old_host_refuses_a_driver_in_c_in_words",
        needs: &[History, Root],
        run: driver_in_c,
    },
];

/// The drivers that are kept, by the version of the interface that they were built for.
fn kept() -> BTreeMap<String, Vec<String>> {
    let list = fs::read_to_string(museum().join("plugins/builds.txt")).expect("the list can be read");
    let mut kept: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in list.lines() {
        let mut words = line.split(' ');
        let (Some(file), Some(version)) = (words.next(), words.next()) else {
            panic!("not a line of builds.txt: {line}");
        };
        kept.entry(version.to_owned()).or_default().push(file.to_owned());
    }
    kept
}

fn museum() -> PathBuf {
    repository().join("tests/museum")
}

/// A folder with these drivers as the host loads them.
fn unpacked(files: &[String]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the drivers");
    for file in files {
        let (name, _version) = file.split_once('-').expect("NAME-VERSION.so.xz");
        let library = fs::File::create(folder.path().join(format!("lib{name}_driver.so"))).expect("a file");
        let status = Command::new("xz")
            .args(["--decompress", "--stdout"])
            .arg(museum().join("plugins").join(file))
            .stdout(library)
            .status()
            .expect("xz runs");
        assert!(status.success(), "xz can not unpack {file}");
    }
    folder
}

/// One line of `releases.txt`.
struct Release {
    version: String,
    added_since: String,
    /// The folder of its host and drivers.
    folder: PathBuf,
}

/// The versions that are no more, each with what was added after it.
fn versions() -> Vec<(String, String)> {
    let list = fs::read_to_string(museum().join("releases.txt")).expect("the list can be read");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let version = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [version, _commit, added_since] = words[..] else {
            panic!("not a line of releases.txt: {line}");
        };
        (version.to_owned(), added_since.to_owned())
    };
    let versions: Vec<(String, String)> = lines.map(version).collect();
    assert!(!versions.is_empty(), "the museum is empty");
    versions
}

/// A release, built.
fn release((version, added_since): (String, String)) -> Release {
    let target = build_dir();
    let museum = target.parent().expect("a target folder").join("museum");
    let output = Command::new(repository().join("tools/museum"))
        .arg(&version)
        .arg(museum)
        .stderr(Stdio::inherit())
        .output()
        .expect("tools/museum runs");
    assert!(output.status.success(), "tools/museum failed for {version}");
    Release {
        version,
        added_since,
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

/// A life on the small driver, whose domains are names.
fn lives_in_memory(host: &Host) {
    let uri = host.uri().replace("uml+unix", "hello+unix");
    let virsh = |arguments: &[&str]| {
        let mut command = host.command("virsh");
        command.args(["-q", "-c", &uri]).args(arguments).env("LC_ALL", "C");
        Answer::of(&command.output().expect("virsh runs"))
    };
    let document = "<domain type='hello'><name>h1</name><uuid>00000000-0000-4000-8000-000000000001</uuid></domain>";
    let _out = virsh(&["define", &host.document(document).to_string_lossy()]).ok();
    let _out = virsh(&["start", "h1"]).ok();
    assert_eq!(virsh(&["domstate", "--reason", "h1"]).ok().trim(), "running (booted)");
    assert!(virsh(&["dumpxml", "h1"]).ok().contains("<name>h1</name>"));
    let _out = virsh(&["destroy", "h1"]).ok();
    let _out = virsh(&["undefine", "h1"]).ok();
    assert_eq!(virsh(&["list", "--all", "--name"]).ok().trim(), "");
}

fn released_drivers() {
    let added: BTreeMap<String, String> = versions().into_iter().collect();
    let kept = kept();
    for version in added.keys() {
        assert!(kept.contains_key(version), "no driver of {version} is kept");
    }
    for (version, files) in kept {
        let folder = unpacked(&files);
        let host = Host::start_other(&binary(), folder.path());
        for (name, serves) in [
            ("uml", "virt.console/1"),
            ("hello", "virt.console/1"),
            ("nwfilter", "nwfilter.binding/1"),
        ] {
            let (file, api, interfaces) = plugin(&host, name);
            if !files.contains(&format!("{name}-{version}.so.xz")) {
                // Not every driver of every release is kept; today's serves beside those that are.
                assert!(is_in(&file, &build_dir()), "{name} comes from {}", file.display());
                continue;
            }
            assert!(is_in(&file, folder.path()), "{name} comes from {}", file.display());
            assert_eq!(api, version, "{name}");
            assert!(interfaces.contains(&serves.to_owned()), "{interfaces:?}");
            let since = added.get(&version);
            assert!(!since.is_some_and(|since| interfaces.contains(since)), "{interfaces:?}");
        }
        lives(&host);
        lives_in_memory(&host);
        let Some(since) = added.get(&version) else {
            continue;
        };
        let (message, driver) = match since.as_str() {
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

fn driver_in_c() {
    let drivers = tempfile::tempdir().expect("a folder for the driver");
    crate::c_driver::compile(drivers.path(), &[]);
    for old in versions().into_iter().map(release) {
        let host = Host::start_other(&old.folder.join("lockstep"), drivers.path());
        let json = host.lockstep(&["plugins", "--json"]).ok();
        assert!(
            json.contains("libc_driver.so: built with abi_stable 0.0.0; this host uses 0.11"),
            "{}: {json}",
            old.version
        );
    }
}

fn new_driver() {
    for old in versions().into_iter().map(release) {
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
