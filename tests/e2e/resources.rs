//! Memory that is taken from real guests and given back, and processors.

use super::hotplug::{Shell, destroy, start};
use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "memory_is_taken_from_a_guest_within_bounds_and_given_back",
        needs: &[Root, Uml, Virsh],
        run: memory,
    },
    Case {
        name: "vcpus_are_what_the_kernel_can_have",
        needs: &[Root, Uml, Virsh],
        run: vcpus,
    },
];

fn memory() {
    let mut host = Host::start();
    let mut shell = start(&host, &Document::new("vm1"));
    let free = |shell: &mut Shell| -> u64 {
        let said = shell.run("grep MemFree /proc/meminfo");
        said.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a figure")
    };
    let figure = |host: &Host, name: &str| -> String {
        let info = host.virsh(&["dominfo", "vm1"]).ok();
        let line = info
            .lines()
            .find(|line| line.starts_with(name))
            .expect("a line")
            .to_owned();
        line.split_whitespace().rev().nth(1).expect("a figure").to_owned()
    };
    let before = free(&mut shell);
    let _out = host.virsh(&["setmem", "vm1", "49152", "--live"]).ok();
    let after = free(&mut shell);
    assert!((14_000..18_000).contains(&(before - after)), "{before} -> {after}");
    assert_eq!(
        (figure(&host, "Used memory"), figure(&host, "Max memory")),
        ("49152".into(), "65536".into())
    );
    // More than it can spare is refused before anything is taken.
    let message = host.virsh(&["setmem", "vm1", "20480", "--live"]).fails();
    assert!(
        message.contains("KiB to spare and keeps 8192: it can go down to"),
        "{message}"
    );
    let now = free(&mut shell);
    assert!(now + 1024 > after, "{after} -> {now}");
    let message = host.virsh(&["setmem", "vm1", "81920", "--live"]).fails();
    assert!(message.contains("65536 KiB"), "{message}");
    shell.close();
    host.kill();
    host.serve();
    assert_eq!(figure(&host, "Used memory"), "49152");
    let _out = host.virsh(&["setmem", "vm1", "65536", "--live"]).ok();
    let mut shell = Shell::open(&host, "vm1");
    let back = free(&mut shell);
    assert!(back + 2048 > before, "{before} -> {back}");

    // A guest whose memory is full of what it caches gives that up first.
    let _out = shell.run("dd if=/dev/zero of=/tmp/f bs=1M count=10 2>/dev/null; cat /tmp/f >/dev/null; rm /tmp/f");
    let _out = host.virsh(&["setmem", "vm1", "47104", "--live"]).ok();
    assert_eq!(shell.run("echo lives"), "lives");
    let _out = host.virsh(&["setmem", "vm1", "57344", "--config"]).ok();
    let _out = host.virsh(&["setmaxmem", "vm1", "131072", "--config"]).ok();
    let message = host.virsh(&["setmaxmem", "vm1", "49152", "--config"]).fails();
    assert!(message.contains("57344"), "{message}");
    shell.close();
    destroy(&host);
    assert_eq!(
        (figure(&host, "Used memory"), figure(&host, "Max memory")),
        ("57344".into(), "131072".into())
    );
}

fn vcpus() {
    let host = Host::start();
    let shell = start(&host, &Document::new("vm1"));
    let count = host.virsh(&["vcpucount", "vm1"]).ok();
    assert_eq!(count.matches('1').count(), 4, "{count}");
    let message = host.virsh(&["setvcpus", "vm1", "2", "--config", "--maximum"]).fails();
    assert!(
        message.contains("built without SMP: it has one processor, not 2"),
        "{message}"
    );
    let _out = host.virsh(&["setvcpus", "vm1", "1", "--live"]).ok();
    shell.close();
    destroy(&host);
}
