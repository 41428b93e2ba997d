//! The Lockstep host: plug-in loader, lock manager, wire protocol, guest supervisor and command line, one room each.

pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub mod dispatch;
pub mod event;
pub mod inhibit;
pub mod lock;
pub mod logging;
pub mod node;
pub mod paths;
pub mod plugin;
pub mod rpc;
pub mod server;
pub mod storage;
pub mod supervisor;
