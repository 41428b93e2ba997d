//! Interfaces beyond a tap on a bridge: networks, devices of others, limits, and ways that need no device.

use conformance::case::Case;
use conformance::guest::Document;
use conformance::host::Host;
use conformance::need::Need::{Root, Uml, UserNetwork, Virsh};
use conformance::net::Net;
use conformance::wait;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "way_through_a_network_is_the_bridge_of_its_name",
        needs: &[Root, Uml, Virsh],
        run: network_by_name,
    },
    Case {
        name: "way_through_somebodys_tap_leaves_it_there",
        needs: &[Root, Uml, Virsh],
        run: foreign,
    },
    Case {
        name: "way_through_a_tap_carries_large_packets_and_survives_the_guests_ifdown",
        needs: &[Root, Uml, Virsh],
        run: large,
    },
    Case {
        name: "way_with_a_limit_is_limited_by_the_hosts_kernel",
        needs: &[Root, Uml, Virsh],
        run: limited,
    },
    Case {
        name: "way_of_type_user_reaches_outwards_and_not_the_host",
        needs: &[Root, Uml, Virsh, UserNetwork],
        run: user,
    },
    Case {
        name: "way_of_type_mcast_and_udp_joins_guests",
        needs: &[Root, Uml, Virsh],
        run: joined,
    },
];

const HOST: &str = "10.9.0.1";

fn network(mtu: u32) -> Net {
    let net = Net::unshare();
    net.bridge("br0");
    net.ip(&format!("link set br0 mtu {mtu}"));
    net.ip(&format!("addr add {HOST}/24 dev br0"));
    net
}

fn says(host: &Host, name: &str, words: &str) {
    wait::until(&format!("'{name}' says '{words}'"), || {
        host.console_log(name).contains(words).then_some(())
    });
}

fn start(host: &Host, name: &str, script: &str, interface: &str) {
    host.define(&Document::new(name).running(script).device(interface).xml());
    let _out = host.virsh(&["start", name]).ok();
}

fn up(number: u8) -> String {
    format!("ip link set vec0 up; ip addr add 10.9.0.{number}/24 dev vec0;")
}

fn ping(to: &str, more: &str) -> String {
    format!("while ! ping -c 1 -W 1 {more} {to} >/dev/null; do :; done; echo reached {to} {more};")
}

