//! Devices that can not come or go: what is refused in which words, and that nothing is left of the attempt.

use super::devices::BOTH;
use super::*;
use driver_api::driver::{Devices, Driver};
use driver_api::types::domain::flags::{AFFECT_CONFIG, AFFECT_LIVE};
use std::sync::Arc;

const NIC: &str = "<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='br0'/>\
                   <filterref filter='clean'/></interface>";

impl Lab {
    /// Nothing of a change is left anywhere.
    fn is_as_before(&self) {
        assert_eq!((self.guest_has(), self.network.taps()), (vec![], vec![]));
        assert_eq!(self.host.served(*self.host.alive().first().unwrap()), ["console0"]);
        assert!(self.host.filtered.lock().is_empty());
        for device in ["ubd", "interface", "serial"] {
            assert!(!self.live().contains(device) && !self.next().contains(device));
        }
        let record = self.core().table.entry(uuid(A)).unwrap().record().unwrap();
        assert!(record.remnants.is_empty() && record.arriving.is_none());
        for name in ["vnet0", "vnet1"] {
            assert!(self.core().names.take(name, Duration::ZERO), "'{name}' is not free");
            self.core().names.free(name);
        }
        assert_eq!(self.notices(), [""; 0]);
        assert!(self.host.locks.is_idle());
        let statuses = self.core().store.statuses().unwrap();
        assert!(statuses[0].1.remnants.is_empty());
    }
}

#[test]
fn what_the_guest_refuses_is_told_in_its_words_and_undone() {
    for (begin, what) in [
        ("config ubdbd=", "the guest does not take disk 'ubdb'"),
        ("config vec0:", "the guest does not take interface '52:54:00:00:00:07'"),
        ("config con1=", "the guest does not take line 'con1'"),
        ("config ssl0=", "the guest does not take line 'ssl0'"),
    ] {
        let lab = Lab::running("");
        let xml = match begin {
            "config ubdbd=" => lab.disk("ubdb", "b.img", ""),
            "config vec0:" => NIC.to_owned(),
            "config con1=" => "<console type='pty'/>".to_owned(),
            _ => "<serial type='pty'/>".to_owned(),
        };
        lab.host.kernel(1).lock().refuses = Some(begin);
        let error = lab.attach(&xml, BOTH).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_FAILED);
        let text = error.to_string();
        assert!(text.contains(what) && text.contains("'not today' (-22)"), "{text}");
        lab.is_as_before();
        let removed = lab
            .host
            .kernel(1)
            .lock()
            .told
            .iter()
            .any(|told| told.starts_with("remove"));
        assert!(!removed, "what was refused is not ours to remove");
    }
}

#[test]
fn what_the_host_can_not_do_is_undone() {
    let lab = Lab::running("");
    for xml in [
        lab.disk("ubdb", "b.img", ""),
        NIC.to_owned(),
        "<console type='pty'/>".to_owned(),
    ] {
        lab.host.no_plug.store(true, Ordering::SeqCst);
        let error = lab.attach(&xml, BOTH).unwrap_err();
        assert!(error.to_string().contains("no plugging today"), "{error}");
        lab.is_as_before();
    }
    for (bridge, filter, expected) in [("br0", "missing", 62), ("full", "clean", 38), ("nobridge", "clean", 38)] {
        let xml = NIC.replace("br0", bridge).replace("clean", filter);
        assert_eq!(code(lab.attach(&xml, BOTH)), expected, "{xml}");
        lab.is_as_before();
    }
    let missing = "<disk><source file='/no/such/file'/><target dev='ubdb'/></disk>";
    let error = lab.attach(missing, 0).unwrap_err();
    assert!(
        error.to_string().contains("'/no/such/file' can not be found"),
        "{error}"
    );
    lab.is_as_before();
}

#[test]
fn what_can_not_be_stored_is_undone_in_the_guest_too() {
    let lab = Lab::running("");
    let status = lab.root.path().join(format!("run/status/.new-{A}.status"));
    let staged = lab.conf().join(".new-%staged-vm.xml");
    for in_the_way in [status, staged] {
        std::fs::create_dir(&in_the_way).unwrap();
        for xml in [
            lab.disk("ubdb", "b.img", ""),
            NIC.to_owned(),
            "<console type='pty'/>".to_owned(),
        ] {
            assert_eq!(code(lab.attach(&xml, BOTH)), 38, "{xml}");
        }
        std::fs::remove_dir(&in_the_way).unwrap();
        lab.is_as_before();
    }
    // A definition that can not be stored keeps the device in the guest.
    lab.attach(&lab.disk("ubdb", "b.img", ""), BOTH).unwrap();
    let staged = lab.conf().join(".new-%staged-vm.xml");
    std::fs::create_dir(&staged).unwrap();
    assert_eq!(code(lab.detach_alias("ubdb", BOTH)), 38);
    assert_eq!(lab.guest_has().len(), 1);
    assert!(lab.live().contains("ubdb") && lab.next().contains("ubdb"));
}

