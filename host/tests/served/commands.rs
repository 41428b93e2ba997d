//! The command line's verbs for devices, resources, limits, figures and control, as people and programs see them.

use crate::bench::{Host, define};
use serde_json::json;

const MAC: &str = "52:54:00:00:00:01";

fn with_devices() -> Host {
    let host = Host::start();
    let _guest = host.with_guest();
    let _said = host.shown(&[
        "attach-disk",
        "vm",
        "/no/disk",
        "vda",
        "--targetbus",
        "virtio",
        "--live",
    ]);
    let interface = [
        "attach-interface",
        "vm",
        "bridge",
        "br0",
        "--mac",
        MAC,
        "--target",
        "n0",
    ];
    let _said = host.shown(&interface);
    host
}

#[test]
fn devices_come_from_files_and_from_options() {
    let host = Host::start();
    let _guest = host.with_guest();
    let disk = host.file("disk.xml", "<disk type='file'><target dev='vda'/></disk>");
    let attached = host.shown(&["attach-device", "vm", &disk, "--live"]);
    assert_eq!(attached, "Device attached successfully\n\n");
    assert_eq!(
        host.shown(&["update-device", "vm", &disk]),
        "Device updated successfully\n\n"
    );
    assert_eq!(
        host.document(&["detach-device", "vm", "--file", &disk])["done"],
        "detached"
    );
    let (code, complaint) = host.complaint(&["detach-device", "vm", &disk]);
    assert_eq!(
        (code, complaint.as_str()),
        (
            1,
            "error: cannot take the device out of 'vm': domain 'vm' has no such disk\n"
        )
    );
    let attach = [
        "attach-disk",
        "vm",
        "/no/disk",
        "vdb",
        "--alias",
        "ua-b",
        "--serial",
        "s",
        "--mode",
        "readonly",
    ];
    assert_eq!(host.shown(&attach), "Disk attached successfully\n\n");
    let sent = host.shown(&["detach-disk", "vm", "/no/disk", "--print-xml"]);
    for part in [
        "<source file='/no/disk'/>",
        "<target dev='vdb'/>",
        "<readonly/>",
        "<serial>s</serial>",
    ] {
        assert!(sent.contains(part), "{sent}");
    }
    assert!(
        host.shown(&["detach-device-alias", "vm", "ua-b"])
            .contains("request sent")
    );
    let (code, complaint) = host.complaint(&["detach-disk", "vm", "vdb"]);
    assert!(code == 1 && complaint.contains("'vm' has no disk 'vdb'"), "{complaint}");
    // What can not be done for the next start is another exit code.
    assert_eq!(
        host.complaint(&["attach-disk", "vm", "/no/disk", "vdb", "--persistent"])
            .0,
        5
    );
    assert_eq!(
        host.complaint(&["attach-disk", "vm", "/no/disk", "vdb", "--config", "--current"])
            .0,
        2
    );
}

#[test]
fn interfaces_are_put_in_cut_off_and_taken_out() {
    let host = with_devices();
    let rates = ["--inbound", "100,200,300", "--outbound", "5"];
    let attach = ["attach-interface", "vm", "user", "--model", "virtio", "--print-xml"];
    let sent = host.shown(&[&attach[..], &rates].concat());
    let expected = "<interface type='user'>\n  <model type='virtio'/>\n  <bandwidth>\n    \
        <inbound average='100' peak='200' burst='300'/>\n    <outbound average='5'/>\n  </bandwidth>\n</interface>\n\n";
    assert_eq!(sent, expected);
    assert_eq!(host.shown(&["domif-getlink", "vm", MAC]), format!("{MAC} up\n\n"));
    assert_eq!(
        host.shown(&["domif-setlink", "vm", "n0", "down"]),
        "Device updated successfully\n\n"
    );
    assert_eq!(host.document(&["domif-getlink", "vm", "n0"])["state"], "down");
    assert_eq!(host.complaint(&["domif-setlink", "vm", "n1", "up"]).0, 1);
    let second = ["attach-interface", "vm", "bridge", "br0", "--target", "n1"];
    let _said = host.shown(&second);
    let (_, complaint) = host.complaint(&["detach-interface", "vm", "bridge"]);
    assert!(
        complaint.contains("2 interfaces of type 'bridge': say which one with --mac"),
        "{complaint}"
    );
    assert_eq!(host.complaint(&["detach-interface", "vm", "network"]).0, 1);
    let detached = host.shown(&["detach-interface", "vm", "bridge", "--mac", MAC]);
    assert_eq!(detached, "Interface detached successfully\n\n");
    assert_eq!(host.document(&["domiflist", "vm"])[0]["interface"], "n1");
}

