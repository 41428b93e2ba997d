//! Filters and bindings.

mod bind;
mod binding;
mod def;
mod define;
mod inspect;
mod packet;
mod store;
mod table;

pub(crate) use store::FilterStore;
pub(crate) use table::Filters;
