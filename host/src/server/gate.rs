//! The gate: what may be called when and by whom, and the calls that need no driver.

use super::client::Client;
use crate::rpc::codec::Procedure;
use crate::rpc::codec::connect::{
    AUTH_NONE, AuthList, AuthPolkit, ConnectClose, ConnectIsSecure, ConnectOpen, ConnectRegisterCloseCallback,
    ConnectSupportsFeature, ConnectUnregisterCloseCallback, OPEN_FLAGS, feature,
};
use crate::rpc::error::{undecodable, unencodable};
use crate::rpc::header::{Header, OWN_PROGRAM, PROGRAM_VERSION, REMOTE_PROGRAM};
use crate::rpc::procs::{Class, Proc};
use crate::rpc::xdr::{self, List};
use driver_api::error::{Code, Error, Origin, Result};

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The service answers it.
    Serve(&'static Proc),
    /// The service decides whether the connection is opened; with these flags.
    Open(&'static Proc, u32),
    /// Here is the answer.
    Answer(Vec<u8>),
    /// Here is the answer, and the client answers pings from now on.
    KeepAlive(Vec<u8>),
    /// Here is the answer, and then the connection ends.
    Close(Vec<u8>),
}

/// Judges a call.
///
/// # Errors
/// What the client is told instead of an answer.
pub(super) fn judge(client: &Client, header: &Header, payload: &[u8]) -> Result<Verdict> {
    let proc = match (header.program, header.version) {
        (REMOTE_PROGRAM, PROGRAM_VERSION) => Proc::callable(header.procedure),
        (OWN_PROGRAM, PROGRAM_VERSION) => Proc::own(header.procedure),
        (program, version) => {
            return Err(rpc_error(format!("cannot find program {program:#x} version {version}")));
        }
    };
    // Clients recognise these two words and take the way that they have for old servers.
    let proc = proc.ok_or_else(|| rpc_error(format!("unknown procedure: {}", header.procedure)))?;
    if let Some(verdict) = before_open(client, proc, payload)? {
        return Ok(verdict);
    }
    if !client.opened() {
        return Err(Error::new(
            Code::INVALID_CONN,
            Origin::RPC,
            format!(
                "the connection is not open: {} is allowed only after CONNECT_OPEN",
                proc.name
            ),
        ));
    }
    if client.read_only() && proc.class != Class::Read {
        return Err(Error::new(
            Code::OPERATION_DENIED,
            Origin::RPC,
            format!("{} is not allowed on a read-only connection", proc.function()),
        ));
    }
    after_open(proc)
}

fn before_open(client: &Client, proc: &'static Proc, payload: &[u8]) -> Result<Option<Verdict>> {
    let args_error = |error| undecodable(&proc.function(), error);
    Ok(Some(match proc.number {
        ConnectOpen::NUMBER => {
            let args: ConnectOpen = xdr::decode(payload).map_err(args_error)?;
            if client.opened() {
                return Err(Error::new(
                    Code::OPERATION_INVALID,
                    Origin::RPC,
                    "the connection is open already: make another one for another URI",
                ));
            }
            if args.flags & !OPEN_FLAGS != 0 {
                return Err(Error::new(
                    Code::INVALID_ARG,
                    Origin::RPC,
                    format!("unknown flags {:#x} for CONNECT_OPEN", args.flags),
                ));
            }
            Verdict::Open(proc, args.flags)
        }
        ConnectClose::NUMBER => Verdict::Close(Vec::new()),
        AuthList::NUMBER => answer::<AuthList>(&List(vec![AUTH_NONE]))?,
        // The socket's permissions decided already; whoever asks nevertheless is told that all is done.
        AuthPolkit::NUMBER => answer::<AuthPolkit>(&1)?,
        ConnectSupportsFeature::NUMBER => {
            let args: ConnectSupportsFeature = xdr::decode(payload).map_err(args_error)?;
            match args.feature {
                feature::KEEPALIVE => Verdict::KeepAlive(encode::<ConnectSupportsFeature>(&1)?),
                feature::REMOTE_EVENT_CALLBACK | feature::CLOSE_CALLBACK => answer::<ConnectSupportsFeature>(&1)?,
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    }))
}

fn after_open(proc: &'static Proc) -> Result<Verdict> {
    match proc.number {
        // Nobody but the peer's user can listen on a unix socket.
        ConnectIsSecure::NUMBER => answer::<ConnectIsSecure>(&1),
        // A closing connection tells clients enough; nothing is left to be remembered.
        ConnectRegisterCloseCallback::NUMBER | ConnectUnregisterCloseCallback::NUMBER => {
            Ok(Verdict::Answer(Vec::new()))
        }
        _ => Ok(Verdict::Serve(proc)),
    }
}

fn rpc_error(message: String) -> Error {
    Error::new(Code::RPC, Origin::RPC, message)
}

fn encode<P: Procedure>(result: &P::Ret) -> Result<Vec<u8>> {
    xdr::encode(result).map_err(|error| unencodable(&format!("procedure {}", P::NUMBER), error))
}

fn answer<P: Procedure>(result: &P::Ret) -> Result<Verdict> {
    encode::<P>(result).map(Verdict::Answer)
}
