//! Everything frozen: what crosses the boundary between the host and a driver, in tables of C functions.
//!
//! A released table is never touched, not even at its end: a change is a new table with the next number
//! (`virt.lifecycle/2`), offered beside the old one. `layouts.golden` holds the layout of every released table and a
//! test compares them.

pub mod host;
pub mod lock;
pub mod value;
