//! The lock manager: every lock that a plug-in can hold lives here, in one order, checked again at run time.
//!
//! ```text
//!  dispatch            plug-in threads        `lockstep locks`, watchdog
//!     | begin_call        | session_open          |
//!     v end_call          v adopt                 v status
//!  +-----------------------------------------------------------+
//!  | Manager: one mutex, one condition variable for each wait, |
//!  | the clock; performs what the table wants done             |
//!  |   +---------------------------------------------------+   |
//!  |   | Table: pure steps; calls -> holds -> locks        |   |
//!  |   |   Frame (call) owns Holds, Lock queues Tickets,   |   |
//!  |   |   Jobs, Loans, Plugins (strikes), Mint (numbers)  |   |
//!  |   +---------------------------------------------------+   |
//!  +-----------------------------------------------------------+
//!     ^ acquire, lookup, release, downgrade, lend, job_*: the service table `lock/1`, one function each
//! ```
//!
//! Who may call: dispatch begins and ends calls; the service table of a plug-in passes the plug-in's number, which the
//! host knows, and the call's, which is checked. A refusal is an error at once; only a request that the order allows
//! ever waits, and every wait has a deadline.
//!
//! The table is locked for one step at a time (about a microsecond), never while something is waited for, logged or
//! called. Readers of published snapshots do not come here at all.
//!
//! Everything is generic over [`shim::Shim`], so `tests/lock_loom.rs` and `tests/lock_shuttle.rs` check this very code.

pub mod call;
pub mod error;
pub mod handle;
pub mod held;
pub mod job;
pub mod limits;
pub mod loan;
pub mod manager;
pub mod queue;
pub mod rank;
pub mod shim;
pub mod status;
pub mod strike;
pub mod table;
pub mod watch;

pub use call::{CallSpec, Entry};
pub use error::LockError;
pub use limits::Limits;
pub use manager::{Caller, Locks, Manager};
pub use rank::{Key, Mode};
pub use watch::Watchdog;

#[cfg(test)]
mod tests;
