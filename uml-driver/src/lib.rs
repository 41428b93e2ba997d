//! The UML driver: User-Mode Linux guests as Lockstep domains.

pub mod mconsole;
mod sys;
