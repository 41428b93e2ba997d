//! Reports of a run, for people and for programs.

pub mod human;
pub mod json;
pub mod junit;
pub mod tap;
