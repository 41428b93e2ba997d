//! The nwfilter driver: libvirt-style network filters on any tap or veth port.
//!
//! ```text
//! def/       what the user asked for: XML to definitions and back
//! ruleset/   what should be in force, as data of our own
//! filters    all definitions as one immutable table
//! store      their files
//! binding    filters on ports
//! driver     the entry points, their locks and their order
//! ```

pub mod def;
pub mod filters;
pub mod ruleset;
pub mod store;

mod binding;
mod driver;

pub use driver::Nwfilter;

driver_api::export_driver!(Nwfilter: FilterDriver + BindingDriver);
