//! The machine that the host runs on: its facts, as `/proc` and `/sys` tell them, and the few of them that can be changed.
//!
//! The host answers for the machine by itself, whatever drivers there are. Each noun is one file: pure functions that
//! understand the kernel's texts, and methods of [`Machine`] that bring them.

pub mod cache;
pub mod cell;
pub mod cpu;
pub mod format;
pub mod ksm;
pub mod list;
mod machine;
pub mod memory;
pub mod pages;
pub mod power;
pub mod smbios;
pub mod suspend;

#[cfg(test)]
mod testing;

pub use machine::Machine;
