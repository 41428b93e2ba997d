//! Starting: when it returns, how it fails, and who wins when two start at once.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use std::thread;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "start_kernel_dies_fails_with_its_last_words",
        needs: &[Root, Uml, Virsh],
        run: dies,
    },
    Case {
        name: "start_kernel_missing_fails_by_name",
        needs: &[Virsh],
        run: missing,
    },
    Case {
        name: "start_too_little_memory_is_refused_with_the_least",
        needs: &[Root, Uml, Virsh],
        run: no_memory,
    },
    Case {
        name: "start_twice_at_once_one_wins",
        needs: &[Root, Uml, Virsh],
        run: twice,
    },
    Case {
        name: "start_unsupported_device_is_refused_by_name",
        needs: &[Virsh],
        run: unsupported,
    },
    Case {
        name: "destroy_during_start_cancels_it",
        needs: &[Root, Uml, Virsh],
        run: cancelled,
    },
    Case {
        name: "disk_read_only_and_cow_reach_the_guest",
        needs: &[Root, Uml, Virsh],
        run: disks,
    },
];

fn dies() {
    let host = Host::start();
    // More memory than the address space of a process has room for: the kernel says so on its console and ends.
    let xml = Document::new("vm1")
        .xml()
        .replace("<memory unit='MiB'>64<", "<memory unit='TiB'>70<");
    host.define(&xml);
    let message = host.virsh(&["start", "vm1"]).fails();
    assert!(
        message.contains("Kernel panic") || message.contains("physical memory"),
        "{message}"
    );
    assert!(host.state("vm1").starts_with("shut off"), "{}", host.state("vm1"));
    assert!(host.supervisors().is_empty());
    // What is no kernel at all is refused before anything is started.
    host.define(&Document::new("vm2").kernel("/bin/busybox").xml());
    let message = host.virsh(&["start", "vm2"]).fails();
    assert!(message.contains("'/bin/busybox' is not a UML kernel"), "{message}");
}

fn missing() {
    let host = Host::start();
    host.define(&Document::new("vm1").kernel("/nowhere/linux").xml());
    let message = host.virsh(&["start", "vm1"]).fails();
    assert!(message.contains("'/nowhere/linux'"), "{message}");
}

fn no_memory() {
    let host = Host::start();
    let small = |name: &str, mib: u32| {
        Document::new(name)
            .xml()
            .replace("<memory unit='MiB'>64<", &format!("<memory unit='MiB'>{mib}<"))
    };
    host.define(&small("enough", 32));
    let _out = host.virsh(&["start", "enough"]).ok();
    let _out = host.virsh(&["destroy", "enough"]).ok();
    host.define(&small("starved", 31));
    let message = host.virsh(&["start", "starved"]).fails();
    assert!(message.contains("memory") && message.contains("32"), "{message}");
}

fn twice() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    let answers: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..2).map(|_| scope.spawn(|| host.virsh(&["start", "vm1"]))).collect();
        starts
            .into_iter()
            .map(|start| start.join().expect("the thread ends"))
            .collect()
    });
    assert_eq!(
        answers.iter().filter(|answer| answer.code == 0).count(),
        1,
        "{answers:?}"
    );
    let refused = answers.iter().find(|answer| answer.code != 0).expect("one is refused");
    assert!(refused.err.contains("vm1"), "{refused:?}");
    assert_eq!(host.supervisors().len(), 1);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn unsupported() {
    let host = Host::start();
    host.define(
        &Document::new("vm1")
            .device("<hostdev mode='subsystem' type='usb'/>")
            .xml(),
    );
    // What is not understood is kept and printed back.
    assert!(
        host.virsh(&["dumpxml", "vm1"])
            .ok()
            .contains("<hostdev mode='subsystem' type='usb'")
    );
    let message = host.virsh(&["start", "vm1"]).fails();
    assert!(message.contains("hostdev"), "{message}");
}

fn cancelled() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    thread::scope(|scope| {
        let start = scope.spawn(|| host.virsh(&["start", "vm1"]));
        conformance::wait::until("the start is under way", || {
            (!host.supervisors().is_empty()).then_some(())
        });
        let _either_way = host.virsh(&["destroy", "vm1"]);
        let _answer = start.join().expect("the thread ends");
    });
    // Whoever came first, nothing may be left running half-way.
    if host.state("vm1").starts_with("running") {
        let _out = host.virsh(&["destroy", "vm1"]).ok();
    }
    assert!(host.state("vm1").starts_with("shut off"), "{}", host.state("vm1"));
    assert!(host.supervisors().is_empty());
}

fn disks() {
    let host = Host::start();
    let base = host.root().join("base image.raw");
    std::fs::write(&base, vec![b'B'; 1 << 20]).unwrap();
    let read_only = host.root().join("ro.raw");
    std::fs::write(&read_only, vec![b'R'; 1 << 20]).unwrap();
    let cow = host.root().join("top.cow");
    let script = "mknod /dev/ubda b 98 0; mknod /dev/ubdb b 98 16
        echo first:$(head -c 3 /dev/ubda):ro=$(cat /sys/block/ubda/ro)
        printf X | dd of=/dev/ubda bs=1 conv=notrunc 2>/dev/null; sync
        echo second:$(head -c 3 /dev/ubdb):ro=$(cat /sys/block/ubdb/ro):serial=$(cat /sys/block/ubdb/serial)
        echo all-said; sleep 1000";
    let devices = format!(
        "<disk type='file' device='disk'><source file='{}'/><backingStore type='file'><source file='{}'/></backingStore>\
         <target dev='ubda' bus='uml'/></disk>\
         <disk type='file' device='disk'><source file='{}'/><target dev='ubd1' bus='uml'/><serial>S123</serial><readonly/></disk>",
        cow.display(),
        base.display(),
        read_only.display()
    );
    host.define(&Document::new("vm1").running(script).device(&devices).xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let log = conformance::wait::until("the guest has looked at its disks", || {
        let log = host.console_log("vm1");
        log.contains("all-said").then_some(log)
    });
    assert!(log.contains("first:BBB:ro=0"), "{log}");
    assert!(log.contains("second:RRR:ro=1:serial=S123"), "{log}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(
        std::fs::read(&base).unwrap().iter().all(|byte| *byte == b'B'),
        "the backing file was written"
    );
    let merged = host.root().join("merged.raw");
    conformance::cow::merge(&cow, &base, &merged);
    let merged = std::fs::read(merged).unwrap();
    assert!(merged[0] == b'X' && merged[1..].iter().all(|byte| *byte == b'B'));
}
