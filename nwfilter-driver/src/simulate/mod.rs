//! A frame's fate without a kernel: the program of a port asked as the kernel's tables would ask it.
//!
//! ```text
//! describe, pcap, frame   where frames come from: words, captures, parts
//! packet                  what nf_tables can read of a frame
//! tuple, connection       whose connection a packet belongs to
//! question, limit         what a frame alone answers, and how many connections are too many
//! run                     hooks, chains, rules: the fate and why
//! check                   all of it with any bytes
//! ```
//!
//! The kernel stays right: `tests/agreement.rs` sends random frames through both and compares.

pub mod check;
pub mod connection;
pub mod describe;
pub mod frame;
pub mod limit;
pub mod packet;
pub mod pcap;
pub mod question;
pub mod run;
pub mod tuple;

pub use connection::Connections;
pub use run::{Fate, Outcome, Rules, Step, Way, run};
