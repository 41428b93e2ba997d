//! `Client`: one connection as services see it: who it is, what it may do, and how to send it events.

use super::outbox::Outbox;
use crate::rpc::frame;
use crate::rpc::header::Header;
use std::sync::atomic::{AtomicBool, Ordering};

/// The process at the other end when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Process id, as far as the kernel tells one.
    pub pid: Option<i32>,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    id: u64,
    peer: Peer,
    read_only: AtomicBool,
    opened: AtomicBool,
    pub(super) outbox: Outbox,
}

impl Client {
    pub(super) fn new(id: u64, peer: Peer, read_only: bool, outbox: Outbox) -> Self {
        Self {
            id,
            peer,
            read_only: AtomicBool::new(read_only),
            opened: AtomicBool::new(false),
            outbox,
        }
    }

    /// A number that no other connection of this server ever has.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Who connected.
    #[must_use]
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// Whether it may only look. The server refuses writes by itself; a read that reveals secrets is the service's.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// Whether `CONNECT_OPEN` succeeded.
    #[must_use]
    pub fn opened(&self) -> bool {
        self.opened.load(Ordering::Acquire)
    }

    pub(super) fn set_opened(&self, read_only: bool) {
        if read_only {
            self.read_only.store(true, Ordering::Release);
        }
        self.opened.store(true, Ordering::Release);
    }

    /// Queues an event message; never blocks and may be called under locks. A client that does not read its events is
    /// dropped when the queue is full.
    pub fn send_event(&self, procedure: u32, body: &[u8]) {
        match frame::encode(&Header::event(procedure), body) {
            Ok(bytes) => self.outbox.push_bounded(bytes),
            Err(error) => tracing::warn!(client = self.id, proc = procedure, %error, "event not sent"),
        }
    }
}
