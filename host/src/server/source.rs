//! `Source`: the reading half of a client's socket, read until the kernel says that it is empty.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::unix::OwnedReadHalf;

/// The reading half of a client's socket.
///
/// tokio's own takes a short read for an empty socket and then waits for the next edge. But the kernel also cuts reads
/// where descriptors travel with the bytes, so that what follows them would wait for ever.
#[derive(Debug)]
pub(super) struct Source(pub(super) OwnedReadHalf);

impl AsyncRead for Source {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.0.as_ref();
        loop {
            ready!(socket.poll_read_ready(cx))?;
            let read = || rustix::io::read(socket, buf.initialize_unfilled()).map_err(io::Error::from);
            match socket.try_io(Interest::READABLE, read) {
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
