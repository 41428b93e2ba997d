//! Doing it: starting, watching and ending guests.

pub mod ending;
