//! The stable interface between the Lockstep host and its drivers.
//!
//! Two halves: [`abi`] is frozen and crosses the boundary; everything else is compiled into each driver (and into the
//! host) and may change from release to release.

pub mod abi;
pub mod driver;
pub mod error;
pub mod host;
pub mod kit;
pub mod lock;
pub mod types;
