//! What is: the phases of a domain, the table of all domains, and what of it is kept on disk.
//!
//! ```text
//!                  start                ready                 suspend
//!   ( Off ) ------------------> Starting ------> Running <------------------> Paused
//!     ^ ^                          |             |  ^  |       resume           |
//!     | |    boot failed, destroy  |             |  |  | panic, on_crash=preserve
//!     | +--------------------------+             |  |  +-----> Crashed <---------+
//!     |                                 rebooted |  | ready      |  |            |
//!     |                                          v  |            |  +-- start    |
//!     |              boot failed, destroy      Restarting        |      (Starting)
//!     +--------------------------------------------+-------------+              |
//!     |                          ended, destroy                   destroy       |
//!     +-------------------------------------------------------------------------+
//! ```
//!
//! Off and Crashed have no guest process and no id; in every other phase there is one or is about to be one. A domain
//! in Starting still shows as shut off, since "running" promises that the guest answers; one in Restarting shows as
//! running and keeps its id.

pub mod atomic;
pub mod define;
pub mod machine;
mod messages;
pub mod metadata;
pub mod record;
pub mod recover;
pub mod remnant;
mod rename;
pub(crate) mod scope;
pub mod status;
pub mod store;
pub mod table;
