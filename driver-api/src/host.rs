//! `Host`: what the host lends to a driver, as safe calls over the service tables.

use crate::abi::host::Services;
use crate::error::Result;
use crate::lock::guard::Loan;
use crate::lock::level::{Level, Unlocked, Update};
use crate::lock::token::Cx;
use crate::types::domain::DomainEvent;
use crate::types::filter::PortRequest;
use crate::types::guest::{GuestId, GuestSpec, Started};
use std::os::fd::BorrowedFd;

/// The host as a driver sees it; cheap to clone, valid for the life of the process.
#[derive(Clone, Debug)]
pub struct Host {
    services: &'static Services,
}

impl Host {
    /// For generated code only.
    #[doc(hidden)]
    #[must_use]
    pub fn from_services(services: &'static Services) -> Self {
        Self { services }
    }

    /// Raises a domain event: queued at once, delivered to clients when this thread holds no lock any more.
    pub fn emit(&self, event: &DomainEvent) {
        self.services.emit(event);
    }

    /// Starts a guest process tree under a supervisor that outlives the host. Must be called without a lock held.
    ///
    /// # Errors
    /// 38 with the step that failed; nothing is left of it.
    pub fn spawn(&self, cx: &mut Cx<'_, Unlocked>, spec: &GuestSpec) -> Result<Started> {
        self.services.spawn(cx.call(), spec)
    }

    /// [`Host::spawn`] of a guest that is born with open descriptors: number `k` of the slice is descriptor
    /// [`DESCRIPTOR_FD`](crate::types::guest::DESCRIPTOR_FD)` + k` of its first process. The caller keeps its own; what lives only as long as a descriptor is
    /// open lives as long as the guest, whatever becomes of the host.
    ///
    /// # Errors
    /// 3 when the host does not offer `descriptors/1`, 8 for more descriptors than it passes on, else as [`Host::spawn`].
    pub fn spawn_with(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        spec: &GuestSpec,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Started> {
        self.services.spawn_with(cx.call(), spec, descriptors)
    }

    /// The guests of this driver that outlived the last host, or ended while no host ran. Their events begin to come
    /// after [`Host::watch`].
    ///
    /// # Errors
    /// 38 when the run folder can not be read.
    pub fn survivors(&self, cx: &mut Cx<'_, Unlocked>) -> Result<Vec<Started>> {
        self.services.survivors(cx.call())
    }

    /// Begins the delivery of a guest's events to `VirtDriver::guest_event`, those that were missed first.
    ///
    /// # Errors
    /// 38 when there is no such guest.
    pub fn watch(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        self.services.watch(cx.call(), guest)
    }

    /// Kills the whole process tree of a guest, safely for the host, and waits until it is gone. The exit is delivered
    /// as an event too.
    ///
    /// # Errors
    /// 38 when there is no such guest, 68 when it does not die in time.
    pub fn kill(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        self.services.kill(cx.call(), guest)
    }

    /// Forgets a guest that has exited: its run folder is removed.
    ///
    /// # Errors
    /// 55 while it still runs.
    pub fn forget(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId) -> Result<()> {
        self.services.forget(cx.call(), guest)
    }

    /// The last lines of a guest's first console, at most `bytes` of them.
    ///
    /// # Errors
    /// 38 when there is no such guest or its log can not be read.
    pub fn console_tail(&self, guest: GuestId, bytes: u32) -> Result<String> {
        self.services.console_tail(guest, bytes)
    }

    /// Processor time of all processes of a guest in nanoseconds.
    ///
    /// # Errors
    /// 38 when there is no such guest.
    pub fn cpu_time(&self, guest: GuestId) -> Result<u64> {
        self.services.cpu_time(guest)
    }

    /// Puts a filter on a port before it is attached to anything; the token proves that filters do not change
    /// meanwhile.
    ///
    /// # Errors
    /// 3 when no driver filters ports, else what the filter driver says.
    pub fn attach_port(&self, cx: &mut Cx<'_, Update>, request: &PortRequest) -> Result<()> {
        self.services.attach_port(cx.call(), request)
    }

    /// Takes the filter off a port.
    ///
    /// # Errors
    /// As [`Host::attach_port`].
    pub fn detach_port(&self, cx: &mut Cx<'_, Update>, port: &str) -> Result<()> {
        self.services.detach_port(cx.call(), port)
    }

    /// The ports of every virt driver's active domains that use one of these filters: what a filter driver rebuilds.
    ///
    /// # Errors
    /// What the first virt driver that can not tell says.
    pub fn filtered_ports(&self, cx: &mut Cx<'_, Update>, filters: &[String]) -> Result<Vec<PortRequest>> {
        self.services.filtered_ports(cx.call(), filters)
    }

    /// Runs `work` on the current thread, one of the driver's own, with a token of its own.
    ///
    /// # Errors
    /// 55 when this thread is inside a call or session already; else what `work` returns.
    pub fn session<T>(&self, name: &str, work: impl FnOnce(&mut Cx<'_, Unlocked>) -> Result<T>) -> Result<T> {
        self.services.session(name, work)
    }

    /// Runs `work` on a helper thread with a hold that was lent to it.
    ///
    /// # Errors
    /// 55 when the loan was used or its lender is gone; else what `work` returns.
    pub fn with_loan<L: Level, T>(&self, loan: Loan<L>, work: impl FnOnce(&mut Cx<'_, L>) -> Result<T>) -> Result<T> {
        self.services.with_loan(loan, work)
    }
}
