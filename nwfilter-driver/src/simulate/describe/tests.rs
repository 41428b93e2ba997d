//! Descriptions and the frames that they become.

use super::*;
use crate::ruleset::{Base, Load};
use crate::simulate::packet::Packet;

const GUEST: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);

fn frame(text: &str) -> (Way, Vec<u8>) {
    packet(text, GUEST).unwrap()
}

fn read(text: &str, base: Base, offset: u8, len: u8) -> Vec<u8> {
    let (_, frame) = frame(text);
    let packet = Packet::read(&frame).unwrap();
    assert_eq!(packet.malformed(), None, "{text}");
    packet.load(Load::payload(base, offset, len)).unwrap().to_vec()
}

#[test]
fn directions_choose_who_sends() {
    for (text, way, sender) in [
        ("arp who-has 10.0.0.1 tell 10.0.0.2", Way::Out, GUEST),
        ("out ether 0x88cc", Way::Out, GUEST),
        ("to-host igmp 10.0.0.1 > 224.0.0.1", Way::ToHost, GUEST),
        ("in udp 10.0.0.1:53 > 10.0.0.2:1024", Way::In, NEIGHBOUR),
        ("from-host stp", Way::FromHost, NEIGHBOUR),
        ("in 2:0:0:0:0:1 > 2:0:0:0:0:2 stp", Way::In, Mac([2, 0, 0, 0, 0, 1])),
    ] {
        let (found, frame) = frame(text);
        assert_eq!((found, &frame[6..12]), (way, &sender.0[..]), "{text}");
    }
    assert_eq!(frame("hex 00:11 2233").1, [0, 0x11, 0x22, 0x33]);
}

#[test]
fn words_become_the_bytes_that_they_name() {
    let tcp = "out tcp 192.0.2.10:1234 > 198.51.100.1:80 syn ack option 5 dscp 8";
    assert_eq!(read(tcp, Base::Link, 12, 2), [8, 0]);
    assert_eq!(read(tcp, Base::Network, 1, 1), [8 << 2]);
    assert_eq!(read(tcp, Base::Network, 12, 8), [192, 0, 2, 10, 198, 51, 100, 1]);
    assert_eq!(read(tcp, Base::Transport, 0, 4), [4, 210, 0, 80]);
    assert_eq!(read(tcp, Base::Transport, 13, 1), [0x12]);
    let (_, bytes) = frame(tcp);
    let seen = Packet::read(&bytes).unwrap();
    assert_eq!([5, 4].map(|kind| seen.has_tcp_option(kind)), [Some(true), Some(false)]);
    let tagged = "vlan 0x2005 udp [2001:db8::1]:5 > [2001:db8::2]:6";
    assert_eq!(read(tagged, Base::Link, 12, 6), [0x81, 0, 0x20, 5, 0x86, 0xdd]);
    assert_eq!(read(tagged, Base::Transport, 0, 4), [0, 5, 0, 6]);
    assert_eq!(read("icmp 1.2.3.4 > 1.2.3.5", Base::Transport, 0, 2), [8, 0]);
    assert_eq!(
        read("icmpv6 fe80::1 > ff02::1 type 135 code 2", Base::Transport, 0, 2),
        [135, 2]
    );
    assert_eq!(read("proto 99 1.2.3.4 > 1.2.3.5", Base::Network, 9, 1), [99]);
    assert_eq!(read("arp who-has 1.2.3.4 tell 1.2.3.5", Base::Network, 6, 2), [0, 1]);
    assert_eq!(read("arp who-has 1.2.3.4 tell 1.2.3.5", Base::Link, 0, 6), [255; 6]);
    assert_eq!(
        read("arp 1.2.3.4 is-at 2:0:0:0:0:9 to 1.2.3.5", Base::Network, 6, 8),
        [0, 2, 2, 0, 0, 0, 0, 9]
    );
    assert_eq!(read("rarp who-has 1.2.3.4 tell 1.2.3.5", Base::Network, 6, 2), [0, 3]);
    assert_eq!(read("stp", Base::Link, 0, 6), [0x01, 0x80, 0xc2, 0, 0, 0]);
    let stp = "stp type 128 flags 3 root-address 2:0:0:0:0:7 root-cost 70000 forward-delay 15";
    assert_eq!(read(stp, Base::Network, 6, 2), [128, 3]);
    assert_eq!(read(stp, Base::Network, 10, 10), [2, 0, 0, 0, 0, 7, 0, 1, 0x11, 0x70]);
    assert_eq!(read(stp, Base::Network, 36, 2), [0, 15]);
    let odd = "arp who-has 1.2.3.4 tell 1.2.3.5 hwtype 6 protocoltype 0x86dd opcode 9";
    assert_eq!(read(odd, Base::Network, 0, 8), [0, 6, 0x86, 0xdd, 6, 4, 0, 9]);
    assert_eq!(
        read("udp 1.2.3.4:5 > 1.2.3.5:6 fragment 0x2001", Base::Network, 6, 2),
        [0x20, 1]
    );
    let behind = "udp [::1]:5 > [::2]:6 fragment 1 behind 60";
    assert_eq!(
        read(behind, Base::Network, 40, 12),
        [44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 1]
    );
    assert_eq!(read(behind, Base::Transport, 0, 4), [0, 5, 0, 6]);
}

#[test]
fn errors_name_the_word_that_does_not_fit() {
    for (text, wanted) in [
        ("", "ends where a protocol"),
        (
            "out tpc 1.2.3.4:5 > 1.2.3.4:6",
            "'tpc' is no kind of packet, known are: tcp",
        ),
        ("tcp 1.2.3.4 > 1.2.3.4:6", "'1.2.3.4' lacks a port"),
        ("tcp 1.2.3.4:x > 1.2.3.4:6", "'x' in '1.2.3.4:x' is not a port"),
        ("tcp 1.2.3:5 > 1.2.3.4:6", "'1.2.3' in '1.2.3:5' is not an IP address"),
        ("tcp 1.2.3.4:5 1.2.3.4:6", "'1.2.3.4:6' stands where '>' is wanted"),
        ("tcp 1.2.3.4:5 > 1.2.3.4:6 sin", "'sin' means nothing in a tcp packet"),
        ("udp 1.2.3.4:5 > [::1]:6", "different IP versions"),
        ("icmp ::1 > ::2", "other IP version than icmp"),
        (
            "icmp 1.2.3.4 > 1.2.3.5 type 256",
            "'256' is not a type, a number from 0 to 255",
        ),
        ("esp [1.2.3.4]:5 > 1.2.3.5", "this protocol has none"),
        ("arp 1.2.3.4 at 2:0:0:0:0:9", "'at' stands where 'is-at'"),
        ("arp who-has ::1 tell 1.2.3.4", "'::1' is no IPv4 address"),
        ("stp now", "'now' means nothing behind this stp packet"),
        ("2:0:0:0:0:1 > x stp", "'x' is not the MAC address of the receiver"),
        ("stp root-cost x", "'x' is not the value of 'root-cost'"),
        ("stp root-address 7", "'7' is not the value of 'root-address'"),
        (
            "arp who-has 1.2.3.4 tell 1.2.3.5 hwtype",
            "ends where the value of 'hwtype'",
        ),
        ("udp 1.2.3.4:5 > 1.2.3.4:6 behind 60", "'behind' means nothing"),
        ("udp [::1]:5 > [::1]:6 behind 6", "'6' is no extension header"),
        ("hex 00 0", "half a byte"),
        ("hex 0g", "'0g' has other characters"),
        ("vlan 1", "ends where a protocol"),
    ] {
        let error = packet(text, GUEST).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}
