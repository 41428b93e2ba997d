//! The pump between a client's stream and its far end: one unsent frame down at most, bounded input up.

use super::client::Client;
use super::stream::StreamEnd;
use super::streams::{INPUT_MAX, Outlet, Packet, Streams};
use crate::rpc::error::RemoteError;
use crate::rpc::frame;
use crate::rpc::header::{Header, Kind, Status};
use crate::rpc::xdr;
use driver_api::error::{Code, Error, Origin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Bytes read from a far end at once; below the protocol's limit, which is meant for files.
const CHUNK: usize = 65_536;
const _: () = assert!(CHUNK <= frame::STREAM_CHUNK_MAX);

/// How long a client that finishes waits for its last input to be taken.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// How a stream ended.
enum End {
    /// The client finished or aborted it, and is told that this worked.
    Finished,
    /// It failed, and the client is told why.
    Failed(Error),
    /// The client is gone.
    Gone,
}

/// Runs the stream that `call` opened until it ends, and tells the client.
pub(super) async fn run(client: Arc<Client>, streams: Arc<Streams>, call: Header, mut outlet: Outlet, end: StreamEnd) {
    let over = pump(&client, call, &mut outlet, end).await;
    streams.remove(call.serial);
    match over {
        Ok(End::Finished) => drop(send(&client, call, Status::Ok, &[])),
        Ok(End::Failed(error)) => fail(&client, call, &error),
        Ok(End::Gone) => (),
        Err(error) => fail(
            &client,
            call,
            &Error::new(Code::SYSTEM_ERROR, Origin::STREAMS, "the far end of the stream failed").because(error),
        ),
    }
}

fn fail(client: &Client, call: Header, error: &Error) {
    let body = xdr::encode(&RemoteError::from(error)).unwrap_or_default();
    drop(send(client, call, Status::Error, &body));
}

/// Queues a stream packet; the receiver resolves (with an error) once it is written.
fn send(client: &Client, call: Header, status: Status, payload: &[u8]) -> oneshot::Receiver<()> {
    let (written, wait) = oneshot::channel();
    // A chunk is far below the limit of a frame, so this can not fail.
    if let Ok(bytes) = frame::encode(&call.answer(Kind::Stream, status), payload) {
        client.outbox.push(bytes, Box::new(written));
    }
    wait
}

async fn pump(client: &Client, call: Header, outlet: &mut Outlet, end: StreamEnd) -> std::io::Result<End> {
    end.io.set_nonblocking(true)?;
    let mut io = UnixStream::from_std(end.io)?;
    let (mut read, mut write) = io.split();
    let mut abort = Some(end.abort);
    let mut chunk = vec![0; CHUNK];
    let mut unsent = None;
    let mut at_end = false;
    let mut input = Vec::new();
    let mut finish = None;
    loop {
        if finish.is_some() && input.is_empty() {
            return Ok(End::Finished);
        }
        tokio::select! {
            () = resolved(&mut unsent), if unsent.is_some() => unsent = None,
            count = read.read(&mut chunk), if unsent.is_none() && !at_end && finish.is_none() => {
                // Whoever resets or closes the far end ends the stream; an empty packet says so.
                let count = count.unwrap_or(0);
                at_end = count == 0;
                unsent = Some(send(client, call, Status::Continue, &chunk[..count]));
            }
            count = write.write(&input), if !input.is_empty() => {
                // A far end that takes nothing any more is at its end; that is told by reading.
                let count = count.unwrap_or(input.len());
                input.drain(..count);
                outlet.taken(count);
            }
            reason = resolved_reason(&mut abort), if abort.is_some() => {
                abort = None;
                if let Some(reason) = reason {
                    return Ok(End::Failed(reason));
                }
            }
            () = expired(finish), if finish.is_some() => {
                return Ok(End::Failed(not_taken(input.len())));
            }
            packet = outlet.next(), if finish.is_none() => match packet {
                None => return Ok(End::Gone),
                Some(Packet::Data(data)) => input.extend_from_slice(&data),
                Some(Packet::Finish) => finish = Some(Instant::now() + FINISH_WITHIN),
                Some(Packet::Abort) => return Ok(End::Finished),
                Some(Packet::Overflow) => return Ok(End::Failed(not_taken(INPUT_MAX))),
                Some(Packet::Unexpected) => {
                    return Ok(End::Failed(Error::new(
                        Code::RPC,
                        Origin::STREAMS,
                        "this stream is not sparse: holes are not allowed in it",
                    )));
                }
            },
        }
    }
}

fn not_taken(bytes: usize) -> Error {
    Error::new(
        Code::OPERATION_TIMEOUT,
        Origin::STREAMS,
        format!("the guest does not read its console: {bytes} bytes of input were not taken"),
    )
}

async fn resolved(unsent: &mut Option<oneshot::Receiver<()>>) {
    if let Some(unsent) = unsent {
        drop(unsent.await);
    }
}

async fn resolved_reason(abort: &mut Option<oneshot::Receiver<Error>>) -> Option<Error> {
    match abort {
        Some(abort) => abort.await.ok(),
        None => None,
    }
}

async fn expired(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline).await;
    }
}
