//! Everything frozen: what crosses the boundary between the host and a driver, in tables of C functions.
//!
//! A released table is never touched, not even at its end: a change is a new table with the next number
//! (`virt.lifecycle/2`), offered beside the old one. `layouts/` holds the layout of every table at each release and a test
//! compares them.

pub mod console;
pub mod core;
pub mod descriptors;
pub mod device;
pub mod domain;
pub mod event;
pub mod filter;
pub mod guest;
pub mod host;
pub mod inspect;
pub mod interface;
pub mod launch;
pub mod layout;
pub mod lock;
pub mod log;
pub mod manifest;
pub mod metadata;
pub mod node;
pub mod notice;
pub mod nwfilter;
pub mod param;
pub mod plain;
pub mod plug;
pub mod ports;
pub(crate) mod record;
pub mod root;
pub mod spawn;
pub mod value;
pub mod virt;

#[cfg(test)]
mod tests;
