//! `Host`: what the host lends to a driver, as safe calls over the service tables.

use crate::abi::host::Services;
use crate::error::Result;
use crate::lock::guard::Loan;
use crate::lock::level::{Level, Unlocked, Update};
use crate::lock::token::Cx;
use crate::types::domain::DomainEvent;
use crate::types::filter::PortRequest;
use crate::types::guest::{GuestId, GuestSpec, Started};
use crate::types::launch::{Launch, Plug, Plugged, Unplug};
use crate::types::notice::DomainNotice;
use crate::types::param::Param;
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

    /// Tells what happened to a domain beside its life: queued and delivered like an event, in order with them. A host
    /// without `notice/1` has no clients that could hear of it.
    pub fn notify(&self, notice: DomainNotice) {
        self.services.notify(notice);
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

    /// Whether the host offers `spawn/2`: without it [`Host::launch`] starts plain guests only, and nothing can be
    /// plugged, limited or measured.
    #[must_use]
    pub fn can_launch(&self) -> bool {
        self.services.can_launch()
    }

    /// [`Host::spawn`] of a guest with links, companions and limits; `descriptors` are shared out as [`Launch::links`]
    /// says, and live on as those of [`Host::spawn_with`] do. A host that does not offer `spawn/2` still starts what asks
    /// for no more than a [`GuestSpec`].
    ///
    /// # Errors
    /// 3 for an order that an older host can not fulfil, 8 for one that contradicts itself, 67 for a limit that this
    /// machine can not keep, 38 with the step that failed; nothing is left of it.
    pub fn launch(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        launch: &Launch,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Started> {
        self.services.launch(cx.call(), launch, descriptors)
    }

    /// Puts something into a running guest. Must be called without a lock held.
    ///
    /// # Errors
    /// 3 without `spawn/2`, 9 for a name that is taken and for want of a spare console, 38 with the step that failed;
    /// nothing is left of it.
    pub fn plug(
        &self,
        cx: &mut Cx<'_, Unlocked>,
        guest: GuestId,
        plug: &Plug,
        tap: Option<BorrowedFd<'_>>,
    ) -> Result<Plugged> {
        self.services.plug(cx.call(), guest, plug, tap)
    }

    /// Takes something out of a running guest. Must be called without a lock held.
    ///
    /// # Errors
    /// 3 without `spawn/2`, 99 (`DEVICE_MISSING`) when it is not there, 38 with the step that failed.
    pub fn unplug(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, unplug: &Unplug) -> Result<()> {
        self.services.unplug(cx.call(), guest, unplug)
    }

    /// Sets limits of a guest's processes; those that are not named stay.
    ///
    /// Names and types are libvirt's: `cpu_shares` (unsigned long), `vcpu_period` and `vcpu_quota` (microseconds; -1 for
    /// none), `emulator_period`, `emulator_quota`, `global_period`, `global_quota`, `cpuset` (text, as `<vcpu cpuset>`),
    /// `hard_limit`, `soft_limit`, `swap_hard_limit` (KiB; 9007199254740991 for none), `weight` (unsigned, 10 to 1000),
    /// `device_weight`, `device_read_bytes_sec`, `device_write_bytes_sec`, `device_read_iops_sec`,
    /// `device_write_iops_sec` (text, `/dev/sda,1000,...`), `pids` (unsigned long).
    ///
    /// A guest is one tree of processes, of which none is known to be a virtual processor: periods and quotas of all three
    /// kinds are about all of them. Where cgroups of version 2 keep them, `cpu_shares` is `cpu.weight` at the kernel's own
    /// rate (1024 for 100), `soft_limit` is `memory.high`, and swap alone is what `swap_hard_limit` leaves beside
    /// `hard_limit`. Of several at once `global` counts before `vcpu`, and that before `emulator`; all read
    /// back alike.
    ///
    /// # Errors
    /// 3 without `spawn/2`, 8 for a name or value that is none, 67 where the machine has not the controller for it, 38 when
    /// the kernel refuses.
    pub fn limit(&self, cx: &mut Cx<'_, Unlocked>, guest: GuestId, limits: &[Param]) -> Result<()> {
        self.services.limit(cx.call(), guest, limits)
    }

    /// The limits that the kernel keeps for a guest now, read back from it; names as in [`Host::limit`].
    ///
    /// # Errors
    /// 3 without `spawn/2`, 38 when there is no such guest.
    pub fn limits(&self, guest: GuestId) -> Result<Vec<Param>> {
        self.services.limits(guest)
    }

    /// What a guest uses, all of its processes together: `cpu.time`, `cpu.user`, `cpu.system` (nanoseconds),
    /// `memory.rss` (KiB in memory, each page once), `memory.file` (KiB of its memory file that are in memory),
    /// `memory.peak`, `processes`, `io.read_bytes`, `io.write_bytes`, and for each link that is no tap
    /// `link.NAME.rx_bytes`, `.rx_packets`, `.tx_bytes`, `.tx_packets`. What the machine does not count is left out.
    ///
    /// # Errors
    /// 3 without `spawn/2`, 38 when there is no such guest.
    pub fn usage(&self, guest: GuestId) -> Result<Vec<Param>> {
        self.services.usage(guest)
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
