//! Devices that come and go a hundred times, and those whose coming is cut short: nothing of them is left.

use super::hotplug::{SPOOFS, Shell, busy_guest, destroy, device, disk_xml, image, network, nic_xml, start};
use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::net::Net;
use conformance::random::Random;
use conformance::{process, wait};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "hotplug_interface_without_a_device_leads_outwards_and_to_others",
        needs: &[Root, Uml, Virsh],
        run: without_device,
    },
    Case {
        name: "hotplug_cut_by_the_hosts_death_is_undone",
        needs: &[Root, Uml, Virsh, PythonLibvirt],
        run: cut,
    },
    Case {
        name: "hotplug_a_hundred_times_leaves_nothing",
        needs: &[Root, Uml, Virsh, PythonLibvirt],
        run: a_hundred_times,
    },
];

/// What a process has open.
fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("the process is there")
        .count()
}

/// The processes below a supervisor that are none of the guest's, which come and go with what runs in it.
fn programs(supervisor: i32) -> usize {
    let all = process::descendants(supervisor);
    all.iter()
        .filter(|process| !process.command.contains("linux.uml"))
        .count()
}

/// What could grow: descriptors of the host, the supervisor and the guest, the guest's mounts, the files of the host's run
/// folder, taps and filters.
fn inventory(host: &Host, net: &Net) -> Vec<(String, usize)> {
    fn files(folder: &Path) -> usize {
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        entries
            .flatten()
            .map(|entry| match entry.file_type() {
                Ok(kind) if kind.is_dir() => 1 + files(&entry.path()),
                _ => 1,
            })
            .sum()
    }
    let supervisor = host.supervisors()[0].pid;
    let guest = process::descendants(supervisor)
        .into_iter()
        .find(|process| process.parent == supervisor && process.command.contains("linux.uml"))
        .expect("the guest runs");
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", guest.pid)).expect("the guest runs");
    let taps = fs::read_dir("/sys/class/net").map_or(0, Iterator::count);
    vec![
        ("descriptors of the host".to_owned(), descriptors(host.pid())),
        ("descriptors of the supervisor".to_owned(), descriptors(supervisor)),
        ("descriptors of the guest".to_owned(), descriptors(guest.pid)),
        ("mounts of the guest".to_owned(), mounts.lines().count()),
        ("programs beside the guest".to_owned(), programs(supervisor)),
        ("files".to_owned(), files(&host.root().join("run"))),
        ("network devices".to_owned(), taps),
        ("lines of rules".to_owned(), net.ruleset().lines().count()),
    ]
}

/// One device of each kind, and a program that plugs them in and out.
struct Devices(Vec<String>);

const ALIASES: &[&str] = &["ubdb", "net0", "console1", "serial0"];

impl Devices {
    fn of(host: &Host) -> Self {
        Self(vec![
            disk_xml(&image(host, "b.img"), "ubdb"),
            nic_xml(1, SPOOFS),
            "<console type='pty'/>".to_owned(),
            "<serial type='pty'/>".to_owned(),
        ])
    }

    fn script(&self, rounds: u32) -> String {
        let documents: Vec<String> = self.0.iter().map(|xml| format!("\"\"\"{xml}\"\"\"")).collect();
        format!(
            "import libvirt, os
dom = libvirt.open(os.environ['URI']).lookupByName('vm1')
devices = [{}]
aliases = {ALIASES:?}
both = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
for _ in range({rounds}):
    for xml in devices:
        dom.attachDeviceFlags(xml, both)
    for alias in aliases:
        dom.detachDeviceAlias(alias, both)
print('done')",
            documents.join(", ")
        )
    }
}

/// The inventory, once it stays as it is.
fn quiet(host: &Host, net: &Net) -> Vec<(String, usize)> {
    wait::until("all clients are gone", || {
        let before = inventory(host, net);
        (before == inventory(host, net)).then_some(before)
    })
}

