//! Domains.

mod boot;
mod change;
mod control;
mod def;
mod define;
mod devices;
mod edit;
mod limits;
mod metadata;
mod model;
mod ports;
mod recover;
mod resources;
mod starts;
mod stats;
mod stop;
mod store;
mod table;
mod verbs;

pub(crate) use starts::Starts;
pub(crate) use store::Store;
pub(crate) use table::Domains;
