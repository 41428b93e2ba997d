//! Console streams: data both ways, and every way in which one may end.

use crate::bench::{Host, Session, domain};
use driver_api::error::{Code, Error, Origin};
use lockstep::rpc::codec::domain::DomainOpenConsole;
use lockstep::rpc::error::RemoteError;
use lockstep::rpc::frame::Frame;
use lockstep::rpc::header::{Header, Kind, Status};
use lockstep::rpc::xdr;
use lockstep::server::StreamAbort;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn console(host: &Host) -> (Session, Header, UnixStream, StreamAbort) {
    let mut session = host.open();
    let call = session.ask(&DomainOpenConsole {
        dom: domain("m1"),
        device: None,
        flags: 0,
    });
    session.answer::<DomainOpenConsole>(&call).unwrap();
    let (far, abort) = host.told_console();
    (session, call, far, abort)
}

fn expect(session: &mut Session, call: &Header, status: Status) -> Vec<u8> {
    let Frame { header, payload } = session.receive();
    assert_eq!(header, call.answer(Kind::Stream, status));
    payload
}

#[test]
fn data_flows_both_ways_until_the_client_finishes() {
    let host = Host::start();
    let (mut session, call, mut far, abort) = console(&host);
    far.write_all(b"login: ").unwrap();
    assert_eq!(expect(&mut session, &call, Status::Continue), b"login: ");
    session.stream(&call, Status::Continue, b"root\n");
    session.stream(&call, Status::Continue, b"poweroff\n");
    session.stream(&call, Status::Ok, &[]);
    assert_eq!(expect(&mut session, &call, Status::Ok), b"");
    let mut got = String::new();
    far.read_to_string(&mut got).unwrap();
    assert_eq!(got, "root\npoweroff\n");
    assert!(abort.is_over());
    // Late packets of a stream that is over are nobody's business.
    session.stream(&call, Status::Continue, b"late");
    session.stream(&call, Status::Error, &[]);
    session.assert_alive();
}

#[test]
fn an_abort_is_confirmed_and_closes_the_far_end() {
    let host = Host::start();
    let (mut session, call, mut far, _abort) = console(&host);
    session.stream(&call, Status::Error, &[]);
    assert_eq!(expect(&mut session, &call, Status::Ok), b"");
    assert_eq!(far.read(&mut [0; 1]).unwrap(), 0);
    session.assert_alive();
}

#[test]
fn a_far_end_that_closes_is_the_end_of_data_and_then_the_client_finishes() {
    let host = Host::start();
    let (mut session, call, mut far, _abort) = console(&host);
    far.write_all(b"reboot: System halted\n").unwrap();
    drop(far);
    assert_eq!(
        expect(&mut session, &call, Status::Continue),
        b"reboot: System halted\n"
    );
    assert_eq!(expect(&mut session, &call, Status::Continue), b"");
    session.stream(&call, Status::Ok, &[]);
    assert_eq!(expect(&mut session, &call, Status::Ok), b"");
    session.assert_alive();
}

#[test]
fn the_service_can_abort_with_a_reason() {
    let host = Host::start();
    let (mut session, call, _far, abort) = console(&host);
    abort.abort(Error::new(
        Code::OPERATION_FAILED,
        Origin::UML,
        "another client took the console",
    ));
    let error: RemoteError = xdr::decode(&expect(&mut session, &call, Status::Error)).unwrap();
    assert_eq!(
        (error.code, error.message.as_deref()),
        (9, Some("another client took the console"))
    );
    session.assert_alive();
}

#[test]
fn a_hole_fails_the_stream_only() {
    let host = Host::start();
    let (mut session, call, _far, _abort) = console(&host);
    session.send(&call.answer(Kind::StreamHole, Status::Continue), &[0; 12]);
    let error: RemoteError = xdr::decode(&expect(&mut session, &call, Status::Error)).unwrap();
    assert_eq!(error.code, 39);
    session.assert_alive();
}

#[test]
fn much_output_arrives_whole_while_other_calls_are_answered() {
    let host = Host::start();
    let (mut session, call, mut far, _abort) = console(&host);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || far.write_all(&sent).unwrap());
    let mut got = Vec::new();
    while got.len() < expected.len() {
        got.extend(expect(&mut session, &call, Status::Continue));
    }
    assert!(got == expected);
    writer.join().unwrap();
    assert_eq!(expect(&mut session, &call, Status::Continue), b"");
}

#[test]
fn input_that_the_guest_never_reads_fails_the_stream_and_nothing_else() {
    let host = Host::start();
    let (mut session, call, _far, _abort) = console(&host);
    for _ in 0..40 {
        session.stream(&call, Status::Continue, &[0; 65_536]);
    }
    let error: RemoteError = xdr::decode(&expect(&mut session, &call, Status::Error)).unwrap();
    assert_eq!(error.code, 68);
    session.assert_alive();
}

#[test]
fn a_finish_waits_for_input_that_is_still_on_its_way() {
    let host = Host::start();
    let (mut session, call, mut far, _abort) = console(&host);
    // More than the kernel's socket buffer takes at once.
    for _ in 0..12 {
        session.stream(&call, Status::Continue, &[b'x'; 65_536]);
    }
    session.stream(&call, Status::Ok, &[]);
    let mut got = Vec::new();
    far.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), 12 * 65_536);
    assert_eq!(expect(&mut session, &call, Status::Ok), b"");
}

#[test]
fn a_client_that_vanishes_closes_its_streams() {
    let host = Host::start();
    let (session, _call, mut far, abort) = console(&host);
    drop(session);
    assert_eq!(far.read(&mut [0; 1]).unwrap(), 0);
    host.told_closed();
    assert!(abort.is_over());
}
