//! Plug-ins: found, checked, loaded, called and, when they misbehave, set aside with a reason.
//!
//! ```text
//!  folders -> search -> trust -> load -> manifest -> layout -> Plugin (in the registry, ready or quarantined)
//!                                                                 ^ call frame, span      | services of its desk
//!                                                              dispatch                   v
//!                                                              locks, events, guests, log, filter driver
//! ```
//!
//! A plug-in's library is never unmapped. Nothing that one plug-in does, short of a signal, ends the host or keeps
//! another one from working.

mod candidate;
mod desk;
mod elf;
mod layout;
mod load;
mod manifest;
mod refusal;
mod registry;
mod search;
mod services;
mod status;
mod trust;

pub mod entry;

pub use candidate::Candidate;
pub use desk::{GuestRoom, SERVICES};
pub use entry::{Context, Plugin};
pub use refusal::Refusal;
pub use registry::{Inbox, Plugins, Rooms};
pub use search::{folders, without_plugins};
pub use status::PluginStatus;
