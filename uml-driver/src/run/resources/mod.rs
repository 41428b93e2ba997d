//! What a guest may have of the machine: memory, processors, limits.

mod limits;
mod memory;
mod processors;
