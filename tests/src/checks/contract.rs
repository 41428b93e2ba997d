//! What `virt.lifecycle/1` promises, method by method.

pub(crate) mod create;
pub(crate) mod define;
pub(crate) mod document;
pub(crate) mod events;
pub(crate) mod lookup;
pub(crate) mod marks;
pub(crate) mod pause;
pub(crate) mod refusal;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod undefine;
