//! Limits and figures of running guests, as the host sets and reads them: the supervisor is not asked.

use super::cgroup::{self, Refusal};
use super::extras::Limit;
use super::guests::{Guests, system, unknown};
use super::order::Running;
use super::sandbox::MEMORY;
use super::table::State;
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::guest::GuestId;
use driver_api::types::param::Param;
use std::path::Path;

impl Guests {
    /// Sets limits of a guest's processes; those that are not named stay. Names as in `driver_api::host::Host::limit`.
    ///
    /// # Errors
    /// 8 for a name or value that is none, 67 where the machine has not the controller for it, 38 when the kernel refuses
    /// or there is no such guest, 55 when it does not run.
    pub fn limit(&self, guest: GuestId, limits: &[Param]) -> Result<()> {
        let running = self.record(guest)?;
        let table = self.shared.table.lock();
        let layers = table.entries.get(&guest).map(|entry| entry.order.layers);
        drop(table);
        if layers.is_some_and(|layers| !layers.cgroups) {
            let text = format!(
                "cannot limit guest process '{}': it was started with 'cgroups' turned off in lockstep.toml",
                guest.0
            );
            return Err(Error::new(Code::CONFIG_UNSUPPORTED, Origin::DOMAIN, text));
        }
        let limits: Vec<Limit> = limits.iter().map(Limit::from).collect();
        let (groups, root) = (running.groups(), running.guest.pid);
        let done = cgroup::check(&limits).and_then(|()| groups.limit(&limits, root));
        done.map_err(|refusal| {
            let code = match refusal {
                Refusal::Invalid(_) => Code::INVALID_ARG,
                Refusal::Missing(_) => Code::CONFIG_UNSUPPORTED,
                Refusal::Kernel(..) => Code::SYSTEM_ERROR,
            };
            let text = format!("cannot limit guest process '{}': {refusal}", guest.0);
            Error::new(code, Origin::DOMAIN, text)
        })
    }

    /// The limits that the kernel keeps for a guest now; names as in `driver_api::host::Host::limit`.
    ///
    /// # Errors
    /// 38 when there is no such guest, 55 when it does not run.
    pub fn limits(&self, guest: GuestId) -> Result<Vec<Param>> {
        Ok(self.record(guest)?.groups().limits())
    }

    /// What a guest uses; names as in `driver_api::host::Host::usage`.
    ///
    /// # Errors
    /// 38 when there is no such guest, 55 when it does not run.
    pub fn usage(&self, guest: GuestId) -> Result<Vec<Param>> {
        let running = self.record(guest)?;
        let mut usage = running.groups().usage(running.guest.pid, Path::new(MEMORY));
        usage.extend(self.link_usage(guest));
        Ok(usage)
    }

    /// Processor time of all processes of a guest in nanoseconds.
    ///
    /// # Errors
    /// 38 when there is no such guest, 55 when it does not run.
    pub fn cpu_time(&self, guest: GuestId) -> Result<u64> {
        let running = self.record(guest)?;
        let time = running.groups().cpu_time(running.guest.pid);
        let time = time.ok_or_else(|| system(format!("cannot read the processor time of guest '{}'", guest.0)))?;
        Ok(time.total)
    }

    /// The record of a guest that runs.
    pub(super) fn record(&self, guest: GuestId) -> Result<Running> {
        let table = self.shared.table.lock();
        let entry = table.entries.get(&guest).ok_or_else(|| unknown(guest))?;
        let running = entry.running.clone();
        running
            .filter(|_| matches!(entry.state, State::Alive { .. }))
            .ok_or_else(|| {
                let text = format!("guest process '{}' does not run", guest.0);
                Error::new(Code::OPERATION_INVALID, Origin::DOMAIN, text)
            })
    }
}
