//! Figures, notices and notes as programs get them: the stock Python binding, and our own command line.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::net::Net;
use conformance::process::{self, signal};
use rustix::process::Signal;
use std::fs::File;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "stats_by_python_are_there_in_every_way_to_ask_for_them",
        needs: &[Root, Uml, PythonLibvirt],
        run: python,
    },
    Case {
        name: "stats_of_many_guests_are_narrowed_by_what_they_are",
        needs: &[Root, Uml, Virsh],
        run: many,
    },
    Case {
        name: "stats_wait_for_no_guest_that_hangs",
        needs: &[Root, Uml, Virsh],
        run: hanging,
    },
    Case {
        name: "notices_come_to_python_in_order_with_events",
        needs: &[Root, Uml, PythonLibvirt],
        run: notices,
    },
    Case {
        name: "notes_are_set_shown_and_edited_by_lockstep",
        needs: &[],
        run: notes,
    },
];

const MAC: &str = "52:54:00:00:00:01";

fn guest(host: &Host, name: &str) -> Document {
    let image = host.root().join("image");
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    Document::new(name).device(&format!(
        "<disk type='file'><source file='{}'/><target dev='ubda'/></disk>\
         <interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/></interface>",
        image.display()
    ))
}

const ASK: &str = r#"
import libvirt, os
conn = libvirt.open(os.environ["URI"])
dom = conn.lookupByName("vm1")
(_, bulk), = conn.getAllDomainStats(0, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING)
assert bulk["state.state"] == 1 and bulk["cpu.time"] > 0, bulk
(_, some), = conn.domainListGetStats([dom], libvirt.VIR_DOMAIN_STATS_BLOCK | libvirt.VIR_DOMAIN_STATS_INTERFACE)
assert {name.split(".")[0] for name in some} == {"block", "net"}, some
(total,) = dom.getCPUStats(True)
assert total["cpu_time"] >= bulk["cpu.time"], total
assert dom.info()[4] >= bulk["cpu.time"]
vcpus, maps = dom.vcpus()
assert len(vcpus) == 1 and vcpus[0][1] == 1 and any(maps[0]), (vcpus, maps)
assert dom.vcpuPinInfo() == maps and dom.emulatorPinInfo() == maps[0]
disk = some["block.0.name"]
assert dom.blockInfo(disk)[0] == some["block.0.capacity"] == 8 << 20
assert dom.blockInfo(some["block.0.path"]) == dom.blockInfo(disk)
plain, all_disks = dom.blockStats(disk), dom.blockStats("")
assert plain == all_disks and len(plain) == 5, (plain, all_disks)
assert all(number >= 0 for number in dom.blockStatsFlags(disk).values())
port = some["net.0.name"]
assert len(dom.interfaceStats(port)) == 8 and dom.interfaceStats(MAC)[4] >= 0
assert dom.memoryStats()["actual"] == 65536
assert dom.diskErrors() == {} and dom.controlInfo()[0] in (0, 2)
assert dom.securityLabel() == ["", False] and conn.getSecurityModel() == ["", ""]
def fails(code, ask):
    try:
        ask()
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code, (error.get_error_code(), error)
        return
    raise AssertionError("it did not fail")
fails(libvirt.VIR_ERR_INVALID_ARG, lambda: dom.blockStats("nothing"))
fails(libvirt.VIR_ERR_INVALID_ARG, lambda: dom.interfaceStats("nothing"))
enforce = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS
fails(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED, lambda: conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_PERF, enforce))
reader = libvirt.openReadOnly(os.environ["URI"])
assert len(reader.getAllDomainStats()) == 1
fails(libvirt.VIR_ERR_OPERATION_DENIED, lambda: reader.lookupByName("vm1").reset())
dom.destroy()
fails(libvirt.VIR_ERR_OPERATION_INVALID, lambda: dom.blockStats(disk))
assert dom.blockInfo(disk)[0] == 8 << 20
print("good")
"#;

fn python() {
    let net = Net::unshare();
    net.bridge("br0");
    let host = Host::start();
    host.define(&guest(&host, "vm1").xml());
    let _out = host.lockstep(&["start", "vm1"]).ok();
    assert_eq!(
        host.python(&ASK.replace("MAC", &format!("'{MAC}'"))).ok().trim(),
        "good"
    );
}

