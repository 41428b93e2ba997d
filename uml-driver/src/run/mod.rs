//! Doing it: starting, watching and ending guests.

pub mod ask;
mod booted;
pub mod chain;
pub mod cow;
pub mod ending;
mod images;
pub mod mailbox;
mod overlay;
mod owner;
mod peek;
mod plug;
pub mod ports;
mod prepare;
mod programs;
mod reset;
mod resources;
mod session;
pub mod start;
pub mod stop;
pub mod watch;
