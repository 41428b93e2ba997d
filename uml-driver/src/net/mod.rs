//! Guests' taps in the host's network: made, set up and attached by netlink and ioctl, with no other program.
//!
//! A tap lives as long as somebody holds its descriptor. That is its guest, so it outlives the host and goes with the
//! guest, whoever ends that.

mod link;
mod message;
mod names;
mod neighbour;
mod shape;
mod tap;

pub use link::Kernel;
pub use message::{Counters, Traffic};
pub(crate) use names::Names;
pub use neighbour::Neighbour;
pub(crate) use tap::name_fits;

use crate::def::interface::Mac;
use crate::def::shaping::Shaping;
use crate::plan::Nic;
use driver_api::error::Result;
use std::fmt::Debug;
use std::io;
use std::os::fd::OwnedFd;

/// The host's network as this driver uses it, as a trait that tests can script.
pub trait Network: Debug + Send + Sync {
    /// Checks that what an interface is to be attached to is there, or a tap that is to be used.
    ///
    /// # Errors
    /// 38 with the bridge's name when it is missing, 67 when it is another device.
    fn check(&self, nic: &Nic) -> Result<()>;

    /// Makes a tap of this name, down and attached to nothing; `None` when a device of this name exists.
    ///
    /// # Errors
    /// 38 when the kernel refuses.
    fn make(&self, name: &str, nic: &Nic) -> Result<Option<OwnedFd>>;

    /// Opens a tap that somebody else made, as it is.
    ///
    /// # Errors
    /// 38 when it is not there, or somebody has it open, 67 when the device is no tap.
    fn adopt(&self, name: &str, nic: &Nic) -> Result<OwnedFd>;

    /// Limits what a device carries, in place of earlier limits.
    ///
    /// # Errors
    /// 67 when the host's kernel can not, 38 when it refuses.
    fn shape(&self, name: &str, mac: Mac, shaping: &Shaping) -> Result<()>;

    /// Attaches a tap to where its interface belongs, wherever it was before, and switches it on, with the cable plugged in
    /// or not.
    ///
    /// # Errors
    /// 38 when the kernel refuses.
    fn connect(&self, name: &str, nic: &Nic) -> Result<()>;

    /// Removes a tap, whoever has it open; one that is gone already is no error.
    ///
    /// # Errors
    /// 38 when the kernel refuses.
    fn remove(&self, name: &str) -> Result<()>;

    /// What has passed a device, as the host sees it.
    ///
    /// # Errors
    /// The kernel's; the device may be gone.
    fn counters(&self, name: &str) -> io::Result<Counters>;

    /// The host's neighbours, of both families.
    ///
    /// # Errors
    /// The kernel's.
    fn neighbours(&self) -> io::Result<Vec<Neighbour>>;
}

/// The address of a tap: another than its guest's, and so high that a bridge never takes it for its own.
const fn host_side(guest: Mac) -> Mac {
    guest.with_first(HOST_SIDE)
}

/// The first byte of a tap's address.
pub(crate) const HOST_SIDE: u8 = 0xfe;
