//! Reset, rename, looking into disks, agents, and what an administrator is told.

use super::*;
use driver_api::driver::Control as _;
use driver_api::types::notice::Notice;
use std::os::unix::fs::FileExt;

fn reset(lab: &Lab) -> Result<()> {
    lab.cx(|cx| lab.uml.reset(cx, uuid(A)))
}

fn rename(lab: &Lab, name: &str) -> Result<DomainBrief> {
    lab.cx(|cx| lab.uml.rename(cx, uuid(A), name))
}

fn messages(lab: &Lab) -> String {
    lab.uml.messages(uuid(A)).unwrap().join("\n")
}

#[test]
fn reset_starts_the_guest_anew_under_its_id_with_one_reboot_event() {
    let lab = Lab::running("<on_reboot>destroy</on_reboot>");
    reset(&lab).unwrap();
    lab.settled();
    assert_eq!((lab.brief().id, lab.brief().state), (Some(1), State::Running));
    assert_eq!(lab.events(), ["reboot id=1"]);
    assert_eq!(lab.host.known(), [2]);
    // What is paused runs afterwards.
    lab.cx(|cx| lab.uml.suspend(cx, uuid(A))).unwrap();
    reset(&lab).unwrap();
    assert_eq!(lab.brief().state, State::Running);
    lab.destroy(A).unwrap();
    assert_eq!(code(reset(&lab)), 55);
    assert!(lab.host.locks.is_idle());
}

#[test]
fn reset_whose_new_guest_does_not_boot_ends_the_domain_and_says_why() {
    let lab = Lab::running("");
    *lab.host.boots.lock() = Boots::Dies;
    let error = reset(&lab).unwrap_err();
    assert!(error.to_string().contains("cannot mount root"), "{error}");
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_FAILED);
    assert_eq!(lab.events(), ["stopped/5 id=-1"]);
    assert!(messages(&lab).contains("the last start failed"), "{}", messages(&lab));
    assert!(lab.host.known().is_empty());
    *lab.host.boots.lock() = Boots::Well;
    lab.start(A).unwrap();
    assert_eq!(messages(&lab), "");
}

#[test]
fn reset_that_is_under_way_is_ended_by_destroy() {
    let lab = Lab::running("");
    *lab.host.boots.lock() = Boots::Never;
    std::thread::scope(|scope| {
        let reset = scope.spawn(|| reset(&lab));
        lab.until(|r| r.phase == Phase::Restarting);
        assert_eq!(code(lab.start(A)), 55);
        lab.destroy(A).unwrap();
        reset.join().unwrap().unwrap_err();
    });
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_DESTROYED);
    assert_eq!(lab.events(), ["stopped/1 id=-1"]);
}

#[test]
fn renamed_domain_is_the_same_under_another_name_with_both_events() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    lab.cx(|cx| lab.uml.set_autostart(cx, uuid(A), true)).unwrap();
    lab.events();
    let brief = rename(&lab, "new name").unwrap();
    assert_eq!((brief.name.as_str(), brief.autostart), ("new name", true));
    assert_eq!(lab.events(), ["undefined/1 id=-1", "defined/2 id=-1"]);
    assert!(lab.uml.by_name("vm").is_none());
    assert_eq!(lab.uml.by_name("new name").unwrap().uuid, uuid(A));
    assert_eq!(lab.uml.list().len(), 1);
    assert!(lab.uml.dump_xml(uuid(A), 0).unwrap().contains("<name>new name</name>"));
    assert!(lab.core().store.is_autostarted("new name") && !lab.core().store.is_autostarted("vm"));
    assert!(!lab.conf().join("vm.xml").exists());
    // The old name is free, the domain goes on as any other.
    lab.define("vm", B).unwrap();
    lab.start(A).unwrap();
    lab.destroy(A).unwrap();
    lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0)).unwrap();
    assert!(!lab.conf().join("new name.xml").exists());
    assert!(lab.host.locks.is_idle());
}

#[test]
fn rename_is_refused_by_name_and_changes_nothing() {
    let lab = Lab::new();
    lab.define("vm", A).unwrap();
    lab.define("two", B).unwrap();
    assert_eq!(code(rename(&lab, "two")), 9);
    for (name, expected) in [("", 27), ("a/b", 27), ("a\nb", 27), ("vm", 55)] {
        assert_eq!(code(rename(&lab, name)), expected, "{name}");
    }
    assert_eq!(code(rename(&lab, &"x".repeat(64))), 27);
    lab.start(A).unwrap();
    assert_eq!(code(rename(&lab, "new")), 55);
    lab.cx(|cx| lab.uml.undefine(cx, uuid(A), 0)).unwrap();
    assert_eq!(code(rename(&lab, "new")), 55);
    lab.destroy(A).unwrap();
    assert_eq!(code(rename(&lab, "new")), 42);
    // What can not be stored under the new name stays under the old one.
    lab.define("vm", A).unwrap();
    lab.events();
    std::fs::create_dir_all(lab.conf().join("new.xml/taken")).unwrap();
    assert_eq!(code(rename(&lab, "new")), 38);
    assert_eq!(lab.brief().name, "vm");
    assert!(lab.conf().join("vm.xml").exists());
    assert!(lab.events().is_empty());
}

