//! What is in force, for people: rules with the lines that they come from, what they count, and what they would do.

pub mod count;
pub mod facts;
pub mod note;
pub mod place;
pub mod traces;
pub mod trial;
pub mod view;
