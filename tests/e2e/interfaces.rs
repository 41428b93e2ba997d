//! Guests in a network: taps on a bridge, filtered before they carry a frame, and what becomes of them.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, Virsh};
use conformance::net::Net;
use conformance::wait;
use std::path::Path;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "interface_on_a_bridge_carries_frames_until_the_guest_ends",
        needs: &[Root, Uml, Virsh],
        run: carries_frames,
    },
    Case {
        name: "interface_of_type_ethernet_is_left_to_the_user",
        needs: &[Root, Uml, Virsh],
        run: ethernet,
    },
    Case {
        name: "interface_with_its_link_down_is_silent",
        needs: &[Root, Uml, Virsh],
        run: link_down,
    },
    Case {
        name: "interface_outlives_the_host_and_a_reboot",
        needs: &[Root, Uml, Virsh],
        run: outlives,
    },
    Case {
        name: "interface_that_can_not_be_made_fails_the_start_and_leaves_nothing",
        needs: &[Root, Uml, Virsh],
        run: refused,
    },
];

/// The bridge and the host's address on it, which guests ping.
const HOST: &str = "10.9.0.1";
const FIRST: &str = "<mac address='52:54:00:00:00:01'/>";

/// A network with a bridge that has an address.
fn network() -> Net {
    let net = Net::unshare();
    net.bridge("br0");
    net.ip(&format!("addr add {HOST}/24 dev br0"));
    net
}

fn on_bridge(more: &str) -> String {
    format!("<interface type='bridge'>{FIRST}<source bridge='br0'/>{more}</interface>")
}

/// What a guest runs to have an address, and then more.
fn with_address(script: &str) -> String {
    format!("ip link set vec0 up; ip addr add 10.9.0.2/24 dev vec0; {script}")
}

/// Pings once from an address of the guest's own and tells of it.
fn ping(from: &str, word: &str) -> String {
    format!("ping -c 1 -W 5 -I {from} {HOST} >/dev/null && echo {word} yes || echo {word} no;")
}

fn says(host: &Host, name: &str, words: &str) {
    wait::until(&format!("'{name}' says '{words}'"), || {
        host.console_log(name).contains(words).then_some(())
    });
}

/// Whether this network has such a device.
fn has(device: &str) -> bool {
    Path::new("/proc/sys/net/ipv4/conf").join(device).exists()
}

fn setting(path: &str) -> String {
    std::fs::read_to_string(Path::new("/proc/sys/net").join(path))
        .expect("the kernel tells it")
        .trim()
        .to_owned()
}

fn start(host: &Host, document: &Document) {
    host.define(&document.xml());
    let _out = host.virsh(&["start", "vm1"]).ok();
}

fn carries_frames() {
    let net = network();
    let host = Host::start();
    let script = with_address(&format!(
        "ip addr add 10.9.0.66/24 dev vec0; {} {}",
        ping("10.9.0.2", "own"),
        ping("10.9.0.66", "other")
    ));
    let interface = on_bridge("<model type='virtio'/>");
    start(&host, &Document::new("vm1").running(&script).device(&interface));
    let list = host.virsh(&["domiflist", "vm1"]).ok();
    for word in ["vnet0", "bridge", "br0", "virtio", "52:54:00:00:00:01"] {
        assert!(list.contains(word), "no '{word}' in {list}");
    }
    // Both addresses work where no filter forbids one.
    says(&host, "vm1", "own yes");
    says(&host, "vm1", "other yes");
    // The host's own stack says nothing on the port.
    assert_eq!(setting("ipv6/conf/vnet0/disable_ipv6"), "1");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(!has("vnet0"), "the tap goes with its guest");
    net.ip("link show br0");
}

fn ethernet() {
    let net = Net::unshare();
    let host = Host::start();
    let interface = format!(
        "<interface type='ethernet'>{FIRST}<target dev='lab0'/><mtu size='9000'/></interface>\
         <interface type='ethernet'><mac address='52:54:00:00:00:02'/></interface>"
    );
    let script = with_address(&format!(
        "echo guest: $(cat /sys/class/net/vec0/mtu) $(cat /sys/class/net/vec1/address); \
         while ! ping -c 1 -W 1 {HOST} >/dev/null; do :; done; ping -c 1 -s 8000 {HOST} >/dev/null && echo jumbo"
    ));
    start(&host, &Document::new("vm1").running(&script).device(&interface));
    says(&host, "vm1", "guest: 9000 52:54:00:00:00:02");
    assert!(has("lab0") && has("vnet0"));
    net.ip(&format!("addr add {HOST}/24 dev lab0"));
    says(&host, "vm1", "jumbo");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(!has("lab0") && !has("vnet0"));
}