#[test]
fn disks_and_interfaces_are_listed_and_measured_as_virsh_does_it() {
    let host = with_devices();
    let list = " Target   Source\n--------------------\n vda      /no/disk\n\n";
    assert_eq!(host.shown(&["domblklist", "vm"]), list);
    assert!(
        host.shown(&["domblklist", "vm", "--details"])
            .contains(" file   disk     vda      /no/disk")
    );
    let stat = "vda rd_req 0\nvda rd_bytes 0\nvda wr_req 0\nvda wr_bytes 0\n\n";
    assert_eq!(host.shown(&["domblkstat", "vm", "vda"]), stat);
    assert!(
        host.shown(&["domblkstat", "vm", "vda", "--human"])
            .contains(" number of bytes read:           0\n")
    );
    assert_eq!(host.document(&["domblkstat", "vm"])["wr_bytes"], 0);
    let info = "Capacity:       0\nAllocation:     0\nPhysical:       0\n\n";
    assert_eq!(host.shown(&["domblkinfo", "vm", "--device", "vda"]), info);
    assert!(
        host.shown(&["domblkinfo", "vm", "--all", "--human"])
            .contains("0.000 B")
    );
    assert_eq!(host.complaint(&["domblkinfo", "vm"]).0, 2);
    let interfaces = host.shown(&["domiflist", "vm"]);
    assert!(
        interfaces.contains(&format!(" n0          bridge   br0      -       {MAC}")),
        "{interfaces}"
    );
    let traffic = "n0 rx_bytes 0\nn0 rx_packets 0\nn0 tx_bytes 0\nn0 tx_packets 0\n\n";
    assert_eq!(host.shown(&["domifstat", "vm", "n0"]), traffic);
    let address = host.file(
        "if.xml",
        "<interface><target dev='n1'/><ip address='10.0.0.2' prefix='24'/></interface>",
    );
    let _said = host.shown(&["attach-device", "vm", &address]);
    let addresses = host.shown(&["domifaddr", "vm", "n1"]);
    assert!(
        addresses.contains(" n1     N/A           ipv4       10.0.0.2/24"),
        "{addresses}"
    );
    assert_eq!(
        host.document(&["domifaddr", "vm", "--source", "arp"])[1]["addresses"][0]["prefix"],
        24
    );
    assert_eq!(host.complaint(&["domifaddr", "vm", "--source", "agent"]).0, 5);
}

#[test]
fn figures_of_guests_are_shown_by_group() {
    let host = with_devices();
    let state = "Domain: 'vm'\n  state.state=1\n  state.reason=1\n\n";
    assert_eq!(host.shown(&["domstats", "--state"]), state);
    let all = host.document(&["domstats", "vm", "--balloon", "--list-active"]);
    assert_eq!(
        (&all[0]["name"], &all[0]["stats"]["balloon.current"]),
        (&json!("vm"), &json!(1024))
    );
    assert_eq!(host.complaint(&["domstats", "--perf", "--enforce"]).0, 5);
    assert_eq!(host.shown(&["dommemstat", "vm"]), "actual 1024\n\n");
    let total = host.shown(&["cpu-stats", "vm", "--total"]);
    assert!(
        total.starts_with("Total:\n\tcpu_time              0.000000000 seconds\n"),
        "{total}"
    );
    let vcpu = host.shown(&["vcpuinfo", "vm", "--pretty"]);
    assert!(
        vcpu.starts_with("VCPU:           0\nCPU:            N/A\nState:          running\nCPU Affinity:   "),
        "{vcpu}"
    );
    assert_eq!(host.document(&["vcpuinfo", "vm"])[0]["state"], "running");
    assert_eq!(host.shown(&["domcontrol", "vm"]), "ok\n\n");
}

