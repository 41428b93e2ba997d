//! nf_tables by netlink: objects and expressions in both directions, and transactions.
//!
//! ```text
//! wire        attributes: written, read, never trusted
//! expression  what rules are made of
//! object      tables, chains, rules, sets and elements
//! batch       objects in the order of one transaction
//! socket      the way into the kernel and back
//! ip_set      numbers of IP sets
//! sys         socket options
//! ```
//!
//! Nothing here knows filters or ports. Names and values from outside are only ever the contents of attributes, which
//! have a length: no text is made that something else would parse.

pub mod batch;
pub mod expression;
pub mod ip_set;
pub mod object;
pub mod socket;
pub mod wire;

pub(crate) mod sys;

pub use batch::{Batch, Refusal};
pub use expression::{Comparison, Expression, Register, Verdict};
pub use object::{BaseChain, Chain, Count, Element, Family, Rule, Set, Table};
pub use socket::Socket;

#[cfg(test)]
mod tests;