#[test]
fn device_in_use_is_kept_and_the_guest_says_why() {
    let lab = Lab::with_devices(|lab| {
        format!(
            "{}<interface type='bridge'><source bridge='br0'/></interface><serial type='pty'/>",
            lab.disk("ubda", "a.img", "")
        )
    });
    let busy = ["ubda", "vec0", "ssl0"].map(ToOwned::to_owned);
    lab.host.kernel(1).lock().busy.extend(busy);
    for (alias, remedy, words) in [
        (
            "ubda",
            "the guest keeps disk 'ubda': unmount it there first",
            "'Device is currently open' (-16)",
        ),
        (
            "net0",
            "take 'vec0' down in the guest first",
            "'Device is currently open' (-16)",
        ),
        (
            "serial0",
            "end what has it open there first",
            "'Device is already open' (-22)",
        ),
    ] {
        let before = (lab.live(), lab.next());
        let error = lab.detach_alias(alias, BOTH).unwrap_err();
        assert_eq!(error.code(), Code::OPERATION_FAILED);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot detach a device from domain 'vm'")
                && text.contains(remedy)
                && text.contains(words),
            "{text}"
        );
        assert_eq!((lab.live(), lab.next()), before);
        assert_eq!(lab.notices(), [format!("kept {alias}")]);
    }
    assert_eq!(lab.log(), [""; 0]);
    lab.host.kernel(1).lock().busy.clear();
    for alias in ["ubda", "net0", "serial0"] {
        lab.detach_alias(alias, BOTH).unwrap();
    }
}

#[test]
fn first_disk_of_a_guest_that_was_born_without_is_refused() {
    let lab = Lab::running("");
    let disk = lab.disk("ubda", "a.img", "");
    let error = lab.attach(&disk, 0).unwrap_err();
    assert_eq!(error.code(), Code::CONFIG_UNSUPPORTED);
    assert!(error.to_string().contains("booted without disk 'ubda'"), "{error}");
    lab.is_as_before();
    // One that had it can be given another one.
    lab.attach(&disk, AFFECT_CONFIG).unwrap();
    lab.destroy(A).unwrap();
    lab.start(A).unwrap();
    lab.detach(&disk, 0).unwrap();
    lab.attach(&disk, 0).unwrap();
    assert!(lab.live().contains("ubda"));
}

