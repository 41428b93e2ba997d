//! What is in force: the ports, their rules, and the only way in which they change.

pub mod lesson;

pub use lesson::{Learner, Lesson, Mode, Pupil};
