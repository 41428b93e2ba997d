//! The seam between this driver and its host: what it asks for, as a trait that tests can script.

use driver_api::error::Result;
use driver_api::host::Host;
use driver_api::lock::level::{Unlocked, Update};
use driver_api::lock::token::Cx;
use driver_api::types::domain::DomainEvent;
use driver_api::types::filter::PortRequest;
use driver_api::types::guest::{GuestId, Started};
use driver_api::types::launch::{Launch, Plug, Plugged, Unplug};
use driver_api::types::notice::DomainNotice;
use driver_api::types::param::Param;
use std::fmt::Debug;
use std::os::fd::BorrowedFd;

/// Work of a thread of the driver's own.
pub type Work<'a> = dyn FnMut(&mut Cx<'_, Unlocked>) -> Result<()> + 'a;

/// The services of [`Host`] that this driver uses; see there.
#[allow(missing_docs, reason = "each method is the one of the same name in `Host`")]
#[allow(clippy::missing_errors_doc, reason = "as above")]
pub trait HostLink: Debug + Send + Sync {
    fn emit(&self, event: &DomainEvent);
    fn notify(&self, notice: DomainNotice);
    fn can_launch(&self) -> bool;
    fn launch(&self, cx: &mut Cx<'_, Unlocked>, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started>;
    fn plug(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        guest: GuestId,
        plug: &Plug,
        tap: Option<BorrowedFd<'_>>,
    ) -> Result<Plugged>;
    fn unplug(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, unplug: &Unplug) -> Result<()>;
    fn limit(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, limits: &[Param]) -> Result<()>;
    fn limits(&self, guest: GuestId) -> Result<Vec<Param>>;
    fn usage(&self, guest: GuestId) -> Result<Vec<Param>>;
    fn survivors(&self, cx: &mut Cx<'_, Unlocked>) -> Result<Vec<Started>>;
    fn watch(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()>;
    fn kill(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()>;
    fn forget(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()>;
    fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String>;
    fn cpu_time(&self, guest: GuestId) -> Result<u64>;
    fn attach_port(&self, cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()>;
    fn detach_port(&self, cx: &mut Cx<'_, Update>, port: &str) -> Result<()>;
    fn session(&self, name: &str, work: &mut Work<'_>) -> Result<()>;
}

impl HostLink for Host {
    fn emit(&self, event: &DomainEvent) {
        Self::emit(self, event);
    }
    fn notify(&self, notice: DomainNotice) {
        Self::notify(self, notice);
    }
    fn can_launch(&self) -> bool {
        Self::can_launch(self)
    }
    fn launch(&self, cx: &mut Cx<'_, Unlocked>, launch: &Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Started> {
        Self::launch(self, cx, launch, descriptors)
    }
    fn plug(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        guest: GuestId,
        plug: &Plug,
        tap: Option<BorrowedFd<'_>>,
    ) -> Result<Plugged> {
        Self::plug(self, cx, guest, plug, tap)
    }
    fn unplug(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, unplug: &Unplug) -> Result<()> {
        Self::unplug(self, cx, guest, unplug)
    }
    fn limit(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, limits: &[Param]) -> Result<()> {
        Self::limit(self, cx, guest, limits)
    }
    fn limits(&self, guest: GuestId) -> Result<Vec<Param>> {
        Self::limits(self, guest)
    }
    fn usage(&self, guest: GuestId) -> Result<Vec<Param>> {
        Self::usage(self, guest)
    }
    fn survivors(&self, cx: &mut Cx<'_, Unlocked>) -> Result<Vec<Started>> {
        Self::survivors(self, cx)
    }
    fn watch(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        Self::watch(self, cx, guest)
    }
    fn kill(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        Self::kill(self, cx, guest)
    }
    fn forget(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        Self::forget(self, cx, guest)
    }
    fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String> {
        Self::console_tail(self, guest, bytes)
    }
    fn cpu_time(&self, guest: GuestId) -> Result<u64> {
        Self::cpu_time(self, guest)
    }
    fn attach_port(&self, cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        Self::attach_port(self, cx, request)
    }
    fn detach_port(&self, cx: &mut Cx<'_, Update>, port: &str) -> Result<()> {
        Self::detach_port(self, cx, port)
    }
    fn session(&self, name: &str, work: &mut Work<'_>) -> Result<()> {
        Self::session(self, name, |cx| work(cx))
    }
}
