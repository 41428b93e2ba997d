//! The socket server over real sockets: order, limits, bad input, parallel calls, keepalive, drain.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod streams;
mod virsh;

use bench::{Host, Told, domain};
use lockstep::rpc::codec::Procedure;
use lockstep::rpc::codec::connect::{
    AuthList, ConnectClose, ConnectGetHostname, ConnectIsSecure, ConnectOpen, ConnectSupportsFeature, feature,
};
use lockstep::rpc::codec::domain::{DomainCreate, DomainDestroy, DomainLookupByName};
use lockstep::rpc::frame;
use lockstep::rpc::header::{Header, KEEPALIVE_PING, KEEPALIVE_PONG, KEEPALIVE_PROGRAM, Kind, Status};
use lockstep::rpc::xdr;
use lockstep::server::Limits;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

#[test]
fn what_is_not_a_frame_ends_its_connection_and_no_other() {
    let host = Host::start();
    let mut witness = host.open();
    let too_long = u32::try_from(frame::BODY_MAX + 5).unwrap().to_be_bytes().to_vec();
    let mut unknown_kind = frame::encode(&Header::call(1, 0), &[]).unwrap();
    unknown_kind[19] = 9;
    let reply = frame::encode(&Header::call(1, 0).answer(Kind::Reply, Status::Ok), &[]).unwrap();
    let many_fds = frame::encode(
        &Header::call(1, 0).answer(Kind::CallWithFds, Status::Ok),
        &[0, 0, 0, 33],
    )
    .unwrap();
    for bytes in [
        vec![0, 0, 0, 3],
        vec![0, 0, 0, 27],
        too_long,
        unknown_kind,
        reply,
        many_fds,
    ] {
        let mut session = host.connect("rw");
        session.socket.write_all(&bytes).unwrap();
        session.assert_hung_up();
    }
    witness.assert_alive();
}

#[test]
fn a_client_that_hangs_up_within_a_frame_is_closed_once() {
    let host = Host::start();
    let bytes = frame::encode(&Header::call(1, 0), &[0; 8]).unwrap();
    for len in [1, 4, 20, bytes.len() - 1] {
        let mut session = host.connect("rw");
        session.socket.write_all(&bytes[..len]).unwrap();
        drop(session);
        host.told_closed();
    }
}

#[test]
fn arguments_that_do_not_decode_fail_the_call_only() {
    let host = Host::start();
    let mut session = host.open();
    let lookup = DomainLookupByName::NUMBER;
    for payload in [&[][..], &[0, 0, 0, 9, b'x'], &[0, 0, 0, 1, 0xff, 0, 0, 0], &[0xff; 8]] {
        let (code, message) = session.refused(lookup, payload);
        assert_eq!(code, 39);
        assert!(
            message.starts_with("unable to decode message payload of virDomainLookupByName"),
            "{message}"
        );
    }
    let trailing = [xdr::encode(&"m1".to_owned()).unwrap(), vec![1, 2, 3, 4]].concat();
    let header = session.send_call(lookup, &trailing);
    assert_eq!(session.answer::<DomainLookupByName>(&header).unwrap(), domain("m1"));
}

