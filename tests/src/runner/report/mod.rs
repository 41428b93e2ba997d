//! Reports of a run, for people and for programs.

pub mod human;
