//! A client of the host's own socket: one blocking connection, typed calls, events and console streams.
//!
//! [`target`] decides where to connect, [`connection`] moves frames, [`event`] and [`stream`] are what comes besides
//! replies, [`domain`], [`filter`] and [`node`] are the calls in words.

pub mod connection;
pub mod domain;
pub mod error;
pub mod event;
pub mod filter;
pub mod host;
pub mod inspect;
pub mod node;
pub mod stream;
pub mod target;

pub use connection::Connection;
pub use error::{Error, Result};
pub use target::{Target, Wish};
