//! The protocol itself: who may call what, and what a client can do wrong without harm to others.

use super::DOMAINS;
use super::daemon::{Daemon, Told};
use crate::check::{Check, Ctx, Failure, Level, Outcome, must};
use crate::{ensure, ensure_eq};
use driver_api::error::Code;
use lockstep::rpc::codec::Procedure;
use lockstep::rpc::codec::connect::{ConnectGetLibVersion, ConnectOpen};
use lockstep::rpc::codec::domain::{ConnectListAllDomains, ConnectNumOfDomains, DomainDefineXml, DomainLookupByName};
use lockstep::rpc::codec::nwfilter::ConnectListAllNwfilters;
use lockstep::rpc::frame::{self, Frame};
use lockstep::rpc::header::{Header, Kind, PROGRAM_VERSION, REMOTE_PROGRAM, Status};
use lockstep::rpc::xdr::{self, Xdr};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// What checks of any daemon need.
const ANY: &[&str] = &[];

pub(crate) const CHECKS: &[Check] = &[
    of_the_host(
        "WIRE-030",
        "a procedure that there is not is refused, and the connection goes on",
        "wire.errors",
        ANY,
        "Newer clients ask older hosts for what they have not, and fall back to something else.",
        "Nothing in a driver: it is the host's.",
        unknown_calls_are_refused,
    ),
    of_the_host(
        "WIRE-031",
        "a call before the connection was opened is refused",
        "wire.errors",
        ANY,
        "Nobody has said yet for whom the call is.",
        "Nothing in a driver: it is the host's.",
        nothing_before_open,
    ),
    of_the_host(
        "WIRE-032",
        "a connection that only reads changes nothing: error 29",
        "wire.errors",
        DOMAINS,
        "The socket for everybody is open to everybody.",
        "Nothing in a driver: it is the host's.",
        readers_change_nothing,
    ),
    of_the_host(
        "WIRE-033",
        "what is no frame ends its own connection only",
        "wire.errors",
        ANY,
        "Any program on the machine can write to the socket.",
        "Nothing in a driver: it is the host's.",
        garbage_ends_itself,
    ),
    must(
        "WIRE-034",
        "calls that are sent at once are all answered, each with its own serial number",
        "wire.lifecycle",
        ANY,
        "Clients with threads send the next call before the last one is answered; the host calls the driver for several of them \
         at once.",
        "Let reads look at a snapshot that never changes, as many at once as there are.",
        all_are_answered,
    ),
    must(
        "WIRE-035",
        "a client that goes away in the middle of a call leaves nothing behind",
        "wire.lifecycle",
        DOMAINS,
        "Clients are killed; what they began must come to an end.",
        "Finish or undo what was begun, whoever asked for it.",
        leaving_harms_nobody,
    ),
];

/// What no plug-in can break, since the host does it by itself: a must would prove nothing of the plug-in. Of a daemon that
/// is named by its URI it tells something.
const fn of_the_host(
    id: &'static str,
    title: &'static str,
    clause: &'static str,
    needs: &'static [&'static str],
    why: &'static str,
    fix: &'static str,
    run: fn(&Ctx) -> Outcome,
) -> Check {
    Check {
        level: Level::Should,
        ..must(id, title, clause, needs, why, fix, run)
    }
}

fn unknown_calls_are_refused(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect()?;
    for (program, number) in [(REMOTE_PROGRAM, 30_000), (REMOTE_PROGRAM, 0), (0x1234_5678, 1)] {
        let answer: lockstep::client::Result<((), Header)> = connection.call_at(program, number, &());
        answer.fails_with(&[], format_args!("procedure {number} of program {program:#x}"))?;
        connection
            .call(&ConnectGetLibVersion {})
            .works("the next call on that connection")?;
    }
    Ok(())
}

fn header(procedure: i32, serial: u32) -> Header {
    Header {
        program: REMOTE_PROGRAM,
        version: PROGRAM_VERSION,
        procedure,
        kind: Kind::Call,
        serial,
        status: Status::Ok,
    }
}

fn send(socket: &mut UnixStream, header: &Header, payload: &[u8]) -> Outcome {
    let bytes = frame::encode(header, payload).map_err(|error| Failure::new(format!("the check's frame: {error}")))?;
    let sent = socket.write_all(&bytes);
    sent.map_err(|error| Failure::new(format!("sending a call: expected that it is taken, found {error}")))
}

fn reply(socket: &mut UnixStream, what: &str) -> Outcome<Frame> {
    match Frame::read(socket) {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err(Failure::new(format!(
            "{what}: expected an answer, found that the connection was closed"
        ))),
        Err(error) => Err(Failure::new(format!("{what}: expected an answer, found {error}"))),
    }
}

fn nothing_before_open(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut socket = daemon.socket()?;
    // 51: the number of running domains; 59: the host's name.
    for (serial, procedure) in [(0, 51), (1, 59)] {
        send(&mut socket, &header(procedure, serial), &[])?;
        let what = format!("procedure {procedure} before the connection was opened");
        let answer = reply(&mut socket, &what)?;
        ensure_eq!(
            answer.header.serial,
            serial,
            "the serial number of the answer to {what}"
        );
        ensure_eq!(
            answer.header.status,
            Status::Error,
            "the status of the answer to {what}"
        );
    }
    daemon.connect().map(drop)
}

fn readers_change_nothing(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut connection = daemon.connect_to_look()?;
    connection
        .call(&ConnectNumOfDomains {})
        .works("counting domains on a connection that only reads")?;
    let xml = daemon.document(1);
    let denied = [Code::OPERATION_DENIED, Code::ACCESS_DENIED];
    connection
        .call(&DomainDefineXml { xml })
        .fails_with(&denied, "defining on a connection that only reads")?;
    let name = daemon.called(1);
    let found = daemon.connect()?.call(&DomainLookupByName { name });
    found.fails_with(&[Code::NO_DOMAIN], "looking up what was refused")
}

