//! Tokens and guards: a driver names a lock only by walking down from a token that the host gave it.

pub mod guard;
pub mod level;
pub mod token;
