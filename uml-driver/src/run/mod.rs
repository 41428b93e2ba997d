//! Doing it: starting, watching and ending guests.

pub mod ask;
pub mod chain;
pub mod cow;
pub mod ending;
mod images;
pub mod mailbox;
mod overlay;
mod owner;
pub mod ports;
mod prepare;
mod programs;
pub mod start;
pub mod stop;
pub mod watch;