#[test]
fn a_connection_is_opened_once_and_before_everything_but_authentication_and_features() {
    let host = Host::start();
    let mut session = host.connect("rw");
    assert_eq!(session.refused(ConnectGetHostname::NUMBER, &[]).0, 6);
    assert_eq!(session.call(&AuthList {}).unwrap().0, [0]);
    let feature = feature::REMOTE_EVENT_CALLBACK;
    assert_eq!(session.call(&ConnectSupportsFeature { feature }).unwrap(), 1);
    let name = Some("none:///".to_owned());
    assert_eq!(session.call(&ConnectOpen { name, flags: 0 }).unwrap_err().code, 5);
    assert_eq!(session.refused(ConnectGetHostname::NUMBER, &[]).0, 6);
    assert_eq!(session.open(1 << 5).unwrap_err().code, 8);
    // The flag of an option as one family of clients sends it.
    let open = session.send_call(ConnectOpen::NUMBER, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    session.answer::<ConnectOpen>(&open).unwrap();
    assert_eq!(session.open(0).unwrap_err().code, 55);
    assert_eq!(session.call(&ConnectIsSecure {}).unwrap(), 1);
    session.assert_alive();
    session.call(&ConnectClose {}).unwrap();
    session.assert_hung_up();
}

#[test]
fn what_is_unknown_or_not_served_is_refused_by_name() {
    let host = Host::start();
    let mut session = host.open();
    for number in [0, 107, 454, u32::MAX] {
        let (code, message) = session.refused(number, &[]);
        assert_eq!(code, 39);
        assert!(message.starts_with("unknown procedure: "), "{message}");
    }
    let (code, message) = session.refused(245, &[]);
    assert_eq!((code, message.contains("virDomainReset")), (3, true), "{message}");
    let other = Header {
        program: 0x2000_8087,
        ..Header::call(1, 99)
    };
    session.send(&other, &[]);
    let error = session.answer::<ConnectGetHostname>(&other).unwrap_err();
    assert_eq!(
        (error.code, error.message.unwrap().as_str()),
        (39, "cannot find program 0x20008087 version 1")
    );
}

#[test]
fn read_only_connections_look_and_do_not_touch() {
    let host = Host::start();
    for (socket, flags) in [("ro", 0), ("ro", 1), ("rw", 1)] {
        let mut session = host.connect(socket);
        session.open(flags).unwrap();
        let error = session.call(&DomainDestroy { dom: domain("m1") }).unwrap_err();
        assert_eq!(error.code, 29);
        session.assert_alive();
    }
    host.open().call(&DomainDestroy { dom: domain("m1") }).unwrap();
}

#[test]
fn calls_of_one_client_run_at_once_up_to_the_limit_and_pings_are_answered_beyond_it() {
    let host = Host::start();
    let mut session = host.open();
    for _ in 0..5 {
        session.ask(&DomainCreate { dom: domain("m1") });
    }
    host.told_client();
    for _ in 0..5 {
        assert!(matches!(host.told(), Told::Entered));
    }
    let waiting: Vec<_> = (0..10).map(|_| session.ask(&ConnectGetHostname {}).serial).collect();
    session.send(&Header::keepalive(KEEPALIVE_PING), &[]);
    let pong = session.receive().header;
    assert_eq!((pong.program, pong.procedure), (KEEPALIVE_PROGRAM, KEEPALIVE_PONG));
    host.service.release();
    let mut serials: Vec<_> = (0..15).map(|_| session.receive().header.serial).collect();
    serials.sort_unstable();
    assert!(serials.into_iter().eq((1..=5).chain(waiting)));
}

#[test]
fn reads_and_destroy_are_answered_while_every_worker_is_stuck() {
    let host = Host::with(Limits {
        workers: 2,
        ..Limits::default()
    });
    let mut starter = host.open();
    host.told_client();
    // Two that run and one that waits for a worker.
    for _ in 0..3 {
        starter.ask(&DomainCreate { dom: domain("m1") });
    }
    assert!(matches!((host.told(), host.told()), (Told::Entered, Told::Entered)));
    let mut other = host.open();
    for _ in 0..20 {
        other.assert_alive();
        other.call(&DomainDestroy { dom: domain("m1") }).unwrap();
        starter.call(&DomainLookupByName { name: "m2".to_owned() }).unwrap();
    }
}

#[test]
fn a_panicking_call_fails_alone() {
    let host = Host::start();
    let mut session = host.open();
    let name = "panic".to_owned();
    assert_eq!(session.call(&DomainLookupByName { name }).unwrap_err().code, 1);
    session.assert_alive();
}

#[test]
fn a_client_that_does_not_read_its_events_is_dropped_and_others_are_not() {
    let host = Host::with(Limits {
        event_bytes_per_client: 1 << 20,
        ..Limits::default()
    });
    let slow = host.open();
    let client = host.told_client();
    let mut witness = host.open();
    // More than the queue and the kernel's socket buffer hold together.
    for _ in 0..64 {
        client.send_event(318, &[0; 65_536]);
    }
    assert_eq!(host.told_closed(), client.id());
    witness.assert_alive();
    drop(slow);
}

#[test]
fn events_arrive_in_order_as_messages() {
    let host = Host::start();
    let mut session = host.open();
    let client = host.told_client();
    for n in 0..100_u8 {
        client.send_event(318, &[n; 4]);
    }
    for n in 0..100_u8 {
        let event = session.receive();
        assert_eq!((event.header.kind, event.header.procedure), (Kind::Message, 318));
        assert_eq!(event.payload, [n; 4]);
    }
}

#[test]
fn a_silent_client_is_asked_and_dropped_only_if_it_said_that_it_answers() {
    let host = Host::with(Limits {
        keepalive_interval: std::time::Duration::from_millis(1),
        keepalive_count: 3,
        ..Limits::default()
    });
    let mut quiet = host.open();
    host.told_client();
    let mut session = host.connect("rw");
    let feature = feature::KEEPALIVE;
    session.ask(&ConnectSupportsFeature { feature });
    let mut pings = 0;
    while let Ok(Some(frame)) = frame::Frame::read(&mut session.socket) {
        pings += u32::from(frame.header.program == KEEPALIVE_PROGRAM);
    }
    assert_eq!(pings, 3);
    host.told_closed();
    quiet.assert_alive();
}

#[test]
fn connections_that_are_never_opened_make_room_again() {
    let host = Host::with(Limits {
        unopened: 1,
        open_within: std::time::Duration::from_millis(1),
        ..Limits::default()
    });
    let idle = host.connect("rw");
    host.told_closed();
    idle.assert_hung_up();
}

#[test]
fn descriptors_that_come_with_a_call_are_taken_off_the_wire() {
    let host = Host::start();
    let mut session = host.open();
    let call = Header::call(310, 40).answer(Kind::CallWithFds, Status::Ok);
    session.send(&call, &[0, 0, 0, 2, 9, 9, 9, 9]);
    let (reader, writer) = std::io::pipe().unwrap();
    for _ in 0..2 {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [writer.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        sendmsg(&session.socket, &[IoSlice::new(&[0])], &mut control, SendFlags::empty()).unwrap();
    }
    assert_eq!(session.answer::<DomainCreate>(&call).unwrap_err().code, 3);
    session.assert_alive();
    // The host kept no copy: with ours gone, the pipe ends.
    drop(writer);
    assert_eq!(std::io::read_to_string(reader).unwrap(), "");
}

#[test]
fn a_stopping_host_answers_running_calls_before_it_hangs_up() {
    let mut host = Host::start();
    let mut session = host.open();
    let call = session.ask(&DomainCreate { dom: domain("m1") });
    host.told_client();
    assert!(matches!(host.told(), Told::Entered));
    host.ask_to_stop();
    host.service.release();
    session.answer::<DomainCreate>(&call).unwrap();
    session.assert_hung_up();
    host.join();
    assert!(!host.socket("rw").exists() && !host.socket("ro").exists());
}
