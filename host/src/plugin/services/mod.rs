//! The host's services for plug-ins: each a trait of the driver interface over one of the host's rooms.

mod event;
mod launch;
mod lock;
pub(super) mod log;
mod ports;
mod rate;
mod spawn;
