//! `Service`: what the server asks of whoever answers calls, and what a call and an answer are.

use super::client::Client;
use super::stream::StreamEnd;
use crate::rpc::codec::Procedure;
use crate::rpc::error::{undecodable, unencodable};
use crate::rpc::procs::Proc;
use crate::rpc::xdr;
use driver_api::error::Result;
use std::sync::Arc;

/// Answers calls.
///
/// The server has dealt with everything that needs no driver before it asks: the order of opening, read-only
/// connections, authentication, keepalive, closing.
pub trait Service: Send + Sync + 'static {
    /// Answers one call. Runs on a worker thread and may block; calls of one client run several at once, except that
    /// `CONNECT_OPEN` runs alone. When it answers `CONNECT_OPEN` with success, the client is open.
    ///
    /// # Errors
    /// Sent to the client as they are. For what is not served use [`Proc::not_supported`].
    fn call(&self, call: &Call<'_>) -> Result<Answer>;

    /// The client is gone: no call of it runs or will run. Must not block.
    fn closed(&self, client: &Arc<Client>);
}

/// One call of one client.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who calls.
    pub client: &'a Arc<Client>,
    /// What is called.
    pub proc: &'static Proc,
    /// The client's number for this call.
    pub serial: u32,
    /// The arguments as they came; see [`Self::args`].
    pub payload: &'a [u8],
}

impl Call<'_> {
    /// The decoded arguments.
    ///
    /// # Errors
    /// 39 when they do not decode; the connection stays.
    pub fn args<P: Procedure>(&self) -> Result<P> {
        xdr::decode(self.payload).map_err(|error| undecodable(&self.proc.function(), error))
    }
}

/// A successful answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// The encoded result.
    pub body: Vec<u8>,
    /// The far end of the stream that this call opens.
    pub stream: Option<StreamEnd>,
}

impl Answer {
    /// The result of procedure `P`.
    ///
    /// # Errors
    /// 39 when the result exceeds a bound of the protocol.
    pub fn new<P: Procedure>(result: &P::Ret) -> Result<Self> {
        let body = xdr::encode(result).map_err(|error| unencodable(&format!("procedure {}", P::NUMBER), error))?;
        Ok(Self { body, stream: None })
    }

    /// An answer without a result.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// An answer without a result that opens a stream.
    #[must_use]
    pub const fn stream(end: StreamEnd) -> Self {
        Self {
            body: Vec::new(),
            stream: Some(end),
        }
    }
}
