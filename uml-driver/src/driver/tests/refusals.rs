//! What the driver refuses, with which code and words, and that a refusal changes nothing.

use super::*;

#[test]
fn unknown_flags_are_refused_and_unsupported_ones_named() {
    let lab = Lab::running("");
    let a = uuid(A);
    lab.cx(|cx| {
        let uml = &lab.uml;
        assert_eq!(code(uml.define(cx, "<domain/>", 2)), 8);
        assert_eq!(code(uml.create(cx, "<domain/>", flags::START_FORCE_BOOT)), 8);
        assert_eq!(code(uml.start(cx, a, 32)), 8);
        assert_eq!(code(uml.start(cx, a, flags::START_AUTODESTROY)), 55);
        assert_eq!(
            code(uml.start(cx, a, flags::START_BYPASS_CACHE | flags::START_FORCE_BOOT)),
            55
        );
        assert_eq!(code(uml.undefine(cx, a, 64)), 8);
        assert_eq!(code(uml.destroy(cx, a, 2)), 8);
        assert_eq!(code(uml.shutdown(cx, a, 64)), 8);
        const PARAVIRT: u32 = 16;
        for (mode, name) in [
            (flags::SHUTDOWN_SIGNAL, "signal"),
            (flags::SHUTDOWN_INITCTL, "initctl"),
            (PARAVIRT, "paravirt"),
        ] {
            let error = uml.reboot(cx, a, mode).unwrap_err();
            assert_eq!(error.code(), Code::ARGUMENT_UNSUPPORTED);
            assert!(error.to_string().contains(&format!("'{name}'")), "{error}");
            uml.shutdown(cx, a, mode | flags::SHUTDOWN_ACPI).unwrap();
        }
        uml.shutdown(cx, a, flags::SHUTDOWN_AGENT | flags::SHUTDOWN_ACPI)
            .unwrap();
    });
    assert_eq!(code(lab.uml.dump_xml(a, 16)), 8);
}

#[test]
fn every_verb_is_refused_for_an_idle_and_for_an_unknown_domain() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    lab.events();
    lab.cx(|cx| {
        for (of, expected) in [(uuid(A), 55), (uuid(B), 42)] {
            let uml = &lab.uml;
            assert_eq!(code(uml.shutdown(cx, of, 0)), expected);
            assert_eq!(code(uml.reboot(cx, of, 0)), expected);
            assert_eq!(code(uml.suspend(cx, of)), expected);
            assert_eq!(code(uml.resume(cx, of)), expected);
            assert_eq!(code(uml.destroy(cx, of, 0)), expected);
            assert_eq!(code(uml.destroy(cx, of, flags::DESTROY_GRACEFUL)), expected);
        }
        assert_eq!(code(lab.uml.start(cx, uuid(B), 0)), 42);
        assert_eq!(code(lab.uml.set_autostart(cx, uuid(B), true)), 42);
    });
    assert_eq!(code(lab.uml.dump_xml(uuid(B), 0)), 42);
    assert_eq!(code(lab.uml.cpu_time(uuid(B))), 42);
    assert_eq!(lab.uml.cpu_time(uuid(A)).unwrap(), 0);
    assert!(lab.events().is_empty(), "nothing happened, and somebody was told");
}

#[test]
fn what_cannot_be_done_is_refused_at_start_all_of_it_by_name() {
    let lab = Lab::new();
    let xml = lab.xml(
        "vm",
        A,
        "<vcpu>2</vcpu><memtune><min_guarantee>1</min_guarantee></memtune>",
    );
    let xml = xml.replace("<devices>", "<devices><console type='vc'/><hostdev/>");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    let error = lab.start(A).unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    for words in [
        "2 processors",
        "<min_guarantee> in <memtune>",
        "console 0 (type 'vc'",
        "<hostdev>",
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(
        (lab.brief().state, lab.brief().reason),
        (State::Shutoff, Reason::UNKNOWN)
    );
    assert_eq!(lab.events(), ["defined/0 id=-1"]);
    let created = lab.cx(|cx| lab.uml.create(cx, &xml.replace("vm", "vm2").replace(A, B), 0));
    assert_eq!(code(created), 67);
    assert!(lab.uml.by_name("vm2").is_none());
}

#[test]
fn kernel_that_is_missing_or_none_fails_the_start_before_anything_is_done() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    std::fs::remove_file(lab.root.path().join("kernel")).unwrap();
    assert_eq!(code(lab.start(A)), 38);
    assert_eq!(lab.events(), ["defined/0 id=-1"]);
    assert_eq!(lab.brief().reason, Reason::UNKNOWN);
}

#[test]
fn names_and_uuids_belong_to_one_domain_each() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    assert_eq!(code(lab.define("other", A)), 9);
    assert_eq!(code(lab.define("vm", B)), 9);
    lab.define("vm", A).unwrap();
    assert_eq!(lab.events(), ["defined/0 id=-1", "defined/1 id=-1"]);
    lab.cx(|cx| lab.uml.undefine(cx, uuid(A), flags::UNDEFINE_NVRAM))
        .unwrap();
    lab.define("vm", B).unwrap();
    assert_eq!(lab.uml.list().len(), 1);
    assert_eq!(code(lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0))), 42);
}

#[test]
fn definition_that_cannot_be_stored_changes_nothing() {
    let lab = Lab::running("");
    for name in [".new-vm.xml", ".new-two.xml"] {
        std::fs::create_dir(lab.conf().join(name)).unwrap();
    }
    let xml = lab.xml("vm", A, "<title>new</title>");
    assert_eq!(code(lab.cx(|cx| lab.uml.define(cx, &xml, 0))), 38);
    assert_eq!(lab.brief().state, State::Running);
    assert!(!lab.uml.dump_xml(uuid(A), flags::XML_INACTIVE).unwrap().contains("new"));
    assert_eq!(code(lab.define("two", B)), 38);
    assert_eq!(lab.uml.list().len(), 1);
    assert!(lab.events().is_empty());
    std::fs::remove_dir(lab.conf().join(".new-two.xml")).unwrap();
    lab.define("two", B).unwrap();
}
