//! Folder pools: folders of the host whose files are volumes, with what clients define of them. No driver's affair.
//!
//! Nothing is remembered of a folder: each list and look reads it anew. A folder may be on a file system that does not answer,
//! so every look at one runs on a thread of its own with a deadline (`lane`), and no lock is held meanwhile.

mod definition;
mod folder;
pub mod fuzzing;
mod image;
mod lane;
mod lanes;
mod permissions;
mod pool;
mod record;
mod recovery;
mod size;
mod store;
mod sys;
mod taken;
#[cfg(test)]
mod tests;
mod volume;

pub use definition::Definition;
pub use folder::Figures;
pub use pool::{Build, Pool};
pub use store::Storage;
pub use taken::{Taken, Use};
pub use volume::{Format, Volume};

use driver_api::error::{Code, Error, Origin};

/// libvirt's `VIR_FROM_STORAGE`.
const ORIGIN: Origin = Origin(18);
/// The most pools of a host, and volumes of a pool that are listed: what one list of the protocol carries.
const LIST_MAX: usize = 16_384;
const NO_POOL: Code = Code(49);
const NO_VOLUME: Code = Code(50);
const POOL_BUILT: Code = Code(76);
const VOLUME_EXISTS: Code = Code(90);

/// An error of this room.
pub(crate) fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, ORIGIN, message)
}
