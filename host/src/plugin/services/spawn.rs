//! `spawn/1` over the room of the guest processes.

use crate::plugin::desk::{Desk, GuestRoom};
use driver_api::abi::lock::Call;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::kit::offer::SpawnService;
use driver_api::types::guest::{GuestId, GuestSpec, Started};

impl Desk {
    fn room(&self) -> Result<&dyn GuestRoom> {
        self.guests
            .as_deref()
            .ok_or_else(|| Error::new(Code::NO_SUPPORT, Origin::NONE, "this host starts no guest processes"))
    }

    /// For what may take long: a thread that waits with a lock held would make others wait for a guest.
    fn unlocked_room(&self) -> Result<&dyn GuestRoom> {
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
