//! Frames from and to a tokio socket.

use super::client::Client;
use super::source::Source;
use crate::rpc::frame::{FDS_MAX, Frame, LENGTH_LEN, body_len};
use crate::rpc::header::Kind;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A frame that a client sent.
pub(super) type Incoming = Frame;

/// Memory for this much is taken when a frame is announced; more only when the bytes come.
const TRUSTED: usize = 65_536;

/// Reads one frame once `budget` has room for it; `None` when the client hung up before its first byte.
///
/// Descriptors that follow a frame are read as plain bytes: without a place for them the kernel closes them itself, so
/// they never enter this process.
pub(super) async fn read(
    socket: &mut BufReader<Source>,
    budget: &Arc<Semaphore>,
) -> io::Result<Option<(Incoming, OwnedSemaphorePermit)>> {
    let mut word = [0; LENGTH_LEN];
    if socket.read(&mut word[..1]).await? == 0 {
        return Ok(None);
    }
    socket.read_exact(&mut word[1..]).await?;
    let len = body_len(word)?;
    let units = u32::try_from(len).map_err(io::Error::other)?;
    let permit = Arc::clone(budget)
        .acquire_many_owned(units)
        .await
        .map_err(io::Error::other)?;
    let mut body = Vec::with_capacity(len.min(TRUSTED));
    let got = (&mut *socket).take(u64::from(units)).read_to_end(&mut body).await?;
    if got < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut frame = Frame::from_body(body)?;
    if matches!(frame.header.kind, Kind::CallWithFds | Kind::ReplyWithFds) {
        skip_descriptors(socket, &mut frame).await?;
    }
    Ok(Some((frame, permit)))
}

async fn skip_descriptors(socket: &mut BufReader<Source>, frame: &mut Frame) -> io::Result<()> {
    let count = frame.payload.first_chunk().map(|count| u32::from_be_bytes(*count));
    let Some(count) = count.filter(|count| *count <= FDS_MAX) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame may be followed by at most {FDS_MAX} descriptors"),
        ));
    };
    frame.payload.drain(..4);
    for _ in 0..count {
        socket.read_u8().await?;
    }
    Ok(())
}

/// Writes what comes to the client's outbox until there will be no more, then shuts the socket down.
pub(super) async fn write_all(client: Arc<Client>, mut socket: OwnedWriteHalf) {
    while let Some((bytes, hold)) = client.outbox.next().await {
        if socket.write_all(&bytes).await.is_err() {
            // The reader sees the same end of the connection and tells the reason.
            client.outbox.close();
            return;
        }
        drop(hold);
    }
    drop(socket.shutdown().await);
}
