//! `Signals`: the signals that end a verb, as bytes on a descriptor that a wait can watch.
//!
//! The first one that comes is a wish that the verb may fulfil in order; nothing is done inside a signal handler.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

/// The watched signals.
#[derive(Debug)]
pub struct Signals {
    pipe: UnixStream,
}

impl Signals {
    /// Watches SIGINT, SIGTERM and SIGHUP from now until the process ends.
    ///
    /// # Errors
    /// No thread, no handler or no descriptor is to be had.
    pub fn watch() -> io::Result<Self> {
        let (pipe, writer) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (interrupt, terminate, hangup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        // The handlers stand before this returns, so no signal is missed while the thread comes up.
        let watch = move || runtime.block_on(forward([(interrupt, 2), (terminate, 15), (hangup, 1)], writer));
        std::thread::Builder::new().name("signals".to_owned()).spawn(watch)?;
        Ok(Self { pipe })
    }

    /// What becomes readable with the first signal.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// The number of the oldest signal that was not taken yet.
    pub fn take(&self) -> Option<u8> {
        let mut number = [0];
        matches!((&self.pipe).read(&mut number), Ok(1)).then_some(number[0])
    }
}

async fn forward(signals: [(tokio::signal::unix::Signal, u8); 3], mut to: UnixStream) {
    let [(mut first, a), (mut second, b), (mut third, c)] = signals;
    loop {
        let number = tokio::select! {
            _ = first.recv() => a,
            _ = second.recv() => b,
            _ = third.recv() => c,
        };
        // Fails once nobody watches any more.
        if to.write_all(&[number]).is_err() {
            return;
        }
    }
}
