//! `spawn/1` and `descriptors/1` over the room of the guest processes.

use crate::plugin::desk::{Desk, GuestRoom};
use crate::supervisor::Guests;
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::offer::{DescriptorService, SpawnService};
use driver_api::types::guest::{GuestId, GuestSpec, Started};
use driver_api::types::launch::{Launch, Plug, Plugged, Unplug};
use driver_api::types::param::Param;
use std::os::fd::BorrowedFd;

impl Desk {
    pub(super) fn room(&self) -> Result<&dyn GuestRoom> {
        self.guests
            .as_deref()
            .ok_or_else(|| Error::new(Code::NO_SUPPORT, Origin::NONE, "this host starts no guest processes"))
    }

    /// For what may take long: a thread that waits with a lock held would make others wait for a guest.
    pub(super) fn unlocked_room(&self) -> Result<&dyn GuestRoom> {
        self.locks.holds_above(0)?;
        self.room()
    }
}

impl SpawnService for Desk {
    fn spawn(&self, _call: Call, spec: &GuestSpec) -> Result<Started> {
        self.unlocked_room()?.spawn(&self.name, spec)
    }

    fn survivors(&self, _call: Call) -> Result<Vec<Started>> {
        self.unlocked_room()?.survivors(&self.name)
    }

    fn watch(&self, _call: Call, guest: GuestId) -> Result<()> {
        self.room()?.watch(&self.name, guest)
    }

    fn kill(&self, _call: Call, guest: GuestId) -> Result<()> {
        self.unlocked_room()?.kill(&self.name, guest)
    }

    fn forget(&self, _call: Call, guest: GuestId) -> Result<()> {
        self.unlocked_room()?.forget(&self.name, guest)
    }

    fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String> {
        self.room()?.console_tail(&self.name, guest, bytes)
    }

    fn cpu_time(&self, guest: GuestId) -> Result<u64> {
        self.room()?.cpu_time(&self.name, guest)
    }
}

impl DescriptorService for Desk {
    fn spawn_with(&self, _call: Call, spec: &GuestSpec, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        self.unlocked_room()?.spawn_with(&self.name, spec, descriptors)
    }
}

/// Refuses a guest that another driver ordered, as if it did not exist.
fn own(guests: &Guests, driver: &str, guest: GuestId) -> Result<()> {
    if guests.driver_of(guest).as_deref() == Some(driver) {
        return Ok(());
    }
    let message = format!("driver '{driver}' has no guest process '{}'", guest.0);
    Err(Error::new(Code::SYSTEM_ERROR, Origin::NONE, message))
}

impl GuestRoom for Guests {
    fn spawn(&self, driver: &str, spec: &GuestSpec) -> Result<Started> {
        self.spawn(driver, spec)
    }

    fn spawn_with(&self, driver: &str, spec: &GuestSpec, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        self.spawn_with(driver, spec, descriptors)
    }

    fn launch(&self, driver: &str, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        self.launch(driver, launch, descriptors)
    }

    fn plug(&self, driver: &str, guest: GuestId, plug: &Plug, tap: Option<BorrowedFd<'_>>) -> Result<Plugged> {
        own(self, driver, guest)?;
        self.plug(guest, plug, tap)
    }

    fn unplug(&self, driver: &str, guest: GuestId, unplug: &Unplug) -> Result<()> {
        own(self, driver, guest)?;
        self.unplug(guest, unplug)
    }

    fn survivors(&self, driver: &str) -> Result<Vec<Started>> {
        self.survivors(driver)
    }

    fn watch(&self, driver: &str, guest: GuestId) -> Result<()> {
        own(self, driver, guest)?;
        self.watch(guest)
    }

    fn kill(&self, driver: &str, guest: GuestId) -> Result<()> {
        own(self, driver, guest)?;
        self.kill(guest)
    }

    fn forget(&self, driver: &str, guest: GuestId) -> Result<()> {
        own(self, driver, guest)?;
        self.forget(guest)
    }

    fn console_tail(&self, driver: &str, guest: GuestId, bytes: u32) -> Result<String> {
        own(self, driver, guest)?;
        self.console_tail(guest, bytes)
    }

    fn cpu_time(&self, driver: &str, guest: GuestId) -> Result<u64> {
        own(self, driver, guest)?;
        self.cpu_time(guest)
    }

    fn limit(&self, driver: &str, guest: GuestId, limits: &[Param]) -> Result<()> {
        own(self, driver, guest)?;
        self.limit(guest, limits)
    }

    fn limits(&self, driver: &str, guest: GuestId) -> Result<Vec<Param>> {
        own(self, driver, guest)?;
        self.limits(guest)
    }

    fn usage(&self, driver: &str, guest: GuestId) -> Result<Vec<Param>> {
        own(self, driver, guest)?;
        self.usage(guest)
    }
}
