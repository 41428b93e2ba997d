//! The UML driver: User-Mode Linux guests as Lockstep domains.

pub mod def;
pub mod mconsole;
pub mod plan;
pub mod run;
pub mod state;
mod sys;
