//! Devices and limits of real guests as programs change them: the stock Python binding, and our own command line.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{PythonLibvirt, Root, Uml, Virsh};
use conformance::net::Net;
use conformance::wait;
use std::fs::File;
use std::path::PathBuf;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "devices_by_python_come_and_go_with_their_events_in_order",
        needs: &[Root, Uml, PythonLibvirt],
        run: python,
    },
    Case {
        name: "devices_by_lockstep_are_put_in_changed_and_taken_out",
        needs: &[Root, Uml],
        run: lockstep,
    },
    Case {
        name: "limits_are_shown_set_and_kept_by_lockstep_as_by_virsh",
        needs: &[Root, Uml, Virsh],
        run: limits,
    },
];

const MAC: &str = "52:54:00:00:00:01";

fn network() -> Net {
    let net = Net::unshare();
    net.bridge("br0");
    net
}

fn image(host: &Host, name: &str) -> PathBuf {
    let path = host.root().join(name);
    File::create(&path).expect("a file").set_len(4 << 20).expect("a length");
    path
}

fn start(host: &Host, document: &Document) {
    host.define(&document.xml());
    let _out = host.lockstep(&["start", "vm1"]).ok();
    wait::until("the guest is ready", || {
        host.console_log("vm1").contains("guest ready").then_some(())
    });
}

const SCRIPT: &str = r#"
import libvirt, os, threading
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
conn = libvirt.open(os.environ["URI"])
seen, changed = [], threading.Condition()
def listen(event, name):
    def callback(conn, dom, *what):
        with changed:
            seen.append((name, *what[:-1])); changed.notify_all()
    conn.domainEventRegisterAny(None, event, callback, None)
listen(libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, "life")
listen(libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, "added")
listen(libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, "removed")
listen(libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, "balloon")
listen(libvirt.VIR_DOMAIN_EVENT_ID_TUNABLE, "tuned")
dom = conn.lookupByName("vm1")
live, config = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
disk = "<disk type='file'><source file='IMAGE'/><target dev='ubdb'/></disk>"
nic = "<interface type='bridge'><mac address='MAC'/><source bridge='br0'/></interface>"
def fails(code, ask):
    try:
        ask()
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code, (error.get_error_code(), error)
        return
    raise AssertionError("it did not fail")
dom.attachDevice(disk)
dom.attachDeviceFlags(nic, live | config)
assert "ubdb" not in dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
assert "MAC" in dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
fails(libvirt.VIR_ERR_OPERATION_FAILED, lambda: dom.attachDevice(disk))
fails(libvirt.VIR_ERR_INVALID_ARG, lambda: dom.attachDeviceFlags(disk, 1 << 10))
fails(libvirt.VIR_ERR_DEVICE_MISSING, lambda: dom.detachDeviceAlias("ubdz", live))
fails(libvirt.VIR_ERR_OPERATION_DENIED, lambda: libvirt.openReadOnly(os.environ["URI"]).lookupByName("vm1").attachDevice(disk))
dom.setMemory(57344)
dom.setSchedulerParameters({"cpu_shares": 512})
dom.detachDevice(disk)
dom.detachDeviceAlias("net0", live | config)
dom.destroy()
fails(libvirt.VIR_ERR_OPERATION_INVALID, lambda: dom.attachDevice(disk))
fails(libvirt.VIR_ERR_OPERATION_INVALID, lambda: dom.setMemory(50000))
want = ["added", "added", "balloon", "tuned", "removed", "removed", "life"]
with changed:
    done = changed.wait_for(lambda: len(seen) >= len(want), timeout=60)
assert done and [what[0] for what in seen] == want, seen
assert seen[:3] == [("added", "ubdb"), ("added", "net0"), ("balloon", 57344)], seen
assert seen[3] == ("tuned", {"cputune.cpu_shares": 512}), seen
assert seen[4:6] == [("removed", "ubdb"), ("removed", "net0")], seen
conn.close()
print("good")
"#;

fn python() {
    let _net = network();
    let host = Host::start();
    start(&host, &Document::new("vm1"));
    let image = image(&host, "b.img");
    let script = SCRIPT.replace("IMAGE", &image.to_string_lossy()).replace("MAC", MAC);
    assert_eq!(host.python(&script).ok().trim(), "good");
}

