//! What can be read of frames whole and broken.

use super::*;
use crate::def::address::Mac;
use crate::simulate::frame::{Ip, ethernet, llc, tagged};

const FROM: Mac = Mac([2, 0, 0, 0, 0, 1]);
const TO: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn v4(protocol: u8) -> Ip {
    Ip::new("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap(), protocol)
}

fn v6(protocol: u8) -> Ip {
    Ip::new("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), protocol)
}

fn framed(ip: &Ip, body: &[u8]) -> Vec<u8> {
    ethernet(FROM, TO, ip.ether_type(), &ip.bytes(body))
}

fn protocol(frame: &[u8]) -> Option<u8> {
    let packet = Packet::read(frame).unwrap();
    packet.load(Load::Protocol).map(|bytes| bytes[0])
}

fn loads(frame: &[u8], base: Base, offset: u8, len: u8) -> Option<Vec<u8>> {
    let packet = Packet::read(frame).unwrap();
    packet.load(Load::payload(base, offset, len)).map(<[u8]>::to_vec)
}

#[test]
fn loads_end_where_the_frame_ends() {
    let frame = framed(&v4(17), &v4(17).udp((1, 2), b"xy"));
    assert_eq!(frame.len(), 14 + 20 + 10);
    assert_eq!(loads(&frame, Base::Transport, 8, 2).as_deref(), Some(&b"xy"[..]));
    assert_eq!(loads(&frame, Base::Transport, 9, 2), None);
    assert_eq!(loads(&frame, Base::Network, 29, 2), None);
    assert_eq!(loads(&frame, Base::Link, 43, 1).as_deref(), Some(&b"y"[..]));
    assert!(Packet::read(&frame[..13]).is_err());
}

#[test]
fn a_tag_is_counted_in_the_link_header_and_not_before_the_network_header() {
    let frame = tagged(&framed(&v4(6), &v4(6).tcp((1, 2), 2, &[], &[])), 0x6007);
    assert_eq!(loads(&frame, Base::Link, 12, 6), Some(vec![0x81, 0, 0x60, 7, 8, 0]));
    assert_eq!(loads(&frame, Base::Network, 0, 1), Some(vec![0x45]));
    assert_eq!(
        (protocol(&frame), loads(&frame, Base::Transport, 3, 1)),
        (Some(6), Some(vec![2]))
    );
    assert_eq!(Packet::read(&frame).unwrap().ip_version(), None);
    assert!(Packet::read(&frame[..19]).is_err());
    // The kernel forgets the length of an 802.3 frame behind a tag.
    let frame = tagged(&llc(FROM, TO, &[0x42; 40]), 1);
    assert_eq!(loads(&frame, Base::Link, 16, 2), Some(vec![0, 4]));
    assert_eq!(loads(&frame, Base::Network, 0, 2), Some(vec![0x42, 0x42]));
}

#[test]
fn ipv4_that_is_cut_or_lies_about_its_length_has_no_transport() {
    let good = framed(&v4(17), &v4(17).udp((1, 2), &[]));
    assert_eq!(protocol(&good), Some(17));
    let broken = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        frame
    };
    for frame in [
        broken(14, 0x44),
        broken(14, 0x65),
        broken(14, 0x4f),
        broken(17, 200),
        broken(17, 19),
        good[..33].to_vec(),
    ] {
        assert_eq!((protocol(&frame), loads(&frame, Base::Transport, 0, 1)), (None, None));
        assert!(Packet::read(&frame).unwrap().malformed().is_some());
    }
    // A wrong checksum is for the bridge to find, filters do not look.
    let wrong_sum = broken(24, 0xff);
    assert_eq!(protocol(&wrong_sum), Some(17));
    assert!(Packet::read(&wrong_sum).unwrap().malformed().is_some());
}

#[test]
fn fragments_but_the_first_have_a_protocol_and_no_transport() {
    for (fragment, transport, is_fragment) in [
        (0x4000, true, false),
        (0x2000, true, true),
        (0x2001, false, true),
        (1, false, true),
    ] {
        let frame = framed(&Ip { fragment, ..v4(17) }, &v4(17).udp((1, 2), &[]));
        assert_eq!(protocol(&frame), Some(17));
        assert_eq!(
            loads(&frame, Base::Transport, 0, 1).is_some(),
            transport,
            "{fragment:#x}"
        );
        assert_eq!(
            Packet::read(&frame).unwrap().is_fragment(),
            is_fragment,
            "{fragment:#x}"
        );
    }
}

#[test]
fn the_walk_over_ipv6_headers_ends_at_the_transport() {
    let tcp = v6(6).tcp((5, 6), 2, &[], &[]);
    let padding = [1, 4, 0, 0, 0, 0];
    let options = |next: u8| [&[next, 0][..], &padding].concat();
    let fragment = |next: u8, offset: u16| [&[next, 0][..], &offset.to_be_bytes(), &[0, 0, 0, 7]].concat();
    for (first, headers, found, transport) in [
        (6, vec![], Some(6), true),
        (0, options(6), Some(6), true),
        (43, options(6), Some(6), true),
        (60, [options(0), options(6)].concat(), Some(6), true),
        (44, fragment(6, 1), Some(6), true),
        (44, fragment(6, 8), Some(6), false),
        // The rest of a chain is in the first fragment.
        (44, fragment(60, 8), None, false),
        (44, fragment(59, 8), Some(59), false),
        (51, options(6), Some(51), true),
        (59, vec![], Some(59), true),
        (50, vec![], Some(50), true),
        (135, vec![], Some(135), true),
    ] {
        let frame = framed(&v6(first), &[&headers[..], &tcp].concat());
        assert_eq!(protocol(&frame), found, "{first} {headers:?}");
        assert_eq!(
            loads(&frame, Base::Transport, 0, 1).is_some(),
            transport,
            "{first} {headers:?}"
        );
    }
    for (offset, body, held) in [
        (0, 8, false),
        (1, 8, true),
        (8, 8, true),
        (8, 9, true),
        (9, 16, true),
        (9, 15, false),
    ] {
        let frame = framed(&v6(44), &[&fragment(6, offset)[..], &tcp[..body]].concat());
        assert_eq!(Packet::read(&frame).unwrap().is_fragment(), held, "{offset} {body}");
    }
    let cut = framed(&v6(60), &[6]);
    assert_eq!(protocol(&cut), None);
    let long = framed(&v6(60), &[6, 200, 0, 0, 0, 0, 0, 0]);
    assert_eq!((protocol(&long), loads(&long, Base::Transport, 0, 1)), (Some(6), None));
    let mut lies = framed(&v6(6), &tcp);
    lies[19] += 1;
    assert_eq!(protocol(&lies), None);
}

#[test]
fn tcp_options_are_found_as_the_kernel_finds_them() {
    let has = |options: &[u8], kind: u8| {
        let frame = framed(&v4(6), &v4(6).tcp((1, 2), 2, options, &[]));
        Packet::read(&frame).unwrap().has_tcp_option(kind) == Some(true)
    };
    let options = [1, 2, 4, 5, 0xb4, 0, 8, 2];
    assert!(has(&options, 1) && has(&options, 2) && has(&options, 0));
    // The end of the list ends nothing.
    assert!(has(&options, 8));
    assert!(!has(&options, 4) && !has(&options, 5));
    assert!(!has(&[], 0) && !has(&[], 2));
    // Too long for the header, or only its last byte.
    assert!(!has(&[5, 9, 0, 0], 5));
    assert!(!has(&[1, 1, 1, 3], 3));
    // A length of 0 would never end.
    assert!(has(&[9, 0, 3, 2], 9) && has(&[9, 0, 3, 2], 3));
    let udp = framed(&v4(17), &v4(17).udp((1, 2), &[2; 40]));
    assert_eq!(Packet::read(&udp).unwrap().has_tcp_option(2), Some(false));
    let later = framed(&Ip { fragment: 3, ..v4(6) }, &v4(6).tcp((1, 2), 2, &[], &[]));
    assert_eq!(Packet::read(&later).unwrap().has_tcp_option(2), None);
}

#[test]
fn the_ip_side_takes_off_what_stands_behind_the_packet() {
    let mut frame = framed(&v4(17), &v4(17).udp((1, 2), &[]));
    frame.extend([9; 20]);
    let packet = Packet::read(&frame).unwrap();
    assert!(packet.load(Load::payload(Base::Transport, 8, 1)).is_some());
    assert!(packet.trimmed().load(Load::payload(Base::Transport, 8, 1)).is_none());
    let mut frame = framed(&v6(43), &[17, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    frame[19] = 2;
    let packet = Packet::read(&frame).unwrap();
    assert_eq!(packet.load(Load::Protocol), Some(&[17][..]));
    assert_eq!(packet.trimmed().load(Load::Protocol), None);
}

#[test]
fn a_second_header_before_the_packet_must_be_whole() {
    for (ether_type, len) in [(0x8100, 4), (0x8864, 8)] {
        let frame = tagged(&ethernet(FROM, TO, ether_type, &[0; 8][..len]), 1);
        assert_eq!(Packet::read(&frame).unwrap().malformed(), None);
        assert!(Packet::read(&frame[..frame.len() - 1]).unwrap().malformed().is_some());
    }
}

#[test]
fn hop_by_hop_options_must_fill_their_header() {
    let malformed = |options: [u8; 6]| {
        let frame = framed(&v6(0), &[&[59, 0][..], &options].concat());
        Packet::read(&frame).unwrap().malformed()
    };
    assert_eq!(malformed([1, 4, 0, 0, 0, 0]), None);
    assert_eq!(malformed([0; 6]), None);
    assert_eq!(malformed([5, 2, 0, 0, 1, 0]), None);
    let mut frame = framed(&v6(0), &[59, 0, 1, 4, 0, 0, 0, 0]);
    for (length, cut) in [(8, false), (7, true), (0, true)] {
        frame[19] = length;
        let packet = Packet::read(&frame).unwrap();
        assert_eq!(packet.malformed(), None);
        assert_eq!(packet.malformed_again().is_some(), cut, "{length}");
    }
    assert!(malformed([5, 9, 0, 0, 0, 0]).is_some());
    assert!(malformed([1, 5, 0, 0, 0, 0]).is_some());
    assert!(malformed([0xc2, 4, 0, 1, 0, 0]).is_some());
}
