//! The pools of a host, from documents to files and back.

use super::{Build, Format, Storage, Use};
use crate::paths::Paths;
use driver_api::error::{Code, Error, Result};
use driver_api::types::uuid::Uuid;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

/// A root of its own with a folder for pools.
struct Lab {
    root: TempDir,
    paths: Paths,
}

impl Lab {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::find(Some(root.path())).unwrap();
        fs::create_dir(root.path().join("f")).unwrap();
        Self { root, paths }
    }

    fn open(&self) -> Storage {
        Storage::open(&self.paths)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn xml(&self, name: &str, folder: &str) -> String {
        let folder = self.path(folder).display().to_string();
        format!("<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>")
    }

    fn started(&self, storage: &Storage) -> Uuid {
        let uuid = storage.define(&self.xml("a", "f")).unwrap().definition.uuid;
        storage.start(uuid, Build::No).unwrap();
        uuid
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T>, code: u32, words: &str) {
    let error: Error = result.unwrap_err();
    assert!(
        error.code() == Code(code) && error.to_string().contains(words),
        "{code} {words}: {error}"
    );
    assert_eq!(error.origin(), super::ORIGIN);
}

#[test]
fn a_pool_goes_through_its_life() {
    let lab = Lab::new();
    let storage = lab.open();
    let pool = storage.define(&lab.xml("a", "f")).unwrap();
    let uuid = pool.definition.uuid;
    assert!(!pool.active && pool.persistent && !pool.autostart);
    refused(pool.names(), 55, "pool 'a' is not active");
    assert_eq!(pool.figures(), super::Figures::default());
    refused(storage.stop(uuid), 55, "pool 'a' is not active");
    let pool = storage.start(uuid, Build::No).unwrap();
    assert!(pool.active && pool.figures().capacity > 0);
    refused(storage.start(uuid, Build::No), 55, "is active already");
    // Without its folder it is still what it was.
    fs::rename(lab.path("f"), lab.path("g")).unwrap();
    refused(pool.names(), 9, "is not there");
    assert!(pool.figures().capacity > 0 && pool.xml(false).contains("<available unit='bytes'>"));
    fs::rename(lab.path("g"), lab.path("f")).unwrap();
    for result in [
        storage.undefine(uuid),
        storage.delete(uuid),
        storage.build(uuid, Build::Yes),
    ] {
        refused(result, 55, "pool 'a' is active");
    }
    let kept = |part: &str| lab.path(part).join(format!("lockstep/pools/{uuid}.xml")).exists();
    assert!(kept("var/lib") && kept("run"));
    storage.stop(uuid).unwrap();
    assert!(kept("var/lib") && !kept("run"));
    storage.undefine(uuid).unwrap();
    assert!(!kept("var/lib"));
    refused(storage.by_uuid(uuid), 49, &uuid.to_string());
    refused(storage.by_name("a"), 49, "the name 'a'");
    refused(storage.undefine(uuid), 49, &uuid.to_string());
    assert!(lab.path("f").is_dir());
}

#[test]
fn a_transient_pool_is_gone_when_it_is_stopped() {
    let lab = Lab::new();
    let storage = lab.open();
    let pool = storage.create(&lab.xml("t", "f"), Build::No).unwrap();
    let uuid = pool.definition.uuid;
    assert!(pool.active && !pool.persistent);
    refused(storage.set_autostart(uuid, true), 55, "define it before");
    let again = pool.definition.format(super::Figures::default()).to_string();
    refused(storage.create(&again, Build::No), 55, "is active already");
    // Another host of the same boot still has it.
    assert!(lab.open().by_uuid(uuid).unwrap().active);
    storage.stop(uuid).unwrap();
    refused(storage.by_uuid(uuid), 49, "UUID");
    refused(storage.create(&lab.xml("t", "none"), Build::No), 9, "is not there");
    assert!(storage.pools().is_empty());
}

#[test]
fn the_next_host_finds_what_the_last_one_kept() {
    let lab = Lab::new();
    let storage = lab.open();
    for name in ["active", "auto", "idle", "lost"] {
        fs::create_dir(lab.path(name)).unwrap();
        storage.define(&lab.xml(name, name)).unwrap();
    }
    let uuid = |name: &str| storage.by_name(name).unwrap().definition.uuid;
    storage.start(uuid("active"), Build::No).unwrap();
    storage.set_autostart(uuid("auto"), true).unwrap();
    storage.set_autostart(uuid("lost"), true).unwrap();
    fs::remove_dir(lab.path("lost")).unwrap();
    fs::write(lab.path("var/lib/lockstep/pools/bad.xml"), "<pool").unwrap();
    let next = lab.open();
    let told = |storage: &Storage| -> Vec<_> {
        let mut told: Vec<_> = storage
            .pools()
            .iter()
            .map(|pool| (pool.definition.name.clone(), pool.active, pool.autostart))
            .collect();
        told.sort_unstable();
        told
    };
    let pool = |name: &str, active, autostart| (name.to_owned(), active, autostart);
    let want = [
        pool("active", true, false),
        pool("auto", true, true),
        pool("idle", false, false),
        pool("lost", false, true),
    ];
    assert_eq!(told(&next), want);
    assert!(lab.path("var/lib/lockstep/pools/bad.xml.set-aside").exists());
    // After a boot of the machine only those that shall start are active.
    fs::remove_dir_all(lab.path("run")).unwrap();
    let booted = lab.open();
    assert!(!booted.by_name("active").unwrap().active && booted.by_name("auto").unwrap().active);
    booted.set_autostart(uuid("auto"), false).unwrap();
    fs::remove_dir_all(lab.path("run")).unwrap();
    assert!(!lab.open().by_name("auto").unwrap().active);
}

#[test]
fn names_identities_and_folders_have_one_pool() {
    let lab = Lab::new();
    let storage = lab.open();
    let uuid = lab.started(&storage);
    refused(
        storage.define(&lab.xml("a", "g")),
        9,
        "pool 'a' is there already, with UUID",
    );
    refused(storage.define(&lab.xml("b", "f/")), 9, "is pool 'a''s already");
    let known = |name: &str, folder: &str| {
        lab.xml(name, folder)
            .replace("<target>", &format!("<uuid>{uuid}</uuid><target>"))
    };
    refused(storage.define(&known("b", "g")), 9, "the UUID");
    refused(storage.define(&known("a", "g")), 55, "given another folder");
    assert!(storage.define(&known("a", "f")).unwrap().active);
    storage.stop(uuid).unwrap();
    refused(
        storage.create(&known("a", "g"), Build::No),
        9,
        "is kept with another folder",
    );
    let moved = storage.define(&known("a", "g")).unwrap();
    assert!(moved.definition.path.ends_with("/g"));
    assert_eq!(storage.pools().len(), 1);
}

#[test]
fn a_folder_is_built_and_deleted_only_when_it_is_empty() {
    let lab = Lab::new();
    let storage = lab.open();
    let uuid = storage.define(&lab.xml("a", "deep/er")).unwrap().definition.uuid;
    refused(storage.start(uuid, Build::No), 9, "have the pool built");
    storage.build(uuid, Build::Fresh).unwrap();
    assert_eq!(
        lab.path("deep/er").metadata().unwrap().permissions().mode() & 0o7777,
        0o711
    );
    storage.build(uuid, Build::Fresh).unwrap();
    fs::write(lab.path("deep/er/x"), "").unwrap();
    refused(storage.build(uuid, Build::Fresh), 76, "is not empty");
    storage.build(uuid, Build::Yes).unwrap();
    refused(storage.delete(uuid), 9, "cannot remove the folder");
    fs::remove_file(lab.path("deep/er/x")).unwrap();
    storage.delete(uuid).unwrap();
    assert!(!lab.path("deep/er").exists() && lab.path("deep").exists());
    storage.start(uuid, Build::Yes).unwrap();
    assert!(lab.path("deep/er").is_dir());
}

#[test]
fn volumes_are_the_files_and_nothing_else() {
    let lab = Lab::new();
    let storage = lab.open();
    let uuid = lab.started(&storage);
    let folder = lab.path("f");
    fs::write(folder.join("raw"), vec![7; 3000]).unwrap();
    let mut qcow2 = b"QFI\xfb\0\0\0\x03".to_vec();
    qcow2.resize(512, 0);
    qcow2[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
    fs::write(folder.join("qcow2"), qcow2).unwrap();
    symlink(folder.join("raw"), folder.join("link")).unwrap();
    symlink(folder.join("none"), folder.join("broken")).unwrap();
    symlink("/dev/zero", folder.join("device")).unwrap();
    fs::create_dir(folder.join("sub")).unwrap();
    fs::write(folder.join("sub/inside"), "").unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    fs::write(folder.join("line\nbreak"), "").unwrap();
    let pool = storage.by_uuid(uuid).unwrap();
    assert_eq!(pool.names().unwrap(), ["link", "qcow2", "raw"]);
    let raw = pool.volume("raw").unwrap();
    assert_eq!((raw.format, raw.capacity, raw.physical), (Format::Raw, 3000, 3000));
    assert_eq!(pool.volume("link").unwrap().capacity, 3000);
    let qcow2 = pool.volume("qcow2").unwrap();
    assert_eq!(
        (qcow2.format, qcow2.capacity, qcow2.physical),
        (Format::Qcow2, 1 << 30, 512)
    );
    for name in [
        "broken",
        "device",
        "sub",
        "pipe",
        "socket",
        "none",
        "sub/inside",
        "..",
        "",
    ] {
        refused(pool.volume(name), 50, name);
        refused(pool.delete_volume(name, || Ok(Vec::new())), 50, name);
    }
    refused(pool.delete_volume("link", || Ok(Vec::new())), 9, "is a symbolic link");
    let told = |path: &str| {
        storage
            .volume_at(&format!("{}{path}", folder.display()))
            .map(|found| found.1.name)
    };
    assert_eq!(told("//raw").unwrap(), "raw");
    for path in ["/none", "/sub/inside", "/../f/raw", ""] {
        refused(told(path), 50, "there is no");
    }
    storage.stop(uuid).unwrap();
    refused(told("/raw"), 50, "there is no storage volume with the path");
    refused(storage.by_folder(&folder.display().to_string()), 49, "that is active");
}

#[test]
fn volumes_are_made_and_removed_in_their_folder_alone() {
    let lab = Lab::new();
    let storage = lab.open();
    let pool = storage.by_uuid(lab.started(&storage)).unwrap();
    let xml = |name: &str, more: &str| {
        format!("<volume><name>{name}</name><capacity unit='KiB'>64</capacity>{more}</volume>")
    };
    let full = pool.create_volume(&xml("full", "")).unwrap();
    assert!(full.capacity == 64 << 10 && full.allocation >= 64 << 10, "{full:?}");
    let sparse = pool
        .create_volume(&xml("sparse", "<allocation>0</allocation>"))
        .unwrap();
    assert!(sparse.capacity == 64 << 10 && sparse.allocation == 0, "{sparse:?}");
    assert_eq!(lab.path("f/full").metadata().unwrap().mode() & 0o7777, 0o600);
    let open = "<target><permissions><mode>0644</mode></permissions></target>";
    let volume = pool.create_volume(&xml("open", open)).unwrap();
    assert_eq!(volume.permissions.mode, Some(0o644));
    refused(pool.create_volume(&xml("full", "")), 90, "there is a file 'full'");
    // A link is no way out of the folder.
    symlink(lab.path("outside"), lab.path("f/way-out")).unwrap();
    refused(pool.create_volume(&xml("way-out", "")), 90, "there is a file 'way-out'");
    assert!(!lab.path("outside").exists());
    // What can not be made whole is not left.
    let huge = xml("huge", "").replace(">64<", ">9007199254740990<");
    refused(pool.create_volume(&huge), 38, "cannot give volume 'huge'");
    assert!(!lab.path("f/huge").exists());
    fs::hard_link(lab.path("f/full"), lab.path("other-name")).unwrap();
    let uses = |file: &str| {
        vec![Use {
            file: lab.path(file).display().to_string(),
            by: "a guest".into(),
        }]
    };
    refused(
        pool.delete_volume("full", || storage.taken(uses("other-name"))),
        87,
        "is used by a guest",
    );
    // Nobody knows who uses it: it stays.
    let unknown = || Err(super::fault(Code::INTERNAL, "no answer"));
    refused(pool.delete_volume("full", unknown), 1, "no answer");
    pool.delete_volume("full", || storage.taken(uses("f/sparse"))).unwrap();
    assert!(!lab.path("f/full").exists() && lab.path("other-name").exists());
}

#[test]
fn a_volume_that_a_program_has_locked_stays() {
    let lab = Lab::new();
    let storage = lab.open();
    let pool = storage.by_uuid(lab.started(&storage)).unwrap();
    fs::write(lab.path("f/v"), "content").unwrap();
    // Its own locks a process is not told of, so another one has it: until its standard input ends.
    let script = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX, 1, 5); print(flush=True); \
                  sys.stdin.read()";
    let mut holder = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(lab.path("f/v"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let by = format!("is locked by process {}", holder.id());
    refused(pool.delete_volume("v", || Ok(Vec::new())), 87, &by);
    assert!(lab.path("f/v").exists());
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    pool.delete_volume("v", || Ok(Vec::new())).unwrap();
    assert!(!lab.path("f/v").exists());
}

#[test]
fn what_ran_in_another_boot_of_the_machine_does_not_run() {
    let lab = Lab::new();
    let storage = lab.open();
    let kept = lab.started(&storage);
    fs::create_dir(lab.path("g")).unwrap();
    let passing = storage.create(&lab.xml("b", "g"), Build::No).unwrap().definition.uuid;
    let next = lab.open();
    assert!(next.by_uuid(kept).unwrap().active && next.by_uuid(passing).unwrap().active);
    let record = |uuid: Uuid| lab.path(&format!("run/lockstep/pools/{uuid}.xml"));
    for uuid in [kept, passing] {
        let text = fs::read_to_string(record(uuid)).unwrap();
        assert!(text.contains("boot='"), "{text}");
        fs::write(record(uuid), text.replace("boot='", "boot='other-")).unwrap();
    }
    let booted = lab.open();
    assert!(!booted.by_uuid(kept).unwrap().active);
    refused(booted.by_uuid(passing), 49, "UUID");
    assert!(!record(kept).exists() && !record(passing).exists());
}

#[test]
fn a_file_that_is_not_its_pools_is_set_aside_and_replaces_nothing() {
    let lab = Lab::new();
    let storage = lab.open();
    let uuid = storage.define(&lab.xml("a", "f")).unwrap().definition.uuid;
    let file = |name: &str| lab.path("var/lib/lockstep/pools").join(name);
    let text = fs::read_to_string(file(&format!("{uuid}.xml"))).unwrap();
    let other = "11111111-2222-3333-4444-555555555555.xml";
    fs::write(file(&format!("{other}.set-aside")), "of old").unwrap();
    fs::write(file(other), &text).unwrap();
    fs::write(file("copy.xml"), &text).unwrap();
    // A pool of its own, but with the name of the other: it is left as it is.
    let twin = "ffffffff-2222-3333-4444-555555555555";
    fs::write(file(&format!("{twin}.xml")), text.replace(&uuid.to_string(), twin)).unwrap();
    let next = lab.open();
    assert_eq!(next.pools().len(), 1);
    assert_eq!(
        fs::read_to_string(file(&format!("{other}.set-aside"))).unwrap(),
        "of old"
    );
    assert!(file(&format!("{other}.set-aside.1")).exists() && !file(other).exists());
    assert!(file("copy.xml.set-aside").exists() && file(&format!("{twin}.xml")).exists());
}

#[test]
fn what_is_kept_changes_with_the_pool_or_not_at_all() {
    let lab = Lab::new();
    let storage = lab.open();
    let uuid = lab.started(&storage);
    // In the way of every draft.
    let block = |part: &str| fs::create_dir(lab.path(part).join(format!("lockstep/pools/{uuid}.new"))).unwrap();
    block("run");
    refused(storage.set_autostart(uuid, true), 38, "run/lockstep/pools");
    assert!(!storage.by_uuid(uuid).unwrap().autostart);
    assert!(!lab.open().by_uuid(uuid).unwrap().autostart);
    // A pool that is kept already is stopped without a word being written.
    block("var/lib");
    storage.stop(uuid).unwrap();
    refused(storage.set_autostart(uuid, true), 38, "var/lib/lockstep/pools");
}
