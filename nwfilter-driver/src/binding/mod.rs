//! A filter bound to a port: read from XML, checked, printed back as libvirt prints it, and kept.
//!
//! ```text
//! XML -> parse -> BindingDef -> format -> XML
//!        validate also checks what virt drivers ask for
//! store  the files of bindings, gone after a reboot of the machine like the ports themselves
//! ```

pub mod def;
pub mod format;
pub mod parse;
pub mod store;
pub mod validate;

pub use def::{BindingDef, Maker, Owner};
