//! Plain values that drivers and the host exchange; they hold no locks and do no I/O.

pub mod domain;
pub mod filter;
pub mod guest;
pub mod inspect;
pub mod metadata;
pub mod node;
pub mod uuid;