#[test]
fn memory_and_processors_are_set_and_counted() {
    let host = Host::start();
    let (mut connection, _) = host.with_guest();
    let _off = define(&mut connection, "off");
    assert_eq!(host.shown(&["setmaxmem", "off", "2M"]), "\n");
    assert_eq!(host.shown(&["setmem", "off", "--size", "2048"]), "\n");
    assert!(host.shown(&["dominfo", "off"]).contains("Used memory: 2048 KiB"));
    assert_eq!(host.complaint(&["setmem", "off", "1G"]).0, 1);
    assert_eq!(host.complaint(&["setmem", "off", "much"]).0, 2);
    let counts = "maximum      config         1\nmaximum      live           1\n\
        current      config         1\ncurrent      live           1\n\n";
    assert_eq!(host.shown(&["vcpucount", "vm"]), counts);
    assert_eq!(host.shown(&["vcpucount", "vm", "--maximum"]), "1\n");
    assert_eq!(
        host.document(&["vcpucount", "off"]),
        json!({ "maximum_config": 1, "current_config": 1 })
    );
    assert_eq!(host.complaint(&["setvcpus", "vm", "2"]).0, 5);
    assert_eq!(host.shown(&["--quiet", "setvcpus", "vm", "1"]), "");
}

#[test]
fn limits_are_shown_and_set_by_their_names() {
    let host = with_devices();
    let scheduler = "Scheduler      : posix\ncpu_shares     : 1024\nvcpu_quota     : -1\n\n";
    assert_eq!(host.shown(&["schedinfo", "vm"]), scheduler);
    assert!(
        host.shown(&["schedinfo", "vm", "--set", "cpu_shares=7", "--live"])
            .contains("cpu_shares     : 7\n")
    );
    assert!(
        host.shown(&["schedinfo", "vm", "vcpu_quota=-1"])
            .contains("cpu_shares     : 7\n")
    );
    for wrong in ["cpu_shares", "shares=1", "cpu_shares=x"] {
        assert_eq!(host.complaint(&["schedinfo", "vm", wrong]).0, 2, "{wrong}");
    }
    assert_eq!(host.shown(&["memtune", "vm", "--hard-limit", "-1"]), "\n");
    assert_eq!(host.shown(&["memtune", "vm"]), "hard_limit     : unlimited\n\n");
    let _said = host.shown(&["blkiotune", "vm", "--weight", "300", "--device-weights", "/dev/sda,300"]);
    let shares = "weight         : 300\ndevice_weight  : /dev/sda,300\n\n";
    assert_eq!(host.shown(&["blkiotune", "vm"]), shares);
    let _said = host.shown(&["domiftune", "vm", "n0", "--inbound", "100"]);
    assert_eq!(host.document(&["domiftune", "vm", "n0"])["inbound.average"], 100);
    assert_eq!(host.complaint(&["domiftune", "vm", "n0", "--inbound", "fast"]).0, 2);
    let _said = host.shown(&[
        "blkdeviotune",
        "vm",
        "vda",
        "--total-bytes-sec",
        "1M",
        "--group-name",
        "g",
    ]);
    assert_eq!(
        host.shown(&["blkdeviotune", "vm", "vda"]),
        "total_bytes_sec: 1048576\ngroup_name     : g\n\n"
    );
}

#[test]
fn control_verbs_reset_rename_and_mark() {
    let host = Host::start();
    let (mut connection, _) = host.with_guest();
    let _off = define(&mut connection, "off");
    assert_eq!(host.shown(&["reset", "vm"]), "Domain 'vm' was reset\n\n");
    assert_eq!(host.complaint(&["reset", "off"]).0, 1);
    assert_eq!(
        host.shown(&["domrename", "off", "new"]),
        "Domain successfully renamed\n\n"
    );
    assert_eq!(host.shown(&["domname", "new"]), "new\n");
    let marked = host.shown(&["autostart", "--once", "new"]);
    assert_eq!(marked, "Domain 'new' marked as autostarted once\n\n");
    let unmarked = host.shown(&["autostart", "--once", "--disable", "new"]);
    assert_eq!(unmarked, "Domain 'new' unmarked as autostarted once\n\n");
}

#[test]
fn notes_of_a_driver_without_them_are_not_supported() {
    let host = Host::start();
    let _guest = host.with_guest();
    assert_eq!(host.shown(&["desc", "vm"]), "No description for domain: vm\n\n");
    assert_eq!(host.complaint(&["metadata", "vm", "urn:x"]).0, 1);
    for set in [
        &["desc", "vm", "some", "words"][..],
        &["desc", "vm", "--title", ""],
        &["metadata", "vm", "urn:x", "--key", "x", "--set", "<a/>"],
        &["metadata", "vm", "urn:x", "--remove"],
    ] {
        let (code, complaint) = host.complaint(set);
        assert!(
            code == 5 && complaint.contains("'hello' does not offer"),
            "{code}: {complaint}"
        );
    }
}
