//! The nwfilter driver: libvirt-style network filters on any tap or veth port.
//!
//! ```text
//! def/       what the user asked for: XML to definitions and back
//! binding/   the same for a filter on a port, and the files of bindings
//! expand/    a filter with all that it refers to, and its variables
//! compile/   from that to a program
//! ruleset/   what should be in force, as data of our own
//! simulate/  what becomes of a frame, worked out without a kernel
//! nft/       nf_tables over netlink: messages, expressions, batches
//! kernel/    the rule set in nf_tables: layout, difference, one transaction, read back
//! filters    all definitions as one immutable table
//! store      their files
//! engine/    what is in force, and the way of a change
//! learn/     a guest's addresses, from its frames
//! inspect/   what is in force, for people
//! links/     the kernel's network devices
//! folder     one file per name, replaced atomically
//! shipped    filters that come with the driver, and which of them the user was given
//! core       engine and host together, for the driver's threads too
//! guardian   hears when somebody else changes our tables
//! options    what lockstep.toml says to the driver
//! compat     which filters are taken as libvirt takes them
//! driver     the entry points, their locks and their order
//! ```

pub mod binding;
pub mod compile;
pub mod def;
pub mod engine;
pub mod expand;
pub mod filters;
pub mod folder;
pub mod inspect;
pub mod kernel;
pub mod learn;
pub mod links;
pub mod nft;
pub mod ruleset;
pub mod simulate;
pub mod store;

mod compat;
mod core;
mod driver;
mod guardian;
mod options;
mod shipped;

pub use driver::Nwfilter;

driver_api::export_driver!(Nwfilter: FilterDriver + BindingDriver + Inspect);