fn garbage_ends_itself(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut other = daemon.connect()?;
    let mut random = ctx.random();
    let length = |length: u32, rest: &[u8]| [&length.to_be_bytes()[..], rest].concat();
    let mut pieces = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        length(0, &[]),
        length(3, &[]),
        length(u32::MAX, &[0; 64]),
        length(0x8000_0000, &[0; 64]),
        // A header of nonsense.
        length(28, &[0xff; 24]),
        // A call whose arguments end too early, and a list that says it has 4 thousand million items.
        frame::encode(&header(23, 1), &[0, 0, 0, 9, b'x']).unwrap_or_default(),
        frame::encode(&header(1, 1), &[0xff; 16]).unwrap_or_default(),
    ];
    for _ in 0..8 {
        let mut bytes = vec![0; random.usize(1..4096)];
        random.fill(&mut bytes);
        pieces.push(bytes);
    }
    for piece in pieces {
        let mut socket = daemon.socket()?;
        let what = format!(
            "{} bytes that begin with {:02x?}",
            piece.len(),
            &piece[..piece.len().min(8)]
        );
        // It may be closed before all is written.
        let _written = socket.write_all(&piece);
        let _closed = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        if let Err(error) = socket.take(1 << 20).read_to_end(&mut answer) {
            let reset = error.kind() == std::io::ErrorKind::ConnectionReset;
            ensure!(
                reset,
                "after {what} and the end: expected that the connection is closed, found {error}"
            );
        }
        other
            .call(&ConnectGetLibVersion {})
            .works(format_args!("a call on another connection after {what}"))?;
    }
    daemon.connect().map(drop)
}

/// A connection that was opened by hand: the next serial number is 2.
fn opened(daemon: &Daemon<'_>) -> Outcome<UnixStream> {
    let mut socket = daemon.socket()?;
    let open = ConnectOpen {
        name: daemon.name()?,
        flags: 0,
    };
    let payload = payload(&open)?;
    // 66: how to authenticate; 1: open.
    for (serial, procedure, payload) in [(0, 66, &[][..]), (1, 1, &payload)] {
        send(&mut socket, &header(procedure, serial), payload)?;
        let answer = reply(&mut socket, "opening a connection")?;
        ensure_eq!(
            answer.header.status,
            Status::Ok,
            "the status of the answer to procedure {procedure}"
        );
    }
    Ok(socket)
}

fn payload(args: &impl Xdr) -> Outcome<Vec<u8>> {
    xdr::encode(args).map_err(|error| Failure::new(format!("the check's call: {error}")))
}

fn all_are_answered(ctx: &Ctx) -> Outcome {
    const CALLS: u32 = 64;
    let daemon = Daemon::of(ctx)?;
    let (need_results, flags) = (1, 0);
    let domains = payload(&ConnectListAllDomains { need_results, flags })?;
    let filters = payload(&ConnectListAllNwfilters { need_results, flags })?;
    // A daemon for filters alone has no domains to list.
    let listed = daemon
        .connect()?
        .call(&ConnectListAllDomains { need_results, flags })
        .is_ok();
    let list = if listed {
        (ConnectListAllDomains::NUMBER, &domains)
    } else {
        (ConnectListAllNwfilters::NUMBER, &filters)
    };
    let version = (ConnectGetLibVersion::NUMBER, &Vec::new());
    let mut socket = opened(&daemon)?;
    for serial in 2..2 + CALLS {
        let (procedure, payload) = if serial % 2 == 0 { version } else { list };
        send(&mut socket, &header(procedure.cast_signed(), serial), payload)?;
    }
    let mut answered: Vec<u32> = Vec::new();
    while answered.len() < CALLS as usize {
        let answer = reply(&mut socket, "64 calls that were sent at once")?;
        if answer.header.kind == Kind::Reply {
            ensure_eq!(
                answer.header.status,
                Status::Ok,
                "the status of the answer to call {}",
                answer.header.serial
            );
            answered.push(answer.header.serial);
        }
    }
    answered.sort_unstable();
    ensure_eq!(
        answered,
        (2..2 + CALLS).collect::<Vec<u32>>(),
        "the serial numbers of the answers"
    );
    Ok(())
}

fn leaving_harms_nobody(ctx: &Ctx) -> Outcome {
    let daemon = Daemon::of(ctx)?;
    let mut stays = daemon.connect()?;
    for n in 0..8 {
        let xml = daemon.document(n % 2);
        let mut socket = opened(&daemon)?;
        let define = payload(&DomainDefineXml { xml })?;
        for serial in 2..6 {
            send(&mut socket, &header(11, serial), &define)?;
        }
        // Closed at the first answer: the other calls are under way by then, and nobody waits for what becomes of them.
        let answer = reply(&mut socket, "defining a domain")?;
        ensure_eq!(
            answer.header.status,
            Status::Ok,
            "the status of the answer to a definition that is sent several times"
        );
    }
    let (need_results, flags) = (1, 0);
    let listed = stays
        .call(&ConnectListAllDomains { need_results, flags })
        .works("listing after clients have gone away")?;
    for n in 0..2 {
        let uuid = daemon.uuid(n);
        let times = listed.items.0.iter().filter(|dom| dom.uuid == uuid).count();
        ensure_eq!(
            times,
            1,
            "how often a domain is listed that clients defined who have gone away"
        );
    }
    for n in 0..2 {
        daemon.define(&mut stays, n)?;
    }
    Ok(())
}
