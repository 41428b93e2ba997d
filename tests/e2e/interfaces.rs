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
        name: "interface_with_a_filter_drops_spoofed_packets_from_the_first",
        needs: &[Root, Uml, Virsh],
        run: spoofs,
    },
    Case {
        name: "interface_whose_filter_is_redefined_obeys_at_once",
        needs: &[Root, Uml, Virsh],
        run: redefined,
    },
    Case {
        name: "interface_keeps_its_filter_over_the_hosts_death_and_a_reboot",
        needs: &[Root, Uml, Virsh],
        run: keeps_filter,
    },
    Case {
        name: "interface_with_an_unknown_filter_fails_the_start_and_leaves_nothing",
        needs: &[Root, Uml, Virsh],
        run: unknown_filter,
    },
    Case {
        name: "interface_whose_address_is_learned_is_held_to_it",
        needs: &[Root, Uml, Virsh],
        run: learns,
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
            "interface '52:54:00:00:00:02' is to be in network 'default', and there is no bridge 'default'",
        ),
        (
            format!(
                "<interface type='ethernet'>{}</interface>",
                second("<target dev='nobody0' managed='no'/>")
            ),
            "cannot find the tap 'nobody0' of interface '52:54:00:00:00:02': make it first",
        ),
        (
            format!("<interface type='direct'>{}</interface>", second("<source dev='lo'/>")),
            "interface '52:54:00:00:00:02' (type 'direct', there are",
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

/// An address that is the guest's own, and one that is not.
const SPOOFS: &str = "<filterref filter='no-ip-spoofing'><parameter name='IP' value='10.9.0.2'/></filterref>";

fn spoofs() {
    let net = network();
    let host = Host::start();
    let script = with_address(&format!(
        "ip addr add 10.9.0.66/24 dev vec0; {} {}",
        ping("10.9.0.66", "other"),
        ping("10.9.0.2", "own")
    ));
    start(&host, &Document::new("vm1").running(&script).device(&on_bridge(SPOOFS)));
    says(&host, "vm1", "own yes");
    assert!(host.console_log("vm1").contains("other no"));
    let bindings = host.virsh(&["nwfilter-binding-list"]).ok();
    assert!(
        bindings.contains("vnet0") && bindings.contains("no-ip-spoofing"),
        "{bindings}"
    );
    // As long as a guest uses it, a filter stays.
    let message = host.virsh(&["nwfilter-undefine", "no-ip-spoofing"]).fails();
    assert!(message.contains("vnet0"), "{message}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(!has("vnet0"));
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(!net.ruleset().contains("vnet0"));
}

fn learns() {
    let _net = network();
    let host = Host::start();
    // The filter wants an address and is told none: the guest's first packets tell it.
    let script = with_address(&format!(
        "while ! ping -c 1 -W 1 {HOST} >/dev/null; do :; done; ip addr add 10.9.0.66/24 dev vec0; {} {}",
        ping("10.9.0.66", "other"),
        ping("10.9.0.2", "own")
    ));
    let interface = on_bridge("<filterref filter='no-ip-spoofing'/>");
    start(&host, &Document::new("vm1").running(&script).device(&interface));
    says(&host, "vm1", "own yes");
    assert!(host.console_log("vm1").contains("other no"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
}

/// A filter of the case's own, that forbids pings or nothing.
fn define_filter(host: &Host, forbids: bool) {
    let rule = match forbids {
        true => "<rule action='drop' direction='out' priority='100'><icmp/></rule>",
        false => "",
    };
    let xml = format!("<filter name='lab'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid>{rule}</filter>");
    let path = host.document(&xml);
    let _out = host.virsh(&["nwfilter-define", &path.to_string_lossy()]).ok();
}

/// A guest that tells again and again whether it reaches the host.
fn pinging() -> String {
    with_address(&format!(
        "n=0; (while :; do n=$((n+1)); ping -c 1 -W 1 {HOST} >/dev/null && echo ping $n yes || echo ping $n no; \
         sleep 1; done) &"
    ))
}

/// Whether a ping that begins from now on is answered.
fn next_ping(host: &Host, name: &str) -> bool {
    let pings = |log: &str| -> Vec<String> {
        let lines = log.lines().filter(|line| line.starts_with("ping "));
        lines.map(str::to_owned).collect()
    };
    // The one that may be under way does not count.
    let place = pings(&host.console_log(name)).len() + 1;
    wait::until("the guest pings again", || {
        let line = pings(&host.console_log(name)).get(place).cloned()?;
        (line.ends_with("yes") || line.ends_with("no")).then(|| line.ends_with("yes"))
    })
}

fn redefined() {
    let _net = network();
    let host = Host::start();
    define_filter(&host, false);
    let interface = on_bridge("<filterref filter='lab'/>");
    start(&host, &Document::new("vm1").running(&pinging()).device(&interface));
    says(&host, "vm1", "yes");
    define_filter(&host, true);
    assert!(!next_ping(&host, "vm1"), "{}", host.console_log("vm1"));
    define_filter(&host, false);
    assert!(next_ping(&host, "vm1"), "{}", host.console_log("vm1"));
    // What is said of the next start touches nothing now.
    let next = host.virsh(&["dumpxml", "--inactive", "vm1"]).ok();
    host.define(&next.replace("<filterref filter='lab'/>", ""));
    assert!(host.virsh(&["nwfilter-binding-list"]).ok().contains("vnet0"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
}

fn keeps_filter() {
    let _net = network();
    let mut host = Host::start();
    define_filter(&host, true);
    let interface = on_bridge("<filterref filter='lab'/>");
    start(&host, &Document::new("vm1").running(&pinging()).device(&interface));
    says(&host, "vm1", "no");
    host.kill();
    assert!(!next_ping(&host, "vm1"), "rules hold without a host");
    host.serve();
    assert!(!next_ping(&host, "vm1"), "and with the next one");
    let _out = host.virsh(&["reboot", "vm1"]).ok();
    wait::until("the guest has booted again", || {
        let log = host.console_log("vm1");
        let second = log.match_indices("guest ready").nth(1)?.0;
        log[second..].contains("ping 2 ").then_some(())
    });
    assert!(!host.console_log("vm1").contains("yes"), "{}", host.console_log("vm1"));
    define_filter(&host, false);
    assert!(
        next_ping(&host, "vm1"),
        "what is allowed now reaches the restarted guest"
    );
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
}

fn unknown_filter() {
    let net = network();
    let host = Host::start();
    let interfaces = format!(
        "{}<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/>\
         <filterref filter='nobody'/></interface>",
        on_bridge(SPOOFS)
    );
    host.define(&Document::new("vm1").device(&interfaces).xml());
    let message = host.virsh(&["start", "vm1"]).fails();
    for words in ["cannot filter interface '52:54:00:00:00:02'", "'nobody'"] {
        assert!(message.contains(words), "no {words} in {message}");
    }
    assert!(!has("vnet0") && !has("vnet1"));
    assert_eq!(host.virsh(&["nwfilter-binding-list"]).ok().trim(), "");
    assert!(!net.ruleset().contains("vnet"), "{}", net.ruleset());
    assert!(host.state("vm1").starts_with("shut off"));
}