fn lockstep() {
    let _net = network();
    let host = Host::start();
    let path = image(&host, "b.img");
    let path = path.to_string_lossy();
    start(&host, &Document::new("vm1"));
    let attach = ["attach-disk", "vm1", &path, "ubdb", "--serial", "S77", "--persistent"];
    let _out = host.lockstep(&attach).ok();
    for inactive in [&[][..], &["--inactive"]] {
        let listed = host.lockstep(&[&["domblklist", "vm1"], inactive].concat()).ok();
        assert!(listed.contains("ubdb"), "{listed}");
    }
    assert!(host.lockstep(&["domblkinfo", "vm1", "ubdb"]).ok().contains("4194304"));
    assert!(host.lockstep(&attach).fails().contains("is taken"));
    let attach = [
        "attach-interface",
        "vm1",
        "bridge",
        "br0",
        "--mac",
        MAC,
        "--target",
        "tap7",
    ];
    let _out = host.lockstep(&attach).ok();
    let listed = host.lockstep(&["domiflist", "vm1"]).ok();
    assert!(listed.contains("tap7") && listed.contains(MAC), "{listed}");
    assert!(host.lockstep(&["domifstat", "vm1", MAC]).ok().contains("rx_bytes"));
    let _out = host.lockstep(&["domif-setlink", "vm1", "tap7", "down"]).ok();
    assert_eq!(
        host.lockstep(&["domif-getlink", "vm1", MAC]).ok(),
        format!("{MAC} down\n\n")
    );
    let _out = host.lockstep(&["detach-interface", "vm1", "bridge"]).ok();
    let _out = host.lockstep(&["detach-disk", "vm1", "ubdb", "--live"]).ok();
    assert!(!host.lockstep(&["domblklist", "vm1"]).ok().contains("ubdb"));
    assert!(
        host.lockstep(&["domblklist", "vm1", "--inactive"])
            .ok()
            .contains("ubdb")
    );
    let _out = host.lockstep(&["destroy", "vm1"]).ok();
    let _out = host.lockstep(&["detach-device-alias", "vm1", "ubdb"]).ok();
    let file = host.document("<disk type='file'><source file='/no/disk'/><target dev='ubdc'/></disk>");
    let _out = host.lockstep(&["attach-device", "vm1", &file.to_string_lossy()]).ok();
    assert!(host.lockstep(&["domblklist", "vm1"]).ok().contains("/no/disk"));
    let refused = host.lockstep(&["attach-device", "vm1", &file.to_string_lossy(), "--live"]);
    assert!(
        refused.code == 1 && refused.err.contains("not running"),
        "{}",
        refused.err
    );
}

fn limits() {
    let _net = network();
    let mut host = Host::start();
    let nic = format!("<interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/></interface>");
    start(&host, &Document::new("vm1").device(&nic));
    for (set, shown) in [
        (&["schedinfo", "vm1", "cpu_shares=512"][..], "cpu_shares     : 512"),
        (&["memtune", "vm1", "--hard-limit", "1G"], "hard_limit     : 1048576"),
        (
            &["domiftune", "vm1", "vnet0", "--inbound", "1000,2000,100"],
            "inbound.peak   : 2000",
        ),
    ] {
        let both = [set, &["--live", "--config"]].concat();
        let _out = host.lockstep(&both).ok();
        let look = if set[0] == "domiftune" { &set[..3] } else { &set[..2] };
        let ours = host.lockstep(look).ok();
        assert!(ours.contains(shown), "{ours}");
        assert_eq!(host.virsh(look).ok().trim(), ours.trim());
    }
    host.kill();
    host.serve();
    assert!(host.lockstep(&["schedinfo", "vm1", "--live"]).ok().contains(": 512"));
    assert!(host.virsh(&["memtune", "vm1", "--config"]).ok().contains(": 1048576"));
    let unknown = host.lockstep(&["schedinfo", "vm1", "no_such=1"]);
    assert!(
        unknown.code == 2 && unknown.err.contains("'no_such'"),
        "{}",
        unknown.err
    );
    let _out = host.lockstep(&["destroy", "vm1"]).ok();
    let off = host.lockstep(&["memtune", "vm1", "--hard-limit", "-1", "--live"]);
    assert!(off.code == 1 && off.err.contains("not running"), "{}", off.err);
    let _out = host.lockstep(&["memtune", "vm1", "--hard-limit", "-1"]).ok();
    assert!(host.lockstep(&["memtune", "vm1"]).ok().contains("unlimited"));
}
