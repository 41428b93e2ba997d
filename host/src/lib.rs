//! The Lockstep host: plug-in loader, lock manager, wire protocol, guest supervisor and command line, one room each.

pub mod config;
pub mod lock;
pub mod paths;
pub mod rpc;
pub mod server;
