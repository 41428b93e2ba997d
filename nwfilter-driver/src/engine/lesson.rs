//! `Lesson`: what is to be learned about a port, and who learns it.

use crate::def::address::Mac;
use driver_api::error::Result;
use driver_api::types::uuid::Uuid;
use std::fmt;
use std::net::IpAddr;

/// From what a guest's addresses are learned (`CTRL_IP_LEARNING`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Whatever the guest is seen to use: ARP, IPv4, DHCP; neighbour discovery and DHCPv6 for IPv6.
    Any,
    /// Leases only.
    Dhcp,
}

/// A port whose filter asks for addresses that nobody gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lesson {
    /// The device; it may not exist yet, vanish and come back.
    pub port: String,
    /// The guest's address.
    pub mac: Mac,
    /// Whose port it is: with the address the key under which leases are kept.
    pub owner: Uuid,
    /// What to learn from.
    pub mode: Mode,
    /// `$IP` is missing.
    pub v4: bool,
    /// `$IPV6` is missing.
    pub v6: bool,
    /// The only servers whose leases count; empty if all do.
    pub servers: Vec<IpAddr>,
    /// Which binding of the port this is: goes back with what was learned.
    pub generation: u64,
    /// What was learned already and is in force: by the host that ran before, or before the filter changed. It is told
    /// again only when it changes. Empty for a new binding, whose leases may be known all the same.
    pub known: Vec<IpAddr>,
}

impl Lesson {
    /// Whether the same is to be learned, whatever is known already.
    #[must_use]
    pub fn goes_on(&self, before: &Self) -> bool {
        let known = self.known.clone();
        *self
            == Self {
                known,
                ..before.clone()
            }
    }
}

/// Learns addresses in threads of its own.
///
/// Both methods are called with locks held that [`Pupil::learned`] needs too: they must neither call it nor wait for a
/// thread that does. What is told about a lesson that ended meanwhile is dropped there.
pub trait Learner: Send + Sync + fmt::Debug {
    /// Begins a lesson, in the place of the port's last one. The port is closed to all but what learning needs.
    ///
    /// # Errors
    /// Any; the port is then not bound.
    fn start(&self, lesson: Lesson) -> Result<()>;

    /// Ends a port's lesson, if it has one. Leases stay known for its owner and address.
    fn stop(&self, port: &str);
}

/// Who is told what was learned.
pub trait Pupil: Send + Sync + fmt::Debug {
    /// The addresses that the guest uses now, all of them; none closes the port again. To be called from a thread of the
    /// learner's that holds no lock.
    ///
    /// # Errors
    /// Why the port stays as it is.
    fn learned(&self, port: &str, generation: u64, addresses: &[IpAddr]) -> Result<()>;
}
