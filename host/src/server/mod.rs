//! The socket server: listeners, clients, workers, streams and keepalive, around one [`Service`].

pub mod client;
mod outbox;
pub mod service;
pub mod stream;

pub use client::{Client, Peer};
pub use service::{Answer, Call, Service};
pub use stream::{StreamAbort, StreamEnd};