#[test]
fn renaming_and_reading_at_the_same_time_never_misses_the_domain() {
    let lab = Lab::new();
    lab.define("vm0", A).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut reads = 0_u32;
                    while !done.load(Ordering::SeqCst) {
                        assert_eq!(lab.uml.list().len(), 1);
                        assert!(lab.uml.by_uuid(uuid(A)).is_some());
                        assert!(lab.uml.dump_xml(uuid(A), 0).is_ok());
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        for n in 1..100 {
            rename(&lab, &format!("vm{n}")).unwrap();
        }
        done.store(true, Ordering::SeqCst);
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    assert_eq!(lab.brief().name, "vm99");
    assert_eq!(
        std::fs::read_dir(lab.conf()).unwrap().count(),
        2,
        "one file and one folder"
    );
}

#[test]
fn disk_is_looked_into_by_target_or_source_and_not_beyond_its_end() {
    let lab = Lab::new();
    let image = lab.root.path().join("image");
    std::fs::write(&image, vec![0; 1024]).unwrap();
    let file = std::fs::File::options().write(true).open(&image).unwrap();
    file.write_all_at(b"there", 1000).unwrap();
    let disk = format!(
        "<devices><disk type='file'><source file='{}'/><target dev='ubda'/></disk>\
         <disk type='file'><driver type='qcow2'/><source file='/q'/><target dev='ubdb'/></disk>",
        image.display()
    );
    let xml = lab.xml("vm", A, "").replace("<devices>", &disk);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    let peek = |disk: &str, offset, size| lab.uml.block_peek(uuid(A), disk, offset, size);
    assert_eq!(peek("ubda", 1000, 5).unwrap(), b"there");
    assert_eq!(peek(&image.to_string_lossy(), 1000, 3).unwrap(), b"the");
    assert_eq!(peek("ubda", 1024, 0).unwrap(), b"");
    for (disk, offset, size, expected) in [
        ("ubda", 1020, 5, 38),
        ("ubda", u64::MAX, 5, 38),
        ("ubda", 0, u32::MAX, 8),
        ("ubdb", 0, 1, 84),
        ("ubdc", 0, 1, 8),
        ("", 0, 1, 8),
        ("/etc/passwd", 0, 1, 8),
    ] {
        assert_eq!(code(peek(disk, offset, size)), expected, "{disk} {offset} {size}");
    }
    assert_eq!(code(lab.uml.block_peek(uuid(B), "ubda", 0, 1)), 42);
}

#[test]
fn every_kind_of_end_is_told_apart_by_events_and_message() {
    let killed = Exit {
        signal: Some(9),
        ..Exit::default()
    };
    let memory = Exit {
        out_of_memory: true,
        ..killed.clone()
    };
    for (exit, words) in [(killed, "killed by signal 9"), (memory, "memory limit")] {
        let lab = Lab::running("");
        lab.host.end(1, exit);
        assert_eq!(lab.brief().reason, Reason::SHUTOFF_CRASHED);
        assert_eq!(lab.events(), ["stopped/5 id=-1"]);
        assert!(messages(&lab).contains(words), "{}", messages(&lab));
    }
    let lab = Lab::running("");
    lab.host.panic(1, "Attempted to kill init!\n");
    lab.until(|r| r.phase == Phase::Off);
    lab.settled();
    assert_eq!(lab.events(), ["crashed/0 id=-1", "stopped/2 id=-1"]);
    assert!(
        messages(&lab).contains("panicked ('Attempted to kill init!')"),
        "{}",
        messages(&lab)
    );
    lab.start(A).unwrap();
    assert_eq!(messages(&lab), "");
    // Who ends as somebody wanted leaves nothing to be told.
    lab.host.end(2, ended("reboot: Power down"));
    assert_eq!(messages(&lab), "");
}

#[test]
fn restarts_after_crashes_are_limited_as_the_option_says_and_told() {
    let lab = Lab::with_options(&[("crash_restarts", "1")]);
    let xml = lab.xml("vm", A, "<on_crash>restart</on_crash>");
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    lab.start(A).unwrap();
    lab.host.panic(1, "boom");
    lab.until(|r| r.runs_on(GuestId(2)));
    lab.settled();
    assert_eq!((lab.brief().id, lab.brief().reason), (Some(1), Reason::RUNNING_CRASHED));
    let told = messages(&lab);
    assert!(
        told.contains("panicked ('boom')") && told.contains("1 crashes in a row, at most 1"),
        "{told}"
    );
    lab.host.panic(2, "boom");
    lab.until(|r| r.phase == Phase::Off);
    lab.settled();
    assert_eq!(lab.brief().reason, Reason::SHUTOFF_CRASHED);
    assert!(
        messages(&lab).contains("2 times in a row and stays off"),
        "{}",
        messages(&lab)
    );

    let lab = Lab::with_options(&[("crash_restarts", "0")]);
    lab.cx(|cx| lab.uml.define(cx, &lab.xml("vm", A, "<on_crash>restart</on_crash>"), 0))
        .unwrap();
    lab.start(A).unwrap();
    lab.host.panic(1, "boom");
    lab.until(|r| r.phase == Phase::Off);
    lab.settled();
    assert_eq!(lab.host.known(), [0; 0]);
}

#[test]
fn what_is_asked_for_and_not_had_is_told_without_a_start() {
    let lab = Lab::new();
    let devices = "<devices><graphics type='vnc'/><graphics type='spice'/><video/><tpm/>\
                   <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='b'/><model type='virtio'/></interface>";
    let xml = lab.xml("vm", A, "").replace("<devices>", devices);
    lab.cx(|cx| lab.uml.define(cx, &xml, 0)).unwrap();
    let told = messages(&lab);
    for words in [
        "with <tpm>",
        "<graphics> has no effect",
        "<video> has no effect",
        "model 'virtio'",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words}: {told}");
    }
    assert_eq!(code(lab.uml.messages(uuid(B))), 42);
}

