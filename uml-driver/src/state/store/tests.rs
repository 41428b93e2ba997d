//! The store with good, damaged, unreadable and half-written files.

use super::*;
use crate::state::machine::Phase;
use crate::state::status::Intent;
use driver_api::types::domain::Reason;
use proptest::prelude::*;
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("conf"), &root.path().join("run")).unwrap();
    (root, store)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn definition_is_stored_replaced_and_removed_with_its_link() {
    let (_root, store) = store();
    store.save_definition("vm1", "<old/>").unwrap();
    store.save_definition("vm1", "<new/>").unwrap();
    store.set_autostart("vm1", true).unwrap();
    store.set_autostart("vm1", true).unwrap();
    assert!(store.is_autostarted("vm1"));
    assert_eq!(
        std::fs::read_to_string(store.conf.join("autostart/vm1.xml")).unwrap(),
        "<new/>"
    );
    let found = store.definitions().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text, "<new/>");
    store.remove_definition("vm1").unwrap();
    assert_eq!(names(&store.conf), ["autostart"]);
    assert!(names(&store.autostart_dir()).is_empty());
    store.remove_definition("vm1").unwrap();
}

#[test]
fn autostart_link_that_leads_elsewhere_does_not_count_and_is_replaced() {
    let (_root, store) = store();
    store.save_definition("vm1", "<x/>").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", store.link("vm1")).unwrap();
    assert!(!store.is_autostarted("vm1"));
    store.set_autostart("vm1", true).unwrap();
    assert!(store.is_autostarted("vm1"));
    store.set_autostart("vm1", false).unwrap();
    store.set_autostart("vm1", false).unwrap();
    assert!(!store.is_autostarted("vm1"));
}

#[test]
fn unreadable_definitions_are_set_aside_under_fresh_names_and_the_others_load() {
    let (_root, store) = store();
    store.save_definition("good", "<x/>").unwrap();
    std::fs::write(store.conf.join("latin.xml"), b"\xff\xfe").unwrap();
    std::fs::write(store.conf.join("latin.xml.broken-1"), b"older").unwrap();
    std::fs::create_dir(store.conf.join("folder.xml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", store.conf.join("link.xml")).unwrap();
    assert_eq!(store.definitions().unwrap().len(), 1);
    assert_eq!(
        names(&store.conf),
        [
            "autostart",
            "folder.xml.broken-1",
            "good.xml",
            "latin.xml.broken-1",
            "latin.xml.broken-2",
            "link.xml.broken-1"
        ]
    );
}

#[test]
fn unfinished_writes_are_removed_at_open() {
    let (root, store) = store();
    std::fs::write(store.conf.join(".new-vm1.xml"), "<half").unwrap();
    std::fs::write(store.status_dir().join(".new-x.status"), "lock").unwrap();
    let again = Store::open(&root.path().join("conf"), &root.path().join("run")).unwrap();
    assert_eq!(names(&again.conf), ["autostart"]);
    assert!(names(&again.status_dir()).is_empty());
}

#[test]
fn definition_that_cannot_be_stored_keeps_the_old_one() {
    let (_root, store) = store();
    store.save_definition("vm1", "<old/>").unwrap();
    // A folder in the place of the temporary file: root may write anywhere, so modes would not stop it.
    std::fs::create_dir(store.conf.join(".new-vm1.xml")).unwrap();
    let error = store.save_definition("vm1", "<new/>").unwrap_err();
    assert_eq!(error.code(), Code::SYSTEM_ERROR);
    assert!(error.to_string().contains("vm1.xml"), "{error}");
    assert_eq!(store.definitions().unwrap()[0].text, "<old/>");
}

#[test]
fn statuses_come_back_and_damaged_ones_are_set_aside() {
    let (_root, store) = store();
    let uuid = Uuid::random().unwrap();
    let status = Status {
        guest: 7,
        id: 3,
        phase: Phase::Paused,
        reason: Reason::PAUSED_USER,
        intent: Intent::Reboot,
        autodestroy: true,
        socket: "uml/vm1/mconsole".into(),
        consoles: vec!["console0".to_owned()],
        devices: vec!["vnet0".to_owned()],
        xml: "<domain/>".to_owned(),
        ..Status::default()
    };
    store.save_status(uuid, &status).unwrap();
    let other = store.status(Uuid::random().unwrap());
    std::fs::write(&other, "lockstep-uml-status 1\nguest").unwrap();
    std::fs::write(store.status_dir().join("vm1.status"), status.to_text()).unwrap();
    assert_eq!(store.statuses().unwrap(), [(uuid, status)]);
    assert_eq!(
        names(&store.status_dir())
            .iter()
            .filter(|n| n.contains(".broken-"))
            .count(),
        2
    );
    store.remove_status(uuid);
    assert!(store.statuses().unwrap().is_empty());
}

#[test]
fn last_id_is_remembered_and_zero_when_damaged() {
    let (_root, store) = store();
    assert_eq!(store.last_id(), 0);
    store.save_last_id(41).unwrap();
    assert_eq!(store.last_id(), 41);
    std::fs::write(store.run.join("last-id"), "x").unwrap();
    assert_eq!(store.last_id(), 0);
}

#[test]
fn file_name_is_readable_for_plain_names_and_safe_for_others() {
    assert_eq!(file_name("vm1"), "vm1.xml");
    assert_eq!(file_name("my vm (ä)"), "my vm (ä).xml");
    assert_eq!(file_name("../../etc/x"), "%2E./..%2Fetc%2Fx.xml".replace('/', "%2F"));
    assert_eq!(file_name("a%2Fb"), "a%252Fb.xml");
    assert_eq!(file_name(".hidden\n"), "%2Ehidden%0A.xml");
}

proptest! {
    #[test]
    fn file_names_are_distinct_plain_and_short(a in "(?s).{1,40}", b in "(?s).{1,40}") {
        let file = file_name(&a);
        prop_assert_eq!(Path::new(&file).file_name(), Some(std::ffi::OsStr::new(&file)));
        prop_assert!(!file.starts_with('.'));
        prop_assert_eq!(a == b, file == file_name(&b));
    }
}
