//! `Limits`: how much the server takes on.

use std::time::Duration;

/// How much the server takes on; the defaults are the peer's where it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait in the sockets' backlogs.
    pub clients: u32,
    /// Connections of one listener that have not been opened yet; more wait in its backlog.
    pub unopened: u32,
    /// How long a connection may stay unopened.
    pub open_within: Duration,
    /// Calls of one client that run at once or wait to be answered.
    pub calls_per_client: u32,
    /// Bytes of calls of one client that are held at once; never less than the largest frame.
    pub bytes_per_client: u32,
    /// Bytes of events that may wait for a client before it is dropped.
    pub event_bytes_per_client: usize,
    /// Threads that run any call.
    pub workers: u32,
    /// Threads that run nothing but reads, so that stuck changes can not delay them.
    pub read_workers: u32,
    /// Threads that run nothing but rescues (destroy), for when changes are stuck.
    pub rescue_workers: u32,
    /// How long a client that knows keepalive may be silent before it is asked; zero never asks.
    pub keepalive_interval: Duration,
    /// How many questions in a row may stay unanswered.
    pub keepalive_count: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 5000,
            unopened: 20,
            open_within: Duration::from_secs(30),
            calls_per_client: 5,
            bytes_per_client: 64 << 20,
            event_bytes_per_client: 4 << 20,
            workers: 20,
            read_workers: 5,
            rescue_workers: 2,
            keepalive_interval: Duration::from_secs(5),
            keepalive_count: 5,
        }
    }
}
