//! The socket server: listeners, clients, workers, streams and keepalive, around one [`Service`].
//!
//! Sockets and timers live on tokio; calls run on threads of their own, because drivers block and guards belong to
//! threads. A client's frames go reader -> gate -> workers -> outbox -> writer.

pub mod client;
mod connection;
mod gate;
mod keepalive;
pub mod limits;
pub mod listen;
pub mod notify;
mod outbox;
mod pump;
pub mod service;
mod source;
pub mod stream;
mod streams;
mod sys;
mod wire;
mod workers;

pub use client::{Client, Peer};
pub use limits::Limits;
pub use listen::{Access, Listener};
pub use service::{Answer, Call, Service};
pub use stream::{StreamAbort, StreamEnd};

use connection::{Connection, Shared, permits};
use outbox::Outbox;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use workers::Workers;

/// How long to wait before accepting again after the kernel refused (out of descriptors or memory).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The server: listeners and what they share.
pub struct Server {
    shared: Arc<Shared>,
    stop: watch::Sender<Option<Duration>>,
    clients: Arc<Semaphore>,
    next_id: Arc<AtomicU64>,
    listeners: Vec<Listener>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server for `service` that listens nowhere yet; starts the worker threads.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn new(service: Arc<dyn Service>, limits: Limits) -> io::Result<Self> {
        let workers = Workers::start(limits.workers, limits.read_workers, limits.rescue_workers)?;
        let (stop, stopped) = watch::channel(None);
        Ok(Self {
            clients: Arc::new(Semaphore::new(permits(limits.clients))),
            shared: Arc::new(Shared {
                service,
                workers,
                limits,
                stop: stopped,
            }),
            stop,
            next_id: Arc::default(),
            listeners: Vec::new(),
        })
    }

    /// Also serves the clients of `listener`.
    pub fn add(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    /// Serves until `stop` resolves; then accepts and reads no more, lets running calls end and be answered for up to
    /// `drain`, closes every connection and removes the sockets. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// A listener can not be used.
    pub async fn run(self, stop: impl Future<Output = ()>, drain: Duration) -> io::Result<()> {
        let mut accepting = Vec::new();
        let mut files = Vec::new();
        for listener in &self.listeners {
            let io = listener.io.try_clone()?;
            io.set_nonblocking(true)?;
            files.push((UnixListener::from_std(io)?, listener.read_only));
        }
        for (io, read_only) in files {
            let door = Door {
                shared: Arc::clone(&self.shared),
                clients: Arc::clone(&self.clients),
                unopened: Arc::new(Semaphore::new(permits(self.shared.limits.unopened))),
                next_id: Arc::clone(&self.next_id),
                read_only,
            };
            accepting.push(tokio::spawn(door.accept(io)));
        }
        stop.await;
        for task in &accepting {
            task.abort();
        }
        // Refuses new clients at once, instead of leaving them in a backlog that nobody empties.
        drop(self.listeners);
        self.stop.send_replace(Some(drain));
        let everyone = self.clients.acquire_many(self.shared.limits.clients);
        if tokio::time::timeout(drain + ACCEPT_AGAIN, everyone).await.is_err() {
            tracing::warn!("stopping although calls still run");
        }
        self.shared.workers.stop();
        Ok(())
    }
}

/// One listener's way in.
struct Door {
    shared: Arc<Shared>,
    clients: Arc<Semaphore>,
    unopened: Arc<Semaphore>,
    next_id: Arc<AtomicU64>,
    read_only: bool,
}

impl Door {
    async fn accept(self, listener: UnixListener) {
        loop {
            // Without room nothing is accepted: whoever comes waits in the backlog.
            let (Ok(place), Ok(unopened)) = (
                Arc::clone(&self.clients).acquire_owned().await,
                Arc::clone(&self.unopened).acquire_owned().await,
            ) else {
                return;
            };
            match listener.accept().await {
                Ok((socket, _)) => self.admit(socket, place, unopened),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn admit(&self, socket: UnixStream, place: OwnedSemaphorePermit, unopened: OwnedSemaphorePermit) {
        let peer = match socket.peer_cred() {
            Ok(cred) => Peer {
                pid: cred.pid(),
                uid: cred.uid(),
                gid: cred.gid(),
            },
            Err(error) => return tracing::warn!(%error, "client dropped: the kernel does not tell who it is"),
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(
            client = id,
            pid = peer.pid,
            uid = peer.uid,
            read_only = self.read_only,
            "client came"
        );
        let outbox = Outbox::new(self.shared.limits.event_bytes_per_client);
        let client = Arc::new(Client::new(id, peer, self.read_only, outbox));
        let connection = Connection::new(client, Arc::clone(&self.shared), unopened);
        tokio::spawn(async move {
            connection.serve(socket).await;
            drop(place);
        });
    }
}
