//! `Desk`: what the host keeps for one plug-in and serves its calls from; its address says which plug-in calls.

use super::registry::Shared;
use super::services::log::LogDesk;
use crate::event::Events;
use crate::lock::{Caller, Locks};
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::offer::HostServices;
use driver_api::types::guest::{GuestId, GuestSpec, Started};
use driver_api::types::launch::{Launch, Plug, Plugged, Unplug};
use driver_api::types::param::Param;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Weak};

/// The room of the guest processes, as plug-ins reach it. Each method is that of `driver_api::host::Host` with the same
/// name; `driver` is the name of the plug-in that asks, which reaches its own guests only.
#[allow(clippy::missing_errors_doc, missing_docs, reason = "documented at `Host`")]
pub trait GuestRoom: Send + Sync + fmt::Debug {
    fn spawn(&self, driver: &str, spec: &GuestSpec) -> Result<Started>;
    fn spawn_with(&self, driver: &str, spec: &GuestSpec, descriptors: &[BorrowedFd<'_>]) -> Result<Started>;
    fn launch(&self, driver: &str, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started>;
    fn plug(&self, driver: &str, guest: GuestId, plug: &Plug, tap: Option<BorrowedFd<'_>>) -> Result<Plugged>;
    fn unplug(&self, driver: &str, guest: GuestId, unplug: &Unplug) -> Result<()>;
    fn survivors(&self, driver: &str) -> Result<Vec<Started>>;
    fn watch(&self, driver: &str, guest: GuestId) -> Result<()>;
    fn kill(&self, driver: &str, guest: GuestId) -> Result<()>;
    fn forget(&self, driver: &str, guest: GuestId) -> Result<()>;
    fn console_tail(&self, driver: &str, guest: GuestId, bytes: u32) -> Result<String>;
    fn cpu_time(&self, driver: &str, guest: GuestId) -> Result<u64>;
    fn limit(&self, driver: &str, guest: GuestId, limits: &[Param]) -> Result<()>;
    fn limits(&self, driver: &str, guest: GuestId) -> Result<Vec<Param>>;
    fn usage(&self, driver: &str, guest: GuestId) -> Result<Vec<Param>>;
}

/// One plug-in's desk; never freed, since the plug-in keeps its address.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) number: u32,
    pub(super) name: Arc<str>,
    pub(super) locks: Arc<Locks>,
    pub(super) events: Arc<Events>,
    pub(super) guests: Option<Arc<dyn GuestRoom>>,
    pub(super) log: LogDesk,
    pub(super) shared: Weak<Shared>,
}

impl Desk {
    /// The plug-in and the call that it says it is in.
    pub(super) fn caller(&self, call: Call) -> Caller {
        Caller {
            plugin: self.number,
            call: call.id,
        }
    }

    /// The other plug-ins.
    pub(super) fn plugins(&self) -> Result<Arc<Shared>> {
        self.shared.upgrade().ok_or_else(|| {
            let message = format!("the host stops and serves plug-in '{}' no more", self.name);
            Error::new(Code::OPERATION_INVALID, Origin::NONE, message)
        })
    }
}

/// Every service that a host with all its rooms offers to a plug-in.
pub const SERVICES: [&str; 8] = [
    "lock/1",
    "log/1",
    "event/1",
    "notice/1",
    "ports/1",
    "spawn/1",
    "descriptors/1",
    "spawn/2",
];

/// Whether a host with these rooms has a service.
pub(super) fn offers(id: &str, guests: bool) -> bool {
    let of_guests = matches!(id, "spawn/1" | "descriptors/1" | "spawn/2");
    SERVICES.contains(&id) && (guests || !of_guests)
}

impl HostServices for Desk {
    fn offers(&self, id: &str) -> bool {
        offers(id, self.guests.is_some())
    }
}
