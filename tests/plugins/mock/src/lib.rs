//! `mock`: a driver whose guests and filters live in memory, and which is correct: the one to read beside the book.
//!
//! ```text
//! core       what every verb works on; birth and death
//! file       files that are the old one or the new one
//! fault      errors in words with libvirt's codes
//!
//! domain/    def        a document: read, checked, printed
//!            edit       a document with one thing changed
//!            model      one domain as a value; what may follow what
//!            table      all domains as everybody sees them
//!            store      their files: definitions, and what ran
//!            verbs      the entry points: flags, then one call each
//!            define     changing what is defined
//!            boot       starting a guest
//!            stop       ending one, and what it does while it runs
//!            starts     who waits for a start that is under way
//!            ports      its filtered ports
//!            devices resources metadata stats control    one interface each
//!
//! filter/    def        a filter or binding document
//!            table      all filters and bindings as everybody sees them
//!            define     filters, and the ports that are rebuilt with them
//!            bind       filters on ports
//!            inspect    what is in force, and what it does with a packet
//!            packet     a packet in words
//! ```
//!
//! How the rules of the book look here:
//!
//! * **Reads take no lock.** `table` keeps values that never change behind a leaf: a mutex that is held for a look or an
//!   exchange and never while the host is called.
//! * **Locks are taken through the token**, in the order Filter, Update, Virt, Domain, and go with their guard's scope.
//! * **Persist, then publish, then tell.** The last step that can fail is the one that writes the file.
//! * **What fails changes nothing.** Whatever was done before the failing step is undone there.
//! * **Long work is a job.** While ports are attached no Domain lock is held; the job keeps others from beginning one.

mod core;
mod domain;
mod fault;
mod file;
mod filter;

pub use crate::core::Mock;

#[cfg(not(feature = "mutants"))]
driver_api::export_driver!(
    Mock: VirtDriver + Console + Metadata + Devices + Resources + Stats + Control + FilterDriver + BindingDriver + Inspect
);

/// The same driver broken on purpose, for the gate of the conformance suite.
#[cfg(feature = "mutants")]
#[path = "../../mutants/src/mod.rs"]
mod mutants;