#[test]
fn what_is_not_possible_is_refused_by_name() {
    let lab = Lab::running("");
    lab.attach(&lab.disk("ubdb", "b.img", ""), 0).unwrap();
    lab.attach(NIC, 0).unwrap();
    let long = format!("/{}", "x".repeat(600));
    let cases = [
        (
            lab.disk("ubdb", "c.img", ""),
            9,
            "target 'ubdb' of domain 'vm' is taken by the disk",
        ),
        (lab.disk("ubdq", "c.img", ""), 27, "beyond 'ubdp'"),
        (lab.disk("vda", "c.img", ""), 67, "bus 'virtio'"),
        (
            format!("<disk><source file='{long}'/><target dev='ubdc'/></disk>"),
            67,
            "shorten its paths: what the guest kernel would have to be told has 614 bytes",
        ),
        (
            "<disk><source file='/a,b'/><target dev='ubdc'/></disk>".to_owned(),
            67,
            "'/a,b'",
        ),
        (
            "<disk><source file='relative'/><target dev='ubdc'/></disk>".to_owned(),
            67,
            "not an absolute path",
        ),
        (NIC.to_owned(), 9, "address '52:54:00:00:00:07' of domain 'vm' is taken"),
        (
            "<interface type='direct'><source dev='eth0'/></interface>".to_owned(),
            67,
            "type 'direct'",
        ),
        ("<console type='spicevmc'/>".to_owned(), 67, "type 'spicevmc'"),
        ("<hostdev/>".to_owned(), 67, "<hostdev>"),
        ("<domain/>".to_owned(), 27, "one device element is wanted"),
        ("<disk>".to_owned(), 27, ""),
    ];
    let (live, next) = (lab.live(), lab.next());
    for (xml, expected, words) in cases {
        for scope in [AFFECT_LIVE, BOTH] {
            let error = lab.attach(&xml, scope).unwrap_err();
            assert_eq!(error.code().0, expected, "{xml}: {error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        assert_eq!((lab.live(), lab.next()), (live.clone(), next.clone()));
    }
    for (xml, words) in [
        ("<disk><source file='/x'/><target dev='ubde'/></disk>", "disk 'ubde'"),
        (
            "<interface><mac address='52:54:00:00:00:09'/></interface>",
            "interface with the address '52:54:00:00:00:09'",
        ),
        ("<serial><target port='7'/></serial>", "serial on port 7"),
        ("<serial type='pty'/>", "serial of type 'pty'"),
    ] {
        let error = lab.detach(xml, 0).unwrap_err();
        assert_eq!(error.code(), Code::DEVICE_MISSING, "{xml}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(code(lab.detach_alias("net7", 0)), 99);
    assert_eq!(code(lab.attach(NIC, 8)), 8);
    assert_eq!(code(lab.cx(|cx| lab.uml.attach_device(cx, uuid(B), NIC, 0))), 42);
}

#[test]
fn only_a_guest_that_runs_can_be_changed() {
    let lab = Lab::running("");
    let disk = lab.disk("ubdb", "b.img", "");
    lab.cx(|cx| lab.uml.suspend(cx, uuid(A))).unwrap();
    let error = lab.attach(&disk, 0).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_INVALID);
    assert!(error.to_string().contains("resume it first"), "{error}");
    assert_eq!(code(lab.attach(&disk, BOTH)), 55);
    assert!(!lab.next().contains("ubdb"));
    lab.attach(&disk, AFFECT_CONFIG).unwrap();
    lab.cx(|cx| lab.uml.resume(cx, uuid(A))).unwrap();
    lab.destroy(A).unwrap();
    assert_eq!(code(lab.attach(&disk, AFFECT_LIVE)), 55);
    let lab = Lab::new();
    lab.cx(|cx| lab.uml.create(cx, &lab.xml("vm", A, ""), 0)).unwrap();
    let disk = lab.disk("ubdb", "b.img", "");
    assert_eq!(code(lab.attach(&disk, BOTH)), 55);
    assert_eq!(lab.guest_has(), [""; 0]);
    lab.attach(&disk, 0).unwrap();
}

#[test]
fn guest_that_does_not_answer_gets_nothing() {
    let lab = Lab::running("");
    let job = {
        let entry = lab.core().table.entry(uuid(A)).unwrap();
        lab.cx(|cx| {
            crate::core::seize(cx, entry.uuid)
                .unwrap()
                .begin_job("another change")
                .unwrap()
        })
    };
    let error = lab.attach(NIC, 0).unwrap_err();
    assert_eq!(error.code(), Code::OPERATION_INVALID);
    assert!(error.to_string().contains("another change"), "{error}");
    drop(job);
    lab.is_as_before();
}

#[test]
fn change_that_the_last_host_did_not_finish_is_undone() {
    for begin in ["config ubdbd=", "config vec0:", "config con1="] {
        let mut lab = Lab::running("");
        let xml = match begin {
            "config ubdbd=" => lab.disk("ubdb", "b.img", ""),
            "config vec0:" => NIC.to_owned(),
            _ => "<console type='pty'/>".to_owned(),
        };
        // The host dies right after the guest's kernel has taken the device: what is on disk then is put back.
        lab.attach(&xml, 0).unwrap();
        let entry = lab.core().table.entry(uuid(A)).unwrap();
        let after = entry.record().unwrap().status().unwrap();
        let mut unfinished = after.clone();
        lab.notices();
        unfinished.xml = lab.next();
        unfinished.lines.truncate(1);
        unfinished.devices.clear();
        unfinished.interfaces.clear();
        unfinished.consoles.truncate(1);
        unfinished.ports.truncate(1);
        unfinished.remnants = match begin {
            "config ubdbd=" => vec![
                format!("file {}", lab.root.path().join("b.img").display()),
                "unit ubdb".to_owned(),
            ],
            "config vec0:" => ["port vnet0", "link vnet0", "unit vec0"]
                .map(ToOwned::to_owned)
                .to_vec(),
            _ => ["console console1", "unit con1"].map(ToOwned::to_owned).to_vec(),
        }
        .iter()
        .map(|text| crate::state::remnant::Remnant::read(text).unwrap())
        .collect();
        lab.core().store.save_status(uuid(A), &unfinished).unwrap();
        lab.reopen();
        lab.cx(|cx| lab.uml.bring_up(cx)).unwrap();
        lab.settled();
        lab.is_as_before();
        lab.attach(&xml, BOTH).unwrap();
    }
}

#[test]
fn guest_that_ends_meanwhile_leaves_no_device() {
    let lab = Lab::running("");
    let kernel = lab.host.kernel(1);
    // The kernel hears nothing until its guest is gone.
    let held = kernel.lock();
    std::thread::scope(|scope| {
        let attach = scope.spawn(|| lab.attach(NIC, 0));
        lab.until(|r| r.arriving.is_some() && !r.remnants.is_empty());
        let host = Arc::clone(&lab.host);
        host.end(1, ended("reboot: Power down"));
        drop(held);
        assert!(attach.join().unwrap().is_err());
    });
    lab.settled();
    assert_eq!(lab.network.taps(), [""; 0]);
    assert!(lab.host.filtered.lock().is_empty());
    let record = lab.core().table.entry(uuid(A)).unwrap().record().unwrap();
    assert!(record.arriving.is_none() && record.remnants.is_empty());
    assert!(!lab.next().contains("interface"));
}

#[test]
fn a_guest_that_still_boots_is_given_its_device_when_it_is_up() {
    let lab = Lab::running("");
    let kernel = lab.host.kernel(*lab.host.alive().first().unwrap());
    kernel.lock().boots = 3;
    lab.attach(&lab.disk("ubdb", "b", ""), AFFECT_LIVE).unwrap();
    assert_eq!(kernel.lock().boots, 0, "it was changed while it booted");
}
