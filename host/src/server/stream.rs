//! Streams: the far end that a service hands over, and the pump between it and a client.

use driver_api::error::Error;
use std::os::unix::net::UnixStream;
use tokio::sync::oneshot;

/// The far end of a stream: a connected socket, such as a guest's console.
#[derive(Debug)]
pub struct StreamEnd {
    pub(super) io: UnixStream,
    pub(super) abort: oneshot::Receiver<Error>,
}

/// Ends a stream from the service's side. Dropping it lets the stream live on.
#[derive(Debug)]
pub struct StreamAbort(oneshot::Sender<Error>);

impl StreamEnd {
    /// A stream whose far end is `io`, and the means to abort it.
    #[must_use]
    pub fn new(io: UnixStream) -> (Self, StreamAbort) {
        let (sender, abort) = oneshot::channel();
        (Self { io, abort }, StreamAbort(sender))
    }
}

impl StreamAbort {
    /// Ends the stream with an error that its client sees; without effect when it is over.
    pub fn abort(self, reason: Error) {
        drop(self.0.send(reason));
    }

    /// Whether the stream is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.is_closed()
    }
}
