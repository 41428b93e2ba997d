//! What is in force, for people: rules with the lines that they come from, and what they would do.

pub mod place;
pub mod trial;
