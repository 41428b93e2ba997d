//! Doing it: starting, watching and ending guests.

pub mod ask;
pub mod cow;
pub mod ending;
pub mod mailbox;
pub mod ports;
mod prepare;
pub mod start;
pub mod stop;
pub mod watch;