/// The names of the guests that `domstats` tells of.
#[track_caller]
fn told(host: &Host, options: &[&str]) -> Vec<String> {
    let line: Vec<&str> = ["--output", "json", "domstats"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    let document: serde_json::Value = serde_json::from_str(&host.lockstep(&line).ok()).unwrap();
    let guests = document.as_array().unwrap().iter();
    let mut names: Vec<String> = guests.map(|guest| guest["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn many() {
    let host = Host::start();
    for name in ["vm1", "vm2", "vm3"] {
        host.define(&Document::new(name).xml());
    }
    let _out = host.lockstep(&["start", "vm1"]).ok();
    assert_eq!(told(&host, &["--state"]), ["vm1", "vm2", "vm3"]);
    assert_eq!(told(&host, &["--list-running"]), ["vm1"]);
    assert_eq!(told(&host, &["--list-inactive", "--nowait"]), ["vm2", "vm3"]);
    assert_eq!(told(&host, &["vm3", "vm1"]), ["vm1", "vm3"]);
    assert_eq!(told(&host, &["vm3", "vm1", "--list-shutoff", "--backing"]), ["vm3"]);
    let ours = host.lockstep(&["domstats", "vm2"]).ok();
    assert_eq!(ours.trim(), host.virsh(&["domstats", "vm2"]).ok().trim());
    let ours = host.lockstep(&["domstats", "--perf", "--enforce"]);
    assert_eq!(ours.code, 5, "{}", ours.err);
    let _out = host.lockstep(&["destroy", "vm1"]).ok();
}

fn hanging() {
    let net = Net::unshare();
    net.bridge("br0");
    let host = Host::start();
    host.define(&guest(&host, "vm1").xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
    let processes = process::descendants(host.supervisors()[0].pid);
    let all = |what| processes.iter().for_each(|process| signal(process.pid, what));
    all(Signal::STOP);
    for ask in [
        &["domstats", "vm1"][..],
        &["dommemstat", "vm1"],
        &["cpu-stats", "vm1", "--total"],
        &["vcpuinfo", "vm1"],
        &["domblkstat", "vm1", "ubda"],
        &["domblkinfo", "vm1", "ubda"],
        &["domifstat", "vm1", "vnet0"],
        &["domifaddr", "vm1", "--source", "arp"],
        &["domcontrol", "vm1"],
        &["dominfo", "vm1"],
    ] {
        let _out = host.virsh(ask).ok();
    }
    all(Signal::CONT);
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

const LISTEN: &str = r#"
import libvirt, os, threading
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
conn = libvirt.open(os.environ["URI"])
seen, changed = [], threading.Condition()
def callback(conn, dom, *what):
    with changed:
        seen.append(what[:-1]); changed.notify_all()
for event in range(27):
    conn.domainEventRegisterAny(None, event, callback, None)
dom = conn.lookupByName("vm1")
dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "title", None, None, 0)
dom.create()
dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a/>", "x", "urn:x", libvirt.VIR_DOMAIN_AFFECT_LIVE)
dom.destroy()
want = [(1, None), (2, 0), (2, "urn:x"), (5, 1)]
with changed:
    done = changed.wait_for(lambda: len(seen) >= len(want), timeout=60)
assert done and seen == want, seen
conn.close()
print("good")
"#;

fn notices() {
    let host = Host::start();
    host.define(&Document::new("vm1").xml());
    assert_eq!(host.python(LISTEN).ok().trim(), "good");
}

fn notes() {
    let host = Host::start();
    let path = host.document(&Document::new("vm1").xml());
    let _out = host.lockstep(&["define", &path.to_string_lossy()]).ok();
    let said = host.lockstep(&["desc", "vm1", "what", "it", "is", "for"]).ok();
    assert_eq!(said, "Domain description updated successfully\n\n");
    assert_eq!(host.lockstep(&["desc", "vm1"]).ok(), "what it is for\n\n");
    let edit = |line: &[&str], script: &str| {
        let mut command = host.command(host.program());
        command
            .args(["-c", &host.uri()])
            .args(line)
            .env("VISUAL", format!("sed -i '{script}'"));
        let output = command.output().expect("lockstep runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(
        edit(&["desc", "vm1", "--edit"], "s/for/not for/"),
        "Domain description updated successfully\n\n"
    );
    assert_eq!(
        edit(&["desc", "vm1", "--edit"], ""),
        "Domain description not changed\n\n"
    );
    assert_eq!(host.lockstep(&["desc", "vm1"]).ok(), "what it is not for\n\n");
    let _out = host.lockstep(&["desc", "vm1", "--title", "short"]).ok();
    assert_eq!(host.lockstep(&["desc", "vm1", "--title"]).ok(), "short\n\n");
    let _out = host.lockstep(&["desc", "vm1", ""]).ok();
    assert!(host.lockstep(&["desc", "vm1"]).ok().contains("No description"));
    let set = [
        "metadata",
        "vm1",
        "urn:ops",
        "--key",
        "ops",
        "--set",
        "<owner>ops</owner>",
    ];
    assert_eq!(host.lockstep(&set).ok(), "Metadata modified\n\n");
    let _out = edit(&["metadata", "vm1", "urn:ops", "--key", "ops", "--edit"], "s/ops/dev/");
    assert_eq!(
        host.lockstep(&["metadata", "vm1", "urn:ops"]).ok(),
        "<owner>dev</owner>\n\n"
    );
    assert_eq!(
        host.lockstep(&["metadata", "vm1", "urn:ops", "--remove"]).ok(),
        "Metadata removed\n\n"
    );
    assert!(
        host.lockstep(&["metadata", "vm1", "urn:ops"])
            .fails()
            .contains("'urn:ops'")
    );
}
