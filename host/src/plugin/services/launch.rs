//! `spawn/2` over the room of the guest processes.

use crate::plugin::desk::Desk;
use driver_api::abi::lock::Call;
use driver_api::error::Result;
use driver_api::kit::offer::LaunchService;
use driver_api::types::guest::{GuestId, Started};
use driver_api::types::launch::{Launch, Plug, Plugged, Unplug};
use driver_api::types::param::Param;
use std::os::fd::BorrowedFd;

impl LaunchService for Desk {
    fn launch(&self, _: Call, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        self.unlocked_room()?.launch(&self.name, launch, descriptors)
    }

    fn plug(&self, _: Call, guest: GuestId, plug: &Plug, tap: Option<BorrowedFd<'_>>) -> Result<Plugged> {
        self.unlocked_room()?.plug(&self.name, guest, plug, tap)
    }

    fn unplug(&self, _: Call, guest: GuestId, unplug: &Unplug) -> Result<()> {
        self.unlocked_room()?.unplug(&self.name, guest, unplug)
    }

    fn limit(&self, _: Call, guest: GuestId, limits: &[Param]) -> Result<()> {
        self.unlocked_room()?.limit(&self.name, guest, limits)
    }

    fn limits(&self, guest: GuestId) -> Result<Vec<Param>> {
        self.room()?.limits(&self.name, guest)
    }

    fn usage(&self, guest: GuestId) -> Result<Vec<Param>> {
        self.room()?.usage(&self.name, guest)
    }
}