fn link_down() {
    let _net = network();
    let host = Host::start();
    let interface = on_bridge("<link state='down'/>");
    let script = with_address(&ping("10.9.0.2", "ping"));
    start(&host, &Document::new("vm1").running(&script).device(&interface));
    says(&host, "vm1", "ping no");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn outlives() {
    let _net = network();
    let mut host = Host::start();
    let script = with_address(&format!(
        "(while :; do ping -c 1 -W 1 {HOST} >/dev/null && echo alive $(cat /proc/uptime); sleep 1; done) &"
    ));
    start(&host, &Document::new("vm1").running(&script).device(&on_bridge("")));
    says(&host, "vm1", "alive");
    host.kill();
    // What the guest says now, it says while no host runs.
    let before = host.console_log("vm1").matches("alive").count();
    wait::until("the guest reaches its network without a host", || {
        (host.console_log("vm1").matches("alive").count() > before + 1).then_some(())
    });
    host.serve();
    assert!(host.virsh(&["domiflist", "vm1"]).ok().contains("vnet0"));
    let id = host.virsh(&["domid", "vm1"]).ok();
    let _out = host.virsh(&["reboot", "vm1"]).ok();
    wait::until("the guest has booted again", || {
        let log = host.console_log("vm1");
        let second = log.match_indices("guest ready").nth(1)?.0;
        log[second..].contains("alive").then_some(())
    });
    wait::until("the guest runs again", || {
        host.state("vm1").starts_with("running").then_some(())
    });
    assert_eq!(host.virsh(&["domid", "vm1"]).ok(), id);
    assert!(host.virsh(&["domiflist", "vm1"]).ok().contains("vnet0"));
    // The guest ends while no host runs: its tap goes all the same.
    host.kill();
    for supervisor in host.supervisors() {
        conformance::process::signal(supervisor.pid, rustix::process::Signal::TERM);
    }
    wait::until("the tap is gone", || (!has("vnet0")).then_some(()));
    host.serve();
    wait::until("the domain is off", || {
        host.state("vm1").starts_with("shut off").then_some(())
    });
}

fn refused() {
    let _net = network();
    let host = Host::start();
    let second = |inside: &str| format!("<mac address='52:54:00:00:00:02'/>{inside}");
    let cases = [
        (
            format!(
                "<interface type='bridge'>{}</interface>",
                second("<source bridge='nobr'/>")
            ),
            "cannot find the bridge 'nobr' of interface '52:54:00:00:00:02': make it first",
        ),
        (
            format!(
                "<interface type='bridge'>{}</interface>",
                second("<source bridge='lo'/>")
            ),
            "device 'lo', to which interface '52:54:00:00:00:02' is to be attached, is no bridge",
        ),
        (
            format!(
                "<interface type='ethernet'>{}</interface>",
                second("<target dev='lo'/>")
            ),
            "can not have the device 'lo': there is a device of that name already",
        ),
        (
            format!(
                "<interface type='user'>{}</interface>",
                second("<filterref filter='clean-traffic'/>")
            ),
            "filter 'clean-traffic' on type 'user', which no filter can reach",
        ),
        (
            format!(
                "<interface type='network'>{}</interface>",
                second("<source network='default'/>")
            ),
            "interface '52:54:00:00:00:02' (type 'network', there are 'bridge' and 'ethernet')",
        ),
    ];
    for (interface, words) in cases {
        let interfaces = format!("{}{interface}", on_bridge("<target dev='lab0'/>"));
        host.define(&Document::new("vm1").device(&interfaces).xml());
        let message = host.virsh(&["start", "vm1"]).fails();
        assert!(message.contains(words), "no '{words}' in {message}");
        assert!(!has("lab0"), "the first interface's tap stays after: {message}");
        let _out = host.virsh(&["undefine", "vm1"]).ok();
    }
}
