//! Definitions that are found, and those of them that are started.

use super::*;
use driver_api::driver::Control as _;

/// The machine has been started again.
fn another_boot(lab: &Lab) {
    std::fs::write(lab.root.path().join("run/autostarted"), "another boot").unwrap();
}

#[test]
fn autostart_is_done_once_a_boot_and_not_again_for_what_was_shut_down() {
    let mut lab = lab_with_a_guest();
    lab.cx(|cx| lab.uml.destroy(cx, uuid(A), 0)).unwrap();
    up(&mut lab);
    lab.cx(|cx| lab.uml.autostart(cx)).unwrap();
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Running);
    lab.cx(|cx| lab.uml.destroy(cx, uuid(A), 0)).unwrap();
    up(&mut lab);
    lab.cx(|cx| lab.uml.autostart(cx)).unwrap();
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Shutoff);
    another_boot(&lab);
    up(&mut lab);
    lab.cx(|cx| lab.uml.autostart(cx)).unwrap();
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Running);
}

#[test]
fn autostart_once_is_used_up_whatever_comes_of_it() {
    let mut lab = Lab::new();
    let xml = lab.xml("vm", A, "");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.cx(|cx| lab.uml.set_autostart_once(cx, uuid(A), true)).unwrap();
    assert!(!lab.uml.by_uuid(uuid(A)).unwrap().autostart);
    up(&mut lab);
    *lab.host.boots.lock() = Boots::Dies;
    lab.cx(|cx| lab.uml.autostart(cx)).unwrap();
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().reason, Reason::SHUTOFF_FAILED);
    *lab.host.boots.lock() = Boots::Well;
    another_boot(&lab);
    lab.cx(|cx| lab.uml.autostart(cx)).unwrap();
    assert_eq!(lab.uml.by_uuid(uuid(A)).unwrap().state, State::Shutoff);
    // It can be taken back, goes with its definition, and is nothing for a transient domain.
    let once = |on| lab.cx(|cx| lab.uml.set_autostart_once(cx, uuid(A), on));
    once(true).unwrap();
    once(false).unwrap();
    assert!(!lab.core().store.is_autostarted_once("vm"));
    once(true).unwrap();
    lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0)).unwrap();
    assert!(!lab.core().store.is_autostarted_once("vm"));
    lab.cx(|cx| lab.uml.create(cx, &xml, 0)).unwrap();
    assert_eq!(once(true).unwrap_err().code().0, 55);
}

#[test]
fn renaming_that_was_interrupted_is_finished() {
    let mut lab = Lab::new();
    let xml = lab.xml("vm", A, "<title>t</title>");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.cx(|cx| lab.uml.set_autostart(cx, uuid(A), true)).unwrap();
    let conf = lab.conf();
    let old = std::fs::read_to_string(conf.join("vm.xml")).unwrap();
    // As after a host that was killed between the two files.
    let later = std::time::SystemTime::now() + Duration::from_secs(1);
    for name in ["after", "zz"] {
        std::fs::write(
            conf.join(format!("{name}.xml")),
            old.replace(">vm<", &format!(">{name}<")),
        )
        .unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(conf.join(format!("{name}.xml")))
            .unwrap();
        file.set_modified(later).unwrap();
        up(&mut lab);
        let names: Vec<String> = lab.uml.list().into_iter().map(|brief| brief.name).collect();
        assert_eq!(names, [name]);
        assert!(lab.uml.by_name(name).unwrap().autostart);
        std::fs::write(conf.join("vm.xml"), &old).unwrap();
        let file = std::fs::File::options().write(true).open(conf.join("vm.xml")).unwrap();
        file.set_modified(later - Duration::from_secs(9)).unwrap();
        std::fs::remove_file(conf.join(format!("{name}.xml"))).unwrap();
        lab.core().store.set_autostart("vm", true).unwrap();
    }
    // Two definitions that differ in more are a mistake that somebody made: one is kept for its owner to look at.
    std::fs::write(conf.join("zz.xml"), old.replace(">vm<", ">zz<").replace(">t<", ">u<")).unwrap();
    up(&mut lab);
    assert_eq!(lab.uml.list().len(), 1);
    assert!(conf.join("zz.xml.broken-1").exists());
    assert_eq!(
        std::fs::read_dir(conf.join("autostart")).unwrap().count(),
        1,
        "a link to nothing was left"
    );
}

#[test]
fn bad_files_are_set_aside_and_the_others_load() {
    let mut lab = Lab::new();
    for (name, id) in [("one", A), ("two", B)] {
        let xml = lab.xml(name, id, "");
        lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    }
    let conf = lab.conf();
    std::fs::write(conf.join("two.xml"), "<domain type='uml'><name>two").unwrap();
    std::fs::copy(conf.join("one.xml"), conf.join("copy.xml")).unwrap();
    up(&mut lab);
    let names: Vec<String> = lab.uml.list().into_iter().map(|brief| brief.name).collect();
    assert_eq!(names, ["one"]);
    assert!(conf.join("two.xml.broken-1").exists() && conf.join("copy.xml.broken-1").exists());
}

#[test]
fn autostart_starts_what_is_idle_and_goes_on_after_a_failure() {
    let mut lab = lab_with_a_guest();
    let xml = lab.xml("two", B, "");
    lab.cx(|cx| {
        lab.uml.define(cx, &xml, 0).unwrap();
        lab.uml.set_autostart(cx, uuid(B), true).unwrap();
        lab.uml.destroy(cx, uuid(A), 0).unwrap();
    });
    *lab.host.boots.lock() = Boots::Dies;
    up(&mut lab);
    lab.cx(|cx| lab.uml.autostart(cx)).unwrap();
    let reasons: Vec<Reason> = lab.uml.list().into_iter().map(|brief| brief.reason).collect();
    assert_eq!(reasons, [Reason::SHUTOFF_FAILED, Reason::SHUTOFF_FAILED]);
    *lab.host.boots.lock() = Boots::Well;
    another_boot(&lab);
    lab.cx(|cx| lab.uml.autostart(cx)).unwrap();
    assert!(
        lab.uml
            .list()
            .iter()
            .all(|brief| brief.state == State::Running && brief.autostart)
    );
}
