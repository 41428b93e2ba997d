//! What the interfaces promise that a virt driver may offer beside `virt.lifecycle/1`.

pub(crate) mod console;
pub(crate) mod control;
pub(crate) mod devices;
pub(crate) mod metadata;
pub(crate) mod resources;
pub(crate) mod stats;