#[test]
fn agent_that_is_there_is_asked_and_one_that_is_not_is_said_to_be_missing() {
    let lab = Lab::running("");
    let ask = |modes| lab.cx(|cx| lab.uml.shutdown(cx, uuid(A), modes));
    let reboot = |modes| lab.cx(|cx| lab.uml.reboot(cx, uuid(A), modes));
    lab.host.heard.lock().clear();
    let error = ask(flags::SHUTDOWN_AGENT).unwrap_err();
    assert_eq!(error.code(), Code::AGENT_UNRESPONSIVE);
    assert!(error.to_string().contains("'vm'"), "{error}");
    // Several modes mean any of them.
    ask(flags::SHUTDOWN_AGENT | flags::SHUTDOWN_ACPI).unwrap();
    lab.host.says(1, "lockstep-agent 1 HELLO 5");
    ask(flags::SHUTDOWN_AGENT | flags::SHUTDOWN_ACPI).unwrap();
    reboot(flags::SHUTDOWN_AGENT).unwrap();
    ask(0).unwrap();
    let heard = lab.host.heard.lock().clone();
    let words = [
        "cad",
        "log lockstep-agent: shutdown\n",
        "log lockstep-agent: reboot\n",
        "cad",
    ];
    assert_eq!(heard, words);
    // The agent's reboot is a reboot, whatever the guest's init makes of it.
    reboot(flags::SHUTDOWN_AGENT).unwrap();
    lab.host.end(1, ended("reboot: Power down"));
    lab.settled();
    assert_eq!(lab.events(), ["reboot id=1"]);
    // The new guest's agent has not been heard of yet.
    assert_eq!(code(ask(flags::SHUTDOWN_AGENT)), 86);
}

#[test]
fn change_of_a_note_is_told() {
    let lab = Lab::running("");
    lab.cx(|cx| {
        let title = MetadataChange::Title(Some("x"));
        lab.uml.set_metadata(cx, uuid(A), &title, 0).unwrap();
        let element = MetadataChange::Element {
            uri: "urn:x",
            element: Some(("<a/>", "x")),
        };
        lab.uml
            .set_metadata(cx, uuid(A), &element, flags::AFFECT_CONFIG)
            .unwrap();
        lab.uml
            .set_metadata(cx, uuid(A), &MetadataChange::Title(Some("a\nb")), 0)
            .unwrap_err();
    });
    let notices: Vec<_> = lab.host.notices.lock().drain(..).collect();
    assert!(notices.iter().all(|notice| notice.id == Some(1) && notice.name == "vm"));
    let changed = |kind, uri: Option<&str>| Notice::MetadataChanged {
        kind,
        uri: uri.map(ToOwned::to_owned),
    };
    let what: Vec<Notice> = notices.into_iter().map(|notice| notice.notice).collect();
    assert_eq!(what, [changed(1, None), changed(2, Some("urn:x"))]);
}