fn shown(program: &str, words: &str) -> String {
    let output = Command::new(program).args(words.split(' ')).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn network_by_name() {
    let _net = network(1500);
    let host = Host::start();
    let script = format!("{} {} sleep 1000", up(2), ping(HOST, ""));
    start(
        &host,
        "vm1",
        &script,
        "<interface type='network'><source network='br0'/></interface>",
    );
    says(&host, "vm1", "reached 10.9.0.1");
    assert!(shown("bridge", "link show").contains("vnet0"));
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn foreign() {
    let net = network(1500);
    net.ip("tuntap add lab0 mode tap");
    net.ip("link set lab0 master br0 up");
    let host = Host::start();
    let script = format!("{} {} sleep 1000", up(2), ping(HOST, ""));
    start(
        &host,
        "vm1",
        &script,
        "<interface type='ethernet'><target dev='lab0' managed='no'/></interface>",
    );
    says(&host, "vm1", "reached 10.9.0.1");
    host.define(
        &Document::new("vm2")
            .device("<interface type='ethernet'><target dev='lab0' managed='no'/></interface>")
            .xml(),
    );
    let message = host.virsh(&["start", "vm2"]).fails();
    assert!(
        message.contains("can not have the device 'lab0': another domain has it"),
        "{message}"
    );
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    assert!(Path::new("/sys/class/net/lab0").exists() || shown("ip", "link show lab0").contains("lab0"));
    // Free again for the next.
    let _out = host.virsh(&["start", "vm2"]).ok();
    let _out = host.virsh(&["destroy", "vm2"]).ok();
    assert!(shown("ip", "link show lab0").contains("lab0"));
    net.ip("link del lab0");
}

fn large() {
    let _net = network(9000);
    let host = Host::start();
    let script = format!(
        "{} {} {} ip link set vec0 down; ip link set vec0 up; echo again; {} sleep 1000",
        up(2),
        ping(HOST, ""),
        ping(HOST, "-s 8900"),
        ping(HOST, "-c 2"),
    );
    start(
        &host,
        "vm1",
        &script,
        "<interface type='bridge'><source bridge='br0'/><mtu size='9000'/></interface>",
    );
    says(&host, "vm1", "reached 10.9.0.1 -s 8900");
    says(&host, "vm1", "reached 10.9.0.1 -c 2");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn limited() {
    let _net = network(1500);
    let host = Host::start();
    let limits = |inside: &str| {
        format!(
            "<interface type='bridge'><source bridge='br0'/><target dev='lab0'/><bandwidth>{inside}</bandwidth></interface>"
        )
    };
    // What goes to the guest waits until it fits.
    let server = TcpListener::bind((HOST, 0)).expect("the bridge has this address");
    let port = server.local_addr().expect("it has one").port();
    let script = format!(
        "{} {} wget -q -O /tmp/got http://{HOST}:{port}/; echo got $(wc -c </tmp/got); sleep 1000",
        up(2),
        ping(HOST, "")
    );
    start(
        &host,
        "vm1",
        &script,
        &limits("<inbound average='1000' peak='2000' burst='128'/>"),
    );
    const BYTES: usize = 2 << 20;
    let (mut client, _) = server.accept().expect("the guest connects");
    let _asked = client.read(&mut [0; 1024]).expect("it asks");
    client.write_all(b"HTTP/1.0 200 OK\r\n\r\n").expect("it listens");
    client.write_all(&vec![0; BYTES]).expect("it listens");
    drop(client);
    says(&host, "vm1", &format!("got {BYTES}"));
    let told = shown("tc", "-s qdisc show dev lab0");
    assert!(
        told.contains("qdisc tbf 1: root") && told.contains("rate 8Mbit"),
        "{told}"
    );
    assert!(
        told.contains("peakrate 16Mbit") && told.contains("burst 128Kb"),
        "{told}"
    );
    let held = told
        .split_once("overlimits ")
        .and_then(|(_, rest)| rest.split(' ').next());
    assert!(held.is_some_and(|held| held != "0"), "nothing had to wait: {told}");
    let _out = host.virsh(&["destroy", "vm1"]).ok();
    // What comes from it is dropped beyond the rate, where the kernel can.
    host.define(&Document::new("vm2").device(&limits("<outbound average='500'/>")).xml());
    let answer = host.virsh(&["start", "vm2"]);
    if answer.code == 0 {
        let told = shown("tc", "filter show dev lab0 parent ffff:");
        assert!(told.contains("police") && told.contains("rate 4Mbit"), "{told}");
        let _out = host.virsh(&["destroy", "vm2"]).ok();
    } else {
        let words = "cannot limit <outbound> of interface";
        assert!(
            answer.err.contains(words) && answer.err.contains("act_police"),
            "{}",
            answer.err
        );
    }
    assert!(!shown("ip", "link").contains("lab0"));
}

fn user() {
    let net = Net::unshare();
    net.ip("addr add 192.0.2.1/32 dev lo");
    let outside = TcpListener::bind("192.0.2.1:0").expect("the loopback device has this address");
    let loopback = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let port = |listener: &TcpListener| listener.local_addr().expect("it has one").port();
    let host = Host::start();
    // Its own DHCP server gives it the address.
    let script = format!(
        "ip link set vec0 up; udhcpc -i vec0 -n -q -t 9 -s /bin/true; ip addr add 10.0.2.15/24 dev vec0
        ip link set vec0 down; ip link set vec0 up; ip route add default via 10.0.2.2
        nc -w 5 10.0.2.2 {} </dev/null && echo loopback seen || echo loopback hidden
        echo hello from the guest | nc 192.0.2.1 {}; echo all-said; sleep 1000",
        port(&loopback),
        port(&outside)
    );
    start(&host, "vm1", &script, "<interface type='user'/>");
    let (mut client, from) = outside.accept().expect("the guest connects");
    assert_eq!(from.ip().to_string(), "192.0.2.1", "it comes from the host");
    let mut said = String::new();
    let _bytes = client.read_to_string(&mut said).expect("it speaks");
    assert_eq!(said, "hello from the guest\n");
    says(&host, "vm1", "loopback hidden");
    assert!(host.console_log("vm1").contains("lease of 10.0.2.15 obtained"));
    let figures = host.virsh(&["domstats", "--interface", "vm1"]).ok();
    for figure in ["net.0.name=net0", "net.0.rx.bytes=", "net.0.tx.pkts="] {
        assert!(figures.contains(figure), "no '{figure}' in {figures}");
    }
    let _out = host.virsh(&["destroy", "vm1"]).ok();
}

fn joined() {
    let net = Net::unshare();
    net.ip("link set lo multicast on");
    net.ip("route add 224.0.0.0/4 dev lo");
    let host = Host::start();
    let group = "<interface type='mcast'><source address='230.0.0.1' port='5558'/></interface>";
    let udp = |own: u16, other: u16| {
        format!(
            "<interface type='udp'><source address='127.0.0.1' port='{other}'><local address='127.0.0.1' port='{own}'/></source></interface>"
        )
    };
    let script = |number: u8, other: u8| {
        format!(
            "{} ip link set vec1 up; ip addr add 10.9.1.{number}/24 dev vec1; {} {} sleep 1000",
            up(number),
            ping(&format!("10.9.0.{other}"), ""),
            ping(&format!("10.9.1.{other}"), "")
        )
    };
    start(&host, "vm1", &script(2, 3), &format!("{group}{}", udp(7001, 7002)));
    start(&host, "vm2", &script(3, 2), &format!("{group}{}", udp(7002, 7001)));
    for (name, other) in [("vm1", 3), ("vm2", 2)] {
        says(&host, name, &format!("reached 10.9.0.{other}"));
        says(&host, name, &format!("reached 10.9.1.{other}"));
    }
    for name in ["vm1", "vm2"] {
        let _out = host.virsh(&["destroy", name]).ok();
    }
}
