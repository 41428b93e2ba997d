//! `Header`: the 24 bytes that say what a frame is and to which call it belongs.

use super::xdr::{Input, Xdr, XdrError, xdr_struct};

/// Bytes of a header on the wire.
pub const HEADER_LEN: usize = 24;

/// The remote program: everything but keepalive.
pub const REMOTE_PROGRAM: u32 = 0x2000_8086;
/// The host's own program, `LKST`: what libvirt's protocol has no procedure for.
pub const OWN_PROGRAM: u32 = 0x4c4b_5354;
/// The keepalive program: pings and pongs without a body.
pub const KEEPALIVE_PROGRAM: u32 = 0x6b65_6570;
/// The version of each program.
pub const PROGRAM_VERSION: u32 = 1;
/// The keepalive procedure that asks for a [`KEEPALIVE_PONG`].
pub const KEEPALIVE_PING: i32 = 1;
/// The keepalive procedure that answers a [`KEEPALIVE_PING`].
pub const KEEPALIVE_PONG: i32 = 2;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// A client calls.
    Call = 0,
    /// The answer to a call.
    Reply = 1,
    /// An event, or a keepalive message.
    Message = 2,
    /// A packet of a stream.
    Stream = 3,
    /// A call that is followed by file descriptors.
    CallWithFds = 4,
    /// A reply that is followed by file descriptors.
    ReplyWithFds = 5,
    /// A hole in a sparse stream.
    StreamHole = 6,
}

impl Xdr for Kind {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        (*self as i32).encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(match i32::decode(input)? {
            0 => Self::Call,
            1 => Self::Reply,
            2 => Self::Message,
            3 => Self::Stream,
            4 => Self::CallWithFds,
            5 => Self::ReplyWithFds,
            6 => Self::StreamHole,
            other => return Err(XdrError::BadTag(other)),
        })
    }
}

/// How a call, or a stream so far, went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// Done; for a stream packet: finish.
    Ok = 0,
    /// Failed, the body says why; for a stream packet from a client: abort.
    Error = 1,
    /// A stream goes on.
    Continue = 2,
}

impl Xdr for Status {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), XdrError> {
        (*self as i32).encode(out)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self, XdrError> {
        Ok(match i32::decode(input)? {
            0 => Self::Ok,
            1 => Self::Error,
            2 => Self::Continue,
            other => return Err(XdrError::BadTag(other)),
        })
    }
}

xdr_struct! {
    /// What a frame is and to which call it belongs.
    #[derive(Copy, Eq)]
    Header {
        program: u32,
        version: u32,
        procedure: i32,
        kind: Kind,
        serial: u32,
        status: Status,
    }
}

impl Header {
    /// A call of the remote program.
    #[must_use]
    pub const fn call(procedure: u32, serial: u32) -> Self {
        Self::remote(procedure, Kind::Call, serial, Status::Ok)
    }

    /// An event of the remote program. Serial 1, as the peer's daemon sends it; clients do not look.
    #[must_use]
    pub const fn event(procedure: u32) -> Self {
        Self::remote(procedure, Kind::Message, 1, Status::Ok)
    }

    /// A ping or pong.
    #[must_use]
    pub const fn keepalive(procedure: i32) -> Self {
        Self {
            program: KEEPALIVE_PROGRAM,
            version: PROGRAM_VERSION,
            procedure,
            kind: Kind::Message,
            serial: 0,
            status: Status::Ok,
        }
    }

    /// The answer to, or a stream packet of, the call with this header.
    #[must_use]
    pub const fn answer(self, kind: Kind, status: Status) -> Self {
        Self { kind, status, ..self }
    }

    const fn remote(procedure: u32, kind: Kind, serial: u32, status: Status) -> Self {
        Self {
            program: REMOTE_PROGRAM,
            version: PROGRAM_VERSION,
            procedure: procedure.cast_signed(),
            kind,
            serial,
            status,
        }
    }
}