fn without_device() {
    let net = network();
    let host = Host::start();
    let mut shell = start(&host, &busy_guest(&host));
    let supervisor = host.supervisors()[0].pid;
    let before = programs(supervisor);
    let user = "<interface type='user'><mac address='52:54:00:00:00:05'/></interface>";
    let _out = device(&host, "attach-device", user, &["--live"]).ok();
    let said = shell.run(
        "ip link set vec0 up; ip addr add 10.0.2.15/24 dev vec0; ping -c 1 -W 20 10.0.2.2 >/dev/null && echo router",
    );
    assert_eq!(said, "router");
    assert!(programs(supervisor) > before);
    let _out = shell.run("ip link set vec0 down");
    let _out = device(&host, "detach-device", user, &["--live"]).ok();
    wait::until("its program is gone", || (programs(supervisor) == before).then_some(()));

    net.ip("route add 239.0.0.0/8 dev br0");
    let group = "<source address='239.7.7.7' port='7007'/>";
    let wire = format!("<interface type='mcast'><mac address='52:54:00:00:00:06'/>{group}</interface>");
    host.define(
        &Document::new("vm2")
            .running("ip link set vec0 up; ip addr add 10.7.0.2/24 dev vec0")
            .device(&wire.replace(":06", ":07"))
            .xml(),
    );
    let _out = host.virsh(&["start", "vm2"]).ok();
    let _out = device(&host, "attach-device", &wire, &["--live"]).ok();
    let said = shell
        .run("ip link set vec0 up; ip addr add 10.7.0.1/24 dev vec0; ping -c 1 -W 20 10.7.0.2 >/dev/null && echo peer");
    assert_eq!(said, "peer");
    let _out = shell.run("ip link set vec0 down");
    let _out = device(&host, "detach-device", &wire, &["--live"]).ok();
    assert!(!host.virsh(&["dumpxml", "vm1"]).ok().contains("<interface"));
    shell.close();
    let _out = host.virsh(&["destroy", "vm2"]).ok();
    destroy(&host);
}

fn cut() {
    let net = network();
    let mut host = Host::start();
    let shell = start(&host, &busy_guest(&host));
    shell.close();
    let devices = Devices::of(&host);
    assert_eq!(host.python(&devices.script(1)).ok().trim(), "done");
    let before = quiet(&host, &net);
    let mut random = Random::from_environment();
    for _ in 0..12 {
        let mut client = host.command("/usr/bin/python3");
        client.arg("-c").arg(devices.script(1000)).env("URI", host.uri());
        let mut client = client.stderr(Stdio::null()).spawn().expect("python3 runs");
        // Somewhere in the middle of something.
        let count = host.log().matches("ATTACH_DEVICE").count();
        wait::until("devices come and go", || {
            (host.log().matches("ATTACH_DEVICE").count() > count).then_some(())
        });
        std::thread::sleep(Duration::from_micros(random.below(80_000)));
        host.kill();
        let _status = client.wait().expect("the client ends");
        host.serve();
        let shown = host.virsh(&["dumpxml", "vm1"]).ok();
        for alias in ALIASES {
            // What the guest has is what is shown, so that it can be taken out.
            if shown.contains(&format!("<alias name='{alias}'/>")) {
                let _out = host.virsh(&["detach-device-alias", "vm1", alias, "--live"]).ok();
            }
        }
        let next = host.virsh(&["dumpxml", "--inactive", "vm1"]).ok();
        for (xml, part) in devices
            .0
            .iter()
            .zip(["ubdb", "<interface", "<target type='uml' port='1'", "<serial"])
        {
            if next.contains(part) {
                let xml = xml.replace(
                    "<console type='pty'/>",
                    "<console type='pty'><target port='1'/></console>",
                );
                let _out = device(&host, "detach-device", &xml, &["--config"]).ok();
            }
        }
        assert_eq!(host.python(&devices.script(1)).ok().trim(), "done");
        // The host is another one, with descriptors of its own.
        wait::until(&format!("there is as much as before: {before:?}"), || {
            let now = quiet(&host, &net);
            (now[1..] == before[1..]).then_some(())
        });
    }
    destroy(&host);
}

fn a_hundred_times() {
    let net = network();
    let host = Host::start();
    let shell = start(&host, &busy_guest(&host));
    shell.close();
    let devices = Devices::of(&host);
    // Whatever is made once and kept is made by the first round.
    assert_eq!(host.python(&devices.script(1)).ok().trim(), "done");
    let before = quiet(&host, &net);
    assert_eq!(host.python(&devices.script(100)).ok().trim(), "done");
    wait::until(&format!("there is as much as before: {before:?}"), || {
        (inventory(&host, &net) == before).then_some(())
    });
    let mut shell = Shell::open(&host, "vm1");
    let written = shell.run("cat /sys/block/ubda/stat");
    wait::until("the guest writes on", || {
        (shell.run("cat /sys/block/ubda/stat") != written).then_some(())
    });
    shell.close();
    destroy(&host);
}
