//! Plain values that drivers and the host exchange; they hold no locks and do no I/O.

pub mod device;
pub mod domain;
pub mod filter;
pub mod guest;
pub mod inspect;
pub mod launch;
pub mod metadata;
pub mod node;
pub mod notice;
pub mod param;
pub mod uuid;
